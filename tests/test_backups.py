"""Backup and restore as an operator runs them: real commands and databases; everything or nothing."""

import shutil
import stat
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
