"""Local days, quarter-hours, comparison periods: all that is known of clocks that are put forward and back.

Moments are aware and in UTC; days, hours and weekdays are those of the reports' zone. The last Sunday in March has 92
quarter-hours and the last in October 100; the hour that comes twice is told apart by its offset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
# What is usual is told by so many weeks before.
USUAL_WEEKS = 4


class Grain(models.TextChoices):
    """How finely a report is cut. The values are those of the query string."""

    QUARTER_HOUR = "quarter-hour", gettext_lazy("Quarter-hour")
    HALF_HOUR = "half-hour", gettext_lazy("Half-hour")
    HOUR = "hour", gettext_lazy("Hour")
    DAY = "day", gettext_lazy("Day")
    WEEK = "week", gettext_lazy("Week")
    MONTH = "month", gettext_lazy("Month")


class Opening(models.TextChoices):
    """Which part of a period is asked for, by the numbers' opening hours. The values are those of the query string."""

    ALL = "all", gettext_lazy("At all hours")
    INSIDE = "inside", gettext_lazy("Inside opening hours")
    OUTSIDE = "outside", gettext_lazy("Outside opening hours")

    @property
    def is_open(self) -> bool | None:
        """What counts are kept by; None for both."""
        return None if self is Opening.ALL else self is Opening.INSIDE


# Cut from counts of days; the others from counts of quarter-hours.
OF_DAYS = frozenset({Grain.DAY, Grain.WEEK, Grain.MONTH})


def zone() -> ZoneInfo:
    """Return the zone of the reports' days."""
    return ZoneInfo(settings.TIME_ZONE)


def today() -> date:
    """Return the day it is in the reports' zone."""
    return timezone.localdate(timezone=zone())


def quarter_hour_of(moment: datetime) -> datetime:
    """Return the moment at which the quarter-hour of another begins."""
    return moment - (moment - EPOCH) % QUARTER_HOUR


def day_start(day: date) -> datetime:
    """Return the moment a local day begins, in UTC."""
    return datetime.combine(day, time(), tzinfo=zone()).astimezone(UTC)


def day_of(moment: datetime) -> date:
    """Return the local day of a moment."""
    return moment.astimezone(zone()).date()


def whole_days(start: datetime, end: datetime) -> tuple[date, date] | None:
    """Return the first and the last local day from one moment up to another; None where these are not whole days."""
    first, after = day_of(start), day_of(end)
    if day_start(first) != start or day_start(after) != end:
        return None
    return first, after - DAY


def same_hours(start: datetime, end: datetime, day: date) -> tuple[datetime, datetime]:
    """Return the same times on the clock, of one day, on another, in UTC; whatever the clock does in between."""

    def on_that_day(moment: datetime) -> datetime:
        local = moment.astimezone(zone())
        later = local.date() - day_of(start)
        return datetime.combine(day + later, local.time(), tzinfo=zone()).astimezone(UTC)

    return on_that_day(start), on_that_day(end)


@dataclass(frozen=True)
class Period:
    """Whole local days, both ends included; of them all hours, or those inside or outside opening hours."""

    first: date
    last: date
    opening: Opening = Opening.ALL
    # Where the last day does not count to its end: up to which quarter-hour.
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
        """The moment after the last; half-open, so that nothing falls in two periods."""
        return self.until or day_start(self.last + DAY)

    @property
    def length(self) -> int:
        """Days."""
        return (self.last - self.first).days + 1

    @property
    def days(self) -> list[date]:
        return [self.first + n * DAY for n in range(self.length)]

    def of_days(self, first: date, last: date, until: datetime | None = None) -> Period:
        """Return other days, at the same hours."""
        return replace(self, first=first, last=last, until=until)

    def previous(self) -> Period:
        """Return the period of the same length that ends the day before this one begins."""
        return self.of_days(self.first - self.length * DAY, self.first - DAY)

    def following(self) -> Period:
        """Return the period of the same length that begins the day after this one ends."""
        return self.of_days(self.last + DAY, self.last + self.length * DAY)

    @property
    def label(self) -> str:
        """In full: `Wed 9 – Tue 15 Sep 2026`, and up to when where the last day does not count to its end."""
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
        """Beside others of its kind: `9–15 Sep`."""
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
    """One stretch of a report: half-open, in full words and as short as under a chart."""

    start: datetime
    end: datetime
    label: str
    tick: str


def edges(period: Period, grain: str) -> list[datetime]:
    """Return where the buckets of a period begin, and after them where the last one ends, in UTC."""
    return [*_starts(period, grain), period.end]


def buckets(period: Period, grain: str) -> list[Bucket]:
    """Return the buckets of a period in order; weeks (from Monday) and months are cut off at its ends."""
    words = _of_days if grain in OF_DAYS else _of_hours
    return [Bucket(start, end, *words(period, grain, start, end)) for start, end in pairwise(edges(period, grain))]


def edges_of(buckets: Sequence[Bucket]) -> list[datetime]:
    """Return where buckets that follow each other begin, and after them where the last one ends."""
    return [*(bucket.start for bucket in buckets), buckets[-1].end]


def whole(period: Period) -> Bucket:
    """Return a period as one bucket."""
    return Bucket(period.start, period.end, period.label, period.short_label)


@dataclass(frozen=True)
class Run:
    """Days in a row that are read from counts of one grain: whole months, days, or their quarter-hours."""

    grain: Grain
    first: date
    last: date
    # Where the first of them does not count from its beginning, and the last not to its end.
    since: datetime | None = None
    until: datetime | None = None
    # Whether they are taken off again: they lie outside of the period, in a month or a day that is read as a whole.
    taken_off: bool = False
    # A day of the period, where they lie in a month or a day that it cuts off: they belong to the bucket of that day.
    of_day: date | None = None

    @property
    def start(self) -> datetime:
        return self.since or day_start(self.first)

    @property
    def end(self) -> datetime:
        return self.until or day_start(self.last + DAY)


def runs(period: Period, edges: Iterable[datetime], *, takes_off: bool = True) -> list[Run]:
    """Return a period as runs of the coarsest counts that are not cut by an edge: no month has one inside, and a day
    that has one within it is read by quarter-hours.

    What the period cuts off is read as a whole too, less what lies outside, where that is shorter: a month less its
    other days, the last day less its later quarter-hours. That is not done unless `takes_off`."""
    borders, split, within_last = set(), set(), False
    for edge in edges:
        day = day_of(edge)
        within_last |= day_start(period.last) < edge < period.end
        borders.add(day)
        if day_start(day) != edge:
            split.add(day)
    found: list[Run] = []
    for month in months(period.first, period.last):
        of_it = _both(month, period)
        if _falls_inside(of_it, borders, split):
            found += [Run(Grain.QUARTER_HOUR if day in split else Grain.DAY, day, day) for day in of_it.days]
        elif of_it == month:
            found.append(Run(Grain.MONTH, month.first, month.last))
        elif takes_off and month.length - of_it.length < of_it.length:
            found += _whole_less_outside(month, of_it)
        else:
            found.append(Run(Grain.DAY, of_it.first, of_it.last))
    joined: list[Run] = []
    for run in found:
        before = joined[-1] if joined else run
        if joined and before.grain == run.grain and before.of_day is None and run.of_day is None:
            joined[-1] = replace(before, last=run.last)
        else:
            joined.append(run)
    if period.until:
        joined[-1:] = _up_to(period.until, joined[-1], takes_off=takes_off and not within_last)
    return joined


def _up_to(until: datetime, run: Run, *, takes_off: bool) -> Iterator[Run]:
    """Yield the quarter-hours of days up to a moment; or of a day that is nearly over the day, less the others."""
    start, end = day_start(run.last), day_start(run.last + DAY)
    if takes_off and run.first == run.last and end - until < until - start:
        yield Run(Grain.DAY, run.last, run.last, of_day=run.last)
        yield Run(Grain.QUARTER_HOUR, run.last, run.last, since=until, taken_off=True, of_day=run.last)
    else:
        yield replace(run, until=until)


def _whole_less_outside(month: Period, of_it: Period) -> Iterator[Run]:
    """Yield a month, and those of its days that are taken off again."""
    yield Run(Grain.MONTH, month.first, month.last, of_day=of_it.first)
    if month.first < of_it.first:
        yield Run(Grain.DAY, month.first, of_it.first - DAY, taken_off=True, of_day=of_it.first)
    if of_it.last < month.last:
        yield Run(Grain.DAY, of_it.last + DAY, month.last, taken_off=True, of_day=of_it.first)


def runs_of_hours(period: Period, now: datetime) -> tuple[list[Run], list[Run]]:
    """Return a period as runs of counts that know the hour, and the runs that are taken off again.

    A month that the period cuts off is read as a whole too, and what of it lies outside is taken off, where that is
    less to read than its quarter-hours; of days that have not begun there is next to nothing."""
    read: list[Run] = []
    taken_off: list[Run] = []
    for month in months(period.first, period.last):
        of_it = _both(month, period)
        outside = []
        if month.first < of_it.first:
            outside.append(Run(Grain.QUARTER_HOUR, month.first, of_it.first - DAY))
        if of_it.last < month.last:
            outside.append(Run(Grain.QUARTER_HOUR, of_it.last + DAY, month.last))
        if sum(_days_begun(days.first, days.last, now) for days in outside) > _days_begun(of_it.first, of_it.last, now):
            read.append(Run(Grain.QUARTER_HOUR, of_it.first, of_it.last))
        else:
            read.append(Run(Grain.MONTH, month.first, month.last))
            taken_off += outside
    return read, taken_off


def months(first: date, last: date) -> Iterator[Period]:
    """Yield the whole months that some days reach into."""
    begins = first.replace(day=1)
    while begins <= last:
        following = (begins + 32 * DAY).replace(day=1)
        yield Period(begins, following - DAY)
        begins = following


def _both(one: Period, other: Period) -> Period:
    return one.of_days(max(one.first, other.first), min(one.last, other.last))


def _falls_inside(days: Period, borders: Iterable[date], split: Iterable[date]) -> bool:
    """Whether something is to be told apart in these days: a border after their beginning, or the middle of a day."""
    return any(days.first < border <= days.last for border in borders) or any(day in days for day in split)


def _days_begun(first: date, last: date, now: datetime) -> int:
    return max(0, (min(last, day_of(now)) - first).days + 1)


def moment_label(moment: datetime, clock: str = "%H:%M") -> str:
    """Return a moment in words, in the reports' zone: `Tue 15 Sep 2026, 10:15`."""
    local = moment.astimezone(zone())
    return f"{_written(local.date(), 'D j M Y')}, {local.strftime(clock)}{_offset(local)}"


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
        # With the offset, so that the hour that comes twice is two.
        hour = (local.hour, local.utcoffset())
        is_half = grain == Grain.HALF_HOUR and local.minute == 30
        if grain == Grain.QUARTER_HOUR or is_half or hour != before:
            yield moment
        moment, before = moment + QUARTER_HOUR, hour


def _of_days(_period: Period, grain: str, start: datetime, end: datetime) -> tuple[str, str]:
    if grain == Grain.DAY:
        day = day_of(start)
        return _written(day, "D j M Y"), _written(day, "D j")
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
    """Return a day in words, by a format of Django's."""
    return _written_in(get_language(), day, style)


# A year has many days, a month thousands of quarter-hours, and a list one day many times.
@lru_cache(maxsize=4096)
def _written_in(_language: str | None, day: date, style: str) -> str:
    return formatted(day, style)


def _offset(local: datetime) -> str:
    """Name the offset where the clock alone would be ambiguous."""
    if local.replace(fold=0).utcoffset() == local.replace(fold=1).utcoffset():
        return ""
    # In the hour that is left out in spring the two differ as well; no moment falls into it.
    return f" ({local.isoformat()[-6:]})"
