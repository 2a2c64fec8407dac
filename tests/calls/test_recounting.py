"""Settings that change how calls are counted say how long it takes to count them again, and until when it does."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.utils import timezone

from calls import recounting
from calls.models import OpeningHours
from reports.counting import rollups
from tests.factories import make_number, make_staff, take

NUMBERS = "/admin/calls/destinationnumber/"
LONG_AGO = timedelta(days=30)
NOW = "All calls are being counted again right now."
BEFORE = "After a change, all calls are counted again, which takes less than a minute."

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("calls", "words"),
    [
        (1, "less than a minute"),
        (500_000, "less than a minute"),
        (500_001, "about 2 minutes"),
        (recounting.MOST_CALLS - 1, "about 2 minutes"),
        (recounting.MOST_CALLS, "more than 2 minutes"),
    ],
)
def test_the_time_to_count_again_grows_with_the_calls(calls, words):
    assert recounting.duration_in_words(calls) == words


def text_of(page):
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.content.decode())).split())


def fields_of(page):
    """Return what a form would send."""
    form = page.context["adminform"].form
    values = {field.html_name: field.value() for field in form}
    return {name: value for name, value in values.items() if value not in {None, False}} | {
        "access_keys-TOTAL_FORMS": 0,
        "access_keys-INITIAL_FORMS": 0,
    }


def test_a_number_says_how_long_its_calls_take_and_until_when_they_are_counted(client):
    client.force_login(make_staff())
    number = make_number(label="Hotline")
    address = f"{NUMBERS}{number.pk}/change/"
    assert "There are no calls yet" in text_of(client.get(address))
    take(number, "CALL_START", timezone.now() - LONG_AGO)
    rollups.recount_changed(wait=True)
    page = client.get(address)
    assert BEFORE in text_of(page)

    sent = fields_of(page)
    assert "are counted again, which takes" not in text_of(client.post(address, sent | {"label": "New"}, follow=True))
    assert BEFORE in text_of(client.get(address))

    said = text_of(client.post(address, sent | {"short_call_s": 9}, follow=True))
    assert "All calls are counted again, which takes less than a minute." in said
    assert NOW in text_of(client.get(address))
    rollups.recount_changed(wait=True)
    assert NOW not in text_of(client.get(address))


def test_calls_of_today_that_go_on_are_no_history_that_is_counted_again(client):
    client.force_login(make_staff())
    number = make_number()
    take(number, "CALL_START", timezone.now())

    assert BEFORE in text_of(client.get(f"{NUMBERS}{number.pk}/change/"))


def test_a_late_message_is_no_history_that_is_counted_again(client):
    client.force_login(make_staff())
    number = make_number()
    for days in (30, 20):
        take(number, "CALL_START", timezone.now() - timedelta(days=days), call_uuid=f"c{days}")
    rollups.recount_changed(wait=True)
    take(number, "CALL_END", timezone.now() - timedelta(days=20), call_uuid="c20")

    assert BEFORE in text_of(client.get(f"{NUMBERS}{number.pk}/change/"))


def test_opening_hours_say_it_of_all_their_numbers(client):
    client.force_login(make_staff())
    hours = OpeningHours.objects.create(name="Office hours")
    number = make_number(opening_hours=hours)
    take(number, "CALL_START", timezone.now() - LONG_AGO)
    rollups.recount_changed(wait=True)
    address = f"/admin/calls/openinghours/{hours.pk}/change/"
    assert BEFORE in text_of(client.get(address))

    lines = {f"{part}-{name}_FORMS": 0 for part in ("weekly", "days") for name in ("TOTAL", "INITIAL")}
    said = text_of(client.post(address, {"name": "Office hours", "state": "NW", **lines}, follow=True))

    assert "All calls are counted again, which takes less than a minute." in said
    assert NOW in text_of(client.get(address))
