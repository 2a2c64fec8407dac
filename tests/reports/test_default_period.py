"""Before noon the overview opens with yesterday, unless a period was chosen; other reports with seven days."""

from datetime import date, datetime
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from reports import periods
from reports.counting import rollups
from tests.factories import make_number, make_staff, take
from tests.reports.html_reader import Page

pytestmark = pytest.mark.django_db(transaction=True)

BERLIN = ZoneInfo("Europe/Berlin")
TODAY = date(2026, 11, 4)
YESTERDAY = TODAY - periods.DAY
MORNINGS, AFTERNOONS = [(0, 0), (11, 59)], [(12, 0), (23, 59)]


def at(hour, minute=0, day=TODAY):
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=BERLIN)


@pytest.fixture
def open_at(client, monkeypatch):
    """Sign in at a time, after calls on several days."""
    number = make_number()
    for days in (1, 3, 9):
        take(number, "CALL_START", at(10, day=TODAY - days * periods.DAY), call_uuid=f"call-{days}")

    def sign_in(hour, minute=0):
        monkeypatch.setattr(timezone, "now", lambda: at(hour, minute))
        rollups.recount_changed(wait=True)
        client.force_login(make_staff())
        return client

    return sign_in


def period_of(client, address):
    form = client.get(address).context["page"].form
    return form.period.first, form.period.last


@pytest.mark.parametrize("clock", MORNINGS)
def test_before_noon_the_overview_opens_with_yesterday(open_at, clock):
    client = open_at(*clock)

    assert period_of(client, "/reports/") == (YESTERDAY, YESTERDAY)
    assert not client.get("/reports/").context["page"].form.is_asked
    # Other pages do not change.
    assert period_of(client, "/reports/trend/")[0] == TODAY - 7 * periods.DAY


@pytest.mark.parametrize("clock", AFTERNOONS)
def test_from_noon_on_it_opens_with_seven_days(open_at, clock):
    client = open_at(*clock)

    assert period_of(client, "/reports/") == (TODAY - 7 * periods.DAY, YESTERDAY)
    assert client.get("/reports/").context["question"] == ""


def test_its_links_carry_the_day_that_is_shown(open_at):
    answer = open_at(8).get("/reports/")

    addresses = [urlsplit(address) for address in Page("/reports/", answer.content.decode()).addresses]
    pages = [address for address in addresses if address.path in {"/reports/trend/", "/reports/busy-hours/"}]
    assert pages
    for address in pages:
        assert parse_qs(address.query)["from"] == parse_qs(address.query)["to"] == [str(YESTERDAY)]


@pytest.mark.parametrize("query", ["period=28-days", f"from={TODAY - 3 * periods.DAY}&to={TODAY - 2 * periods.DAY}"])
def test_a_period_that_was_chosen_is_kept_also_before_noon(open_at, query):
    client = open_at(8)
    chosen = period_of(client, f"/reports/trend/?{query}")

    assert period_of(client, "/reports/") == chosen != (YESTERDAY, YESTERDAY)
    # Without filters it is yesterday again.
    assert period_of(client, "/reports/?period=default") == (YESTERDAY, YESTERDAY)
