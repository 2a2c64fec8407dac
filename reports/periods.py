"""Local days, quarter-hours and periods; all handling of daylight saving time.

Times are aware and in UTC; days, hours and weekdays are those of the reports' time zone. The last Sunday in March has
92 quarter-hours and the last in October 100; the two repeated hours differ in their UTC offset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.dateformat import format as formatted
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
QUARTER_HOUR = timedelta(minutes=15)
DAY = timedelta(days=1)
WEEK = 7 * DAY
# The number of previous weeks that *usual* is calculated from.
USUAL_WEEKS = 4


class Grain(models.TextChoices):
    """The time steps of a report. The values are those of the query string."""

    QUARTER_HOUR = "quarter-hour", gettext_lazy("Quarter-hour")
    HALF_HOUR = "half-hour", gettext_lazy("Half-hour")
    HOUR = "hour", gettext_lazy("Hour")
    DAY = "day", gettext_lazy("Day")
    WEEK = "week", gettext_lazy("Week")
    MONTH = "month", gettext_lazy("Month")


class Opening(models.TextChoices):
    """All hours, or those inside or outside opening hours. The values are those of the query string."""

    ALL = "all", gettext_lazy("All hours")
    INSIDE = "inside", gettext_lazy("During opening hours")
    OUTSIDE = "outside", gettext_lazy("Outside opening hours")

    @property
    def is_open(self) -> bool | None:
        """The value of `is_open` in counts; None for both."""
        return None if self is Opening.ALL else self is Opening.INSIDE


# Time steps made from counts of days; the others are made from counts of quarter-hours.
OF_DAYS = frozenset({Grain.DAY, Grain.WEEK, Grain.MONTH})


def zone() -> ZoneInfo:
    """Return the reports' time zone."""
    return ZoneInfo(settings.TIME_ZONE)


def today() -> date:
    """Return the current day in the reports' time zone."""
    return timezone.localdate(timezone=zone())


def quarter_hour_of(moment: datetime) -> datetime:
    """Return the start of the quarter-hour that a time lies in."""
    return moment - (moment - EPOCH) % QUARTER_HOUR


def day_start(day: date) -> datetime:
    """Return the start of a local day, in UTC."""
    return _day_start(settings.TIME_ZONE, day)


# Cached: a page of a year asks for each of its days several times.
@lru_cache(maxsize=4096)
def _day_start(zone_name: str, day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=ZoneInfo(zone_name)).astimezone(UTC)


def day_of(moment: datetime) -> date:
    """Return the local day of a time."""
    return moment.astimezone(zone()).date()


def whole_days(start: datetime, end: datetime) -> tuple[date, date] | None:
    """Return the first and last local day between two times; None if these are not whole days."""
    first, after = day_of(start), day_of(end)
    if day_start(first) != start or day_start(after) != end:
        return None
    return first, after - DAY


def same_hours(start: datetime, end: datetime, day: date) -> tuple[datetime, datetime]:
    """Return the same clock times on another day, in UTC, also if the clock changes in between."""

    def on_that_day(moment: datetime) -> datetime:
        local = moment.astimezone(zone())
        later = local.date() - day_of(start)
        return datetime.combine(day + later, local.time(), tzinfo=zone()).astimezone(UTC)

    return on_that_day(start), on_that_day(end)


@dataclass(frozen=True)
class Period:
    """Whole local days, both ends included: all hours, or those inside or outside opening hours."""

    first: date
    last: date
    opening: Opening = Opening.ALL
    # The end if the last day is cut off at a quarter-hour.
    until: datetime | None = None

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise ValueError("a period ends before it begins")

    def __contains__(self, when: date | datetime) -> bool:
        if isinstance(when, datetime):
            return self.start <= when < self.end
        return self.first <= when <= self.last

    @property
    def start(self) -> datetime:
        return day_start(self.first)

    @property
    def end(self) -> datetime:
        """The end, which is not included, so that no time lies in two periods."""
        return self.until or day_start(self.last + DAY)

    @property
    def length(self) -> int:
        """The number of days."""
        return (self.last - self.first).days + 1

    @property
    def days(self) -> list[date]:
        return [self.first + n * DAY for n in range(self.length)]

    def of_days(self, first: date, last: date, until: datetime | None = None) -> Period:
        """Return a period of other days with the same opening hours."""
        return replace(self, first=first, last=last, until=until)

    def previous(self) -> Period:
        """Return the period of the same length that ends the day before this one begins."""
        return self.of_days(self.first - self.length * DAY, self.first - DAY)

    def following(self) -> Period:
        """Return the period of the same length that begins the day after this one ends."""
        return self.of_days(self.last + DAY, self.last + self.length * DAY)

    @property
    def label(self) -> str:
        """The full label: `Wed 9 – Tue 15 Sep 2026`, with the time if the last day is cut off."""
        if self.until is None:
            return self._days_label
        clock = moment_label(self.until).rpartition(", ")[2]
        return _("%(days)s, until %(time)s") % {"days": self._days_label, "time": clock}

    @property
    def _days_label(self) -> str:
        last = _written(self.last, "D j M Y")
        if self.first == self.last:
            return last
        if self.first.year != self.last.year:
            return f"{_written(self.first, 'D j M Y')} – {last}"
        return f"{_written(self.first, 'D j' if self.first.month == self.last.month else 'D j M')} – {last}"

    @property
    def short_label(self) -> str:
        """The label beside other periods: `9–15 Sep`."""
        if self.first == self.last:
            return _written(self.last, "j M")
        if self.first.year != self.last.year:
            return f"{_written(self.first, 'j M Y')} – {_written(self.last, 'j M Y')}"
        if self.first.month != self.last.month:
            return f"{_written(self.first, 'j M')} – {_written(self.last, 'j M')}"
        return f"{self.first.day}–{_written(self.last, 'j M')}"

    def __str__(self) -> str:
        return self.label


@dataclass(frozen=True)
class Bucket:
    """One time step of a report, half-open. `label` is in full, `tick` short for the axis of a chart."""

    start: datetime
    end: datetime
    label: str
    tick: str


def edges(period: Period, grain: str) -> list[datetime]:
    """Return the starts of a period's buckets and the end of the last, in UTC."""
    return [*_starts(period, grain), period.end]


def buckets(period: Period, grain: str) -> list[Bucket]:
    """Return the buckets of a period in order. Weeks (from Monday) and months are cut off at its ends."""
    words = _of_day if grain == Grain.DAY else _of_days if grain in OF_DAYS else _of_hours
    return [Bucket(start, end, *words(period, grain, start, end)) for start, end in pairwise(edges(period, grain))]


def edges_of(buckets: Sequence[Bucket]) -> list[datetime]:
    """Return the starts of consecutive buckets and the end of the last."""
    return [*(bucket.start for bucket in buckets), buckets[-1].end]


def whole(period: Period) -> Bucket:
    """Return a period as one bucket."""
    return Bucket(period.start, period.end, period.label, period.short_label)


def months(first: date, last: date) -> Iterator[Period]:
    """Yield the whole months that contain any of these days."""
    begins = first.replace(day=1)
    while begins <= last:
        following = (begins + 32 * DAY).replace(day=1)
        yield Period(begins, following - DAY)
        begins = following


def moment_label(moment: datetime, clock: str = "%H:%M") -> str:
    """Return the label of a time in the reports' time zone: `Tue 15 Sep 2026, 10:15`."""
    local = moment.astimezone(zone())
    return f"{_written(local.date(), 'D j M Y')}, {local.strftime(clock)}{_offset(local)}"


def day_label(day: date) -> str:
    """Return the label of a day beside others: `Tue 15 Sep`."""
    return _written(day, "D j M")


def _starts(period: Period, grain: str) -> Iterator[datetime]:
    if grain in OF_DAYS:
        for day in period.days:
            if (
                day == period.first
                or grain == Grain.DAY
                or (grain == Grain.WEEK and day.weekday() == 0)
                or (grain == Grain.MONTH and day.day == 1)
            ):
                yield day_start(day)
        return
    step = _STEPS[Grain(grain)]
    for day in period.days:
        start, end = day_start(day), day_start(day + DAY)
        if end - start == DAY:
            yield from (start + n * step for n in range(DAY // step))
        else:
            yield from _starts_as_the_clock_changes(start, end, grain)


_STEPS = {Grain.HOUR: 4 * QUARTER_HOUR, Grain.HALF_HOUR: 2 * QUARTER_HOUR, Grain.QUARTER_HOUR: QUARTER_HOUR}


def _starts_as_the_clock_changes(moment: datetime, end: datetime, grain: str) -> Iterator[datetime]:
    local_zone, before = zone(), None
    while moment < end:
        local = moment.astimezone(local_zone)
        # With the offset, so that the repeated hour counts as two.
        hour = (local.hour, local.utcoffset())
        is_half = grain == Grain.HALF_HOUR and local.minute == 30
        if grain == Grain.QUARTER_HOUR or is_half or hour != before:
            yield moment
        moment, before = moment + QUARTER_HOUR, hour


def _of_day(_period: Period, _grain: str, start: datetime, _end: datetime) -> tuple[str, str]:
    day, language = day_of(start), get_language()
    return _written_in(language, day, "D j M Y"), _written_in(language, day, "D j")


def _of_days(_period: Period, grain: str, start: datetime, end: datetime) -> tuple[str, str]:
    days = Period(day_of(start), day_of(end) - DAY)
    if grain == Grain.WEEK:
        number = days.first.isocalendar().week
        return _("Week %(number)d, %(days)s") % {"number": number, "days": days.label}, days.short_label
    month = _written(days.first, "F Y")
    if days.first.day == 1 and (days.last + DAY).day == 1:
        return month, _written(days.first, "M")
    return f"{month} ({days.short_label})", _written(days.first, "M")


def _of_hours(period: Period, _grain: str, start: datetime, _end: datetime) -> tuple[str, str]:
    local = start.astimezone(zone())
    clock = f"{local:%H:%M}{_offset(local)}"
    day = local.date()
    return f"{_written(day, 'D j M Y')}, {clock}", clock if period.length == 1 else f"{_written(day, 'j M')}, {clock}"


def _written(day: date, style: str) -> str:
    """Return a day in a date format of Django."""
    return _written_in(get_language(), day, style)


# Cached: a month has thousands of quarter-hours, and a list shows one day many times.
@lru_cache(maxsize=4096)
def _written_in(_language: str | None, day: date, style: str) -> str:
    return formatted(day, style)


def _offset(local: datetime) -> str:
    """Return the UTC offset if the clock time is ambiguous, else blank."""
    if local.replace(fold=0).utcoffset() == local.replace(fold=1).utcoffset():
        return ""
    # They also differ in the hour that is skipped in spring, but no time lies in it.
    return f" ({local.isoformat()[-6:]})"
