"""The web server replaces old processes by new ones, and granian's internals are as `config.serve` expects."""

import http.client
import inspect
import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import granian.server.common
import granian.server.mp
import pytest
from granian import cli
from granian.server import MPServer

from config import embedded
from config.embedded import command_line
from tests.ports import free_port

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
HOST = "127.0.0.1"
OPTIONS = (
    "--interface=wsgi",
    "--workers=2",
    "--blocking-threads=4",
    "--no-ws",
    "--workers-kill-timeout=5",
    "--respawn-failed-workers",
)


def application(environ, start_response):
    """The application of these tests: answers with the id of its process."""
    environ["wsgi.input"].read()  # granian closes connections with unread data
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]


class Web:
    """A running `python -m config.serve`."""

    def __init__(self, log: Path) -> None:
        self.port = free_port()
        self.log = log
        command = [sys.executable, "-m", "config.serve", *OPTIONS, "--respawn-interval=1", f"--port={self.port}"]
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [*command, "tests.test_serve:application"], cwd=ROOT, stdout=output, stderr=output
            )
        assert embedded.wait_until(lambda: log.read_text().count("Started worker") == 2, 20), log.read_text()

    def connect(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=10)
        connection.connect()
        return connection

    def workers(self) -> list[int]:
        """Return the ids of the worker processes in the order of their starts."""
        return [int(pid) for pid in re.findall(r"Spawning worker-\d with PID: (\d+)", self.log.read_text())]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture
def web(tmp_path):
    web = Web(tmp_path / "web.log")
    yield web
    web.stop()


def ask(connection: http.client.HTTPConnection) -> tuple[int, bool]:
    """Return the id of the process that answers, and whether it closes the connection."""
    connection.request("POST", "/", b"a post")
    answer = connection.getresponse()
    assert answer.status == 200
    return int(answer.read()), answer.will_close


def each_threads(pid: int, name: str) -> list[str]:
    """Return the status of each thread of a process from /proc."""
    statuses = [(thread / "status").read_text() for thread in Path(f"/proc/{pid}/task").iterdir()]
    return [re.search(rf"^{name}:\s*(.+)$", status, re.MULTILINE)[1] for status in statuses]


class Senders:
    """Threads that each send posts in sequence, half of them on connections that are kept as long as possible."""

    def __init__(self, web: Web, number: int = 6) -> None:
        self.web = web
        self.answered_by: list[int] = []
        self.broken: list[str] = []
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(bool(index % 2),)) for index in range(number)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stopped.set()
        for thread in self._threads:
            thread.join(20)

    def _send(self, is_kept: bool) -> None:
        connection = None
        while not self._stopped.is_set():
            how = "kept" if connection else "fresh"
            try:
                connection = connection or self.web.connect()
                pid, is_closed = ask(connection)
            except (OSError, http.client.HTTPException) as error:
                self.broken.append(f"{how}: {error!r}")
                if connection:
                    connection.close()
                connection = None
            else:
                self.answered_by.append(pid)
                if is_closed or not is_kept:
                    connection.close()
                    connection = None
        if connection:
            connection.close()


def test_a_rolling_restart_answers_every_post(web):
    old = web.workers()
    with Senders(web) as senders:
        assert embedded.wait_until(lambda: len(senders.answered_by) > 200, 20)
        web.process.send_signal(signal.SIGHUP)
        assert embedded.wait_until(lambda: not any(map(command_line, old)), 30), web.log.read_text()
        since = len(senders.answered_by)
        assert embedded.wait_until(lambda: len(senders.answered_by) > since + 200, 20)

    assert not senders.broken
    assert len(set(web.workers())) == 4
    assert set(senders.answered_by[since:]) <= set(web.workers()[2:])
    assert set(Counter(senders.answered_by)) == set(web.workers())


def test_a_leaving_process_accepts_nothing_and_closes_connections_with_their_answers(web):
    leaving, staying = web.workers()
    kept = {}

    def each_keeps_one() -> bool:
        connection = web.connect()
        pid, is_closed = ask(connection)
        assert not is_closed
        if kept.setdefault(pid, connection) is not connection:
            connection.close()
        return kept.keys() == {leaving, staying}

    assert embedded.wait_until(each_keeps_one, 20)

    os.kill(leaving, signal.SIGUSR1)
    assert embedded.wait_until(lambda: ask(kept[leaving]) == (leaving, True), 20)

    for _ in range(100):
        connection = web.connect()
        assert ask(connection) == (staying, False)
        connection.close()
    kept[staying].close()


@pytest.mark.parametrize("told", [signal.SIGUSR1, signal.SIGTERM])
def test_signals_to_a_process_reach_the_thread_that_waits_for_them(web, told):
    """If another thread took the signal, the main thread, which runs all Python handlers, would stay asleep."""
    for pid in web.workers():
        assert embedded.wait_until(lambda pid=pid: len(each_threads(pid, "SigBlk")) > 2, 20)
        blocked = [int(signals, 16) for signals in each_threads(pid, "SigBlk")]
        assert sum(not signals >> (told - 1) & 1 for signals in blocked) == 1  # while it waits


def test_waiting_connections_survive_a_killed_process(web):
    """Connections that no process has accepted yet are accepted by another one."""
    first, second = web.workers()
    for pid in (first, second):
        os.kill(pid, signal.SIGSTOP)
        assert embedded.wait_until(lambda pid=pid: set(each_threads(pid, "State")) == {"T (stopped)"}, 20)
    waiting = [web.connect() for _ in range(20)]
    for connection in waiting:
        connection.request("GET", "/")
    os.kill(first, signal.SIGKILL)
    os.kill(second, signal.SIGCONT)

    answered_by = {int(connection.getresponse().read()) for connection in waiting}
    assert answered_by
    assert answered_by <= {*web.workers()} - {first}
    for connection in waiting:
        connection.close()


def test_granians_internals_are_as_serve_expects():
    """config.serve replaces, calls or reads each of these; another version of granian may differ."""

    def parameters(function):
        return [name for name in inspect.signature(function).parameters if name != "self"]

    assert parameters(MPServer._init_shared_socket) == []
    assert parameters(MPServer._spawn_worker) == ["idx", "target", "callback_loader"]
    assert parameters(MPServer._respawn_workers) == ["workers", "spawn_target", "target_loader", "delay"]
    assert cli.Server is MPServer
    server = MPServer("config.wsgi:application", workers_kill_timeout=5)
    assert (server._ssp, server._shd, server._sfd) == (None, None, None)
    assert (server.wrks, server.respawned_wrks, server.interrupt_signal) == ([], {}, False)
    assert server.workers_kill_timeout == 5
    assert callable(server._metrics.incr_spawn)
    # A new version may have other methods that use the socket or replace processes.
    source = inspect.getsource(granian.server.common) + inspect.getsource(granian.server.mp)
    assert source.count("self._respawn_workers(") == 4
    assert "sock, _sso = sock" in source
    assert "((self._ssp, self._shd), self._sso)" in source
