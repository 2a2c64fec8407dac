"""Charts of calls: which series there are, and the addresses of lost calls that a chart leads to."""

import html
import re
from datetime import timedelta

import pytest

from calls.ingest import silent_calls
from reports.counting.outcomes import Outcome
from reports.templatetags import charts
from tests.factories import make_number, make_staff, make_user
from tests.reports.helpers import ALL_ON, DAY, NOON, OTHER, call, listed, roll_up

pytestmark = pytest.mark.django_db(transaction=True)

PAGES = ("/reports/", "/reports/trend/")


def page_of(client, address):
    return client.get(f"{address}?from={DAY}&to={DAY}&by=hour").content.decode()


def led_to(page):
    """Return the addresses of lost calls, each with the sum that the chart draws for them."""
    found = []
    for row in re.findall(r"<tr>.*?</tr>", page, flags=re.DOTALL):
        for href in re.findall(r'data-href="([^"]+)"', row):
            missed, abandoned = re.findall(r'data-v="(\d+)"', row)[2:4]
            found.append((html.unescape(href), int(missed) + int(abandoned)))
    return found


@pytest.fixture
def number():
    """A number with calls in two hours: not answered and hung up before ringing in the first, one of them later."""
    number = make_number(label="Hotline")
    for n in range(3):
        call(number, f"missed {n}", NOON + timedelta(minutes=n), S=0, F=1, E=20)
    call(number, "hung up", NOON + timedelta(minutes=9), S=0, E=20)
    call(number, "answered", NOON + timedelta(minutes=10), S=0, F=1, A=5, E=20)
    call(number, "later", NOON + timedelta(hours=1), S=0, F=1, E=20)
    roll_up()
    return number


@pytest.mark.parametrize("address", PAGES)
def test_lost_calls_of_a_column_have_the_address_of_exactly_these_calls(client, number, address):
    client.force_login(make_staff())

    [(href, calls)] = led_to(page_of(client, address))

    assert calls == 4
    assert listed(client, href) == ["hung up", "missed 0", "missed 1", "missed 2"]


@pytest.mark.parametrize("address", PAGES)
def test_without_the_right_to_see_calls_a_chart_leads_nowhere(client, number, address):
    client.force_login(make_user(numbers=[number], rights=["figures"]))

    page = page_of(client, address)

    assert "data-v=" in page
    assert "data-href" not in page


def test_a_chart_leads_to_lost_calls_only_if_they_are_what_it_adds_up(client, number):
    # Of the other number, calls that were not answered are known, but not those that hung up before ringing.
    other = make_number(OTHER, **{**ALL_ON, "call_end": "off"})
    call(other, "other", NOON + timedelta(minutes=30), S=0, F=1)
    silent_calls.close_silent_calls()  # without an end it counts as not answered
    roll_up()
    client.force_login(make_staff())

    assert led_to(page_of(client, "/reports/")) == []


@pytest.mark.parametrize("address", PAGES)
def test_the_legend_has_the_series_with_calls(client, number, address):
    client.force_login(make_staff())

    (legend,) = re.findall(r'<ul class="chart-legend">(.*?)</ul>', page_of(client, address), flags=re.DOTALL)

    assert re.findall(r"</svg>([^<]+)</li>", legend) == ["Answered", "Lost"]


def test_the_series_have_every_outcome_once():
    columns = [str(column) for series in charts.SERIES for column in series.columns]
    assert sorted(columns) == sorted([*Outcome.values, charts.UNCLASSIFIED])
