"""Days, weeks, and the two days of the year on which the clock changes."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from reports import periods
from reports.periods import Grain, Period

SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)


def at(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "quarter_hours", "hours"), [(SPRING, 92, 23), (AUTUMN, 100, 25), (date(2026, 9, 15), 96, 24)]
)
def test_a_day_has_the_quarter_hours_of_its_clock(day, quarter_hours, hours):
    period = Period(day, day)

    assert len(periods.buckets(period, Grain.QUARTER_HOUR)) == quarter_hours
    assert len(periods.buckets(period, Grain.HOUR)) == hours
    assert len(periods.buckets(period, Grain.DAY)) == 1


@pytest.mark.parametrize("grain", Grain)
@pytest.mark.parametrize(
    "period", [Period(SPRING, SPRING), Period(AUTUMN, AUTUMN), Period(date(2026, 10, 20), date(2026, 11, 3))]
)
def test_buckets_cover_their_period_without_gap_or_overlap(period, grain):
    buckets = periods.buckets(period, grain)

    assert buckets[0].start == period.start
    assert buckets[-1].end == period.end
    assert all(bucket.end == following.start for bucket, following in pairwise(buckets))
    assert len({bucket.label for bucket in buckets}) == len(buckets)


def test_the_repeated_hour_is_labelled_with_its_offset():
    hours = periods.buckets(Period(AUTUMN, AUTUMN), Grain.HOUR)

    assert [hour.tick for hour in hours[1:5]] == ["01:00", "02:00 (+02:00)", "02:00 (+01:00)", "03:00"]
    assert (hours[2].start, hours[3].start) == (at(2026, 10, 25, 0), at(2026, 10, 25, 1))
    assert hours[3].label == "Sun 25 Oct 2026, 02:00 (+01:00)"


def test_the_skipped_hour_is_no_bucket():
    hours = periods.buckets(Period(SPRING, SPRING), Grain.HOUR)

    assert [hour.tick for hour in hours[:4]] == ["00:00", "01:00", "03:00", "04:00"]


def test_weeks_begin_on_monday_and_are_cut_off_at_the_ends_of_the_period():
    weeks = periods.buckets(Period(date(2026, 9, 9), date(2026, 9, 22)), Grain.WEEK)

    assert [(week.label, week.tick) for week in weeks] == [
        ("Week 37, Wed 9 – Sun 13 Sep 2026", "9–13 Sep"),
        ("Week 38, Mon 14 – Sun 20 Sep 2026", "14–20 Sep"),
        ("Week 39, Mon 21 – Tue 22 Sep 2026", "21–22 Sep"),
    ]
    assert weeks[0].start == at(2026, 9, 8, 22)


def test_months_are_cut_off_and_say_so():
    months = periods.buckets(Period(date(2026, 9, 1), date(2026, 10, 25)), Grain.MONTH)

    assert [(month.label, month.tick) for month in months] == [
        ("September 2026", "Sep"),
        ("October 2026 (1–25 Oct)", "Oct"),
    ]


def test_a_period_is_half_open_in_moments_and_includes_both_days():
    period = Period(date(2026, 9, 9), date(2026, 9, 15))

    assert (period.start, period.end) == (at(2026, 9, 8, 22), at(2026, 9, 15, 22))
    assert period.length == 7
    assert period.days[0] == period.first
    assert period.days[-1] == period.last
    assert date(2026, 9, 15) in period
    assert date(2026, 9, 16) not in period
    assert period.start in period
    assert period.end not in period
    assert period.end - timedelta(microseconds=1) in period


def test_a_period_touches_the_previous_and_the_next():
    period = Period(date(2026, 3, 1), date(2026, 3, 31))

    assert period.previous() == Period(date(2026, 1, 29), date(2026, 2, 28))
    assert period.previous().end == period.start
    assert period.following().previous() == period


def test_a_period_cannot_end_before_it_begins():
    with pytest.raises(ValueError, match="before"):
        Period(date(2026, 9, 2), date(2026, 9, 1))


@pytest.mark.parametrize(
    ("first", "last", "label", "short_label"),
    [
        (date(2026, 9, 9), date(2026, 9, 15), "Wed 9 – Tue 15 Sep 2026", "9–15 Sep"),
        (date(2026, 9, 15), date(2026, 9, 15), "Tue 15 Sep 2026", "15 Sep"),
        (date(2026, 9, 28), date(2026, 10, 4), "Mon 28 Sep – Sun 4 Oct 2026", "28 Sep – 4 Oct"),
        (
            date(2025, 12, 29),
            date(2026, 1, 4),
            "Mon 29 Dec 2025 – Sun 4 Jan 2026",
            "29 Dec 2025 – 4 Jan 2026",
        ),
    ],
)
def test_a_period_in_words(first, last, label, short_label):
    period = Period(first, last)

    assert (period.label, period.short_label) == (label, short_label)


def test_days_are_those_of_the_configured_time_zone(settings):
    settings.TIME_ZONE = "Asia/Kolkata"

    assert periods.day_start(date(2026, 9, 15)) == at(2026, 9, 14, 18, 30)
    assert periods.day_of(at(2026, 9, 14, 18, 30)) == date(2026, 9, 15)
    # Local hours begin at half past the hour in UTC.
    hours = periods.buckets(Period(date(2026, 9, 15), date(2026, 9, 15)), Grain.HOUR)
    assert [hours[0].tick, hours[1].tick, len(hours)] == ["00:00", "01:00", 24]
    assert hours[1].start == at(2026, 9, 14, 19, 30)
