"""Opening hours: single days take precedence over holidays, and holidays over weekly hours, always in local time."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, transaction

from calls.models import ChangedQuarterHour, DestinationNumber, OpeningHours
from calls.opening_hours import Schedule
from tests.factories import make_number, take

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = dict.fromkeys(range(1, 6), ((8 * 60, 18 * 60),)) | {6: ((9 * 60, 12 * 60), (13 * 60, 1440))}


def is_open(text, *, state="NW", weekly=OFFICE, days=None):
    """Return whether hours are open at a local time such as `2026-09-29 08:00`."""
    schedule = Schedule("Europe/Berlin", weekly, days or {}, state)
    return schedule.is_open(datetime.fromisoformat(text).replace(tzinfo=BERLIN))


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-09-29 07:59:59", False),
        ("2026-09-29 08:00", True),
        ("2026-09-29 17:59:59", True),
        ("2026-09-29 18:00", False),
        ("2026-09-26 12:30", False),  # between two spans of a Saturday
        ("2026-09-26 13:00", True),
        ("2026-09-26 23:59:59", True),  # to midnight
        ("2026-09-27 00:00", False),
        ("2026-09-27 12:00", False),  # a Sunday has no hours
    ],
)
def test_weekly_hours_include_their_first_minute_and_exclude_their_last(moment, expected):
    assert is_open(moment) is expected


@pytest.mark.parametrize(
    ("day", "state", "expected"),
    [
        ("2026-10-03", "NW", False),  # a Saturday
        ("2026-12-25", "NW", False),
        ("2026-06-04", "NW", False),  # Corpus Christi
        ("2026-06-04", "BE", True),
        ("2026-03-08", "BE", False),  # a Sunday anyway
        ("2026-10-31", "SN", False),  # Reformation Day
        ("2026-10-31", "NW", True),
        ("2026-12-25", "", True),  # without a state, holidays are ordinary days
    ],
)
def test_public_holidays_are_those_of_the_state(day, state, expected):
    assert is_open(f"{day} 10:00", state=state) is expected


def test_a_single_day_takes_precedence_over_holidays_and_weekly_hours():
    days = {date(2026, 12, 25): ((600, 720),), date(2026, 9, 29): (), date(2026, 9, 27): ((0, 1440),)}
    assert is_open("2026-12-25 10:00", days=days)
    assert not is_open("2026-12-25 12:00", days=days)
    assert not is_open("2026-09-29 10:00", days=days)
    assert is_open("2026-09-27 23:59", days=days)


def test_local_time_decides_when_the_clocks_change():
    night = Schedule("Europe/Berlin", {7: ((120, 180),)}, {}, "")
    # The hour from 2 to 3 occurs twice in autumn and not at all in spring.
    assert [night.is_open(datetime(2026, 10, 25, hour, 30, tzinfo=UTC)) for hour in range(3)] == [True, True, False]
    assert [night.is_open(datetime(2026, 3, 29, hour, 30, tzinfo=UTC)) for hour in range(3)] == [False, False, False]


# --- In the database -------------------------------------------------------------------------------


@pytest.fixture
def hours():
    hours = OpeningHours.objects.create(name="Office hours", state="NW")
    hours.weekly.create(weekday=2, opens_at=time(8), closes_at=time(12))
    hours.weekly.create(weekday=2, opens_at=time(13), closes_at=time())
    hours.days.create(day=date(2026, 9, 29))
    hours.days.create(day=date(2026, 10, 6), opens_at=time(9), closes_at=time(10))
    hours.days.create(day=date(2026, 10, 6), opens_at=time(11), closes_at=time(11, 30))
    return hours


@pytest.mark.django_db
def test_a_schedule_is_made_from_stored_hours(hours):
    schedule = hours.schedule()
    assert schedule.spans_on(date(2026, 9, 22)) == ((480, 720), (780, 1440))
    assert schedule.spans_on(date(2026, 9, 29)) == ()
    assert schedule.spans_on(date(2026, 10, 6)) == ((540, 600), (660, 690))


@pytest.mark.django_db
def test_numbers_with_the_same_hours_share_a_schedule(hours, django_assert_num_queries):
    numbers = [make_number(f"+492215540030{n}", opening_hours=hours) for n in range(3)]
    make_number("+4922155400399")
    with django_assert_num_queries(4):
        schedules = DestinationNumber.objects.schedules()
    assert set(schedules) == {number.pk for number in numbers}
    assert len(set(schedules.values())) == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    "span", [{"opens_at": time(12), "closes_at": time(8)}, {"opens_at": time(8), "closes_at": time(8)}]
)
def test_the_database_keeps_spans_in_order(hours, span):
    with pytest.raises(IntegrityError), transaction.atomic():
        hours.weekly.create(weekday=1, **span)
    with pytest.raises(IntegrityError), transaction.atomic():
        hours.days.create(day=date(2026, 9, 1), **span)


@pytest.mark.django_db(transaction=True)
def test_a_number_is_counted_again_if_it_gets_other_hours(hours):
    number = make_number()
    take(number, "CALL_START", datetime(2026, 9, 22, 10, tzinfo=UTC))
    ChangedQuarterHour.objects.all().delete()

    number.label = "Hotline"
    number.save()
    assert not ChangedQuarterHour.objects.exists()

    number.opening_hours = hours
    number.save()
    assert ChangedQuarterHour.objects.count() == 1
