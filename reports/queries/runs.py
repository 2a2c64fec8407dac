"""Runs: the rows of counts that a period is read from, as few as possible."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime

from reports.periods import DAY, Grain, Period, day_of, day_start, months


@dataclass(frozen=True)
class Run:
    """Consecutive days that are read from counts of one grain: months, days or quarter-hours."""

    grain: Grain
    first: date
    last: date
    # The start if the first day is cut off, and the end if the last is.
    since: datetime | None = None
    until: datetime | None = None
    # Whether the counts are subtracted: the days lie outside the period, in a month or a day that is read as a whole.
    taken_off: bool = False
    # Set in a month or a day that the period cuts off: a day of the period, whose bucket the run belongs to.
    of_day: date | None = None

    @property
    def start(self) -> datetime:
        return self.since or day_start(self.first)

    @property
    def end(self) -> datetime:
        return self.until or day_start(self.last + DAY)


def runs_of_period(period: Period, edges: Iterable[datetime], *, takes_off: bool = True) -> list[Run]:
    """Return a period as runs of the coarsest counts that no edge cuts.

    A month with an edge inside is read by days, and a day with an edge inside by quarter-hours. With `takes_off`, a
    month or last day that the period cuts off is also read as a whole, and the days or quarter-hours outside the period
    are subtracted, if that is less to read."""
    borders, split, within_last = set(), set(), False
    last_start, end = day_start(period.last), period.end
    for edge in edges:
        day = day_of(edge)
        within_last |= last_start < edge < end
        borders.add(day)
        if day_start(day) != edge:
            split.add(day)
    pieces: list[Run] = []
    for month in months(period.first, period.last):
        inside = _overlap(month, period)
        if any(day in inside for day in split):
            pieces += [Run(Grain.QUARTER_HOUR if day in split else Grain.DAY, day, day) for day in inside.days]
        elif any(inside.first < border <= inside.last for border in borders):
            pieces.append(Run(Grain.DAY, inside.first, inside.last))
        elif inside == month:
            pieces.append(Run(Grain.MONTH, month.first, month.last))
        elif takes_off and month.length - inside.length < inside.length:
            pieces += _whole_less_outside(month, inside)
        else:
            pieces.append(Run(Grain.DAY, inside.first, inside.last))
    joined = _joined(pieces)
    if period.until:
        joined[-1:] = _up_to(period.until, joined[-1], takes_off=takes_off and not within_last)
    return joined


def _joined(pieces: Iterable[Run]) -> list[Run]:
    """Return consecutive runs with neighbours of the same grain made one."""
    joined: list[Run] = []
    for run in pieces:
        before = joined[-1] if joined else run
        if joined and before.grain == run.grain and before.of_day is None and run.of_day is None:
            joined[-1] = replace(before, last=run.last)
        else:
            joined.append(run)
    return joined


def _up_to(until: datetime, run: Run, *, takes_off: bool) -> Iterator[Run]:
    """Yield the quarter-hours of days up to a time; for a day that is nearly over, the day minus the rest."""
    start, end = day_start(run.last), day_start(run.last + DAY)
    if takes_off and run.first == run.last and end - until < until - start:
        yield Run(Grain.DAY, run.last, run.last, of_day=run.last)
        yield Run(Grain.QUARTER_HOUR, run.last, run.last, since=until, taken_off=True, of_day=run.last)
    else:
        yield replace(run, until=until)


def _whole_less_outside(month: Period, inside: Period) -> Iterator[Run]:
    """Yield a whole month, and its days outside the period, which are subtracted."""
    yield Run(Grain.MONTH, month.first, month.last, of_day=inside.first)
    if month.first < inside.first:
        yield Run(Grain.DAY, month.first, inside.first - DAY, taken_off=True, of_day=inside.first)
    if inside.last < month.last:
        yield Run(Grain.DAY, inside.last + DAY, month.last, taken_off=True, of_day=inside.first)


def runs_of_hours(period: Period, now: datetime) -> list[Run]:
    """Return a period as runs of counts that know the hour: months and quarter-hours.

    A month that the period cuts off is read as a whole, and its days outside are subtracted, if that is less to read
    than the quarter-hours of its days inside. Days that have not begun count as nothing to read."""
    read: list[Run] = []
    taken_off: list[Run] = []
    for month in months(period.first, period.last):
        inside = _overlap(month, period)
        outside = []
        if month.first < inside.first:
            outside.append(Run(Grain.QUARTER_HOUR, month.first, inside.first - DAY, taken_off=True))
        if inside.last < month.last:
            outside.append(Run(Grain.QUARTER_HOUR, inside.last + DAY, month.last, taken_off=True))
        if sum(_days_begun(days.first, days.last, now) for days in outside) > _days_begun(
            inside.first, inside.last, now
        ):
            read.append(Run(Grain.QUARTER_HOUR, inside.first, inside.last))
        else:
            read.append(Run(Grain.MONTH, month.first, month.last))
            taken_off += outside
    return [*_joined(read), *taken_off]


def _overlap(period: Period, other: Period) -> Period:
    return period.of_days(max(period.first, other.first), min(period.last, other.last))


def _days_begun(first: date, last: date, now: datetime) -> int:
    return max(0, (min(last, day_of(now)) - first).days + 1)
