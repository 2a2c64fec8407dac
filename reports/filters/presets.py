"""Periods with a name, such as Today, and which days each period is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from django.db import models
from django.utils.translation import gettext_lazy

from reports import periods
from reports.periods import DAY, Period


class Preset(models.TextChoices):
    """A named period relative to today. The values are those of the query string."""

    TODAY = "today", gettext_lazy("Today")
    YESTERDAY = "yesterday", gettext_lazy("Yesterday")
    WEEK = "7-days", gettext_lazy("7 days")
    FOUR_WEEKS = "28-days", gettext_lazy("28 days")
    THIS_MONTH = "this-month", gettext_lazy("This month")
    LAST_MONTH = "last-month", gettext_lazy("Last month")

    def period(self, today: date) -> Period:
        """Return its days, as seen on `today`. Only *Today* includes that day, because it is not over.

        On the first of a month no day of it is over, so *This month* is then the previous month."""
        yesterday = today - DAY
        last_month_ends = today.replace(day=1) - DAY
        first, last = {
            Preset.TODAY: (today, today),
            Preset.YESTERDAY: (yesterday, yesterday),
            Preset.WEEK: (today - 7 * DAY, yesterday),
            Preset.FOUR_WEEKS: (today - 28 * DAY, yesterday),
            Preset.THIS_MONTH: (yesterday.replace(day=1), yesterday),
            Preset.LAST_MONTH: (last_month_ends.replace(day=1), last_month_ends),
        }[self]
        return Period(first, last)


# Several presets may have the same days: if the address does not name one, the first of these is taken.
_MATCHED = (
    Preset.TODAY,
    Preset.YESTERDAY,
    Preset.WEEK,
    Preset.THIS_MONTH,
    Preset.LAST_MONTH,
    Preset.FOUR_WEEKS,
)
_OF_MONTHS = (Preset.THIS_MONTH, Preset.LAST_MONTH)


def offered(today: date) -> list[Preset]:
    """Return the presets to choose from. On the first of a month *This month* is left out; it equals *Last month*."""
    return [preset for preset in Preset if preset is not Preset.THIS_MONTH or today.day > 1]


def matching(period: Period, today: date) -> Preset | None:
    """Return the preset that has these days."""
    choices = offered(today)
    return next(
        (preset for preset in _MATCHED if preset in choices and _is_of_days(preset.period(today), period)), None
    )


def current(preset: Preset | None, period: Period, today: date) -> Preset | None:
    """Return the offered preset to show as selected: `preset`, as long as it has these days."""
    if preset is None or not _is_of_days(preset.period(today), period):
        return None
    return preset if preset in offered(today) else matching(period, today)


def _is_of_days(period: Period, other: Period) -> bool:
    return (period.first, period.last) == (other.first, other.last)


# --- The period before -------------------------------------------------------------------------


@dataclass(frozen=True)
class Comparison:
    """The part of a period that is compared, and the days before: as many, or the same days of the previous month."""

    now: Period
    then: Period


def compared(period: Period, preset: Preset | None, now: datetime) -> Comparison | None:
    """Return what a period is compared with; None if no part of it is over.

    A period that includes today ends at the last full quarter-hour, and the days before at the same time of day."""
    today = periods.day_of(now)
    before = _shifted(period, preset, today, -1)
    if not period.first <= today <= period.last:
        return Comparison(period, before)
    until = periods.quarter_hour_of(now)
    if until > periods.day_start(today):
        current_part = period.of_days(period.first, today, until)
    elif today > period.first:
        current_part = period.of_days(period.first, today - DAY)
    else:
        return None
    last = _day_shifted(period, preset, current_part.last)
    if last > before.last:
        # The previous month is shorter: all of it is compared.
        return Comparison(current_part, before)
    until_then = current_part.until and periods.same_hours(periods.day_start(today), current_part.until, last)[1]
    return Comparison(current_part, before.of_days(before.first, last, until_then))


def compared_a_year_ago(period: Period, preset: Preset | None, now: datetime) -> Comparison | None:
    """Return a period and the same one a year ago; None if no part of it is over.

    Months are compared with the same days of the same months, others with the same weekdays of 52 weeks before. A
    period that includes today ends as for `compared`."""
    if not _is_of_months(period, preset):
        return compared_weeks_ago(52, period, preset, now)
    days = compared(period, preset, now)
    if days is None:
        return None
    current_part = days.now
    ends = _first_of_month(current_part.last, -11) - DAY
    is_whole = (current_part.last + DAY).day == 1 and not current_part.until
    last = ends if is_whole else (_same_day(current_part.last, -12) or ends)
    return _from(current_part, _first_of_month(current_part.first, -12), last)


def compared_weeks_ago(weeks: int, period: Period, preset: Preset | None, now: datetime) -> Comparison | None:
    """Return a period and the same weekdays so many weeks ago; None if no part of it is over.

    A period that includes today ends as for `compared`."""
    days = compared(period, preset, now)
    if days is None:
        return None
    gap = weeks * periods.WEEK
    return _from(days.now, days.now.first - gap, days.now.last - gap)


def _from(current_part: Period, first: date, last: date) -> Comparison:
    """Return what is compared with the days from `first` to `last`, which end at the same time of day."""
    start = periods.day_start(current_part.last)
    until = current_part.until and periods.same_hours(start, current_part.until, last)[1]
    return Comparison(current_part, current_part.of_days(first, last, until))


def step(period: Period, preset: Preset | None, today: date, direction: int) -> Period:
    """Return the previous (-1) or next (1) period: months for whole months, else as many days."""
    return _shifted(period, preset, today, direction)


def _is_of_months(period: Period, preset: Preset | None) -> bool:
    if preset is not None:
        return preset in _OF_MONTHS
    return period.first.day == 1 and period.length > 1


def _months_in(period: Period) -> int:
    return (period.last.year - period.first.year) * 12 + period.last.month - period.first.month + 1


def _shifted(period: Period, preset: Preset | None, today: date, direction: int) -> Period:
    if not _is_of_months(period, preset):
        gap = direction * period.length * DAY
        return period.of_days(period.first + gap, period.last + gap)
    months = direction * _months_in(period)
    first = _first_of_month(period.first, months)
    # A month that is not over has no last day yet; it is compared day by day.
    is_whole = (period.last + DAY).day == 1 and period.last < today
    ends = _first_of_month(period.last, months + 1) - DAY
    return period.of_days(first, ends if is_whole else min(ends, _same_day(period.last, months) or ends))


def _day_shifted(period: Period, preset: Preset | None, day: date) -> date:
    """Return the day that a day of a period is compared with; the first of the next month if there is none."""
    if not _is_of_months(period, preset):
        return day - period.length * DAY
    months = -_months_in(period)
    return _same_day(day, months) or _first_of_month(day, months + 1)


def _first_of_month(day: date, months: int) -> date:
    """Return the first day of the month `months` later, or earlier if negative."""
    month = day.year * 12 + day.month - 1 + months
    return date(month // 12, month % 12 + 1, 1)


def _same_day(day: date, months: int) -> date | None:
    """Return the same day of the month `months` later; None if that month is shorter."""
    first = _first_of_month(day, months)
    same = first + (day.day - 1) * DAY
    return same if same.month == first.month else None
