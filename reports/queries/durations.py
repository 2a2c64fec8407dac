"""Distributions of waiting, ringing and talk time: median, 90th percentile and classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from reports import periods
from reports.figures.coverage import Coverage
from reports.figures.definitions import FIGURES
from reports.periods import Grain, Period
from reports.queries import sums
from reports.queries.runs import Run, runs_of_period

KEYS = ("time_to_answer", "ring", "talk")
# Upper bounds of classes in seconds; the last class is open.
BOUNDS = (5, 10, 20, 30, 60, 120, 300)
# Talk time is longer, so its bounds are whole minutes.
TALK_BOUNDS = (60, 120, 180, 300, 600, 1200, 1800)
BOUNDS_OF = {"time_to_answer": BOUNDS, "ring": BOUNDS, "talk": TALK_BOUNDS}
MINUTE = 60


def _is_measured(key: str) -> str:
    needs = FIGURES[key].needs
    return f"measured & {needs} = {needs}"


# Calls by duration, rounded up to full seconds, as far as measured. Past months and recent days are usually added up
# already (see reports.counting.added_durations); the rest is read from the durations in quarter-hours. An unnest in the
# list of columns takes half the time of one in FROM.
_ADDED = ", ".join(("destination_number_id", "measured", *(f"{key}_{what}" for key in KEYS for what in ("s", "calls"))))
_DURATIONS = f"""
WITH run AS MATERIALIZED (
  SELECT number.id, starts, ends FROM unnest(%(ids)s::bigint[]) AS number (id)
  CROSS JOIN unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[], %(months)s::date[], %(days)s::date[])
    AS run (starts, ends, month, day)
  WHERE NOT EXISTS (
    SELECT FROM reports_monthdurations AS known
    WHERE known.destination_number_id = number.id AND known.month = run.month
  ) AND NOT EXISTS (
    SELECT FROM reports_daydurations AS known WHERE known.destination_number_id = number.id AND known.day = run.day
  )
), quarter_hours AS MATERIALIZED (
  SELECT counts.* FROM run CROSS JOIN LATERAL (
    SELECT destination_number_id, measured, {", ".join(f"each_{key}_s" for key in KEYS)}
    FROM reports_quarterhourcounts
    WHERE destination_number_id = run.id AND quarter_hour >= starts AND quarter_hour < ends AND {sums.IS_ASKED}
    OFFSET 0
  ) AS counts
), added AS MATERIALIZED (
  SELECT {_ADDED} FROM reports_monthdurations
  WHERE destination_number_id = ANY(%(ids)s) AND month = ANY(%(months)s::date[]) AND {sums.IS_ASKED}
  UNION ALL
  SELECT {_ADDED} FROM reports_daydurations
  WHERE destination_number_id = ANY(%(ids)s) AND day = ANY(%(days)s::date[]) AND {sums.IS_ASKED}
)
""" + "\nUNION ALL\n".join(
    f"""
SELECT {{number}} AS number, '{key}' AS key, second, sum(calls)::bigint FROM (
  SELECT destination_number_id, unnest(each_{key}_s) AS second, 1 AS calls FROM quarter_hours WHERE {_is_measured(key)}
  UNION ALL
  SELECT destination_number_id, unnest({key}_s), unnest({key}_calls) FROM added WHERE {_is_measured(key)}
) AS duration
GROUP BY {{keys}}"""
    for key in KEYS
)
# For all numbers together, which is faster; or by number.
TOGETHER = _DURATIONS.format(number="0", keys="second")
BY_NUMBER = _DURATIONS.format(number="destination_number_id", keys="destination_number_id, second")


@dataclass(frozen=True)
class Times:
    """The distribution of one kind of time: calls by duration, rounded up to full seconds."""

    seconds: Counter[int]

    @property
    def calls(self) -> int:
        return self.seconds.total()

    def within(self, share: float) -> int | None:
        """Return the fewest full seconds that cover this share of the calls (nearest rank)."""
        so_far, wanted = 0, share * self.calls
        for second in sorted(self.seconds):
            so_far += self.seconds[second]
            if so_far >= wanted:
                return second
        return None

    @property
    def median(self) -> int | None:
        return self.within(0.5)

    @property
    def ninetieth(self) -> int | None:
        return self.within(0.9)

    def between(self, above: int, to: int | None) -> int:
        """Return the number of calls that took more than `above` and at most `to` seconds."""
        return sum(n for second, n in self.seconds.items() if second > above and (to is None or second <= to))


NONE = Times(Counter())


@dataclass(frozen=True)
class TimesClass:
    """A class of a distribution: more than `above`, at most `to` seconds; with its calls by kind of time."""

    above: int | None
    to: int | None
    label: str
    tick: str
    calls: dict[str, int]


def read(coverage: Coverage, period: Period) -> dict[str, Times]:
    """Return the times of a period by kind, as far as each is measured."""
    return _ask(TOGETHER, coverage, period, [0])[0]


def by_number(coverage: Coverage, period: Period) -> list[dict[str, Times]]:
    """Return the times of a period by kind for each number, in the order of the coverage, as far as measured."""
    return _ask(BY_NUMBER, coverage, period, [number.id for number in coverage])


def _ask(sql: str, coverage: Coverage, period: Period, numbers: Sequence[int]) -> list[dict[str, Times]]:
    counters: dict[int, dict[str, Counter[int]]] = {number: {key: Counter() for key in KEYS} for number in numbers}
    runs = list(_runs(period))
    parameters: dict[str, Any] = {
        "ids": [number.id for number in coverage],
        "starts": [run.start for run in runs],
        "ends": [run.end for run in runs],
        "months": [run.first if run.grain == Grain.MONTH else None for run in runs],
        "days": [run.first if run.grain == Grain.DAY else None for run in runs],
        "is_open": period.opening.is_open,
    }
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        for number, key, second, calls in cursor.fetchall():
            counters[number][key][second] = calls
    return [{key: Times(seconds) for key, seconds in counters[number].items()} for number in numbers]


def _runs(period: Period) -> Iterator[Run]:
    """Yield the whole months and days of a period one by one, and the rest of its last day."""
    for run in runs_of_period(period, [period.start, period.end], takes_off=False):
        if run.grain == Grain.MONTH:
            yield from (Run(Grain.MONTH, month.first, month.last) for month in periods.months(run.first, run.last))
        elif run.grain == Grain.DAY:
            last = run.last if run.until is None else run.last - periods.DAY
            yield from (Run(Grain.DAY, day, day) for day in Period(run.first, last).days)
            if run.until is not None:
                yield Run(Grain.QUARTER_HOUR, run.last, run.last, until=run.until)
        else:
            yield run


def classes(times: dict[str, Times], keys: Sequence[str], bounds: Sequence[int] = BOUNDS) -> list[TimesClass]:
    """Return calls by class for these kinds of time, shortest first. All classes are included, so that they add up.

    If all bounds are whole minutes, the labels are in minutes."""
    ends: list[tuple[int, int | None]] = [(-1, bounds[0]), *pairwise(bounds), (bounds[-1], None)]
    in_minutes = all(bound % MINUTE == 0 for bound in bounds)
    return [
        TimesClass(
            above if above > 0 else None,
            to,
            _class_label(above, to, in_minutes=in_minutes),
            _tick(above, to),
            {key: times[key].between(above, to) for key in keys},
        )
        for above, to in ends
    ]


def cumulative(times: Times, whole: int) -> list[tuple[int, float]]:
    """Return the share of `whole` calls within each duration that occurred, 0 to 1, shortest first."""
    seconds = sorted(times.seconds)
    so_far = accumulate(times.seconds[second] for second in seconds)
    return [(second, calls / whole) for second, calls in zip(seconds, so_far, strict=True)]


def _tick(above: int, to: int | None) -> str:
    return f"> {above} s" if to is None else f"≤ {to} s"


def _class_label(above: int, to: int | None, *, in_minutes: bool) -> str:
    if in_minutes:
        return _minutes_label(above // MINUTE, to and to // MINUTE)
    if to is None:
        return _("over %(s)d s") % {"s": above}
    return _("%(above)d to %(to)d s") % {"above": above, "to": to} if above > 0 else _("up to %(to)d s") % {"to": to}


def _minutes_label(above: int, to: int | None) -> str:
    if to is None:
        return _("over %(min)d min") % {"min": above}
    if above <= 0:
        return _("up to %(to)d min") % {"to": to}
    return _("%(above)d to %(to)d min") % {"above": above, "to": to}
