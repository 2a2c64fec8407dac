"""Notes from the card of a call and from My calls: written by those for whom it rang, one for each person and call."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from contacts.models import CallNote
from live.models import Pop
from tests.factories import make_number, make_user
from tests.live.rings import map_to, ring

pytestmark = pytest.mark.django_db(transaction=True)

NOTE, STATE, MY_CALLS = "/live/note", "/live/state", "/live/"


@pytest.fixture
def number():
    return make_number(label="Hotline")


@pytest.fixture
def anna(client):
    """A person without any right for numbers, signed in."""
    user = make_user("anna")
    map_to(user, "1001")
    client.force_login(user)
    return user


def answered(user, number, **fields):
    return ring(user, number, **({"answered_at": timezone.now()} | fields))


def write(client, ring, text="", result=""):
    return client.post(NOTE, {"ring": ring.pk if isinstance(ring, Pop) else ring, "text": text, "result": result})


def notes():
    return list(CallNote.objects.values_list("user__username", "result", "text"))


def test_who_answered_writes_a_note_without_a_right_and_changes_it(client, number, anna):
    own = answered(anna, number)
    answer = write(client, own, " Wants an offer ", "call_back")
    assert answer.json() == {"result": "call_back", "text": "Wants an offer"}
    assert client.get(STATE).json()["rings"][0]["own_note"] == answer.json()
    assert CallNote.objects.get().changed_at is None

    write(client, own, "Has the offer", "resolved")
    assert notes() == [("anna", "resolved", "Has the offer")]
    assert CallNote.objects.get().call == own.call
    assert CallNote.objects.get().changed_at is not None

    assert write(client, own, " ").json() == {"result": "", "text": ""}
    assert notes() == []
    assert client.get(STATE).json()["rings"][0]["own_note"] is None


def test_what_is_wrong_with_a_note_is_said_in_words(client, number, anna):
    own = answered(anna, number)
    for text, result, words in (
        ("", "", "Write a note, or choose a result."),
        ("x" * 2001, "", "2000"),
        ("x", "made up", "made up"),
    ):
        answer = write(client, own, text, result)
        assert answer.status_code == 400
        assert words in " ".join(answer.json()["errors"])
    assert notes() == []


def test_rings_of_others_tests_and_missing_ones_are_not_found(client, number, anna):
    client.post("/live/test")
    for pk in (answered(make_user("ben"), number), Pop.objects.get(is_test=True), 987654321, "", "x", "9" * 30):
        answer = write(client, pk, "Wants an offer")
        assert answer.status_code == 404
    assert notes() == []


def test_each_person_of_a_call_has_a_note_of_their_own(client, number, anna):
    own, ben = answered(anna, number), make_user("ben")
    theirs = Pop.objects.create(user=ben, event=own.event, rang_at=own.rang_at, revision=1)
    write(client, own, "Wants an offer")
    client.force_login(ben)
    write(client, theirs, "Called twice")
    assert sorted(notes()) == [("anna", "", "Wants an offer"), ("ben", "", "Called twice")]


def test_a_note_needs_a_token_of_the_form(number, anna):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(anna)
    assert write(strict, answered(anna, number), "Wants an offer").status_code == 403
    assert notes() == []


def test_my_calls_offers_the_note_for_some_minutes_after_the_end_of_an_answered_call(client, number, anna):
    now = timezone.now()
    recent = answered(anna, number, closed_at=now - timedelta(minutes=14), why_closed="answered")
    answered(anna, number, closed_at=now - timedelta(minutes=16), why_closed="answered")
    answered(anna, number)  # it has a card
    ring(anna, number, closed_at=now, why_closed="not_answered")
    write(client, recent, "Wants <an> offer", "follow_up")

    page = client.get(MY_CALLS).content.decode()
    lists = page.partition('id="last-calls"')[2].partition("<template")[0]
    assert lists.count('action="/live/note"') == 1
    assert f'data-ring="{recent.pk}"' in lists
    assert "Wants &lt;an&gt; offer</textarea>" in lists
    assert '<option value="follow_up" selected>' in lists
