"""A backup written while posts arrive contains the posts answered before it, and can be verified after a restore."""

import contextlib

import pytest

from tests.faults.conftest import rounds
from tests.faults.system import System

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """A system that backups are restored to: empty in the first round, then with the previous backup."""
    other = System(tmp_path_factory.mktemp("other") / "var")
    try:
        other.start()
        yield other
    finally:
        other.stop()


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

    done = other.manage("restore", str(file), "--yes")
    assert "The backup was restored" in done.stdout
    with other.database() as connection:
        assert connection.execute("SELECT count(*) FROM calls_callevent").fetchone()[0] >= before[0] > 0
    other.manage("roll_up")
    other.manage("verify_rollups")
