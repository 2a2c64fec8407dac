"""Hours of the week: for example, calls on Mondays from 9:00 to 10:00, and how many of them were answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from itertools import pairwise

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext_lazy as _

from reports import periods
from reports.counting import count_tables
from reports.figures.cells import Row
from reports.figures.coverage import Coverage
from reports.figures.definitions import FIGURES
from reports.periods import Grain, Period
from reports.queries import counts, sums
from reports.queries.runs import runs_of_hours

# A share of fewer calls says little. An hour is short of staff if fewer callers than this share were reached.
LEAST_WANTED, REACHED_AIM = 30, 0.8
HOUR = 60  # minutes
STEPS = 8  # shades of blue, without the one for 0
# An hour with fewer calls than this is paler than its average alone would be.
LEAST_CALLS = 5
# The strongest shade stands for this share of callers who were not reached, or more.
WORST_SHARE = 0.5


class Shown(StrEnum):
    """The figure that the map shows, in the order of the page. The values are those of the query string."""

    LOST = "lost"
    MISSED = "missed"
    REACHED = "reached"
    OFFERED = "offered"


ON_WEEKDAYS = (
    _("on Mondays"),
    _("on Tuesdays"),
    _("on Wednesdays"),
    _("on Thursdays"),
    _("on Fridays"),
    _("on Saturdays"),
    _("on Sundays"),
)
WEEKDAYS = (_("Monday"), _("Tuesday"), _("Wednesday"), _("Thursday"), _("Friday"), _("Saturday"), _("Sunday"))

# Sums by hour of the week, local time, and by what was measured. Whole months have counts of their own.
_SUMS = ", ".join(f"sum({name}) AS {name}" for name in count_tables.HOUR_SUMS)
_OF_MONTHS = f"""
  SELECT weekday, hour, measured, {_SUMS} FROM {count_tables.HOURS}
  WHERE destination_number_id = ANY(%(ids)s::bigint[]) AND month >= %({{start}})s AND month < %({{end}})s
    AND {sums.IS_ASKED}
  GROUP BY weekday, hour, measured"""
_OF_QUARTER_HOURS = f"""
  SELECT extract(isodow FROM local)::int AS weekday, extract(hour FROM local)::int AS hour, measured, {{columns}}
  FROM (
    -- By quarter-hour first, so that the local time of each is looked up only once.
    SELECT quarter_hour, measured, {_SUMS} FROM {count_tables.COUNTS.of_quarter_hours}
    WHERE destination_number_id = ANY(%(ids)s::bigint[])
      AND quarter_hour >= %({{start}})s AND quarter_hour < %({{end}})s AND {sums.IS_ASKED}
    GROUP BY quarter_hour, measured
  ) AS quarter_hours CROSS JOIN LATERAL (SELECT quarter_hour AT TIME ZONE %(zone)s AS local) AS clock"""
_BY_HOUR = f"""
SELECT weekday, hour, measured, {", ".join(f"sum({name})::bigint" for name in count_tables.HOUR_SUMS)}
FROM ({{rows}}
) AS counts
GROUP BY weekday, hour, measured"""


@dataclass(frozen=True)
class HourOfWeek:
    """One hour of the week over a period: how often it occurred, and sums; None if not measured."""

    weekday: int  # 1 is Monday
    hour: int
    times: int
    offered: int = 0
    answered: int | None = None
    wanted: int | None = None
    missed: int | None = None
    lost: int | None = None

    @property
    def clock(self) -> str:
        """The hour in words: `09:00–10:00`."""
        return f"{self.hour:02}:00–{self.hour + 1:02}:00"

    @property
    def on_weekday(self) -> str:
        """The weekday as a part of a sentence: `on Mondays`."""
        return str(ON_WEEKDAYS[self.weekday - 1])

    @property
    def reached(self) -> float | None:
        """The share of callers who wanted to speak to someone and were reached; None if there were none."""
        return None if not self.wanted or self.answered is None else self.answered / self.wanted

    @property
    def is_short(self) -> bool:
        """Whether too few people were there to answer."""
        return self.reached is not None and (self.wanted or 0) >= LEAST_WANTED and self.reached < REACHED_AIM

    def calls(self, shown: Shown) -> int | None:
        """Return the calls of the figure shown."""
        sums = {Shown.OFFERED: self.offered, Shown.REACHED: self.answered, Shown.MISSED: self.missed}
        return sums.get(shown, self.lost)

    def mean(self, shown: Shown) -> float | None:
        """Return the average number of calls each time the hour occurred."""
        calls = self.calls(shown)
        return None if calls is None or not self.times else calls / self.times


@dataclass(frozen=True)
class Week:
    """The hours from the first to the last with calls in a period, with sums for each weekday and hour."""

    hours: Sequence[int]
    rows: Sequence[tuple[int, Sequence[HourOfWeek]]]  # by weekday
    of_days: dict[int, HourOfWeek]
    of_hours: dict[int, HourOfWeek]
    whole: HourOfWeek

    @property
    def cells(self) -> list[HourOfWeek]:
        return [cell for _weekday, cells in self.rows for cell in cells]

    def busiest(self) -> HourOfWeek | None:
        return max(
            (cell for cell in self.cells if cell.offered and cell.times),
            key=lambda cell: cell.offered / cell.times,
            default=None,
        )

    def worst(self) -> HourOfWeek | None:
        """The hour with the most lost calls, among those with too few people."""
        return max((cell for cell in self.cells if cell.is_short), key=lambda cell: cell.lost or 0, default=None)

    def most(self, shown: Shown) -> float:
        """Return the largest average of an hour."""
        return max((cell.mean(shown) or 0.0 for cell in self.cells), default=0.0)


def step(cell: HourOfWeek, shown: Shown, most: float) -> int:
    """Return the shade of a cell: 0 for none, then 1 to 8 for more trouble, or more calls.

    Counts are shaded by their average per hour, compared with `most`, and shares by the callers who were not reached.
    Few calls are paler: in proportion below 5 calls, of a share below 30."""
    if shown is Shown.REACHED:
        wanted = cell.wanted or 0
        not_reached = 0.0 if cell.reached is None else 1 - cell.reached
        strength = min(1.0, not_reached / WORST_SHARE) * min(1.0, wanted / LEAST_WANTED)
    else:
        calls, mean = cell.calls(shown) or 0, cell.mean(shown) or 0.0
        strength = mean / most * min(1.0, calls / LEAST_CALLS) if most else 0.0
    return min(STEPS, 1 + int(strength * STEPS)) if strength else 0


def of_week(coverage: Coverage, period: Period, totals: Row, now: datetime) -> Week:
    """Return the hours of the week for a period; `totals` are the figures of the period.

    An hour that has not begun by `now` does not count as occurred."""
    measured = (True, *(totals[key].is_measured for key in ("reached", "reached", "missed", "lost")))
    times, days = _occurrences(coverage, period, now)
    by_hour = _read(coverage, period, now)
    with_calls = sorted({hour for (_weekday, hour), sums in by_hour.items() if sums[0]})
    hours = list(range(with_calls[0], with_calls[-1] + 1)) if with_calls else []

    def together(weekday: int, hour: int, places: Sequence[tuple[int, int]], occurred: int) -> HourOfWeek:
        sums = [
            sum(by_hour[place][n] for place in places if place in by_hour) if is_measured else None
            for n, is_measured in enumerate(measured)
        ]
        return HourOfWeek(weekday, hour, occurred, sums[0] or 0, *sums[1:])

    return Week(
        hours,
        [
            (weekday, [together(weekday, hour, [(weekday, hour)], times[weekday, hour]) for hour in hours])
            for weekday in range(1, 8)
        ],
        {weekday: together(weekday, -1, [(weekday, hour) for hour in range(24)], days[weekday]) for weekday in days},
        {
            hour: together(0, hour, [(day, hour) for day in days], sum(times[day, hour] for day in days))
            for hour in hours
        },
        together(0, -1, list(by_hour), sum(days.values())),
    )


def _read(coverage: Coverage, period: Period, now: datetime) -> dict[tuple[int, int], list[int]]:
    """Return counts by weekday and hour, each as far as measured.

    They are calls offered, answered, that wanted to speak to someone, missed, and lost."""
    parameters = sums.parameters(coverage, period) | {"zone": settings.TIME_ZONE}
    rows = []
    for n, run in enumerate(runs_of_hours(period, now)):
        start, end = f"from_{n}", f"to_{n}"
        if run.grain == Grain.MONTH:
            parameters |= {start: run.first, end: run.last + periods.DAY}
            rows.append(_OF_MONTHS.format(start=start, end=end))
        else:
            parameters |= {start: run.start, end: run.end}
            columns = ", ".join(f"-{name}" if run.taken_off else name for name in count_tables.HOUR_SUMS)
            rows.append(_OF_QUARTER_HOURS.format(columns=columns, start=start, end=end))
    by_hour: dict[tuple[int, int], list[int]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_BY_HOUR.format(rows="\n  UNION ALL".join(rows)), parameters)
        for weekday, hour, bits, offered, answered, missed, abandoned in cursor.fetchall():
            of_hour = by_hour.setdefault((weekday, hour), [0] * 5)
            lost = missed + abandoned
            for place, (key, calls) in enumerate(
                (("", offered), ("reached", answered), ("reached", answered + lost), ("missed", missed), ("lost", lost))
            ):
                if not key or bits & (needs := FIGURES[key].needs) == needs:
                    of_hour[place] += calls
    return by_hour


def _occurrences(coverage: Coverage, period: Period, now: datetime) -> tuple[Counter[tuple[int, int]], dict[int, int]]:
    """Return how often each hour of the week, and each weekday, of a period has occurred by `now`.

    Days are counted on their own, because an hour of a day may come twice or not at all."""
    times: Counter[tuple[int, int]] = Counter()
    days: Counter[int] = Counter()
    begun: list[datetime] = []
    if period.opening.is_open is None:
        for day in period.days:
            start, end = periods.day_start(day), periods.day_start(day + periods.DAY)
            if end - start == periods.DAY and end <= min(now, period.end):
                days[day.isoweekday()] += 1
            else:
                begun += _hours_of_day(day, period, now)
        for weekday, occurred in days.items():
            times.update({(weekday, hour): occurred for hour in range(24)})
    else:
        begun = _hours_asked(coverage, period, now)
    times.update((moment.isoweekday(), moment.hour) for moment in begun)
    days.update(day.isoweekday() for day in {moment.date() for moment in begun})
    return times, {weekday: days[weekday] for weekday in range(1, 8)}


def _hours_of_day(day: date, period: Period, now: datetime) -> list[datetime]:
    """Return the local hours of a day of a period that have begun by `now`; the repeated hour is included twice."""
    zone = periods.zone()
    of_day = period.of_days(day, day, period.until if day == period.last else None)
    return [hour.astimezone(zone) for hour in periods.edges(of_day, Grain.HOUR)[:-1] if hour <= now]


def _hours_asked(coverage: Coverage, period: Period, now: datetime) -> list[datetime]:
    """Return the local hours that have begun by `now` and occur inside or outside opening hours, as the period asks.

    Inside, an hour occurs if at least one number is open in it; outside, if at least one is closed."""
    is_open = period.opening.is_open
    hours = [(start, end) for start, end in pairwise(periods.edges(period, Grain.HOUR)) if start <= now]
    schedules = counts.schedules(coverage)
    has_any_always = len(schedules) < len(coverage)
    distinct_schedules = list(set(schedules.values()))
    zone = periods.zone()
    return [
        start.astimezone(zone)
        for start, end in hours
        if (is_open and has_any_always)
        or any(
            schedule.is_open(start + n * periods.QUARTER_HOUR) == is_open
            for schedule in distinct_schedules
            for n in range((end - start) // periods.QUARTER_HOUR)
        )
    ]


def last_day(period: Period, now: datetime) -> Period:
    """Return the last day of a period that has already begun."""
    last = max(period.first, min(period.last, periods.day_of(now)))
    return period.of_days(last, last)


def closed_hours(coverage: Coverage, period: Period) -> frozenset[tuple[int, int]]:
    """Return the hours of the week in which none of the numbers was open on any day of the period.

    Empty if one of them has no opening hours, because it is always open."""
    schedules = counts.schedules(coverage)
    if not schedules or len(schedules) < len(coverage):
        return frozenset()
    distinct_schedules = set(schedules.values())
    spans = {
        (day.isoweekday(), span) for day in period.days for each in distinct_schedules for span in each.spans_on(day)
    }
    is_open = {
        (weekday, hour) for weekday, (opens, closes) in spans for hour in range(opens // HOUR, (closes - 1) // HOUR + 1)
    }
    weekdays = {day.isoweekday() for day in period.days}
    return frozenset((weekday, hour) for weekday in weekdays for hour in range(24)) - is_open
