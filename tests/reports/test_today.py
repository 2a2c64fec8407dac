"""Today so far, compared with the usual of the same weekday up to the same clock time."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from reports import periods
from reports.counting import rollups
from reports.figures.coverage import Coverage
from reports.queries.comparison import so_far
from tests.factories import make_number, make_staff, take

pytestmark = pytest.mark.django_db(transaction=True)

BERLIN = ZoneInfo("Europe/Berlin")
TODAY = date(2026, 11, 4)  # a Wednesday; the clock went back ten days before


def at(day, hour, minute=0):
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=BERLIN).astimezone(UTC)


def call(number, moment, answered=True):
    kinds = ["CALL_START", "INITIATE_FORWARD", *["FORWARD_ANSWER"] * answered, "CALL_END"]
    for n, kind in enumerate(kinds):
        take(number, kind, moment + timedelta(seconds=8 * n), call_uuid=f"{moment:%d%H%M}-{number.pk}")


def test_usual_is_the_average_of_four_weeks_up_to_the_same_clock_time():
    number = make_number()
    for week in range(1, 5):
        day = TODAY - timedelta(days=7 * week)
        for minute in range(2 * week):  # 2, 4, 6 and 8 calls before 9:30
            call(number, at(day, 9, minute), answered=minute > 0)
        call(number, at(day, 9, 31))  # too late to be compared
    for minute in range(3):
        call(number, at(TODAY, 9, minute))
    call(number, at(TODAY, 9, 31))  # in a quarter-hour that is not over
    rollups.recount_changed(wait=True)

    today = so_far(Coverage.read([number]), at(TODAY, 9, 44))

    figures = {row["key"]: (row["now"].value, row["usual"]) for row in today["figures"]}
    assert figures["offered"] == (3, 5.0)
    assert figures["answered"] == (3, 4.0)
    assert figures["lost"] == (0, 1.0)
    assert figures["service_level"] == (1.0, 16 / 20)
    assert today["until"] == at(TODAY, 9, 30)
    assert str(today["weekday"]) == "Wednesday"


def test_weeks_before_the_first_call_do_not_count_as_usual():
    number, older = make_number(), make_number("+4922155400301")
    for week, calls in ((0, 3), (1, 5), (2, 9)):
        for minute in range(calls):
            call(number, at(TODAY - timedelta(days=7 * week), 9, minute))
    rollups.recount_changed(wait=True)

    def usual(*numbers):
        today = so_far(Coverage.read(numbers), at(TODAY, 9, 44))
        return today["weeks"], next(row["usual"] for row in today["figures"] if row["key"] == "offered")

    assert usual(number) == (2, 7)
    # A number without calls has no first call, and does not change that of others.
    assert usual(older) == (0, None)
    assert usual(number, older) == (2, 7)
    call(older, at(TODAY - timedelta(days=21), 12))
    rollups.recount_changed(wait=True)
    assert usual(number, older) == (3, pytest.approx(14 / 3))


def test_the_first_quarter_hour_of_a_day_has_nothing_to_compare():
    assert so_far(Coverage.read([make_number()]), at(TODAY, 0, 14)) is None


def test_the_same_hours_are_those_on_the_clock():
    summer = date(2026, 10, 21)

    start, end = periods.same_hours(at(TODAY, 0), at(TODAY, 9, 30), summer)

    assert (start, end) == (at(summer, 0), at(summer, 9, 30))
    assert periods.same_hours(at(TODAY, 0), at(TODAY + timedelta(days=1), 0), summer)[1] == at(date(2026, 10, 22), 0)


def test_the_overview_shows_it_beside_periods_that_end_yesterday(client, monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: at(TODAY, 9, 44))
    number = make_number()
    call(number, at(TODAY - periods.DAY, 9))
    rollups.recount_changed(wait=True)
    client.force_login(make_staff())

    def is_shown(query):
        return 'id="h-today"' in client.get(f"/reports/?{query}").content.decode()

    assert is_shown("period=yesterday")
    assert is_shown("period=7-days")
    assert not is_shown("from=2026-01-01&to=2026-01-02")
    # Without calls today there are no headline figures of today.
    assert not is_shown("period=today")
    call(number, at(TODAY - periods.WEEK, 9))
    rollups.recount_changed(wait=True)
    assert is_shown("period=today")
    # With calls these say the same.
    call(number, at(TODAY, 9))
    rollups.recount_changed(wait=True)
    assert not is_shown("period=today")
