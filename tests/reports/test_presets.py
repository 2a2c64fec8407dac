"""Which days a period is compared with: as many before, or the same days of the previous month; up to the same time."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from reports.filters import presets
from reports.filters.presets import Preset
from reports.periods import Opening, Period

BERLIN = ZoneInfo("Europe/Berlin")


def at(month: int, day: int, hour: int, minute: int = 0, *, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=BERLIN)


def days(first: str, last: str, until: datetime | None = None) -> Period:
    return Period(date.fromisoformat(first), date.fromisoformat(last), until=until and until.astimezone(UTC))


@pytest.mark.parametrize(
    ("period", "preset", "then"),
    [
        (days("2026-11-09", "2026-11-15"), None, days("2026-11-02", "2026-11-08")),
        (days("2026-11-28", "2026-11-28"), None, days("2026-11-27", "2026-11-27")),
        # A month, or its beginning, is compared with the same days of the previous month.
        (days("2026-10-01", "2026-10-31"), None, days("2026-09-01", "2026-09-30")),
        (days("2026-09-01", "2026-09-30"), None, days("2026-08-01", "2026-08-31")),
        (days("2026-11-01", "2026-11-28"), None, days("2026-10-01", "2026-10-28")),
        (days("2026-11-01", "2026-11-28"), Preset.THIS_MONTH, days("2026-10-01", "2026-10-28")),
        (days("2026-11-01", "2026-11-01"), Preset.THIS_MONTH, days("2026-10-01", "2026-10-01")),
        (days("2026-10-01", "2026-10-30"), None, days("2026-09-01", "2026-09-30")),
        # The previous month may be shorter.
        (days("2026-03-01", "2026-03-30"), None, days("2026-02-01", "2026-02-28")),
        (days("2026-03-01", "2026-03-31"), None, days("2026-02-01", "2026-02-28")),
        (days("2026-01-01", "2026-01-31"), None, days("2025-12-01", "2025-12-31")),
        (days("2026-07-01", "2026-09-30"), None, days("2026-04-01", "2026-06-30")),
        (days("2026-01-01", "2026-12-31"), None, days("2025-01-01", "2025-12-31")),
        # The same days under another name are compared with as many days before.
        (days("2026-11-01", "2026-11-28"), Preset.FOUR_WEEKS, days("2026-10-04", "2026-10-31")),
        (days("2026-11-01", "2026-11-07"), Preset.WEEK, days("2026-10-25", "2026-10-31")),
        (days("2026-11-01", "2026-11-01"), None, days("2026-10-31", "2026-10-31")),
    ],
)
def test_a_period_is_compared_with_the_one_before(period, preset, then):
    now = datetime(2027, 2, 3, 12, tzinfo=UTC)

    assert presets.compared(period, preset, now) == presets.Comparison(period, then)
    inside = Period(period.first, period.last, Opening.INSIDE)
    assert presets.compared(inside, preset, now).then.opening == Opening.INSIDE


@pytest.mark.parametrize(
    ("period", "preset", "now", "side", "then"),
    [
        (
            days("2026-11-28", "2026-11-28"), Preset.TODAY, at(11, 28, 11, 52),
            days("2026-11-28", "2026-11-28", at(11, 28, 11, 45)), days("2026-11-27", "2026-11-27", at(11, 27, 11, 45)),
        ),
        (
            days("2026-11-22", "2026-11-28"), None, at(11, 28, 11, 45),
            days("2026-11-22", "2026-11-28", at(11, 28, 11, 45)), days("2026-11-15", "2026-11-21", at(11, 21, 11, 45)),
        ),
        (
            days("2026-11-01", "2026-11-28"), None, at(11, 28, 8),
            days("2026-11-01", "2026-11-28", at(11, 28, 8)), days("2026-10-01", "2026-10-28", at(10, 28, 8)),
        ),
        # A whole month whose last day is not over is compared day by day.
        (
            days("2026-11-01", "2026-11-30"), None, at(11, 30, 8),
            days("2026-11-01", "2026-11-30", at(11, 30, 8)), days("2026-10-01", "2026-10-30", at(10, 30, 8)),
        ),
        # The previous month has no such day: all of it is compared.
        (
            days("2026-10-01", "2026-10-31"), None, at(10, 31, 8),
            days("2026-10-01", "2026-10-31", at(10, 31, 8)), days("2026-09-01", "2026-09-30"),
        ),
        # If a period reaches beyond today, the part that has passed is compared.
        (
            days("2026-11-25", "2026-12-01"), None, at(11, 28, 8),
            days("2026-11-25", "2026-11-28", at(11, 28, 8)), days("2026-11-18", "2026-11-21", at(11, 21, 8)),
        ),
        (
            days("2026-11-01", "2026-11-30"), None, at(11, 28, 8),
            days("2026-11-01", "2026-11-28", at(11, 28, 8)), days("2026-10-01", "2026-10-28", at(10, 28, 8)),
        ),
        # The same clock time, also if the clock changed in between.
        (
            days("2026-10-25", "2026-10-25"), None, at(10, 25, 8, 30),
            days("2026-10-25", "2026-10-25", at(10, 25, 8, 30)), days("2026-10-24", "2026-10-24", at(10, 24, 8, 30)),
        ),
        # In the first quarter-hour nothing of today is compared.
        (
            days("2026-11-22", "2026-11-28"), None, at(11, 28, 0, 14),
            days("2026-11-22", "2026-11-27"), days("2026-11-15", "2026-11-20"),
        ),
    ],
)  # fmt: skip
def test_what_includes_today_is_compared_up_to_the_same_time_of_day(period, preset, now, side, then):
    assert presets.compared(period, preset, now) == presets.Comparison(side, then)


def test_today_has_nothing_to_compare_in_its_first_quarter_hour():
    assert presets.compared(days("2026-11-28", "2026-11-28"), Preset.TODAY, at(11, 28, 0, 14)) is None


def test_the_label_of_a_period_cut_off_at_a_time_has_the_time():
    assert days("2026-11-21", "2026-11-27", at(11, 27, 11, 45)).label == "Sat 21 – Fri 27 Nov 2026, until 11:45"


@pytest.mark.parametrize("preset", [preset for preset in Preset if preset is not Preset.TODAY])
def test_presets_end_yesterday_on_every_day_of_a_year(preset):
    for n in range(366):
        today = date(2027, 12, 31) - n * presets.DAY
        period = preset.period(today)
        assert period.last < today
        assert preset is Preset.LAST_MONTH or period.last == today - presets.DAY


@pytest.mark.parametrize(
    ("period", "preset", "now", "side", "then"),
    [
        # The same weekdays: 52 weeks before.
        (
            days("2026-11-21", "2026-11-27"), Preset.WEEK, at(11, 28, 8),
            days("2026-11-21", "2026-11-27"), days("2025-11-22", "2025-11-28"),
        ),
        (
            days("2026-11-28", "2026-11-28"), Preset.TODAY, at(11, 28, 11, 52),
            days("2026-11-28", "2026-11-28", at(11, 28, 11, 45)),
            days("2025-11-29", "2025-11-29", at(11, 29, 11, 45, year=2025)),
        ),
        # The same months.
        (
            days("2026-10-01", "2026-10-31"), Preset.LAST_MONTH, at(11, 28, 8),
            days("2026-10-01", "2026-10-31"), days("2025-10-01", "2025-10-31"),
        ),
        (
            days("2026-11-01", "2026-11-27"), Preset.THIS_MONTH, at(11, 28, 8),
            days("2026-11-01", "2026-11-27"), days("2025-11-01", "2025-11-27"),
        ),
        (
            days("2025-01-01", "2025-02-28"), None, at(11, 28, 8),
            days("2025-01-01", "2025-02-28"), days("2024-01-01", "2024-02-29"),
        ),
        (
            days("2024-02-01", "2024-02-29"), None, at(11, 28, 8),
            days("2024-02-01", "2024-02-29"), days("2023-02-01", "2023-02-28"),
        ),
    ],
)  # fmt: skip
def test_a_year_ago_are_the_same_months_or_the_same_weekdays(period, preset, now, side, then):
    assert presets.compared_a_year_ago(period, preset, now) == presets.Comparison(side, then)
    inside = Period(period.first, period.last, Opening.INSIDE)
    assert presets.compared_a_year_ago(inside, preset, now).then.opening == Opening.INSIDE


def test_today_has_nothing_to_compare_with_a_year_ago_in_its_first_quarter_hour():
    assert presets.compared_a_year_ago(days("2026-11-28", "2026-11-28"), Preset.TODAY, at(11, 28, 0, 14)) is None
