"""Backup and restore as an operator runs them: real commands and databases; everything or nothing."""

import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from config import embedded
from config.embedded import Server, binaries
from tests.conftest import FAST_AND_LOOSE
from tests.test_quickstart import calls, manage

pytestmark = pytest.mark.slow

CALLS = 40
OLD = Path("/usr/lib/postgresql/15/bin")


def filled(home: Path) -> Server:
    """Return a running server with some counted calls."""
    server = Server(home, FAST_AND_LOOSE)
    server.start()
    for command in (("migrate",), ("backfill", f"--calls={CALLS}", "--days=3"), ("roll_up",)):
        done = manage(home, *command)
        assert done.returncode == 0, done.stderr
    return server


def add_a_number(home: Path) -> None:
    assert manage(home, "add_number", "+4930999999").returncode == 0


def numbers(home: Path) -> int:
    with psycopg.connect(embedded.saved_url(home)) as connection:
        return connection.execute("SELECT count(*) FROM calls_destinationnumber").fetchone()[0]


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("running") / "var"
    server = filled(home)
    yield home
    server.remove()


@pytest.fixture(scope="module")
def dump(running, tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("dumps") / "calls.dump"
    done = manage(running, "backup", str(file))
    assert done.returncode == 0, done.stderr
    assert "ACCESS_KEY_PEPPER" in done.stdout
    return file


def test_only_its_owner_can_read_a_backup_and_it_replaces_no_file_by_default(running, dump):
    assert stat.S_IMODE(dump.stat().st_mode) == 0o600
    assert [path.name for path in dump.parent.iterdir()] == [dump.name]

    again = manage(running, "backup", str(dump))
    assert (again.returncode, again.stderr) == (
        1,
        f"{dump} already exists. Choose another name, or add --overwrite.\n",
    )
    assert manage(running, "backup", str(dump), "--overwrite").returncode == 0
    nowhere = manage(running, "backup", str(dump.parent / "nowhere" / "calls.dump"))
    assert (nowhere.returncode, nowhere.stderr.count("\n")) == (1, 1)
    assert "cannot be written: No such file or directory" in nowhere.stderr


def test_without_yes_a_restore_changes_nothing(running, dump):
    add_a_number(running)
    before = numbers(running)

    done = manage(running, "restore", str(dump))

    assert done.returncode == 0
    assert "of PostgreSQL" in done.stdout
    assert f"This would replace a database with {CALLS} calls. To replace it, add --yes." in done.stdout
    assert numbers(running) == before


def test_a_restore_brings_back_the_contents_and_verifies_them(running, dump):
    add_a_number(running)
    before = numbers(running)
    with psycopg.connect(embedded.saved_url(running)) as connection:
        connection.execute("CREATE TABLE of_a_newer_version (call_id bigint REFERENCES calls_call)")
        connection.execute("UPDATE reports_daycounts SET offered = offered + 1")

    done = manage(running, "restore", str(dump), "--yes")

    assert done.returncode == 0, done.stderr
    assert f"The backup was restored ({CALLS} calls)." in done.stdout
    assert "All counts match the calls." in done.stdout
    assert (calls(running), numbers(running)) == (CALLS, before - 1)
    assert manage(running, "migrate", "--check").returncode == 0
    # And again into the restored database.
    assert manage(running, "restore", str(dump), "--yes").returncode == 0


def test_a_restore_signs_everybody_out_and_no_backup_holds_who_was_signed_in(running, dump, tmp_path):
    of_an_older_version, own = tmp_path / "older.dump", tmp_path / "own.dump"
    url, tools = embedded.saved_url(running), embedded.find_binaries()
    assert manage(running, "restore", str(dump), "--yes").returncode == 0
    with psycopg.connect(url) as connection:
        connection.execute(
            "WITH person AS (INSERT INTO auth_user (username, password, is_superuser, first_name, last_name, email, "
            "is_staff, is_active, date_joined) VALUES ('mona', '!', true, '', '', '', true, true, now()) RETURNING id) "
            "INSERT INTO accounts_signedinsession (user_id, key_hash, signed_in_at, last_used_at, ends_when_idle, "
            "user_agent) SELECT id, 'a-hash-of-a-key', now(), now(), false, '' FROM person"
        )
        connection.execute("INSERT INTO django_session VALUES ('a-key-of-a-session', 'a-search', now() + '1 day')")
        connection.execute(
            "INSERT INTO axes_accessattempt (user_agent, ip_address, username, http_accept, path_info, "
            "attempt_time, get_data, post_data, failures_since_start) "
            "VALUES ('', '192.0.2.1', 'a-wrong-name', '', '', now(), '', '', 1)"
        )
    subprocess.run([tools.path("pg_dump"), "--format=custom", f"--file={of_an_older_version}", url], check=True)

    assert manage(running, "backup", str(own)).returncode == 0

    listed = {file: restored_text(tools, file) for file in (own, of_an_older_version)}
    for secret in ("a-hash-of-a-key", "a-key-of-a-session", "a-search", "a-wrong-name"):
        assert secret in listed[of_an_older_version]
        assert secret not in listed[own]
    assert "mona" in listed[own]
    for file in listed:
        done = manage(running, "restore", str(file), "--yes")
        assert done.returncode == 0, done.stderr
        with psycopg.connect(url) as connection:
            for table in ("django_session", "accounts_signedinsession", "axes_accessattempt"):
                assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def restored_text(tools, file):
    return subprocess.run(
        [tools.path("pg_restore"), "--file=-", file], capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize("harm", ["cut short", "rubbish", "missing"])
def test_an_incomplete_backup_changes_nothing(running, dump, tmp_path, harm):
    file = tmp_path / "calls.dump"
    if harm == "cut short":
        file.write_bytes(dump.read_bytes()[: dump.stat().st_size * 2 // 3])
    elif harm == "rubbish":
        file.write_bytes(b"rubbish " * 1000)
    before = numbers(running)

    done = manage(running, "restore", str(file), "--yes")

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert (calls(running), numbers(running)) == (CALLS, before)


def test_a_restore_that_fails_half_way_changes_nothing(running, dump):
    """Another object has the name of an index that is created late in a restore."""
    with psycopg.connect(embedded.saved_url(running)) as connection:
        connection.execute("ALTER INDEX call_time RENAME TO call_time_for_now")
        connection.execute("CREATE SEQUENCE call_time")
    try:
        done = manage(running, "restore", str(dump), "--yes")

        assert done.returncode == 1
        assert "Nothing was changed" in done.stderr
        assert 'relation "call_time" already exists' in done.stderr
        assert calls(running) == CALLS
    finally:
        with psycopg.connect(embedded.saved_url(running)) as connection:
            connection.execute("DROP SEQUENCE call_time")
            connection.execute("ALTER INDEX call_time_for_now RENAME TO call_time")


def test_both_commands_start_the_embedded_database_if_it_is_not_running(dump, running, tmp_path):
    home = tmp_path / "var"
    embedded.make_home(home)
    shutil.copy(running / "env", home / "env")
    try:
        done = manage(home, "restore", str(dump), "--yes")
        assert done.returncode == 0, done.stderr
        assert f"{CALLS} calls" in done.stdout
        assert Server(home)._running_pid() is None

        assert manage(home, "backup", str(tmp_path / "again.dump")).returncode == 0
        assert Server(home)._running_pid() is None
    finally:
        Server(home).remove()


def test_a_major_version_is_upgraded_by_backup_and_restore(tmp_path, monkeypatch):
    if not (OLD / "postgres").exists() or embedded.find_binaries().major <= 15:
        pytest.skip("this takes two major versions of PostgreSQL, 15 and a newer one")
    home, file = tmp_path / "var", tmp_path / "calls.dump"
    try:
        with monkeypatch.context() as old:
            old.setattr(binaries, "_candidates", lambda: iter([OLD]))
            filled(home).stop()
        assert (Server(home).data / "PG_VERSION").read_text() == "15\n"
        done = manage(home, "backup", str(file))
        assert done.returncode == 0, done.stderr
        done = manage(home, "restore", str(file), "--yes")

        assert done.returncode == 0, done.stderr
        assert "The data of PostgreSQL 15 was moved to" in done.stdout
        assert (Server(home).data / "PG_VERSION").read_text() == f"{embedded.find_binaries().major}\n"
        assert f"{CALLS} calls" in done.stdout
        assert list(Server(home).base.glob("data-15-*"))
    finally:
        Server(home).remove()


def test_a_restore_keeps_the_audit_of_before_and_it_verifies(running, dump):
    add_a_number(running)

    assert manage(running, "restore", str(dump), "--yes").returncode == 0

    with psycopg.connect(embedded.saved_url(running)) as connection:
        noted = connection.execute(
            "SELECT object FROM accounts_auditentry WHERE action = 'command_run' ORDER BY position DESC LIMIT 2"
        ).fetchall()
        assert connection.execute("SELECT to_regclass('calltally_audit.accounts_auditentry')").fetchone() == (None,)
    assert noted == [("restore",), ("add_number",)]
    verified = manage(running, "verify_audit")
    assert (verified.returncode, verified.stderr) == (0, "")
