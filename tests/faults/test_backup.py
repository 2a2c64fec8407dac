"""A backup written while posts arrive contains the posts answered before it, and can be verified after a restore."""

import contextlib

import psycopg
import pytest

from config import embedded
from tests.faults.conftest import rounds

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def other(running):
    """Another database, which backups are restored to: empty in the first round, then with the previous backup."""
    with running.database() as connection:
        connection.execute("CREATE DATABASE other")
    yield f"{embedded.saved_url(running.home).rpartition('/')[0]}/other"
    with running.database() as connection:
        connection.execute("DROP DATABASE other WITH (FORCE)")


@rounds(3)
def test_a_backup_is_complete_while_posts_arrive(running, other, endure, number, tmp_path):
    file = tmp_path / "calls.dump"
    before = []

    @contextlib.contextmanager
    def fault(system):
        yield
        with system.database() as connection:
            before.append(connection.execute("SELECT count(*) FROM calls_callevent").fetchone()[0])
        system.manage("backup", str(file))

    endure(running, fault, 1)

    done = running.manage("restore", str(file), "--yes", DATABASE_URL=other)
    assert "The backup was restored" in done.stdout
    with psycopg.connect(other) as connection:
        assert connection.execute("SELECT count(*) FROM calls_callevent").fetchone()[0] >= before[0] > 0
    running.manage("roll_up", DATABASE_URL=other)
    running.manage("verify_rollups", DATABASE_URL=other)
