"""manage.py quickstart: starts all of Calltally's processes on this machine; Ctrl-C stops them."""

from __future__ import annotations

import contextlib
import http
import http.client
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from config import embedded, unsaid
from config.embedded import EmbeddedError, Server
from config.services import HOST, address, needs_no_factor, preparation_of, services
from config.supervisor import Child, Database, Task, note, stop_all, stop_left_over

UP_WITHIN_S = 60
WATCH_EVERY_S = 0.2
METRICS = Path(settings.HOME) / "metrics"  # the counters of web processes, one file each
WANTED = Path(settings.FILES_FOLDER) / "wanted"  # touched while workbooks wait or are being made
IDLE_AFTER_S = 300
DISPATCHER_WANTED = Path(settings.DISPATCHER_WANTED)  # there while there is an endpoint
# Processes that run only while they have something to do.
ON_DEMAND = ("files", "dispatcher")


class Stopped(Exception):  # noqa: N818 (requested, not an error)
    """Raised by Ctrl-C, TERM or a closed terminal."""


class Command(BaseCommand):
    # Those of all apps are checked by what prepares the start.
    requires_system_checks = ()
    help = "Starts database, web server, drainer, workers and beat on this machine. Ctrl-C stops them all."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--demo", action="store_true", help="also send made-up calls")

    def handle(self, *args: Any, demo: bool = False, **options: Any) -> None:
        with stop_signals():
            try:
                with embedded.only_start(settings.HOME):
                    self.run(demo=demo)
            except Stopped:
                self.say("Stopped.")
            except EmbeddedError as error:
                sys.exit(str(error))

    def say(self, line: str = "") -> None:
        # A closed terminal, or a full disk if output is redirected, must not end the processes.
        with contextlib.suppress(OSError):
            self.stdout.write(line)
            self.stdout.flush()

    def run(self, *, demo: bool) -> None:
        """Start everything, watch it, and in any case stop it in reverse order."""
        port = web_port()
        if stop_left_over(settings.HOME / "processes"):
            self.say("Stopped what an earlier start had left running.")
        for wanted in (port, port + 1):
            if not is_free(wanted):
                raise EmbeddedError(
                    f"Port {wanted} is taken by another program. Stop that program, or run: PORT={port + 2} make run"
                )
        make_folders()
        self.say("Starting …")
        server = Server(settings.HOME, server_options(), self.say) if settings.USES_EMBEDDED_DATABASE else None
        database = Database(server, self.say) if server else None
        children = [
            Child(name, command, log_of(name), environment_of(name, port)) for name, command in services(port).items()
        ]
        preparation = Task("preparation", preparation_of(port))
        try:
            if server:
                server.start()
            preparation.start()
            note(settings.HOME / "processes", [preparation])
            hello = preparation.result()
            for child in children:
                if child.name not in ON_DEMAND:
                    child.start()
            note(settings.HOME / "processes", children)
            wait_until_up(children, port)
            self.say(hello)
            unsaid.forget(settings.HOME)
            if demo:
                traffic = [sys.executable, "-u", str(settings.BASE_DIR / "manage.py"), "demo", "--url", address(port)]
                children.append(Child("demo", traffic, None))
                children[-1].start()
                note(settings.HOME / "processes", children)
            self.watch(server, database, children)
        finally:
            ignore_stop_signals()
            if any(child.pid for child in children):
                self.say("\nStopping …")
            stop_all([*reversed(children), preparation])
            (settings.HOME / "processes").unlink(missing_ok=True)
            if database:
                database.stop()

    def watch(self, server: Server | None, database: Database | None, children: list[Child]) -> None:
        """Keep everything running until Stopped is raised."""
        served_at = server.port if server else None
        while True:
            time.sleep(WATCH_EVERY_S)
            if server and database and database.revive() and server.port != served_at:
                self.say("The port of the database was taken, so it changed. The other processes are started again.")
                served_at = server.port
                for child in children:
                    child.renew()
            for child in list(children):
                if child.name in ON_DEMAND and run_while_wanted(child, self.say):
                    note(settings.HOME / "processes", children)
                if child.log is None and not child.is_alive():
                    self.say(f"The {child.name} has ended ({child.why_it_ended()}). Everything else keeps running.")
                    stop_all([child])
                    children.remove(child)
                elif child.revive(self.say):
                    note(settings.HOME / "processes", children)


def run_while_wanted(child: Child, say: Callable[[str], None]) -> bool:
    """Start the files worker with the first workbook and the dispatcher with the first endpoint, and stop them when
    they have nothing to do, so that they use no resources.

    Return whether the running processes have changed."""
    is_wanted = DISPATCHER_WANTED.exists() if child.name == "dispatcher" else has_workbooks_to_make()
    if is_wanted and child.pid is None:
        try:
            child.start()
        except OSError as error:
            say(f"The {child.name} could not be started: {error}.")
            if child.name == "files":
                WANTED.unlink(missing_ok=True)  # touched again while workbooks wait
            return False
        return True
    if not is_wanted and child.pid is not None:
        child.stop()
        return True
    return False


def has_workbooks_to_make() -> bool:
    try:
        return abs(time.time() - WANTED.stat().st_mtime) < IDLE_AFTER_S
    except OSError:
        return False


def server_options() -> dict[str, str]:
    """Return the settings of the database server. Each web thread may hold a connection, and other processes need some
    too."""
    return {"max_connections": str(max(100, settings.WEB_PROCESSES * (settings.WEB_THREADS + 4) + 30))}


def environment_of(name: str, port: int) -> dict[str, str]:
    """Return what a process gets in its environment beside ours."""
    serves_people = {"LIVE_PORT": str(port + 1)} | ({"MFA_REQUIRED": "none"} if needs_no_factor() else {})
    if name == "web":
        return {"PROMETHEUS_MULTIPROC_DIR": str(METRICS)} | serves_people
    return serves_people if name == "live" else {}


def log_of(name: str) -> Path:
    return Path(settings.HOME) / "logs" / f"{name}.log"


def web_port() -> int:
    text = os.environ.get("PORT") or "8000"
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise EmbeddedError(f"PORT must be a number from 1 to 65535, not {text!r}.")
    return int(text)


def is_free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
    return True


def make_folders() -> None:
    """Create the folders of logs and metrics, and pass children the home as an absolute path, and the settings with all
    apps."""
    os.umask(0o077)
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    os.environ["CALLTALLY_HOME"] = str(settings.HOME)
    os.chdir(settings.BASE_DIR)
    (settings.HOME / "logs").mkdir(mode=0o700, exist_ok=True)
    # Counters are reset at every start.
    shutil.rmtree(METRICS, ignore_errors=True)
    METRICS.mkdir(mode=0o700)


def wait_until_up(children: list[Child], port: int) -> None:
    """Wait until the web server can store posts; raise EmbeddedError if a child dies before, or after UP_WITHIN_S."""
    until = time.monotonic() + UP_WITHIN_S
    while not is_up(port):
        for child in children:
            if child.pid and not child.is_alive():
                raise EmbeddedError(
                    f"The {child.name} did not start ({child.why_it_ended()}). {child.where_to_look()}\n"
                    f"{child.last_lines()}"
                )
        if time.monotonic() > until:
            raise EmbeddedError(
                f"{address(port)}/healthz did not answer 200 within {UP_WITHIN_S} seconds. See {log_of('web')}."
            )
        time.sleep(0.05)


def is_up(port: int) -> bool:
    """Return whether the web server and its database answer."""
    web = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        web.request("GET", "/healthz")
        return web.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        web.close()


# --- Stopping --------------------------------------------------------------------------------

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def stop_signals() -> Iterator[None]:
    """Turn Ctrl-C, TERM and a closed terminal into Stopped; restore the previous handlers afterwards."""

    def stop(number: int, frame: object) -> None:
        ignore_stop_signals()  # stopping has begun; further signals must not interrupt it
        raise Stopped

    before = {number: signal.signal(number, stop) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ignore_stop_signals() -> None:
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
