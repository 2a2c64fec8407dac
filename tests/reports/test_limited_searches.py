"""Searches for phone numbers are limited, so that the hidden digits of a caller cannot be tried out."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client

from accounts.audit.actions import Action
from accounts.models import AuditEntry
from calls import kept_searches
from calls.kept_searches import may_be_number
from calls.models import Call, Right
from contacts.models import Contact
from tests.factories import give, make_number, make_superuser, make_user, take
from tests.spellings import READ

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 9, 14, 10, 0, tzinfo=UTC)
CALLS = "/reports/calls/"
IN_ADMIN = ("/admin/calls/call/", "/admin/calls/callevent/", "/admin/contacts/contact/")
LIMIT = 3


@pytest.fixture(autouse=True)
def limit(monkeypatch):
    monkeypatch.setattr(kept_searches, "MOST_AN_HOUR", LIMIT)


@pytest.fixture
def person(client):
    number = make_number(label="Hotline")
    take(number, "CALL_START", NOON, call_uuid="one-1", caller_id_number="+4917012345678")
    user = make_user("person")
    give(user, number, Right.CALLS, Right.CALLERS)
    client.force_login(user)
    return user


@pytest.fixture
def superuser(client, person):
    Contact.objects.create(name="Anna Meyer")
    user = make_superuser()
    client.force_login(user)
    return user


def search(client, text, **more):
    return client.post(CALLS, {"q": text} | more)


def use_up(client):
    for n in range(LIMIT):
        assert search(client, f"567{n}").status_code == 302


def searched():
    return AuditEntry.objects.filter(action=Action.SEARCHED)


@pytest.mark.parametrize("spelling", [spelling for spelling, e164 in READ if e164])
def test_each_spelling_of_a_number_can_be_a_caller(spelling):
    assert may_be_number(spelling)


@pytest.mark.parametrize("text", ["5678", "0170", "+49170", "0170 / 123-45678", "(0170) 12345678", "170", "116117"])
def test_numbers_their_beginnings_and_endings_can_be_callers(text):
    assert may_be_number(text)


@pytest.mark.parametrize(
    "text",
    ["withheld", "0000000000", "anna.qx", "2f1c-77aa", "9b0cdd2e-5e5b-4a5f-9d3c-1e2f3a4b5c6d", "one-1", "K 1001"],
)
def test_ids_names_and_withheld_cannot(text):
    assert not may_be_number(text)


def test_after_so_many_numbers_a_search_is_refused_and_nothing_that_was_entered_is_lost(client, person):
    use_up(client)

    refused = search(client, "5679", period="all", outcome="missed")
    page = refused.content.decode()

    assert refused.status_code == 429
    assert "You have searched for 3 phone numbers within an hour, which is the limit. Try again later." in page
    assert 'name="q"' in page
    assert 'value="5679"' in page
    assert re.search(r'value="missed"\s+checked', page)
    assert refused.context["page"].rows == []
    assert searched().count() == LIMIT


def test_ids_are_found_after_the_limit_and_do_not_count(client, person):
    for n in range(LIMIT + 1):
        assert search(client, f"uuid-{n}").status_code == 302
    use_up(client)

    page = client.post(CALLS, {"q": "one-1"}, follow=True)
    assert [row.call.call_uuid for row in page.context["page"].rows] == ["one-1"]
    asked = {"caller_of": Call.objects.get().pk}
    assert client.post(CALLS, asked).status_code == 302


def test_the_same_search_in_the_same_session_counts_once(client, person):
    for _ in range(LIMIT + 1):
        assert search(client, "5678").status_code == 302
    assert searched().count() == 1


def test_the_limit_is_that_of_a_person_and_of_an_hour(client, person, monkeypatch):
    use_up(client)
    again = Client()  # another session of the same person
    again.force_login(person)
    assert search(again, "5679").status_code == 429
    other = Client()
    other.force_login(make_superuser())
    assert search(other, "5679").status_code == 302

    monkeypatch.setattr(kept_searches, "HOUR", timedelta(0))
    assert search(client, "5679").status_code == 302


def test_many_requests_at_once_do_not_pass_the_limit(client, person):
    def ask(n):
        own = Client()
        own.cookies = client.cookies
        try:
            return search(own, f"567{n}").status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(ask, range(8))) == [302] * LIMIT + [429] * 5
    assert searched().count() == LIMIT


@pytest.mark.parametrize("table", IN_ADMIN)
def test_the_lists_of_the_admin_have_the_same_limit(client, superuser, table):
    use_up(client)
    assert client.get(table).context["cl"].result_count == 1

    refused = client.post(table, {"search": "0170 12345678"})
    page = refused.content.decode()

    assert refused.status_code == 429
    assert "You have searched for 3 phone numbers within an hour" in page
    assert 'name="search" value="0170 12345678"' in page
    assert refused.context["cl"].result_count == 0
    assert client.post(table, {"search": "Meyer"}).status_code == 302
