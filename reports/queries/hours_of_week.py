"""The week by its hours: how many calls come on a Monday between nine and ten, and how many of them are reached."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
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

# A share says little on fewer calls; below this one of the callers who wanted a person too few were reached.
LEAST_WANTED, REACHED_AIM = 30, 0.8
STEPS = 8  # of blue, beside the one for none


class Shown(StrEnum):
    """What a cell of the map says. The values are those of the query string."""

    OFFERED = "offered"
    REACHED = "reached"
    MISSED = "missed"
    LOST = "lost"


WEEKDAYS = (_("Monday"), _("Tuesday"), _("Wednesday"), _("Thursday"), _("Friday"), _("Saturday"), _("Sunday"))

# Sums over each hour of the week, local time, by what was measured. Of months they are counted already.
_SUMMED = ", ".join(f"sum({name}) AS {name}" for name in count_tables.HOUR_SUMS)
_BY_QUARTER_HOUR = f"""
  SELECT extract(isodow FROM local)::int AS weekday, extract(hour FROM local)::int AS hour, measured, {{sums}}
  FROM (
    -- First by quarter-hour, for the clock of each is looked up once then.
    SELECT quarter_hour, measured, {_SUMMED}
    FROM unnest(%(ids)s::bigint[]) AS number (id)
    CROSS JOIN unnest(%({{run}}_from)s::timestamptz[], %({{run}}_to)s::timestamptz[]) AS run (starts, ends)
    CROSS JOIN LATERAL (
      SELECT * FROM {count_tables.COUNTS.of_quarter_hours}
      WHERE destination_number_id = number.id AND quarter_hour >= starts AND quarter_hour < ends
        AND {sums.IS_ASKED}
      OFFSET 0  -- by the index, number by number
    ) AS counts
    GROUP BY quarter_hour, measured
  ) AS quarter_hours
  CROSS JOIN LATERAL (SELECT quarter_hour AT TIME ZONE %(zone)s AS local) AS clock
"""
BY_HOUR = f"""
SELECT weekday, hour, measured, {", ".join(f"sum({name})::bigint" for name in count_tables.HOUR_SUMS)}
FROM (
  SELECT weekday, hour, measured, {", ".join(count_tables.HOUR_SUMS)}
  FROM {count_tables.HOURS} CROSS JOIN unnest(%(month_from)s::date[], %(month_to)s::date[]) AS run (starts, ends)
  WHERE destination_number_id = ANY(%(ids)s::bigint[]) AND month >= starts AND month < ends AND {sums.IS_ASKED}
  UNION ALL
  {_BY_QUARTER_HOUR.format(run="quarter_hour", sums=", ".join(count_tables.HOUR_SUMS))}
  UNION ALL
  {_BY_QUARTER_HOUR.format(run="off", sums=", ".join(f"-{name}" for name in count_tables.HOUR_SUMS))}
) AS counts
GROUP BY weekday, hour, measured
"""


@dataclass(frozen=True)
class HourOfWeek:
    """One hour of the week over a period: sums, and how often it occurred. None for what is not measured."""

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
        """The hour in words: `09 – 10`."""
        return f"{self.hour:02} – {self.hour + 1:02}"

    @property
    def day(self) -> str:
        return str(WEEKDAYS[self.weekday - 1])

    @property
    def reached(self) -> float | None:
        """Of those who wanted a person, the share that was reached; None on fewer than one of them."""
        return None if not self.wanted or self.answered is None else self.answered / self.wanted

    @property
    def is_short(self) -> bool:
        """Whether there were too few people to answer."""
        return self.reached is not None and (self.wanted or 0) >= LEAST_WANTED and self.reached < REACHED_AIM

    def calls(self, shown: Shown) -> int | None:
        """Return the calls that a cell is of."""
        sums = {Shown.OFFERED: self.offered, Shown.REACHED: self.answered, Shown.MISSED: self.missed}
        return sums.get(shown, self.lost)

    def mean(self, shown: Shown) -> float | None:
        """Return the calls of an hour, on average over the times that hour occurred."""
        calls = self.calls(shown)
        return None if calls is None or not self.times else calls / self.times


@dataclass(frozen=True)
class Week:
    """The hours that have calls in a period, and those between them; with each weekday's and hour's sums."""

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
        """The hour in which most callers found nobody, of those with too few people."""
        return max((cell for cell in self.cells if cell.is_short), key=lambda cell: cell.lost or 0, default=None)

    def most(self, shown: Shown) -> float:
        """Return the largest of the cells, which the darkest blue stands for."""
        if shown is Shown.REACHED:
            return 1.0
        return max((cell.mean(shown) or 0.0 for cell in self.cells), default=0.0)


def step(cell: HourOfWeek, shown: Shown, most: float) -> int:
    """Return how dark a cell is, of which `most` is the darkest: 0 for none, then 1 to 8."""
    value = cell.reached if shown is Shown.REACHED else cell.mean(shown)
    return 0 if not value or not most else min(STEPS, 1 + int(value / most * (STEPS - 0.001)))


def of_week(coverage: Coverage, period: Period, totals: Row, now: datetime) -> Week:
    """Return the week of a period by its hours, of which `totals` are the sums.

    An hour that has not begun by `now` has not occurred."""
    measured = (True, *(totals[key].is_measured for key in ("reached", "reached", "missed", "lost")))
    begun = _hours_begun(coverage, period, now)
    times = Counter((moment.isoweekday(), moment.hour) for moment in begun)
    found = _read(coverage, period, now)
    with_calls = sorted({hour for (_weekday, hour), sums in found.items() if sums[0]})
    hours = list(range(with_calls[0], with_calls[-1] + 1)) if with_calls else []

    def together(weekday: int, hour: int, places: Sequence[tuple[int, int]], occurred: int) -> HourOfWeek:
        sums = [
            sum(found[place][n] for place in places if place in found) if is_measured else None
            for n, is_measured in enumerate(measured)
        ]
        return HourOfWeek(weekday, hour, occurred, sums[0] or 0, *sums[1:])

    # Days are counted as such: of their hours one may come twice, and another not at all.
    occurred = Counter(day.isoweekday() for day in {moment.date() for moment in begun})
    days = {weekday: occurred[weekday] for weekday in range(1, 8)}
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
        together(0, -1, list(found), sum(days.values())),
    )


def _read(coverage: Coverage, period: Period, now: datetime) -> dict[tuple[int, int], list[int]]:
    """Return by weekday and hour the calls offered, answered, that wanted a person, missed and lost, each as far as it
    is measured."""
    runs, taken_off = periods.runs_of_hours(period, now)
    months = [run for run in runs if run.grain == Grain.MONTH]
    quarter_hours = [run for run in runs if run.grain == Grain.QUARTER_HOUR]
    parameters = sums.parameters(coverage, period) | {
        "zone": settings.TIME_ZONE,
        "month_from": [run.first for run in months],
        "month_to": [run.last for run in months],
        "quarter_hour_from": [run.start for run in quarter_hours],
        "quarter_hour_to": [run.end for run in quarter_hours],
        "off_from": [run.start for run in taken_off],
        "off_to": [run.end for run in taken_off],
    }
    found: dict[tuple[int, int], list[int]] = {}
    with connection.cursor() as cursor:
        cursor.execute(BY_HOUR, parameters)
        for weekday, hour, bits, offered, answered, missed, abandoned in cursor.fetchall():
            of_hour = found.setdefault((weekday, hour), [0] * 5)
            lost = missed + abandoned
            for place, (key, calls) in enumerate(
                (("", offered), ("reached", answered), ("reached", answered + lost), ("missed", missed), ("lost", lost))
            ):
                if not key or bits & (needs := FIGURES[key].needs) == needs:
                    of_hour[place] += calls
    return found


def _hours_begun(coverage: Coverage, period: Period, now: datetime) -> list[datetime]:
    """Return the local hours that have begun in a period by now: the hour that comes twice is there twice.

    Inside opening hours an hour occurs where one of the numbers is open in it, outside where one is closed."""
    hours = [(start, end) for start, end in pairwise(periods.edges(period, Grain.HOUR)) if start <= now]
    if (wanted := period.opening.is_open) is not None:
        schedules = counts.schedules(coverage)
        has_any_always = len(schedules) < len(coverage)
        different = list(set(schedules.values()))
        hours = [
            (start, end)
            for start, end in hours
            if (wanted and has_any_always)
            or any(
                schedule.is_open(start + n * periods.QUARTER_HOUR) == wanted
                for schedule in different
                for n in range((end - start) // periods.QUARTER_HOUR)
            )
        ]
    zone = periods.zone()
    return [start.astimezone(zone) for start, _end in hours]


def last_day(period: Period, now: datetime) -> Period:
    """Return the last day of a period that has begun."""
    last = max(period.first, min(period.last, periods.day_of(now)))
    return period.of_days(last, last)
