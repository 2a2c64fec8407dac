"""Workers, beats and brokers stop and start while posts arrive: the counts are exact in the end."""

import contextlib
import json
import os
import signal
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from calls import posts
from calls.ingest import writer
from tests.factories import post_body
from tests.faults.conftest import full_or, rounds
from tests.faults.system import ACCESS_KEY, E164, wait_until

pytestmark = pytest.mark.faults

CELERY = ["-m", "celery", "--quiet", "-A", "config"]
WORKER = [*CELERY, "worker", "--pool=threads", "--concurrency=2", "--without-mingle", "--without-gossip"]
BEAT = [*CELERY, "beat"]
RECOUNT_WAITS = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'reports_quarterhourcounts'::regclass"


def all_counted(system):
    """Wait until the system itself has emptied the log of changed quarter-hours."""
    with system.database() as connection:
        waiting = "SELECT count(*) FROM calls_changedquarterhour WHERE logged_at < %s"
        now = connection.execute("SELECT now()").fetchone()[0]
        wait_until(lambda: connection.execute(waiting, [now]).fetchone() == (0,), 60, "counting")


@rounds(50)
def test_a_worker_is_killed_in_the_middle_of_a_recount(running, endure, number):
    @contextlib.contextmanager
    def fault(system):
        worker = system.pid("worker")
        with system.database() as holding, system.database() as watching, holding.transaction():
            holding.execute("LOCK TABLE reports_quarterhourcounts IN SHARE ROW EXCLUSIVE MODE")
            yield
            wait_until(lambda: watching.execute(RECOUNT_WAITS).fetchone()[0] > 0, 60, "a recount")
            os.killpg(worker, signal.SIGKILL)
        wait_until(lambda: system.pid("worker") != worker)

    endure(running, fault, until=all_counted)


@rounds(2)
def test_two_beats_and_four_workers(running, endure, number):
    @contextlib.contextmanager
    def fault(system):
        others = [system.popen(*command) for command in (BEAT, WORKER, WORKER, WORKER)]
        try:
            yield
        finally:
            for process in others:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    endure(running, fault, full_or(30, 5), until=all_counted)


@rounds(3)
def test_the_broker_is_away_for_a_while(running, endure, number):
    @contextlib.contextmanager
    def fault(system):
        broker, aside = system.home / "broker", system.home / "broker-aside"
        broker.rename(aside)
        yield
        if broker.exists():  # created by a process that was restarted meanwhile
            broker.rename(system.home / f"broker-{time.monotonic_ns()}")
        aside.rename(broker)

    endure(running, fault, full_or(15, 4), until=all_counted)


@pytest.mark.parametrize("ending", ["committed", "rolled back"])
@pytest.mark.parametrize("number", range(full_or(10, 1)))
def test_a_transaction_stays_open_while_recounts_run(running, endure, ending, number):
    call_uuid = f"held-{time.monotonic_ns()}"

    @contextlib.contextmanager
    def fault(system):
        with system.database(autocommit=False) as connection:
            body = post_body("CALL_START", E164, ACCESS_KEY, call_uuid=call_uuid)
            connection.execute("SET TIME ZONE 'UTC'")
            post = posts.parse(json.dumps(body).encode(), datetime.now(UTC))
            assert writer.write(connection, [replace(post, fingerprint=_fingerprint(system))])
            yield
            connection.commit() if ending == "committed" else connection.rollback()

    endure(running, fault, full_or(30, 3), until=all_counted)
    with running.database() as connection:
        count = connection.execute("SELECT count(*) FROM calls_call WHERE call_uuid = %s", [call_uuid]).fetchone()
    assert count == (int(ending == "committed"),)


def _fingerprint(system):
    """Return the fingerprint of the key in a system, which has its own pepper."""
    with system.database() as connection:
        newest = "SELECT fingerprint FROM calls_accesskey ORDER BY id DESC LIMIT 1"
        return connection.execute(newest).fetchone()[0]
