"""manage.py quickstart: starts all of Calltally's processes on this machine; Ctrl-C stops them."""

from __future__ import annotations

import contextlib
import hashlib
import http
import http.client
import io
import os
import secrets
import shlex
import shutil
import signal
import socket
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import environ
from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.db import OperationalError, connection
from django.utils.module_loading import import_string

from config import embedded
from config.embedded import EmbeddedError, Server
from config.services import HOST, services
from config.supervisor import Child, Database, note, stop_all, stop_left_over

UP_WITHIN_S = 60
WATCH_EVERY_S = 0.2
METRICS = Path(settings.HOME) / "metrics"  # the counters of web processes, one file each
WANTED = Path(settings.FILES_FOLDER) / "wanted"  # touched while workbooks wait or are being made
IDLE_AFTER_S = 300
DISPATCHER_WANTED = Path(settings.DISPATCHER_WANTED)  # there while there is an endpoint
# Processes that run only while they have something to do.
ON_DEMAND = ("files", "dispatcher")
THIS_MACHINE = {"127.0.0.1", "localhost", "[::1]"}
FIRST_NUMBER = "+4922155400300"


class Stopped(Exception):  # noqa: N818 (requested, not an error)
    """Raised by Ctrl-C, TERM or a closed terminal."""


class Command(BaseCommand):
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
            except OperationalError as error:
                whose = "The embedded database" if settings.USES_EMBEDDED_DATABASE else "The database of DATABASE_URL"
                sys.exit(f"{whose} does not answer: {str(error).strip()}")

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
        try:
            if server:
                server.start()
                # The settings were read before port and passwords were known.
                url = embedded.saved_url(settings.HOME, embedded.APPLICATION)
                connection.settings_dict.update(environ.Env.db_url_config(url, engine="config.database"))
            hello = self.prepare(port)
            for child in children:
                if child.name not in ON_DEMAND:
                    child.start()
            note(settings.HOME / "processes", children)
            wait_until_up(children, port)
            self.say(hello)
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
            stop_all(reversed(children))
            (settings.HOME / "processes").unlink(missing_ok=True)
            if database:
                database.stop()

    def prepare(self, port: int) -> str:
        """Update tables and static files, and create the superuser and a first number. Return the text to print."""
        call_command("migrate", verbosity=0, interactive=False)
        collect_static()
        login = make_superuser()
        e164, access_key = first_number()
        import_string("live.dispatch.wanted.mark")()
        connection.close()
        return "\n".join(
            [
                "",
                f"Calltally is up:  {address(port)}/",
                f"Admin:            {address(port)}/admin/",
                f"Sign in:          {login}",
                *second_factor_lines(),
                f"Logs:             {settings.HOME / 'logs'}",
                "",
                "To send a first post, run this in another terminal (the key is shown only now):"
                if access_key
                else "To send a post, run this in another terminal (replace YOUR-KEY with a key created in the admin):",
                "",
                first_post(port, e164, access_key or "YOUR-KEY"),
                "",
                "The answer is {}. Within 15 seconds the overview counts the call.",
                "Ctrl-C stops everything; the data is kept.",
                "",
            ]
        )

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


def second_factor_lines() -> list[str]:
    """Return the lines of the greeting that say that a password alone is enough here."""
    if not needs_no_factor():
        return []
    return [
        "Second factor:    not asked for while only this machine opens these pages (MFA_REQUIRED=staff asks for it)"
    ]


def needs_no_factor() -> bool:
    """Return whether no second factor is asked for: only this machine opens the pages, and MFA_REQUIRED is not set."""
    is_shown_elsewhere = settings.BEHIND_HTTPS or settings.PUBLIC_URL or not set(settings.ALLOWED_HOSTS) <= THIS_MACHINE
    return not (os.environ.get("MFA_REQUIRED") or is_shown_elsewhere)


def log_of(name: str) -> Path:
    return Path(settings.HOME) / "logs" / f"{name}.log"


def address(port: int) -> str:
    return f"http://{HOST}:{port}"


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
    """Create the folders of logs and metrics, and pass the home to children as an absolute path."""
    os.umask(0o077)
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


# --- Preparation -----------------------------------------------------------------------------


def collect_static() -> None:
    """Collect static files if one has changed since the last time: hashing and compressing them takes seconds."""
    digest = hashlib.sha256(repr(settings.STORAGES).encode())
    for finder in finders.get_finders():
        for path, storage in finder.list(ignore_patterns=None):
            status = Path(storage.path(path)).stat()
            digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    stamp = Path(settings.HOME) / "static-collected"
    if stamp.exists() and stamp.read_text() == digest.hexdigest() and Path(settings.STATIC_ROOT).is_dir():
        return
    call_command("collectstatic", verbosity=0, interactive=False)
    stamp.write_text(digest.hexdigest())


def make_superuser() -> str:
    """Create a superuser if there is none. Return how to sign in; a generated password is never shown again."""
    users = get_user_model().objects
    asked_for = os.environ.get("DJANGO_SUPERUSER_USERNAME")
    username = asked_for or "admin"
    known = users.filter(is_superuser=True)
    if asked_for:
        known = users.filter(username=asked_for)
    if user := known.order_by("pk").first():
        name = user.get_username()
        again = shlex.join([".venv/bin/python", "manage.py", "changepassword", name])
        return f"{name}, with its password (to set a new one: `{again}`)"
    given = os.environ.get("DJANGO_SUPERUSER_PASSWORD")
    password = given or secrets.token_urlsafe(12)
    users.create_superuser(username, os.environ.get("DJANGO_SUPERUSER_EMAIL", ""), password)
    if given:
        return f"{username}, with the password of DJANGO_SUPERUSER_PASSWORD"
    return f"{username}   Password: {password}   (shown only now)"


def first_number() -> tuple[str, str | None]:
    """Return a number to send posts to; on the first start, create it and return its access key too."""
    known = apps.get_model("calls.DestinationNumber").objects.order_by("pk").values_list("e164", flat=True)
    if e164 := known.first():
        return e164, None
    access_key = secrets.token_hex(16)
    call_command("add_number", FIRST_NUMBER, label="My first number", key=access_key, stdout=io.StringIO())
    return FIRST_NUMBER, access_key


def first_post(port: int, e164: str, access_key: str) -> str:
    """Return a command that sends a CALL_START, ready to paste."""
    body = (
        f'{{"requestType": "CALL_START", "customerNumber": 200000, "accessKey": "{access_key}", "variables": '
        f'{{"destination_number": "{e164}", "call_uuid": "{uuid.uuid4()}", "caller_id_number": "+4917012345678"}}}}'
    )
    return shlex.join(
        ["curl", "-sS", "-H", "Content-Type: application/json", "-d", body, address(port) + settings.POSTS_PATH]
    )


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
