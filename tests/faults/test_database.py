"""The database is killed, stopped, frozen, locked, cut off, or out of connections: no answered post is lost."""

import contextlib
import json
import os
import signal
import socket
import threading
import time
import urllib.request

import psycopg
import pytest

from config import embedded
from tests.faults.client import Client
from tests.faults.conftest import full_or, rounds
from tests.faults.system import (
    ACCESS_KEY,
    E164,
    LEAST_INSIDE,
    WRITERS,
    Round,
    System,
    frozen,
    judge,
    locked,
    tree_of,
    wait_until,
    writers,
)
from tests.ports import free_port

pytestmark = pytest.mark.faults


@contextlib.contextmanager
def signalled(system, number, everybody):
    postmaster = system.postmaster()
    for pid in tree_of(postmaster) if everybody else [postmaster]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    yield


def back(system: System) -> None:
    wait_until(system.has_database, what="the database")


@rounds(20)
def test_killed_with_its_children(running, endure, number):
    endure(running, lambda system: signalled(system, signal.SIGKILL, everybody=True), until=back)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "immediate"])
@rounds(5)
def test_stopped(running, endure, how, number):
    endure(running, lambda system: signalled(system, how, everybody=False), until=back)


@rounds(5)
def test_frozen(running, endure, number):
    endure(running, lambda system: frozen(tree_of(system.postmaster())), full_or(15, 4))


@rounds(5)
def test_the_writers_backends_are_frozen(running, endure, number):
    endure(running, lambda system: frozen(writers(system)), full_or(15, 4))


TABLES = ["calls_call", "calls_callevent", "calls_changedquarterhour", "calls_accesskey", "calls_destinationnumber"]


# One by one in the full form; tests/calls/test_outage.py locks each in any case.
@pytest.mark.parametrize("tables", full_or(TABLES, [", ".join(TABLES)]))
@rounds(3)
def test_tables_are_locked(running, endure, tables, number):
    endure(running, lambda system: locked(system, tables), full_or(15, 4))


@rounds(50)
def test_all_sessions_are_terminated(running, endure, number):
    @contextlib.contextmanager
    def fault(system):
        with system.database() as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        yield

    endure(running, fault, 0.5)


@rounds(3)
def test_connections_are_exhausted_and_those_of_the_writers_cut(running, endure, number):
    @contextlib.contextmanager
    def fault(system):
        with contextlib.ExitStack() as taken:
            cutter = taken.enter_context(system.database())
            with contextlib.suppress(psycopg.OperationalError):
                for _ in range(200):
                    taken.enter_context(system.database())
            for _ in range(20):
                cutter.execute(f"SELECT pg_terminate_backend(pid) FROM ({WRITERS}) AS writer")
                with contextlib.suppress(psycopg.OperationalError):
                    taken.enter_context(system.database())
            yield

    endure(running, fault, 2)


class Relay:
    """Forwards a port to another one."""

    def __init__(self, port: int, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                accepted = self._listener.accept()[0]
                connected = socket.create_connection(("127.0.0.1", self._target))
                for pair in ((accepted, connected), (connected, accepted)):
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError), source:
            while part := source.recv(65536):
                sink.sendall(part)
            sink.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()


@rounds(3)
def test_away_while_the_web_server_starts(running, note, number):
    """A web server that has never reached the database accepts posts; they are checked and moved later."""
    url = embedded.saved_url(running.home)
    real, away, port = int(url.rpartition(":")[2].partition("/")[0]), free_port(), free_port()
    command = ["-m", "config.serve", "--interface=wsgi", f"--port={port}", "--workers=1", "--blocking-threads=16"]
    web = running.popen(*command, "config.wsgi:application", DATABASE_URL=url.replace(f":{real}/", f":{away}/"))
    relay = None
    try:
        wait_until(lambda: can_connect(port), what="a web server")
        client = Client(port, E164, ACCESS_KEY, rate=100.0, name=f"start-{time.monotonic_ns()}")
        client.start()
        of = Round("start", client, began=time.monotonic())
        client.hold(1.5, posts=LEAST_INSIDE + 20)
        of.ended = time.monotonic()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as answer:
            assert json.load(answer)["database"] == "away"
        relay = Relay(away, real)
        client.hold(5)
        client.stop()
        note(judge(running, of))
        assert of.inside() >= LEAST_INSIDE
    finally:
        web.terminate()
        web.wait(20)
        if relay:
            relay.close()


def can_connect(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
