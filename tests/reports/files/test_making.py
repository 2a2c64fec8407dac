"""Workbooks that are made: by a worker that stops, is lost or meets an error."""

import logging
from datetime import timedelta

import psycopg
import pytest
from django.utils import timezone

from reports.exports import csv_files, file_store, workbook_jobs, workbooks
from reports.models import Workbook, WorkbookState
from tests.reports.workbooks import ask, body

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_lost_worker_is_noticed_and_the_workbook_started_once_more(client, manager):
    place = ask(client)
    for attempt in (1, 2):
        taken = workbook_jobs._take()
        assert (taken.state, taken.attempts) == (WorkbookState.WORKING, attempt)
        assert not workbook_jobs.start(), "it is at work"
        Workbook.objects.update(heartbeat_at=timezone.now() - workbook_jobs.STALE)
        assert "The worker does not answer." in client.get(place).content.decode()
        assert workbook_jobs.start() == (attempt == 1)

    assert "The workbook failed twice because the worker stopped." in client.get(place).content.decode()


def test_a_slow_worker_does_not_damage_its_successors_file(client, manager, folder):
    place = ask(client)
    slow = workbook_jobs._take()
    Workbook.objects.update(heartbeat_at=timezone.now() - workbook_jobs.STALE)
    workbook_jobs.make_waiting()
    made = Workbook.objects.get()
    assert made.state == WorkbookState.READY

    workbook_jobs._make(slow)

    assert [path.stem for path in folder.glob("*.xlsx")] == [made.file_name]
    assert body(client.get(f"{place[:-1]}.xlsx"))


def test_a_worker_that_stops_leaves_the_workbook_to_the_next(client, manager, monkeypatch):
    ask(client)
    taken = workbook_jobs._take()
    monkeypatch.setattr(workbooks, "TELL_EVERY_ROWS", 1)
    workbook_jobs.stop()
    try:
        workbook_jobs._make(taken)
    finally:
        workbook_jobs._stopping.clear()

    row = Workbook.objects.get()
    assert (row.state, row.attempts, row.file_name) == (WorkbookState.WAITING, 0, "")
    assert workbook_jobs.make_waiting() == 1


def test_more_rows_than_a_sheet_holds_show_an_error(client, manager, monkeypatch):
    place = ask(client)
    monkeypatch.setattr(workbooks, "MOST_ROWS", 2)
    workbook_jobs.make_waiting()

    assert "Choose a shorter period, or download the CSV." in client.get(place).content.decode()


@pytest.mark.parametrize(
    ("error", "says", "attempts"),
    [
        (psycopg.OperationalError("gone"), "The database connection was lost twice", 2),
        (OSError(28, "No space left on device"), "The server has no disk space for it", 1),
        (OSError(5, "Input/output error"), "The file could not be saved", 1),
        (ValueError("+4917012345678"), "An error occurred on the server.", 1),
    ],
)
def test_an_error_is_shown_and_the_next_workbook_is_made(  # noqa: PLR0917 (fixtures, and a case of three)
    client, manager, monkeypatch, caplog, error, says, attempts
):
    place = ask(client)
    other = ask(client, "counts")

    def fail(*_, **_more):
        raise error
        yield b""

    monkeypatch.setattr(csv_files, "calls_csv", fail)
    with caplog.at_level(logging.WARNING):
        workbook_jobs.make_waiting()

    assert says in client.get(place).content.decode()
    assert Workbook.objects.get(pk=place.split("/")[-2]).attempts == attempts
    assert "+49170" not in caplog.text
    assert body(client.get(f"{other[:-1]}.xlsx"))
    assert file_store.names() == {Workbook.objects.get(state="ready").file_name}


def test_a_workbook_without_a_worker_is_reported_and_fails_after_a_day(client, manager):
    place = ask(client)
    Workbook.objects.update(created_at=timezone.now() - timedelta(minutes=1))
    assert "No worker is running." in client.get(place).content.decode()
    Workbook.objects.update(created_at=timezone.now() - Workbook.KEPT - timedelta(minutes=1))
    workbook_jobs.clear()

    assert "The workbook was not created within a day." in client.get(place).content.decode()
