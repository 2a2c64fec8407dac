"""Notes on calls: written by who sees the call, changed by who wrote them, shown at the caller's next calls."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest

from calls.ingest import writer
from calls.models import Call
from contacts.models import CallNote
from tests.factories import give, make_number, make_user, take

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 9, 14, 10, 0, tzinfo=UTC)
DAY = "from=2026-09-14&to=2026-09-14"
CALLER = "+491711234567"


def text_of(page):
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.content.decode())).split())


@pytest.fixture
def numbers():
    """Two numbers, each called twice by the same caller."""
    numbers = make_number(label="Hotline"), make_number("+4922155400301", label="Shop")
    for number in numbers:
        for n in range(2):
            at = NOON + timedelta(minutes=n)
            take(number, "CALL_START", at, call_uuid=f"{number.label} {n}", caller_id_number=CALLER)
    return numbers


@pytest.fixture
def anna(client, numbers):
    user = make_user("anna", first_name="Anna", last_name="Meyer")
    give(user, numbers[0], "calls", "callers", "export")
    client.force_login(user)
    return user


def page(uuid):
    return f"/reports/calls/{Call.objects.get(call_uuid=uuid).pk}/"


def test_a_note_is_added_changed_and_removed_by_who_wrote_it(client, anna, numbers):
    answer = client.post(f"{page('Hotline 0')}?{DAY}", {"result": "call_back", "text": "Wants an offer"})
    assert answer["Location"] == f"{page('Hotline 0')}?{DAY}#notes"
    assert "Call back Wants an offer" in text_of(client.get(page("Hotline 0")))

    note = CallNote.objects.get()
    client.post(page("Hotline 0"), {"note": note.pk, "result": "resolved", "text": "Has the offer"})
    shown = text_of(client.get(page("Hotline 0")))
    assert "Anna Meyer" in shown
    assert "changed" in shown
    assert "Resolved Has the offer" in shown

    client.post(page("Hotline 0"), {"note": note.pk, "remove": "1"})
    assert not CallNote.objects.exists()


def test_a_note_needs_a_text_or_a_result_and_is_not_endless(client, anna):
    assert "Write a note, or choose a result." in text_of(client.post(page("Hotline 0"), {"text": " "}))
    assert "2000" in text_of(client.post(page("Hotline 0"), {"text": "x" * 2001}))
    assert client.post(page("Hotline 0"), {"result": "made up"}).status_code == 200
    assert not CallNote.objects.exists()


def test_others_read_a_note_and_cannot_change_it(client, anna, numbers):
    client.post(page("Hotline 0"), {"text": "Wants an offer"})
    note = CallNote.objects.get()
    ben = make_user("ben")
    give(ben, numbers[0], "calls")
    client.force_login(ben)
    assert "Wants an offer" in text_of(client.get(page("Hotline 0")))
    for change in ({"text": "x"}, {"remove": "1"}):
        assert client.post(page("Hotline 0"), {"note": note.pk} | change).status_code == 404
        # Nor from the page of another call.
        assert client.post(page("Hotline 1"), {"note": note.pk} | change).status_code == 404
    note.refresh_from_db()
    assert note.text == "Wants an offer"


def test_without_the_right_calls_no_note_is_read_or_written(client, anna, numbers):
    client.post(page("Hotline 0"), {"text": "Wants an offer"})
    give(anna, numbers[0])
    assert client.get(page("Hotline 0")).status_code == 404
    assert client.post(page("Hotline 0"), {"text": "x"}).status_code == 404
    assert client.post(page("Shop 0"), {"text": "x"}).status_code == 404
    assert CallNote.objects.count() == 1


def test_the_next_call_of_the_caller_shows_the_last_note(client, anna, numbers):
    client.post(page("Hotline 0"), {"text": "Wants an offer"})
    assert "Last note on this caller" in text_of(client.get(page("Hotline 1")))
    assert "Wants an offer" in text_of(client.get(page("Hotline 1")))
    assert "Last note" not in text_of(client.get(page("Hotline 0")))
    # The other number has the same caller, which they see masked there: that it is the same is not told.
    give(anna, numbers[1], "calls")
    assert "Wants an offer" not in text_of(client.get(page("Shop 1")))
    give(anna, numbers[1], "calls", "callers")
    assert "Wants an offer" in text_of(client.get(page("Shop 1")))


def test_phone_numbers_in_notes_are_hidden_where_callers_are_masked(client, anna, numbers):
    client.post(page("Hotline 0"), {"result": "follow_up", "text": "=Is at 0171 / 123 45-67 till 5 pm"})

    def note():
        rows = csv.DictReader(io.StringIO(client.get(f"/reports/calls.csv?{DAY}").getvalue().decode()))
        return {row["call_uuid"]: (row["note_result"], row["note"]) for row in rows}["Hotline 0"]

    assert note() == ("follow_up", "'=Is at ••• till 5 pm")
    give(anna, numbers[0], "calls", "export")
    # Their own text stays in the form in which they change it.
    assert "=Is at ••• till 5 pm" in text_of(client.get(page("Hotline 0")))
    assert note() == ("follow_up", "'=Is at ••• till 5 pm")


def test_a_note_stays_when_its_call_is_joined_with_another(client, anna, numbers):
    take(numbers[0], "CALL_START", NOON, call_uuid=None, correlation_id="corr-x", caller_id_number=CALLER)
    weak = Call.objects.get(correlation_id="corr-x")
    client.post(f"/reports/calls/{weak.pk}/", {"text": "Wants an offer"})
    take(numbers[0], "CALL_END", NOON + timedelta(minutes=1), call_uuid="known", correlation_id="corr-x")

    assert writer.reunite_calls() == 1
    assert CallNote.objects.get().call == Call.objects.get(call_uuid="known")
