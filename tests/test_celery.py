"""A real worker, a real beat and the default broker count posts automatically."""

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
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone
from kombu import Connection

from config.beat import SteadyScheduler
from config.celery import app
from config.management.commands.quickstart import WANTED
from config.services import services
from reports.exports import file_store, workbook_jobs
from reports.models import QuarterHourCounts, RollUp, Workbook, WorkbookState
from tests.factories import make_number, make_staff, send

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ROOT = Path(__file__).parent.parent


def wait_until(condition, seconds=60):
    """Return the value of a condition as soon as it is true."""
    give_up = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < give_up, "it did not come true in time"
        time.sleep(0.05)
    return answer


@contextmanager
def celery(home, *arguments, **more):
    """Run a Celery process on the tests' database, with its files under `home`; yield it, and end it with a TERM.

    `more` is added to its environment."""
    database = connection.settings_dict
    password = f":{database['PASSWORD']}" if database["PASSWORD"] else ""
    environment = os.environ | {
        "CALLTALLY_HOME": str(home),
        "DATABASE_URL": f"postgres://{database['USER']}{password}@{database['HOST']}:{database['PORT']}"
        f"/{database['NAME']}",
        "CELERY_BROKER_URL": "",
        "ROLL_UP_EVERY_S": "1",
        "LOG_LEVEL": "INFO",
        **more,
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


def test_worker_and_beat_count_posts_also_after_a_worker_was_killed(client, tmp_path):
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


FILES = ("worker", "--queues", "files", "--hostname", "files", "--pool", "threads", "--concurrency", "1")


def test_a_workbook_is_made_also_after_its_worker_was_killed_half_way(client, tmp_path, settings):
    settings.FILES_FOLDER = tmp_path / "files"
    send(client, make_number(), "CALL_START")
    client.force_login(make_staff())
    seldom = {"ROLL_UP_EVERY_S": "3600", "CLOSE_SILENT_CALLS_EVERY_S": "3600"}
    with celery(tmp_path, "beat", **seldom), celery(tmp_path, *WORKER, **seldom):
        place = client.post("/reports/files/", {"kind": "calls", "query": ""})["Location"]
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("LOCK TABLE calls_callevent IN ACCESS EXCLUSIVE MODE")
            with celery(tmp_path, *FILES, **seldom) as worker:
                wait_until(lambda: Workbook.objects.filter(heartbeat_at__gt=F("started_at")).exists())
                os.killpg(worker.pid, signal.SIGKILL)
                worker.wait()
        assert Workbook.objects.get().state == WorkbookState.WORKING
        with celery(tmp_path, *FILES, **seldom):
            # As if 30 seconds had passed.
            Workbook.objects.update(heartbeat_at=timezone.now() - workbook_jobs.STALE)
            wait_until(lambda: Workbook.objects.get().state == WorkbookState.READY)

    made = Workbook.objects.get()
    assert (made.attempts, made.rows) == (2, 1)
    answer = client.get(f"{place[:-1]}.xlsx")
    assert len(b"".join(answer.streaming_content)) == made.size
    answer.close()
    workbook_jobs.clear()
    assert {path.name for path in settings.FILES_FOLDER.iterdir()} == {f"{made.file_name}.xlsx", file_store.WANTED}


def test_workbooks_and_counting_have_separate_workers():
    routes = {
        entry["task"]: app.amqp.router.route({}, entry["task"])["queue"].name
        for entry in app.conf.beat_schedule.values()
    }
    assert set(routes.values()) == {app.conf.task_default_queue}
    assert app.amqp.router.route({}, "reports.tasks.make_workbooks")["queue"].name == "files"
    commands = {name: words for name, words in services(8000).items() if "worker" in words}
    assert [name for name, words in commands.items() if "--queues=files" in words] == ["files"]
    assert "--concurrency=1" in commands["files"]
    assert file_store.folder() / file_store.WANTED == WANTED


def test_every_scheduled_task_exists_and_can_be_called():
    app.loader.import_default_modules()
    for entry in settings.CELERY_BEAT_SCHEDULE.values():
        app.tasks[entry["task"]]()


def test_a_change_of_the_clock_does_not_stop_scheduled_tasks(monkeypatch):
    """After a step of the clock, every task is sent at once and then at its interval."""
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
        for _ in scheduler.schedule:
            scheduler.tick()
        return set(sent)

    for step in (timedelta(hours=-1), timedelta(hours=1), timedelta(hours=-3)):
        ticked()
        assert not ticked()
        now += step
        assert names <= ticked(), step
        now += timedelta(seconds=settings.ROLL_UP_EVERY_S + 1)
        assert "roll-up" in ticked()


def test_corrupt_files_of_the_broker_are_skipped(tmp_path):
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
