"""Charts of calls: which series there are, and the addresses of lost calls that a chart leads to."""

import html
import re
from datetime import timedelta

import pytest

from calls.ingest import silent_calls
from reports.counting.outcomes import Outcome
from reports.templatetags import charts
from tests.factories import make_number, make_staff, make_user
from tests.reports import html_reader
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


def names_in_legend(page):
    (legend,) = re.findall(r'<ul class="chart-legend">(.*?)</ul>', page, flags=re.DOTALL)
    return re.findall(r"</svg>([^<]+)</li>", legend)


def series_of_columns(page):
    """Return the key and the name of the series of each column."""
    return re.findall(r'data-series="(\w+)" data-series-name="([^"]+)"', page)


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


@pytest.fixture
def numbers():
    """A number with two lost calls, and one for which only calls that hung up before ringing are measured: five."""
    number, other = make_number(**ALL_ON), make_number(OTHER, **ALL_ON | {"forward_answer": "off"})
    call(number, "missed", NOON, S=0, F=1, E=20)
    call(number, "hung up", NOON, S=0, E=20)
    for n in range(5):
        call(other, f"other {n}", NOON + timedelta(hours=1), S=0, E=20)
    roll_up()
    return [number, other]


@pytest.mark.parametrize("address", PAGES)
def test_outcomes_that_do_not_add_up_to_lost_are_series_of_their_own(client, numbers, address):
    client.force_login(make_staff())

    page = page_of(client, address)

    assert names_in_legend(page) == ["Not answered", "Hung up before ringing"]
    assert {("missed", "Not answered"), ("abandoned", "Hung up before ringing")} <= {*series_of_columns(page)}
    # An hour in which they do add up leads to the calls of each, not to those of both.
    assert "data-v=" in page
    assert led_to(page) == []


@pytest.mark.parametrize("address", PAGES)
def test_without_measured_lost_calls_a_chart_does_not_name_them(client, address):
    call(make_number(**ALL_ON | {"call_end": "off"}), "missed", NOON, S=0, F=1)
    silent_calls.close_silent_calls()
    roll_up()
    client.force_login(make_staff())

    page = page_of(client, address)

    assert names_in_legend(page) == ["Not answered"]
    assert ("lost", "Lost") not in series_of_columns(page)


def test_the_tile_of_lost_calls_is_split_only_into_what_adds_up_to_it(client, numbers):
    client.force_login(make_staff())

    both = html_reader.page(client, f"/reports/?from={DAY}&to={DAY}").figures["Lost"]
    first = html_reader.page(client, f"/reports/numbers/{numbers[0].pk}/?from={DAY}&to={DAY}").figures["Lost"]

    assert (both.value, both.parts) == ("2", "")
    assert (first.value, first.parts) == ("2", "Not answered 1 Hung up before ringing 1")


@pytest.mark.parametrize("address", PAGES)
def test_the_legend_has_the_series_with_calls(client, number, address):
    client.force_login(make_staff())

    assert names_in_legend(page_of(client, address)) == ["Answered", "Lost"]


@pytest.mark.parametrize("every", [charts.SERIES, charts.SERIES_WITHOUT_LOST])
def test_the_series_have_every_outcome_once(every):
    columns = [str(column) for series in every for column in series.columns]
    assert sorted(columns) == sorted([*Outcome.values, charts.UNCLASSIFIED])
