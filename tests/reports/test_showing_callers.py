"""The caller of one call shown whole: for whom, for a reason, how often, and what the audit holds of it."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import pytest
from django.db import connection
from django.db.models import F
from django.test import Client

from accounts.audit.actions import Action
from accounts.models import AuditEntry, SignedInSession
from calls import showing
from calls.models import Call, Right
from contacts.models import Contact, ContactNumber, LinkTemplate
from tests.factories import give, make_contact, make_number, make_user, map_variable, take
from tests.owner import as_owner
from tests.reports.helpers import confirm, show_caller

pytestmark = pytest.mark.django_db(transaction=True)

CALLER, READABLE, MASKED = "+4917012345678", "+49 170 12345678", "+49 170 12345•••"
NOON = datetime(2026, 9, 14, 10, 0, tzinfo=UTC)
AGAIN = "/accounts/reauthenticate/"


@pytest.fixture
def call():
    number = make_number(label="Hotline")
    take(number, "CALL_START", NOON, call_uuid="one", caller_id_number=CALLER)
    return Call.objects.get()


@pytest.fixture
def person(client, call):
    user = make_user("person")
    give(user, call.destination_number, Right.CALLS, Right.CALLERS)
    client.force_login(user)
    return user


def html_of(answer):
    return answer.content.decode().replace("\N{NO-BREAK SPACE}", " ")


def entries():
    return AuditEntry.objects.filter(action=Action.CALLER_SHOWN)


def test_a_caller_is_masked_until_it_is_shown_and_then_again(client, call, person):
    confirm(client)
    before = html_of(client.get(call.get_absolute_url()))
    assert MASKED in before
    assert CALLER[-8:] not in before.replace(" ", "")

    shown = html_of(show_caller(client, call))
    assert f"{READABLE}</bdi> called" in shown
    assert CALLER in shown  # in the message, too

    assert CALLER[-8:] not in html_of(client.get(call.get_absolute_url())).replace(" ", "")
    assert CALLER[-8:] not in html_of(client.get("/reports/calls/")).replace(" ", "")


def test_the_audit_holds_who_was_shown_which_call_and_why_but_no_caller(client, call, person):
    confirm(client)
    show_caller(client, call, f"  call   back {CALLER}, as agreed ")

    entry = entries().get()
    assert (entry.actor_id, entry.actor, entry.object_type, entry.object_id) == (
        *(person.pk, "person"),
        *("calls.call", str(call.pk)),
    )
    assert entry.object == call.destination_number.e164
    assert entry.reason == "call back •••, as agreed"
    assert CALLER[-8:] not in str(AuditEntry.objects.values_list())


def test_without_a_reason_the_caller_stays_masked(client, call, person):
    confirm(client)
    for reason in ("", " \t ", "\0", "\u200b", "--"):
        page = html_of(show_caller(client, call, reason))
        assert "Enter why you need the whole number." in page
        assert CALLER[-8:] not in page.replace(" ", "")
    assert not entries().exists()


def test_who_signed_in_long_ago_confirms_who_they_are_first(client, call, person, settings):
    SignedInSession.objects.update(signed_in_at=F("signed_in_at") - timedelta(minutes=16))
    page = html_of(client.get(call.get_absolute_url()))
    assert "Confirm who you are to show the whole number" in page
    assert 'name="show_caller"' not in page

    refused = show_caller(client, call)
    assert refused["Location"].startswith(AGAIN)
    assert not entries().exists()

    assert confirm(client, f"{call.get_absolute_url()}#caller") == f"{call.get_absolute_url()}#caller"
    assert READABLE in html_of(show_caller(client, call))

    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = -1
    assert show_caller(client, call)["Location"].startswith(AGAIN)
    assert entries().count() == 1


@pytest.mark.parametrize("rights", [(Right.CALLS,), (Right.CALLS, Right.PEOPLE, Right.EXPORT)])
def test_without_the_right_no_caller_is_shown(client, call, rights):
    user = make_user("person")
    give(user, call.destination_number, *rights)
    give(user, make_number("+4922155400301"), Right.CALLS, Right.CALLERS)
    client.force_login(user)
    confirm(client)

    assert 'name="show_caller"' not in html_of(client.get(call.get_absolute_url()))
    assert show_caller(client, call).status_code == 403
    assert not entries().exists()


def test_a_withheld_caller_cannot_be_shown(client, call, person):
    take(call.destination_number, "CALL_START", NOON, call_uuid="withheld", caller_id_number="anonymous")
    withheld = Call.objects.get(call_uuid="withheld")
    confirm(client)

    assert 'name="show_caller"' not in html_of(client.get(withheld.get_absolute_url()))
    assert show_caller(client, withheld).status_code == 403


def test_only_so_many_callers_are_shown_in_an_hour(client, call, person, monkeypatch):
    monkeypatch.setattr(showing, "MOST_AN_HOUR", 3)
    confirm(client)
    for _ in range(3):
        assert READABLE in html_of(show_caller(client, call))

    page = html_of(show_caller(client, call, "one more"))
    assert "which is the limit" in page
    assert 'value="one more"' in page  # what was entered is not lost
    assert CALLER[-8:] not in page.replace(" ", "")
    assert entries().count() == 3

    monkeypatch.setattr(showing, "HOUR", timedelta(0))
    assert READABLE in html_of(show_caller(client, call))


def test_many_requests_at_once_do_not_pass_the_limit(client, call, person, monkeypatch):
    monkeypatch.setattr(showing, "MOST_AN_HOUR", 3)
    confirm(client)

    def ask(_n):
        own = Client()
        own.cookies = client.cookies
        try:
            return READABLE in html_of(show_caller(own, call))
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(ask, range(8))) == 3
    assert entries().count() == 3


def test_links_with_the_caller_are_offered_once_it_is_shown_others_before(client, call, person):
    contact = Contact.objects.create(name="Anna Meyer", customer_number="K-1001")
    ContactNumber.objects.create(contact=contact, e164=CALLER)
    LinkTemplate.objects.create(name="By number", url="https://crm.example.com/?phone={caller}", shown_when="any")
    LinkTemplate.objects.create(name="By customer", url="https://crm.example.com/{customer_number}", shown_when="any")
    confirm(client)

    before, shown = html_of(client.get(call.get_absolute_url())), html_of(show_caller(client, call))

    assert "Anna Meyer" in before
    assert "By customer" in before
    assert "By number" not in before
    assert "By number" in shown


def test_a_database_that_takes_no_entry_shows_no_caller(client, call, person):
    confirm(client)
    client.raise_request_exception = False
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_auditentry ADD CONSTRAINT full_disk CHECK (action <> 'caller_shown')")
    try:
        answer = show_caller(client, call)
    finally:
        with as_owner(), connection.cursor() as cursor:
            cursor.execute("ALTER TABLE accounts_auditentry DROP CONSTRAINT full_disk")
    assert answer.status_code == 500
    assert CALLER[-8:] not in html_of(answer).replace(" ", "")


def test_what_was_entered_outlasts_the_confirmation_of_that_call_alone(client, call, person):
    take(call.destination_number, "CALL_START", NOON, call_uuid="two", caller_id_number=CALLER)
    other = Call.objects.get(call_uuid="two")
    SignedInSession.objects.update(signed_in_at=F("signed_in_at") - timedelta(minutes=16))
    show_caller(client, call, f"as agreed with {CALLER}")
    confirm(client)

    assert 'value="as agreed with •••"' in html_of(client.get(call.get_absolute_url()))
    assert "as agreed" not in html_of(client.get(other.get_absolute_url()))
    show_caller(client, call)
    assert "as agreed" not in html_of(client.get(call.get_absolute_url()))


def test_a_clock_that_was_set_back_confirms_nobody(client, call, person):
    SignedInSession.objects.update(signed_in_at=F("signed_in_at") + timedelta(hours=3))
    assert show_caller(client, call)["Location"].startswith(AGAIN)


def test_no_contact_and_nothing_typed_tells_the_caller_until_it_is_shown(client, call, person):
    make_contact(
        f"Anna {READABLE}",
        CALLER,
        note="Mobil 0170 12345678, seit 14.09.2026",
        url=f"https://crm.example.com/?t=%2B{CALLER[1:]}",
    )
    map_variable(call.destination_number, pattern=r"\d{4,14}", url="https://crm.example.com/t/{value}")
    take(
        call.destination_number,
        "BLOCK_END",
        NOON,
        call_uuid="one",
        collected_ticket=CALLER[1:],
        caller_id_number=CALLER,
    )
    pages = ["/reports/calls/", call.get_absolute_url(), "/reports/calls.csv?period=all"]
    give(person, call.destination_number, Right.CALLS, Right.CALLERS, Right.EXPORT)

    hidden = [re.sub(r"[^0-9]", "", unquote(b"".join(client.get(page)).decode())) for page in pages]
    shown = html_of(show_caller(client, call))

    assert [page for page, text in zip(pages, hidden, strict=True) if CALLER[-7:] in text] == []
    assert "seit 14.09.2026" in shown
    assert "Mobil 0170 12345678" in shown
