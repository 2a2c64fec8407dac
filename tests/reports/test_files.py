"""Large workbooks: requested by a POST, made in the background, fetched by the person who requested them."""

import logging
import os
import re
import stat
import subprocess
import zipfile
from datetime import timedelta
from io import BytesIO
from urllib.parse import urlsplit

import psycopg
import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase
from django.http import QueryDict
from django.test import Client
from django.utils import timezone

from calls.models import Right
from reports.counting import rollups
from reports.exports import csv_files, downloads, file_store, workbook_jobs, workbooks
from reports.models import Workbook, WorkbookState
from reports.views import downloads as views
from tests.factories import OF_MANAGERS, expire, give, make_number, make_staff, make_user, take
from tests.reports.helpers import ALL_ON, DAY, NOON, OTHER, call
from tests.reports.test_workbooks import sheets

pytestmark = pytest.mark.django_db(transaction=True)

QUERY = f"from={DAY}&to={DAY}"


@pytest.fixture(autouse=True)
def folder(tmp_path, settings):
    """The folder of files of one test."""
    settings.FILES_FOLDER = tmp_path / "files"
    return settings.FILES_FOLDER


@pytest.fixture
def small(monkeypatch):
    """Make every workbook of calls in the background."""
    monkeypatch.setattr(views, "ROWS_AT_ONCE", 0)


@pytest.fixture
def number():
    number = make_number(label="Hotline", managers=[make_user("manager")], **ALL_ON)
    for n in range(3):
        call(number, f"c{n}", NOON, S=0, F=2, A=12, E=112)
    rollups.recount_changed()
    return number


@pytest.fixture
def manager(client, number):
    manager = User.objects.get(username="manager")
    client.force_login(manager)
    return manager


def ask(client, kind="calls", query=QUERY, status=302):
    """Request a workbook as its page does; return the address of the redirect."""
    answer = client.post("/reports/files/", {"kind": kind, "query": query})
    assert answer.status_code == status, answer.content.decode()
    return answer["Location"] if status == 302 else answer.content.decode()


def parts(book):
    """Return the parts of a workbook without the time at which it was made."""
    with zipfile.ZipFile(BytesIO(book)) as package:
        contents = {name: package.read(name) for name in package.namelist()}
    contents["docProps/core.xml"] = b""
    made_at = rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    contents["xl/worksheets/sheet2.xml"] = re.sub(made_at, b"", contents["xl/worksheets/sheet2.xml"])
    return contents


def body(answer):
    assert answer.status_code == 200
    content = b"".join(answer.streaming_content)
    answer.close()
    return content


def test_a_large_workbook_is_requested_made_and_fetched_and_equals_the_direct_one(client, manager, monkeypatch):
    at_once = body(client.get(f"/reports/calls.xlsx?{QUERY}"))
    monkeypatch.setattr(views, "ROWS_AT_ONCE", 2)

    led_to = client.get(f"/reports/calls.xlsx?{QUERY}")
    assert led_to.status_code == 302
    page = client.get(led_to["Location"])
    form = dict(re.findall(r'name="(kind|query)" value="([^"]*)"', page.content.decode()))
    place = ask(client, form["kind"], form["query"].replace("&amp;", "&"))

    waiting = client.get(place).content.decode()
    assert "Starting soon." in waiting
    assert 'hx-trigger="every 2s"' in waiting
    assert '<meta http-equiv="refresh"' in waiting
    assert client.get(f"{place[:-1]}.xlsx")["Location"] == place

    assert workbook_jobs.make_waiting() == 1
    ready = client.get(place).content.decode()
    assert "Rows: 3," in ready
    assert "hx-trigger" not in ready
    answer = client.get(f"{place[:-1]}.xlsx")
    assert answer["Content-Disposition"] == f'attachment; filename="calls-{DAY}.xlsx"'
    assert "no-store" in answer["Cache-Control"]
    assert parts(body(answer)) == parts(at_once)


@pytest.mark.parametrize("kind", downloads.KINDS)
def test_every_kind_equals_the_direct_download(client, number, settings, kind):
    settings.FORWARDS_LEAST_DESTINATIONS = 1
    client.force_login(make_staff())
    at_once = body(client.get(f"/reports/{kind}.xlsx?{QUERY}"))

    place = ask(client, kind)
    workbook_jobs.make_waiting()

    assert parts(body(client.get(f"{place[:-1]}.xlsx"))) == parts(at_once)
    made = Workbook.objects.get()
    assert made.rows == made.of_rows == len(sheets(client.get(f"{place[:-1]}.xlsx"))[0]) - 1


def test_an_estimate_that_was_too_low_does_not_hold_a_thread(client, manager, monkeypatch):
    monkeypatch.setattr(views, "MOST_ROWS_AT_ONCE", 2)

    answer = client.get(f"/reports/calls.xlsx?{QUERY}")

    assert urlsplit(answer["Location"]).path == "/reports/files/new/"
    assert not list(file_store.folder().iterdir())


def test_only_the_person_who_requested_it_may_fetch_it(client, manager, number):
    place = ask(client)
    workbook_jobs.make_waiting()

    for other in (make_staff(), make_user("other", numbers=[number])):
        client.force_login(other)
        assert client.get(place).status_code == 404
        assert client.get(f"{place[:-1]}.xlsx").status_code == 404
        assert client.post(place).status_code == 404
        assert "calls-" not in client.get("/reports/files/").content.decode()


def test_it_is_requested_by_a_post_with_a_csrf_token(manager):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(manager)

    assert strict.post("/reports/files/", {"kind": "calls", "query": QUERY}).status_code == 403
    assert not Workbook.objects.exists()


@pytest.mark.parametrize("query", [QUERY, f"{QUERY}&number=%2B4922155400300"])
def test_permissions_are_checked_again_when_it_is_fetched(client, manager, number, query):
    other = make_number(OTHER, managers=[manager])
    place = ask(client, query=query)
    workbook_jobs.make_waiting()
    expire(manager, number)

    refused = client.get(f"{place[:-1]}.xlsx")
    assert refused.status_code == 403
    assert "You no longer have access to everything in this file." in refused.content.decode()
    assert "Create again" in refused.content.decode()

    again = client.post(place)
    if "number" in query:
        assert again.status_code == 403
        assert "You no longer have access to any number in this workbook" in again.content.decode()
    else:
        workbook_jobs.make_waiting()
        assert sheets(client.get(f"{again['Location'][:-1]}.xlsx"))[0][1:] == []
        assert Workbook.objects.first().numbers == [other.pk]


def test_permission_for_single_destinations_is_checked_again(client, manager, number, settings):
    settings.FORWARDS_LEAST_DESTINATIONS = 1
    assert "you do not see single destinations" in ask(client, "forwards", status=403)
    give(manager, number, *Right)
    place = ask(client, "forwards")
    workbook_jobs.make_waiting()
    assert body(client.get(f"{place[:-1]}.xlsx"))
    give(manager, number, *OF_MANAGERS)

    assert client.get(f"{place[:-1]}.xlsx").status_code == 403


def test_permissions_are_checked_again_when_it_is_made(client, manager, number):
    place = ask(client, query=f"{QUERY}&number=%2B4922155400300")
    expire(manager, number)
    workbook_jobs.make_waiting()

    assert "You no longer have access to a number in this workbook." in client.get(place).content.decode()


def test_why_it_failed_names_no_number_that_was_taken_back_since(client, manager, number):
    other = make_number(OTHER, managers=[manager])
    place = ask(client)
    give(manager, other, Right.CALLS)
    workbook_jobs.make_waiting()
    assert "of some numbers only. Choose only these: Hotline" in client.get(place).content.decode()

    expire(manager, number)
    page = client.get(place).content.decode()
    assert "Failed" in page
    assert "You may not download single calls." in page
    assert "Hotline" not in page

    give(manager, number, *OF_MANAGERS)
    give(manager, other, *OF_MANAGERS)
    assert "Now you have: create it again." in client.get(place).content.decode()


def test_the_same_request_is_the_same_job_while_it_is_fresh(client, manager):
    place = ask(client)
    assert ask(client) == place
    workbook_jobs.make_waiting()
    assert ask(client) == place
    assert ask(client, query=f"from={DAY - timedelta(days=1)}&to={DAY}") != place
    client.force_login(make_staff())
    assert ask(client) != place
    client.force_login(manager)
    Workbook.objects.filter(pk=place.split("/")[-2]).update(started_at=timezone.now() - workbook_jobs.FRESH)

    assert ask(client) != place


def test_one_person_waits_for_a_few_at_most_and_people_take_turns(client, manager):
    for n in range(workbook_jobs.MOST_WAITING):
        ask(client, query=f"from={DAY - timedelta(days=n)}&to={DAY}")
    assert "5 of your workbooks are not ready yet." in ask(client, query="", status=429)
    workbook_jobs._make(workbook_jobs._take())
    client.force_login(make_staff())
    place = ask(client)

    assert str(workbook_jobs._take().pk) in place
    assert workbook_jobs._take() is None, "one at a time"


def test_what_cannot_be_read_is_said(client, manager):
    assert "is not a valid date" in ask(client, query="from=never", status=400)
    assert client.post("/reports/files/", {"kind": "secrets", "query": ""}).status_code == 404
    assert client.post("/reports/files/", {"kind": "calls", "query": "number=%2B4930999999"}).status_code == 404


def test_a_search_is_kept_out_of_addresses_and_forgotten_with_the_file(client, manager, number):
    take(number, "CALL_START", NOON, call_uuid="sought", caller_id_number="+4917088888888")
    token = client.post("/reports/calls/", {"q": "0170 88888888"})["Location"].partition("search=")[2]

    place = ask(client, query=f"search={token}")
    assert ask(client, query=f"search={token}") == place
    workbook_jobs.make_waiting()

    assert [row["A"][1] for row in sheets(client.get(f"{place[:-1]}.xlsx"))[0][1:]] == ["sought"]
    kept = Workbook.objects.get()
    assert "88888888" not in f"{kept.query} {kept.name} {kept.filters}"
    Workbook.objects.update(finished_at=timezone.now() - Workbook.KEPT)
    workbook_jobs.clear()
    assert Workbook.objects.get().search == ""
    assert client.post(place).status_code == 403


# --- Files -------------------------------------------------------------------------------------


def test_files_are_readable_by_our_user_only_and_have_random_names(client, manager, folder):
    ask(client)
    workbook_jobs.make_waiting()
    name = Workbook.objects.get().file_name

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / f"{name}.xlsx").stat().st_mode) == 0o600
    assert len(name) == 32
    assert {path.name for path in folder.iterdir()} == {f"{name}.xlsx", file_store.WANTED}


def test_a_file_is_removed_after_a_day(client, manager, folder):
    place = ask(client)
    workbook_jobs.make_waiting()
    workbook_jobs.clear()
    assert len(list(folder.glob("*.xlsx"))) == 1
    Workbook.objects.update(finished_at=timezone.now() - Workbook.KEPT - timedelta(seconds=1))

    assert client.get(f"{place[:-1]}.xlsx")["Location"] == place
    workbook_jobs.clear()
    assert not list(folder.glob("*.xlsx"))
    assert "The file was removed after 24 hours." in client.get(place).content.decode()
    Workbook.objects.update(created_at=timezone.now() - workbook_jobs.LISTED - timedelta(seconds=1))
    workbook_jobs.clear()
    assert not Workbook.objects.exists()


def test_files_without_a_row_and_rows_without_a_file_are_cleared(client, manager, folder):
    kept = ask(client)
    gone = ask(client, query="")
    workbook_jobs.make_waiting()
    row = Workbook.objects.get(pk=gone.split("/")[-2])
    (folder / f"{row.file_name}.xlsx").unlink()
    assert client.get(f"{gone[:-1]}.xlsx").status_code == 410
    (folder / "nobodys.xlsx").write_bytes(b"x")
    (folder / "left").mkdir()
    (folder / "left" / "part").write_bytes(b"x")
    for name, age in (("at-once-old", 7200), ("at-once-new", 0)):
        (folder / name).mkdir()
        at = timezone.now().timestamp() - age
        os.utime(folder / name, (at, at))

    workbook_jobs.clear()

    left = {path.name for path in folder.iterdir()}
    name = Workbook.objects.get(pk=kept.split("/")[-2]).file_name
    assert left == {f"{name}.xlsx", "at-once-new", file_store.WANTED}
    assert "The file is no longer on the server" in client.get(gone).content.decode()


def test_the_oldest_files_are_removed_if_all_together_are_too_large(client, manager, folder, settings):
    first = ask(client)
    workbook_jobs.make_waiting()
    second = ask(client, query="")
    workbook_jobs.make_waiting()
    settings.FILES_MOST_MB = 1.5 * Workbook.objects.first().size / 1_000_000

    workbook_jobs.clear()

    assert "to free disk space for newer files" in client.get(first).content.decode()
    assert body(client.get(f"{second[:-1]}.xlsx"))


def test_a_nearly_full_disk_is_kept_for_posts(client, manager, settings):
    place = ask(client)
    settings.FILES_LEAST_FREE_MB = 10**9
    workbook_jobs.make_waiting()

    assert "The server has no disk space for it." in client.get(place).content.decode()


@pytest.fixture
def small_disk(folder):
    """A disk of 48 kB only for files."""
    if os.geteuid():
        pytest.skip("only root can make small disks")
    folder.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=48k,mode=0700", "tmpfs", folder]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no small disks can be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_shows_an_error_and_the_draft_is_removed(client, manager, settings, small_disk, monkeypatch):
    settings.FILES_LEAST_FREE_MB = 0
    number = manager.number_access.get().destination_number
    for n in range(100):
        take(number, "CALL_START", NOON, call_uuid=f"{n} " + "x" * 100)
    at_once = client.get(f"/reports/calls.xlsx?{QUERY}")
    assert (at_once.status_code, at_once["Retry-After"]) == (503, "60")
    place = ask(client)
    workbook_jobs.make_waiting()

    assert "The server has no disk space for it." in client.get(place).content.decode()
    assert {path.name for path in small_disk.iterdir()} == {file_store.WANTED}


# --- Making ------------------------------------------------------------------------------------


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

    def fail(*_):
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


def test_the_list_shows_the_state_of_each(client, manager):
    assert "No workbooks yet" in client.get("/reports/files/").content.decode()
    ask(client)
    workbook_jobs.make_waiting()
    ask(client, "counts")

    page = client.get("/reports/files/").content.decode()

    assert "waiting" in page
    assert re.search(r"\d KB|\d bytes", page.replace("\xa0", " "))
    assert 'hx-trigger="every 3s"' in page


@pytest.mark.parametrize(
    ("kind", "query", "most"),
    [
        ("calls", QUERY, 3),
        ("calls", "", 3),
        ("calls", "from=2020-01-01&to=2020-01-31", 0),
        ("counts", f"{QUERY}&by=quarter-hour", 3),
        ("counts", f"from=2025-01-01&to={DAY}", 3),
        ("peaks", f"{QUERY}&by=hour", 25),
        ("week", QUERY, 168),
        ("coverage", "", 5),
    ],
)
def test_the_number_of_rows_is_estimated_from_counts(manager, kind, query, most, django_assert_max_num_queries):
    book = downloads.read(kind, QueryDict(query), manager, SessionBase())

    with django_assert_max_num_queries(1):
        assert book.most_rows() == most
    assert book.count() <= max(most, 1) or kind == "calls"


def test_the_filters_of_a_list_of_calls_are_shown_in_words(client, manager, small):
    query = f"{QUERY}&outcome=answered&block=QUEUE&took=ring&over=5&callbacks=no&weekday=2"

    page = client.get(ask(client, query=query)).content.decode()

    said = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page))
    assert said["Period"] == "Tue 15 Sep 2026"
    assert (said["Outcome"], said["Passed block"]) == ("Answered", "QUEUE")
    assert (said["Waiting and talking"], said["Weekdays and hours"]) == ("Ringing time over 5 s", "Tuesday")
    assert said["Numbers"] == "All numbers you have access to"
    assert "from" not in said
    assert "Last block" not in said
