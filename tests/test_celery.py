"""A real worker, a real beat and the default broker: what is posted is counted without anybody asking."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from kombu import Connection

from config.beat import SteadyScheduler
from config.celery import app
from reports.models import QuarterHourCounts, RollUp
from tests.factories import make_number, send

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ROOT = Path(__file__).parent.parent


def wait_until(condition, seconds=60):
    """Return what the condition gives as soon as it is true."""
    give_up = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < give_up, "it did not come true in time"
        time.sleep(0.05)
    return answer


@contextmanager
def celery(home, *arguments):
    """Run a process of Celery on the tests' database, with all it keeps under `home`; yield it; end it with a TERM."""
    database = connection.settings_dict
    password = f":{database['PASSWORD']}" if database["PASSWORD"] else ""
    environment = os.environ | {
        "CALLTALLY_HOME": str(home),
        "DATABASE_URL": f"postgres://{database['USER']}{password}@{database['HOST']}:{database['PORT']}"
        f"/{database['NAME']}",
        "CELERY_BROKER_URL": "",
        "ROLL_UP_EVERY_S": "1",
        "LOG_LEVEL": "INFO",
    }
    log = (home / f"{arguments[0]}.log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "config", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        log.close()


WORKER = ("worker", "--pool", "prefork", "--concurrency", "2", "--without-mingle", "--without-gossip")


def test_worker_and_beat_count_what_was_posted_and_again_after_a_worker_was_killed(client, tmp_path):
    number = make_number()
    send(client, number, "CALL_START")
    with celery(tmp_path, "beat"):
        with celery(tmp_path, *WORKER) as worker:
            wait_until(lambda: QuarterHourCounts.objects.filter(in_progress=1).exists())
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
        send(client, number, "CALL_END")
        with celery(tmp_path, *WORKER):
            wait_until(lambda: QuarterHourCounts.objects.filter(offered=1, in_progress=0).exists())
            counted_at = RollUp.objects.get().counted_at
            wait_until(lambda: RollUp.objects.get().counted_at > counted_at)


def test_every_task_of_the_timetable_exists_and_can_be_called():
    app.loader.import_default_modules()
    for entry in settings.CELERY_BEAT_SCHEDULE.values():
        app.tasks[entry["task"]]()


def test_a_clock_that_is_set_back_or_on_does_not_stop_the_timetable(monkeypatch):
    """Every task is sent at once after the step, and at its interval from then on."""
    sent = []
    monkeypatch.setattr(SteadyScheduler, "apply_async", lambda self, entry, **how: sent.append(entry.name))
    now = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
    monkeypatch.setattr(app, "now", lambda: now)
    monkeypatch.setattr("celery.schedules.schedule.now", lambda self: now)
    monkeypatch.setattr("celery.beat.ScheduleEntry.default_now", lambda self: now)
    scheduler = SteadyScheduler(app=app)
    names = {name for name, entry in scheduler.schedule.items() if entry.schedule.run_every < timedelta(hours=1)}

    def ticked():
        sent.clear()
        for _ in range(10):
            scheduler.tick()
        return set(sent)

    for step in (timedelta(hours=-1), timedelta(hours=1), timedelta(hours=-3)):
        ticked()
        assert not ticked()
        now += step
        assert names <= ticked(), step
        now += timedelta(seconds=settings.ROLL_UP_EVERY_S + 1)
        assert "roll-up" in ticked()


def test_broken_files_of_the_broker_are_passed_over(tmp_path):
    folders = {name: str(tmp_path) for name in ("data_folder_in", "data_folder_out", "control_folder")}
    for name, content in {"01": b"", "02": b'{"body": "half', "03": b"\xff", "04": b"5"}.items():
        (tmp_path / f"{name}_x.counting.msg").write_bytes(content)
    (tmp_path / "counting.exchange").touch()

    transport = settings.CELERY_BROKER_TRANSPORT
    with Connection("filesystem://", transport=transport, transport_options=folders) as connection:
        queue = connection.SimpleQueue("counting")
        queue.put("count")
        message = queue.get(timeout=5)
        assert message.payload == "count"
        message.ack()
        queue.close()

    assert not list(tmp_path.glob("*.msg"))
    assert "counting" in (tmp_path / "counting.exchange").read_text()
