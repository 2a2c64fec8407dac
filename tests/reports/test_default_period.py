"""Before noon the overview opens with yesterday, unless a period was chosen; other reports with seven days."""

from datetime import date, datetime
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from reports import periods
from reports.counting import rollups
from reports.filters import session_filter
from reports.filters.presets import Preset
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
def set_clock(monkeypatch):
    """What sets the time."""
    return lambda hour, minute=0: monkeypatch.setattr(timezone, "now", lambda: at(hour, minute))


@pytest.fixture
def open_at(client, set_clock):
    """Sign in at a time, after calls on several days."""
    number = make_number()
    for days in (1, 3, 9):
        take(number, "CALL_START", at(10, day=TODAY - days * periods.DAY), call_uuid=f"call-{days}")

    def sign_in(hour, minute=0):
        set_clock(hour, minute)
        rollups.recount_changed(wait=True)
        client.force_login(make_staff())
        return client

    return sign_in


def links_to(client, page, path):
    """Return the addresses of a path that a page links to, each once."""
    addresses = Page(page, client.get(page).content.decode()).addresses
    return list(dict.fromkeys(address for address in addresses if urlsplit(address).path == path))


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


@pytest.mark.parametrize("path", ["busy-hours/", "trend/", "numbers/", "calls/", "data-quality/", "glossary/"])
def test_the_day_goes_along_in_links_but_does_not_become_a_choice(open_at, set_clock, path):
    client = open_at(11, 50)
    # Further links to the list of calls are those of counts.
    [link, *_counts] = links_to(client, "/reports/", f"/reports/{path}")

    html = client.get(link).content.decode()

    assert f"from={YESTERDAY}" in link
    assert "Remove filter" not in html
    # The next links have the day, too.
    further = links_to(client, link, "/reports/forwards/")
    assert further
    for address in further:
        assert period_of(client, address) == (YESTERDAY, YESTERDAY)
    assert not client.session.get(session_filter.KEPT_AS)
    assert not client.get("/reports/").context["page"].form.is_asked
    set_clock(12, 5)
    answer = client.get("/reports/")
    assert answer.context["page"].form.preset == Preset.WEEK
    assert "Remove filter" not in answer.content.decode()


def test_numbers_selected_beside_that_day_are_kept_without_it(open_at, set_clock):
    client = open_at(11, 50)
    form = client.get("/reports/").context["page"].form
    number = form.choices[0]

    form = client.get("/reports/", {**dict(form.beside_numbers), "number": number.e164}).context["page"].form

    assert (form.period.first, form.selected) == (YESTERDAY, [number])
    assert [chip.label for chip in form.chips()] == [number.name]
    set_clock(12, 5)
    form = client.get("/reports/").context["page"].form
    assert (form.preset, form.selected) == (Preset.WEEK, [number])


def test_the_calls_of_that_day_narrowed_by_outcome_do_not_keep_it(open_at):
    client = open_at(8)
    [link, *_counts] = links_to(client, "/reports/", "/reports/calls/")
    fields = dict(client.get(link).context["page"].filter.without_field)

    answer = client.post("/reports/calls/", {**fields, "outcome": "in_progress"}, follow=True)

    listed = answer.context["page"]
    assert (listed.filter.period.first, listed.filter.period.last) == (YESTERDAY, YESTERDAY)
    assert [chip.label for chip in listed.form.chips()] == ["Ongoing"]
    assert listed.form.in_words().startswith(listed.filter.period.label)
    assert not client.session.get(session_filter.KEPT_AS)


def test_yesterday_chosen_by_hand_is_kept(open_at, set_clock):
    client = open_at(11, 50)
    [yesterday] = [link.query for link in client.get("/reports/").context["page"].form.presets() if link.is_current]

    client.get(f"/reports/busy-hours/?{yesterday}")

    set_clock(12, 5)
    form = client.get("/reports/").context["page"].form
    assert (form.preset, [chip.label for chip in form.chips()]) == (Preset.YESTERDAY, ["Yesterday"])
