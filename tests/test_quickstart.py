"""`make run` with real processes: the first start, Ctrl-C, and the next start."""

import http.server
import os
import re
import shlex
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import ClassVar

import psycopg
import pytest

from config import embedded, supervisor, unsaid
from config.embedded import Server, command_line
from config.management.commands import quickstart
from config.management.commands.quickstart import environment_of, is_up
from tests.conftest import FAST_AND_LOOSE
from tests.ports import free_port

pytestmark = pytest.mark.slow

MANAGE = str(Path(__file__).resolve().parent.parent / "manage.py")
CHILDREN = {"config.serve", "drain_spool", "worker", "beat", "granian"}
OURS = (
    "DATABASE_URL",
    "SECRET_KEY",
    "ACCESS_KEY_PEPPER",
    "PORT",
    "CALLTALLY_HOME",
    "CELERY_BROKER_URL",
    "MFA_REQUIRED",
)


def environment(home: Path, **more: str) -> dict[str, str]:
    """Return the environment of a new user's shell."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in OURS and not name.startswith("DJANGO_SUPERUSER")
    }
    return inherited | {"CALLTALLY_HOME": str(home)} | more


def manage(home: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, MANAGE, *arguments],
        env=environment(home, **more),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class Start:
    """A running `manage.py quickstart`."""

    def __init__(self, home: Path, port: int, **more: str) -> None:
        self.home = home
        self.process = subprocess.Popen(
            [sys.executable, MANAGE, "quickstart"],
            env=environment(home, PORT=str(port), **more),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said = ""
        for line in self.process.stdout:
            self.said += line
            if "Ctrl-C stops everything" in line:
                break
        else:
            self.stop(signal.SIGKILL)
            pytest.fail(f"quickstart ended: {self.said}")

    def pids(self) -> dict[str, int]:
        """Return its processes whose command line contains a text."""
        lines = [line.split(" ", 1) for line in (self.home / "processes").read_text().splitlines()]
        children = {(CHILDREN & set(command.split())).pop(): int(pid) for pid, command in lines}
        return {"postgres": Server(self.home)._running_pid(), **children}

    def stop(self, number: int) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)
            self.said += self.process.stdout.read()
        self.process.wait(30)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("quickstart") / "var"
    yield home
    supervisor.stop_left_over(home / "processes")  # left by a test that failed half-way
    Server(home).remove()


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


def calls(home: Path) -> int:
    with psycopg.connect(embedded.saved_url(home)) as connection:
        return connection.execute("SELECT count(*) FROM calls_call").fetchone()[0]


def events(home: Path) -> int:
    with psycopg.connect(embedded.saved_url(home)) as connection:
        return connection.execute("SELECT count(*) FROM calls_callevent").fetchone()[0]


def answers(home: Path) -> bool:
    try:
        psycopg.connect(embedded.saved_url(home)).close()
    except psycopg.OperationalError:
        return False
    return True


def paste(said: str) -> int:
    """Send the post of the printed curl command. Return the status of the answer."""
    (line,) = [line for line in said.splitlines() if line.startswith("curl ")]
    _, quiet, _, header, _, body, url = shlex.split(line)
    assert quiet == "-sS"
    name, value = header.split(": ")
    request = urllib.request.Request(url, body.encode(), {name: value})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.status


def gone(pid: int) -> bool:
    return not command_line(pid)


def test_from_the_first_start_to_the_next(home, port):
    first = Start(home, port)
    try:
        left = first.pids()
        assert set(left) == {"postgres", *CHILDREN}
        assert f"http://127.0.0.1:{port}/" in first.said
        assert re.search(r"admin +Password: \S{12,}", first.said)
        assert re.search(r"Second factor: +not asked for while only this machine", first.said)
        assert stat.S_IMODE((home / "env").stat().st_mode) == 0o600
        secrets = (home / "env").read_text()

        assert paste(first.said) == 200
        assert calls(home) == 1

        # A second terminal, and a second start.
        assert manage(home, "migrate", "--check").returncode == 0
        second = manage(home, "quickstart", PORT=str(port))
        assert second.returncode == 1
        assert second.stderr.count("\n") == 1
        assert "running already" in second.stderr
    finally:
        # The worst way to end: all processes that it started continue to run.
        first.stop(signal.SIGKILL)
    assert not gone(left["worker"])
    # The web server's worker processes hold the port without their leader.
    os.kill(left["config.serve"], signal.SIGKILL)
    assert embedded.wait_until(lambda: gone(left["config.serve"]), 10)
    (web,) = [
        line.partition(" ") for line in (home / "processes").read_text().splitlines() if "config.serve" in line.split()
    ]
    assert supervisor._left_of(left["config.serve"], web[2])

    again = Start(home, port)
    try:
        assert "Stopped what an earlier start had left running." in again.said
        assert all(gone(left[name]) for name in CHILDREN)
        assert not supervisor._left_of(left["config.serve"], web[2])
        assert again.pids()["postgres"] == left["postgres"]
        assert calls(home) == 1
        assert "Password:" not in again.said
        assert "manage.py changepassword admin" in again.said
        assert "YOUR-KEY" in again.said
        assert (home / "env").read_text() == secrets

        # One of them dies and is restarted.
        beat = again.pids()["beat"]
        os.kill(beat, signal.SIGKILL)
        assert embedded.wait_until(lambda: again.pids().get("beat", beat) != beat, 10)
        # So is the database, and everything else continues: posts are spooled, and moved into it afterwards.
        postgres = again.pids()["postgres"]
        os.killpg(postgres, signal.SIGKILL)
        assert paste(first.said) == 200
        assert embedded.wait_until(lambda: again.pids()["postgres"] not in {None, postgres}, 20)
        assert embedded.wait_until(lambda: answers(home), 20)
        assert embedded.wait_until(lambda: events(home) == 2, 20)
        # The web server's leader: its processes serve until there are new ones, and then end.
        web = again.pids()["config.serve"]
        (command,) = [
            line.partition(" ")[2] for line in (home / "processes").read_text().splitlines() if str(web) in line
        ]
        os.kill(web, signal.SIGKILL)
        assert embedded.wait_until(lambda: again.pids()["config.serve"] != web, 10)
        assert embedded.wait_until(
            lambda: not (is_up(port) or is_up(port)) or not supervisor._left_of(web, command), 60
        )
        # As above: a connection that waited for the last of them is cut off, and the next one is answered.
        assert is_up(port) or is_up(port)
        pids = again.pids()
    finally:
        again.stop(signal.SIGINT)
    assert again.process.returncode == 0
    assert "The beat stopped (signal 9)" in again.said
    assert "The database server stopped; it is started again." in again.said
    assert "The database server is back." in again.said
    assert again.said.endswith("Stopped.\n")
    assert all(gone(pid) for pid in pids.values())

    stopped = manage(home, "showmigrations")
    assert stopped.returncode == 1
    assert stopped.stderr.splitlines() == [
        "The embedded database is not running. Start it with `make run` in another terminal, or set DATABASE_URL."
    ]


@pytest.mark.parametrize("name", ["ALLOWED_HOSTS", "BEHIND_HTTPS", "PUBLIC_URL", "MFA_REQUIRED"])
def test_a_second_factor_is_asked_for_once_others_can_open_the_pages(settings, monkeypatch, name):
    monkeypatch.delenv("MFA_REQUIRED", raising=False)
    settings.ALLOWED_HOSTS, settings.BEHIND_HTTPS, settings.PUBLIC_URL = ["127.0.0.1", "localhost"], False, ""
    assert environment_of("web", 8000)["MFA_REQUIRED"] == environment_of("live", 8000)["MFA_REQUIRED"] == "none"

    if name == "MFA_REQUIRED":
        monkeypatch.setenv(name, "staff")
    else:
        setattr(settings, name, {"ALLOWED_HOSTS": ["calls.example.com"], "BEHIND_HTTPS": True}.get(name, "https://x"))

    assert "MFA_REQUIRED" not in environment_of("web", 8000) | environment_of("live", 8000)


def test_a_taken_port_is_reported_in_one_line(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]

        done = manage(tmp_path / "var", "quickstart", PORT=str(taken))

    assert done.returncode == 1
    assert f"Port {taken} is taken" in done.stderr
    assert done.stderr.count("\n") == 1


def refused(home: Path, *arguments: str, **more: str) -> str:
    """Return the only line that a command prints before it ends with exit code 1."""
    done = manage(home, *arguments, **more)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "Stopping" not in done.stdout
    return done.stderr


@pytest.mark.parametrize("command", ["quickstart", "roll_up"])
def test_an_invalid_database_is_reported(tmp_path, command):
    secrets = {"SECRET_KEY": "s" * 50, "ACCESS_KEY_PEPPER": "p" * 32}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # not listening: connections are refused, and the port stays ours
        away = f"postgres://somebody:secret@127.0.0.1:{free.getsockname()[1]}/calls"
        said = refused(tmp_path, command, DATABASE_URL=away, **secrets)

    assert said.startswith("The database of DATABASE_URL does not answer")
    assert "secret" not in said
    for nonsense in ("nonsense", "mysql://somebody@there/calls"):
        said = refused(tmp_path, command, DATABASE_URL=nonsense, **secrets)
        assert said == "DATABASE_URL must be the address of a PostgreSQL database: postgres://user:password@host/name\n"


@pytest.fixture
def held(server) -> Iterator[psycopg.Connection]:
    """A session in whose way the first migration is."""
    with psycopg.connect(server.url) as session:
        session.execute("CREATE TABLE django_migrations ()")
        yield session


WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


def test_ctrl_c_ends_an_update_of_the_tables(server, held, tmp_path):
    process = subprocess.Popen(
        [sys.executable, MANAGE, "quickstart"],
        env=environment(tmp_path / "other", DATABASE_URL=server.url, PORT=str(free_port())),
        stdout=subprocess.PIPE,
        text=True,
    )
    with process, psycopg.connect(server.url, autocommit=True) as watching:
        assert embedded.wait_until(lambda: watching.execute(WAITING).fetchone() == (1,), 30)
        (line,) = (tmp_path / "other" / "processes").read_text().splitlines()

        process.send_signal(signal.SIGINT)

        assert process.stdout.read().splitlines() == ["Starting …", "Stopped."]
    assert process.returncode == 0
    assert gone(int(line.partition(" ")[0]))


def test_what_an_update_changes_for_whom_is_said_by_the_next_start_if_it_was_ended(server, tmp_path):
    home, port = tmp_path / "other", str(free_port())
    home.mkdir()
    database = {"DATABASE_URL": server.url, "SECRET_KEY": "s" * 50, "ACCESS_KEY_PEPPER": "p" * 50}
    assert manage(home, "migrate", "calls", "0007", **database).returncode == 0
    assert manage(home, "migrate", "auth", **database).returncode == 0
    with psycopg.connect(server.url, autocommit=True) as watching, psycopg.connect(server.url) as reader:
        watching.execute(
            "INSERT INTO auth_user (username, password, first_name, last_name, email, is_staff, is_superuser, "
            "is_active, date_joined) VALUES ('operator', '!', '', '', '', true, false, true, now())"
        )
        reader.execute("SELECT FROM auth_user")  # in the way of a later step
        process = subprocess.Popen(
            [sys.executable, MANAGE, "quickstart"],
            env=environment(home, PORT=port, **database),
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            assert embedded.wait_until(lambda: watching.execute(WAITING).fetchone() == (1,), 60)
            process.send_signal(signal.SIGINT)
            assert "operator" not in process.stdout.read()

    said = manage(home, "prepare_start", port, **database).stdout
    assert said.count("Keep every number with every right as rows of access") == 1
    assert "operator" in said
    assert stat.S_IMODE((home / unsaid.UPDATE).stat().st_mode) == 0o600
    start = Start(home, int(port), **database)
    assert embedded.wait_until(lambda: not (home / unsaid.UPDATE).exists(), 60)
    start.stop(signal.SIGINT)
    assert "Keep every number with every right as rows of access" in start.said
    assert re.search(r"admin +Password: \S{12,}", start.said)


def test_an_update_of_the_tables_that_fails_says_why(server, tmp_path):
    with psycopg.connect(server.url, autocommit=True) as owner:
        owner.execute("CREATE ROLE visitor LOGIN PASSWORD 'visitor'")
    visitor = server.url.replace(server.url.split("@")[0], "postgres://visitor:visitor")

    done = manage(tmp_path / "other", "quickstart", DATABASE_URL=visitor, PORT=str(free_port()))

    assert done.returncode == 1
    assert "permission denied for schema public" in done.stderr
    assert done.stdout.splitlines() == ["Starting …"]


def test_an_invalid_home_is_reported(tmp_path):
    home = tmp_path / "file"
    home.touch()

    said = refused(home, "quickstart")

    assert said.startswith(f"{home}: File exists. Calltally keeps everything in {home}")
    assert said.count("\n") == 1


class Unready(http.server.BaseHTTPRequestHandler):
    answers: ClassVar[list[int]] = []

    def do_GET(self):
        self.send_response(self.answers.pop(0))
        self.end_headers()

    def log_message(self, *args):
        pass


def test_the_web_server_is_up_once_it_can_store_posts():
    with http.server.HTTPServer(("127.0.0.1", 0), Unready) as web:
        Thread(target=web.serve_forever, args=[0.01], daemon=True).start()
        Unready.answers = [404, 503, 200]
        assert [is_up(web.server_port) for _ in range(3)] == [False, False, True]
        web.shutdown()
    assert not is_up(web.server_port)


def test_without_secrets_a_command_reports_what_to_set(tmp_path):
    done = manage(tmp_path / "var", "check")

    assert done.returncode == 1
    assert done.stderr.startswith("Set SECRET_KEY to a secret of at least 50 characters, or run `make run` once")
    assert done.stderr.count("\n") == 1


@pytest.fixture
def server(tmp_path) -> Iterator[Server]:
    server = Server(tmp_path / "var", FAST_AND_LOOSE)
    server.start()
    yield server
    server.remove()


def bound(other: socket.socket, port: int) -> bool:
    try:
        other.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


def kill(server: Server) -> None:
    os.killpg(server._running_pid(), signal.SIGKILL)


def test_a_database_that_cannot_be_started_is_reported_once_and_retried_until_it_works(server):
    said: list[str] = []
    database = supervisor.Database(server, said.append)
    options = server.data / "postgresql.auto.conf"
    options.write_text("no_such_option = 1\n")
    kill(server)

    went_on_meanwhile: list[bool] = []

    def has_been_tried_thrice() -> bool:
        assert not database.revive()
        went_on_meanwhile.append(bool(database._starting and database._starting.is_alive()))
        return tries("no_such_option") >= 3

    def tries(words: str) -> int:
        return server.log.read_text().count(words)

    assert embedded.wait_until(has_been_tried_thrice, 20)
    assert any(went_on_meanwhile)
    options.write_text("")
    assert embedded.wait_until(database.revive, 20)

    assert server.is_alive()
    assert not database.revive()
    assert [line.split(";")[0].split(".")[0] for line in said] == [
        "The database server stopped",
        "The database server did not start",
        "The database server is back",
    ]
    assert "no_such_option" in said[1]


def test_a_database_that_is_being_restarted_can_be_stopped(server):
    said: list[str] = []
    database = supervisor.Database(server, said.append)
    # Without hot_standby, a standby server accepts no connections: it is in recovery for ever.
    (server.data / "standby.signal").touch()
    (server.data / "postgresql.auto.conf").write_text("hot_standby = off\n")
    kill(server)
    assert embedded.wait_until(lambda: database.revive() or server._is_recovering, 20)

    database.stop()

    assert server._running_pid() is None
    assert not server.is_alive()
    assert len(said) == 1


def test_a_database_whose_port_was_taken_restarts_on_another_port(server):
    database = supervisor.Database(server, lambda line: None)
    before = server.port
    kill(server)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        assert embedded.wait_until(lambda: bound(other, before), 10)
        other.listen()
        assert embedded.wait_until(database.revive, 20)
    assert server.port != before
    assert embedded.saved_url(server.home) == server.url


def test_the_files_worker_runs_only_while_there_are_workbooks_to_make(tmp_path, monkeypatch):
    wanted = tmp_path / "wanted"
    monkeypatch.setattr(quickstart, "WANTED", wanted)
    child = supervisor.Child("files", [sys.executable, "-c", "import time; time.sleep(600)"], tmp_path / "files.log")
    try:
        assert not quickstart.run_while_wanted(child, print)
        assert child.pid is None
        wanted.touch()
        assert quickstart.run_while_wanted(child, print)
        assert child.is_alive()
        assert not quickstart.run_while_wanted(child, print)
        first = child.pid
        idle_since = time.time() - quickstart.IDLE_AFTER_S - 1
        os.utime(wanted, (idle_since, idle_since))
        assert quickstart.run_while_wanted(child, print)
        assert gone(first)
        assert not child.revive(print)
        wanted.touch()
        assert quickstart.run_while_wanted(child, print)
    finally:
        child.stop()


def test_the_dispatcher_runs_only_while_there_is_an_endpoint(tmp_path, monkeypatch):
    wanted = tmp_path / "wanted"
    monkeypatch.setattr(quickstart, "DISPATCHER_WANTED", wanted)
    program = [sys.executable, "-c", "import time; time.sleep(600)"]
    child = supervisor.Child("dispatcher", program, tmp_path / "dispatcher.log")
    try:
        assert not quickstart.run_while_wanted(child, print)
        assert child.pid is None
        wanted.touch()
        assert quickstart.run_while_wanted(child, print)
        assert child.is_alive()
        assert not quickstart.run_while_wanted(child, print)
        wanted.unlink()
        assert quickstart.run_while_wanted(child, print)
        assert child.pid is None
    finally:
        child.stop()
