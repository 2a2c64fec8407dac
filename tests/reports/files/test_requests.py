"""Large workbooks: requested by a POST, made in the background, fetched by the person who requested them."""

import re
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.contrib.sessions.backends.base import SessionBase
from django.http import QueryDict
from django.test import Client
from django.utils import timezone

from calls.models import Right
from reports.exports import downloads, file_store, workbook_jobs
from reports.models import Workbook
from reports.views import downloads as views
from tests.factories import OF_MANAGERS, expire, give, make_number, make_staff, make_user, take
from tests.reports.helpers import DAY, NOON, OTHER
from tests.reports.workbooks import QUERY, ask, body, parts, sheets

pytestmark = pytest.mark.django_db(transaction=True)


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
