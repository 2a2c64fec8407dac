"""Filters of reports: what users may select, and the errors for what cannot be read."""

from datetime import date, timedelta

import pytest
from django.http import Http404, QueryDict

from reports import periods
from reports.filters.report_filter import ReportForm
from reports.models import DayCounts
from reports.periods import Grain, Period
from tests.factories import E164, make_number, make_staff, make_user
from tests.spellings import READ, UNREAD

pytestmark = pytest.mark.django_db

OTHER = "+4922155400301"
WEEK = "from=2026-09-09&to=2026-09-15"


def days_ago(n: int) -> date:
    return periods.today() - timedelta(days=n)


@pytest.fixture
def number():
    return make_number()


@pytest.fixture
def manager(number):
    return make_user(numbers=[number])


def form(query: str, user, **options) -> ReportForm:
    return ReportForm(QueryDict(query), user, **options)


def counted_day(number, day: date) -> None:
    DayCounts.objects.create(destination_number=number, day=day, is_open=True, offered=1)


def current(asked: ReportForm) -> list[str]:
    return [link.label for link in asked.presets() if link.is_current]


def test_without_a_period_it_is_the_seven_days_up_to_yesterday(manager, number):
    counted_day(number, days_ago(1))

    asked = form("", manager)

    assert asked.period == Period(days_ago(7), days_ago(1))
    assert asked.errors == {}
    assert current(asked) == ["7 days"]


def test_while_no_call_came_before_today_it_is_today(manager, number):
    counted_day(number, days_ago(0))
    counted_day(make_number(OTHER), days_ago(1))

    assert form("", manager).period == Period(days_ago(0), days_ago(0))
    assert current(form("", manager)) == ["Today"]
    # The page of a number checks its own calls.
    staff = make_staff()
    assert form("", staff, number=number).period == Period(days_ago(0), days_ago(0))
    assert form("", staff).period == Period(days_ago(7), days_ago(1))


def test_both_days_are_included(manager):
    assert form(WEEK, manager).period == Period(date(2026, 9, 9), date(2026, 9, 15))


def test_one_day_alone_is_completed(manager):
    assert form(f"from={days_ago(2)}", manager).period == Period(days_ago(2), days_ago(0))
    assert form("to=2026-09-15", manager).period == Period(date(2026, 9, 9), date(2026, 9, 15))


@pytest.mark.parametrize(
    ("query", "field", "words"),
    [
        ("from=2026-09-16&to=2026-09-15", "from", "(Wed 16 Sep 2026) is after the last day (Tue 15 Sep 2026)"),
        ("from=yesterday&to=2026-09-15", "from", "“yesterday” is not a valid date"),
        ("from=2026-02-29", "from", "“2026-02-29” is not a valid date"),
        ("to=0001-01-01", "to", "“0001-01-01” is not a valid date"),
        ("to=9999-12-31", "to", "“9999-12-31” is not a valid date"),
        ("from=2020-01-01&to=2026-01-01", "from", "three years"),
        ("from=\x00", "from", "is not a valid date"),
    ],
)
def test_an_invalid_period_shows_an_error_and_is_replaced(manager, query, field, words):
    asked = form(query, manager)

    assert list(asked.errors) == [field]
    assert words in asked.errors[field]
    assert asked.period == Period(days_ago(0), days_ago(0))


def test_a_manager_reports_their_own_numbers_and_staff_all(manager, number):
    other = make_number(OTHER)

    assert form("", manager).numbers == [number]
    assert set(form("", make_staff()).numbers) == {number, other}
    assert form("", make_user("nobody")).numbers == []


@pytest.mark.parametrize(
    "text", ["%2B4922155400300", "+4922155400300", "004922155400300", "022155400300", "0221 55400300"]
)
def test_a_number_is_read_in_every_form(manager, number, text):
    # A plus in a query string is a space.
    assert form(f"number={text}", manager).selected == [number]


@pytest.mark.parametrize(("spelling", "e164"), READ)
def test_each_spelling_in_an_address_is_its_number(spelling, e164):
    number = make_number(e164)

    query = QueryDict(mutable=True)
    query["number"] = spelling
    assert form(query.urlencode(), make_staff()).selected == [number]


@pytest.mark.parametrize("spelling", UNREAD)
def test_an_ambiguous_spelling_is_no_number(spelling):
    for e164 in ("+442079460123", "+492214710300"):
        make_number(e164)

    query = QueryDict(mutable=True)
    query["number"] = spelling
    with pytest.raises(Http404):
        form(query.urlencode(), make_staff())


@pytest.mark.parametrize("text", [OTHER, "%2B4922155400301", "%2B49221999", "x", "%00"])
def test_a_number_of_others_and_an_unknown_number_get_the_same_answer(manager, text):
    make_number(OTHER)

    with pytest.raises(Http404):
        form(f"number={text}", manager)


def test_one_number_of_others_among_ones_own_is_refused_too(manager):
    make_number(OTHER)

    with pytest.raises(Http404):
        form(f"number=%2B4922155400300&number={OTHER}", manager)


def test_several_numbers_may_be_chosen_each_once(number):
    other = make_number(OTHER)
    make_number("+4922155400302")

    asked = form(f"number={OTHER}&number={E164}&number=022155400301&number=", make_staff())

    assert asked.selected == asked.numbers == [other, number]


def test_an_unknown_grain_shows_an_error(manager):
    asked = form(f"{WEEK}&by=fortnight", manager)

    assert "“fortnight”" in asked.errors["by"]
    assert (asked.by, asked.grain) == (None, Grain.DAY)


def test_quarter_hours_of_a_long_period_are_for_downloads_only(manager):
    query = "from=2026-09-01&to=2026-10-02&by=quarter-hour"

    assert "31 days" in form(query, manager).errors["by"]
    assert form(query, manager).grain == Grain.DAY
    download = form(query, manager, download=True)
    assert (download.errors, download.grain) == ({}, Grain.QUARTER_HOUR)
    assert form("from=2026-09-01&to=2026-10-01&by=quarter-hour", manager).grain == Grain.QUARTER_HOUR


def test_hours_of_a_very_long_period_are_for_downloads_only(manager):
    query = "from=2026-07-01&to=2026-10-01&by=hour"

    assert "92 days" in form(query, manager).errors["by"]
    assert form(query, manager).grain == Grain.WEEK
    download = form(query, manager, download=True)
    assert (download.errors, download.grain) == ({}, Grain.HOUR)
    assert form("from=2026-07-01&to=2026-09-30&by=hour", manager).grain == Grain.HOUR


@pytest.mark.parametrize(
    ("last", "page", "download"),
    [
        ("2026-01-01", Grain.HOUR, Grain.DAY),
        ("2026-01-31", Grain.DAY, Grain.DAY),
        ("2026-06-30", Grain.WEEK, Grain.DAY),
        ("2027-12-31", Grain.MONTH, Grain.DAY),
    ],
)
def test_pages_have_readable_time_steps_by_default_and_downloads_have_days(manager, last, page, download):
    query = f"from=2026-01-01&to={last}"

    assert form(query, manager).grain == page
    assert form(query, manager, download=True).grain == download


def test_links_keep_the_filters(manager, number):
    asked = form(f"{WEEK}&number=022155400300&by=hour", manager)

    assert asked.query == "from=2026-09-09&to=2026-09-15&number=%2B4922155400300&by=hour"
    again = form(asked.query, manager)
    assert (again.period, again.selected, again.by) == (asked.period, asked.selected, asked.by)
    assert form(asked.earlier(), manager).period == Period(date(2026, 9, 2), date(2026, 9, 8))
    assert form(asked.later(), manager).period == Period(date(2026, 9, 16), date(2026, 9, 22))
    assert form(asked.later(), manager).selected == [number]


def test_a_default_grain_is_named_to_downloads_only(manager):
    asked = form("from=2026-09-15&to=2026-09-15", manager)

    assert asked.query == "from=2026-09-15&to=2026-09-15"
    assert asked.download_query == "from=2026-09-15&to=2026-09-15&by=hour"


def test_there_is_no_later_period_than_now(manager):
    assert form("", manager).later() is None
    assert form(f"from={days_ago(1)}&to={days_ago(1)}", manager).later() is not None


def test_named_periods_lead_to_their_days(manager):
    links = form(WEEK, manager).presets()
    named = {link.label: form(link.query, manager).period for link in links}

    assert named["Today"] == Period(days_ago(0), days_ago(0))
    assert named["Yesterday"] == Period(days_ago(1), days_ago(1))
    assert named["7 days"] == Period(days_ago(7), days_ago(1))
    assert named["28 days"] == Period(days_ago(28), days_ago(1))
    assert named["Last month"].last == days_ago(0).replace(day=1) - timedelta(days=1)
    assert named["Last month"].first == named["Last month"].last.replace(day=1)
    for link in links:
        assert current(form(link.query, manager)) == [link.label]


@pytest.mark.parametrize(
    ("today", "label", "query"),
    [
        # Both presets of a pair have the same days.
        (date(2026, 11, 29), "28 days", "from=2026-11-01&to=2026-11-28&period=28-days"),
        (date(2026, 11, 29), "This month", "from=2026-11-01&to=2026-11-28&period=this-month"),
        (date(2026, 11, 8), "7 days", "from=2026-11-01&to=2026-11-07&period=7-days"),
        (date(2026, 11, 8), "This month", "period=this-month"),
        (date(2026, 11, 2), "Yesterday", "from=2026-11-01&to=2026-11-01&period=yesterday"),
        (date(2026, 11, 2), "This month", "from=2026-11-01&to=2026-11-01&period=this-month"),
        (date(2027, 3, 1), "28 days", "period=28-days"),
        (date(2027, 3, 1), "Last month", "period=last-month"),
        # On the first of a month no day of it is over.
        (date(2026, 12, 1), "Last month", "period=this-month"),
        # The query string does not name the preset.
        (date(2026, 11, 29), "This month", "from=2026-11-01&to=2026-11-28"),
        (date(2026, 11, 8), "7 days", "from=2026-11-01&to=2026-11-07"),
        (date(2026, 11, 2), "Yesterday", "from=2026-11-01&to=2026-11-01"),
    ],
)
def test_exactly_one_preset_is_shown_as_chosen(manager, monkeypatch, today, label, query):
    monkeypatch.setattr(periods, "today", lambda: today)

    assert current(form(query, manager)) == [label]


def test_custom_days_are_no_preset(manager):
    assert current(form(WEEK, manager)) == []
    assert current(form(f"from={days_ago(1)}&to={days_ago(1)}&period=days", manager)) == []
    # An old link has yesterday of another day: its days are shown.
    old = form("from=2026-09-09&to=2026-09-09&period=yesterday", manager)
    assert (current(old), old.period) == ([], Period(date(2026, 9, 9), date(2026, 9, 9)))


def test_an_unknown_preset_shows_an_error(manager):
    assert "“fortnight”" in form("period=fortnight", manager).errors["period"]


def test_a_form_reads_the_numbers_and_the_rights_once(manager, django_assert_num_queries):
    with django_assert_num_queries(2):
        asked = form(f"{WEEK}&number={E164}", manager)
        assert asked.numbers
        asked.presets()
