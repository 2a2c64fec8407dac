"""Drainers are killed at the worst moment, or two run at once: each post is stored once."""

import contextlib
import os
import signal
import sqlite3
import time

import pytest

from tests.faults.conftest import full_or, rounds
from tests.faults.system import locked, wait_until

pytestmark = pytest.mark.faults

KEPT = "calls_callevent"


def is_frozen(drainer, spool):
    """Freeze a drainer, but not while it holds the file, because then no one else could write."""
    os.kill(drainer, signal.SIGSTOP)
    with contextlib.closing(sqlite3.connect(spool, timeout=0.2, isolation_level=None)) as file:
        try:
            file.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            os.kill(drainer, signal.SIGCONT)
            return False
        file.execute("ROLLBACK")
    return True


@rounds(50)
def test_a_drainer_is_killed_between_commit_and_delete(running, endure, number):
    spool = running.home / "spool" / "posts.sqlite3"

    def killed(system):
        """Posts collect while the drainer is frozen; then it can write but not delete them, and is killed."""
        drainer = system.pid("drain_spool")
        file = sqlite3.connect(spool, timeout=10, isolation_level=None)
        waiting = {row[0] for row in file.execute("SELECT ingest_id FROM post WHERE set_aside_at IS NULL")}
        assert len(waiting) >= 50
        file.execute("BEGIN IMMEDIATE")
        os.kill(drainer, signal.SIGCONT)
        with system.database() as connection:
            written = "SELECT count(*) FROM calls_callevent WHERE ingest_id = ANY(%s)"
            wait_until(lambda: connection.execute(written, [list(waiting)]).fetchone()[0] > 0, 10, "a written post")
        os.kill(drainer, signal.SIGKILL)
        file.execute("ROLLBACK")
        left = {row[0] for row in file.execute("SELECT ingest_id FROM post WHERE set_aside_at IS NULL")}
        file.close()
        assert waiting <= left  # nothing was deleted
        wait_until(lambda: system.pid("drain_spool") != drainer)

    @contextlib.contextmanager
    def fault(system):
        wait_until(lambda: is_frozen(system.pid("drain_spool"), spool))
        with locked(system, KEPT):
            yield

    def until(system):
        drainer = system.pid("drain_spool")
        try:
            # Until posts go into the database again: none of them may find the file locked.
            spooled = -1
            while (waiting := system.health()["spooled"]) != spooled:
                spooled = waiting
                time.sleep(1.0)
            killed(system)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(drainer, signal.SIGCONT)

    endure(running, fault, 1.5, until=until)


@rounds(60)
def test_two_drainers_at_once(running, endure, number):
    second = running.popen("manage.py", "drain_spool")
    try:
        endure(running, lambda system: locked(system, KEPT), full_or(8, 2))
    finally:
        second.terminate()
        second.wait(20)
