"""Named questions about counts. They read counts only, never calls; each is one statement, however many rows.

`numbers` are those that the person asking may see. Pass a Coverage where several questions are asked about the same
numbers: then it is read once which posts ever came."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Max, QuerySet

from calls.models import DestinationNumber
from calls.opening_hours import Schedule
from reports import periods
from reports.counting import count_tables
from reports.counting.count_tables import COUNTS, Table
from reports.figures.block_types import block_label
from reports.figures.cells import BlockRow, Blocks, Cells, Row
from reports.figures.coverage import Coverage
from reports.figures.definitions import BLOCK_FIGURES, CALL_FIGURES, FIGURES, Figure
from reports.models import DayCounts, RollUp
from reports.periods import Bucket, Grain, Opening, Period, Run

Numbers = Iterable[DestinationNumber] | Coverage
# The figures that every page of counts shows; the page of forwards asks for its own.
ALL_KEYS = (*CALL_FIGURES, *BLOCK_FIGURES)


# --- The statement -----------------------------------------------------------------------------
#
# Sums of a table of counts by bucket and by what was measured. Whole months are read from counts of months, other days
# from counts of days, and quarter-hours only where a bucket begins or ends within a day: each such stretch is a run.
# Of each number a run is read by the index that keeps its counts unique.

# Inside opening hours, outside of them, or both.
ASKED = "(%(is_open)s::boolean IS NULL OR is_open = %(is_open)s)"
# Where buckets begin, and where the last one ends: every quarter-hour unless they are given, which would be too many.
EDGE = """
edge AS MATERIALIZED (
  SELECT coalesce(
    %(edges)s::timestamptz[], ARRAY(SELECT generate_series(%(start)s, %(end)s, interval '15 minutes'))
  ) AS edges
)"""
EDGES = "(SELECT edges FROM edge)"

_RUN = f"""
  SELECT width_bucket({{time}}, {{edges}}) AS bucket, CASE WHEN measured & every <> every THEN id END AS incomplete,
    {{kept}}
  FROM unnest(%(ids)s::bigint[], %(every)s::int[]) AS number (id, every)
  CROSS JOIN unnest(%({{time}}_from)s::{{type}}[], %({{time}}_to)s::{{type}}[]) AS run (starts, ends)
  CROSS JOIN LATERAL (
    SELECT {{columns}} FROM {{table}}
    WHERE destination_number_id = number.id AND {{time}} >= starts AND {{time}} < ends AND {ASKED}
    OFFSET 0
  ) AS counts"""


@cache
def source(table: Table) -> str:
    """Return the rows of a table that a period is read from, each with the bucket it lies in, counted from 1, and with
    its number as `incomplete` where not every figure asked for is measured in it.

    Goes after `WITH {EDGE}`."""
    kept = ", ".join(("destination_number_id", "measured", *table.parts, *table.sums))
    days = "%(days)s::date[]"
    return "\n  UNION ALL".join(
        _RUN.format(time=time, type=kind, edges=edges, table=name, columns=f"{time}, {kept}", kept=kept)
        for time, kind, edges, name in (
            ("month", "date", days, table.of_months),
            ("day", "date", days, table.of_days),
            ("quarter_hour", "timestamptz", EDGES, table.of_quarter_hours),
        )
    )


@cache
def _sums(table: Table, by: tuple[str, ...]) -> str:
    keys = ", ".join((*by, "measured"))
    summed = ", ".join(f"sum({name})::bigint" for name in _added(table))
    return f"WITH {EDGE} SELECT {keys}, {summed} FROM ({source(table)}) AS counts GROUP BY {keys}"


def _added(table: Table) -> tuple[str, ...]:
    """The columns that are added up: times as whole microseconds, which is exact and cheaper."""
    return tuple(name for name in table.sums if not name.endswith("_s"))


def parameters(
    coverage: Coverage,
    period: Period,
    edges: Sequence[datetime] | None,
    *,
    runs: Iterable[Run] | None = None,
    keys: Sequence[str] = (),
) -> dict[str, Any]:
    """Return what the statements take: where they read a period, in which `runs`, and the figures asked for by key.

    `edges` are where buckets begin and where the last one ends; None where each quarter-hour is a bucket."""
    if runs is None:
        runs = periods.runs(period, edges) if edges else [Run(Grain.QUARTER_HOUR, period.first, period.last)]
    by_grain: dict[Grain, list[Run]] = {grain: [] for grain in Grain}
    for run in runs:
        by_grain[run.grain].append(run)
    quarter_hours = by_grain[Grain.QUARTER_HOUR]
    return {
        "ids": [number.id for number in coverage],
        "every": [_every(coverage, number, keys) for number in coverage],
        "zone": settings.TIME_ZONE,
        "start": period.start,
        "end": period.end,
        "is_open": period.opening.is_open,
        "edges": None if edges is None else list(edges),
        "days": [periods.day_of(edge) for edge in edges or ()],
        "month_from": [run.first for run in by_grain[Grain.MONTH]],
        "month_to": [run.last for run in by_grain[Grain.MONTH]],
        "day_from": [run.first for run in by_grain[Grain.DAY]],
        "day_to": [run.last + periods.DAY for run in by_grain[Grain.DAY]],
        "quarter_hour_from": [run.start for run in quarter_hours],
        "quarter_hour_to": [run.end for run in quarter_hours],
    }


def _every(coverage: Coverage, number: DestinationNumber, keys: Sequence[str]) -> int:
    """Return the posts on which those of some figures rest that apply to a number, as bits."""
    shown, bits = coverage.shown(number), 0
    for key in keys:
        if shown[key] is not None:
            bits |= FIGURES[key].needs
    return bits


Sums = dict[str, int]
# By what was measured, what was counted.
ByMeasured = dict[int, Sums]


def read(
    table: Table,
    coverage: Coverage,
    period: Period,
    edges: Sequence[datetime],
    *,
    by: tuple[str, ...],
    keys: Sequence[str] = (),
) -> dict[tuple[Any, ...], ByMeasured]:
    """Return the sums of a table by what was measured, in groups by some columns of `source`."""
    found: dict[tuple[Any, ...], ByMeasured] = {}
    names = _added(table)
    with connection.cursor() as cursor:
        cursor.execute(_sums(table, by), parameters(coverage, period, edges, keys=keys))
        for row in cursor.fetchall():
            group, bits, sums = row[: len(by)], row[len(by)], row[len(by) + 1 :]
            found.setdefault(group, {})[bits] = dict(zip(names, sums, strict=True))
    return found


def counted(figures: Mapping[str, Figure], sums: ByMeasured) -> dict[str, Any]:
    """Return each figure's sum over the rows in which it is measured, and what it is divided by under `…_whole`."""
    figures_of: dict[str, Any] = dict.fromkeys(figures, 0)
    figures_of |= {f"{key}_whole": 0 for key, figure in figures.items() if figure.denominator}
    for bits, columns in sums.items():
        for key in _measured_in(tuple(figures), bits):
            figure = figures[key]
            figures_of[key] += sum(columns[name] for name in figure.numerator)
            if figure.denominator:
                figures_of[f"{key}_whole"] += sum(columns[name] for name in figure.denominator)
    return figures_of


@cache
def _measured_in(keys: tuple[str, ...], bits: int) -> tuple[str, ...]:
    return tuple(key for key in keys if bits & FIGURES[key].needs == FIGURES[key].needs)


def offered(
    coverage: Coverage, period: Period, buckets: Sequence[Bucket], keys: Sequence[str]
) -> dict[int, tuple[ByMeasured, Sums]]:
    """Return for each bucket with calls, counted from 1, what was counted of them, and how many figures do not cover.

    `…_hidden` are the offered calls that a figure does not cover, `…_hidden_before` those of numbers for which it is
    measured later in the bucket, and `…_left_out` the numbers for which it is not measured in the bucket at all."""
    shown = {number.id: coverage.shown(number) for number in coverage}
    of_bucket: dict[int, tuple[ByMeasured, Sums]] = {}
    groups = read(COUNTS, coverage, period, periods.edges_of(buckets), by=("bucket", "incomplete"), keys=keys)
    for (bucket, number_id), sums in groups.items():
        if not 0 < bucket <= len(buckets):
            continue
        all_sums, not_covered = of_bucket.setdefault(bucket, ({}, {}))
        left_out = set()
        for bits, columns in sums.items():
            known = all_sums.setdefault(bits, {})
            for name, value in columns.items():
                known[name] = known.get(name, 0) + value
            for key in _not_measured_in(tuple(keys), bits) if number_id else ():
                if (moment := shown[number_id][key]) is None:
                    continue
                _add(not_covered, f"{key}_hidden", columns["offered"])
                if moment >= buckets[bucket - 1].end:
                    left_out.add(key)
                else:
                    _add(not_covered, f"{key}_hidden_before", columns["offered"])
        for key in left_out:
            _add(not_covered, f"{key}_left_out", 1)
            _add(not_covered, f"{key}_hidden_before", 0)
    return of_bucket


def _add(sums: Sums, name: str, more: int) -> None:
    sums[name] = sums.get(name, 0) + more


@cache
def _not_measured_in(keys: tuple[str, ...], bits: int) -> tuple[str, ...]:
    return tuple(key for key in keys if bits & FIGURES[key].needs != FIGURES[key].needs)


# --- The questions -----------------------------------------------------------------------------


def totals(numbers: Numbers, period: Period) -> Row:
    """Return the figures of all numbers together over a whole period."""
    coverage = Coverage.of(numbers)
    return _by_bucket(coverage, period, [periods.whole(period)], ALL_KEYS)[0]


def between(numbers: Numbers, start: datetime, end: datetime, opening: Opening = Opening.ALL) -> Row:
    """Return the figures of all numbers together between two quarter-hours of one day."""
    day = periods.day_of(start)
    bucket = Bucket(start, end, "", "")
    return _by_bucket(Coverage.of(numbers), Period(day, day, opening, until=end), [bucket])[0]


def by_bucket(numbers: Numbers, period: Period, grain: str) -> list[Row]:
    """Return the figures of all numbers together, one row for every bucket, also where no call came."""
    return _by_bucket(Coverage.of(numbers), period, periods.buckets(period, grain))


def same_days_before(numbers: Numbers, period: Period, weeks: int) -> list[Row]:
    """Return the figures of the same weekdays of so many weeks before, of up to seven days; the latest first.

    A period that ends in the middle of a day is compared up to the same time of day. Weeks that begin before the first
    call of any of the numbers are left out: they say nothing of what is usual."""
    coverage = Coverage.of(numbers)
    if period.length > 7:
        raise ValueError("the same weekdays of a longer period are days of its own")
    before = [
        days
        for days in (_weeks_before(period, week) for week in range(weeks, 0, -1))
        if days.first >= coverage.first_day
    ]
    if not before:
        return []
    buckets: list[Bucket] = []
    for days in before:
        if buckets and buckets[-1].end < days.start:
            buckets.append(Bucket(buckets[-1].end, days.start, "", ""))
        buckets.append(periods.whole(days))
    whole = before[-1].of_days(before[0].first, before[-1].last, before[-1].until)
    rows = _by_bucket(coverage, whole, buckets)
    return [row for row in reversed(rows) if row.bucket and row.bucket.label]


def _weeks_before(period: Period, weeks: int) -> Period:
    gap = weeks * periods.WEEK
    last = period.last - gap
    until = period.until and periods.same_hours(periods.day_start(period.last), period.until, last)[1]
    return period.of_days(period.first - gap, last, until)


def by_number(numbers: Numbers, period: Period) -> list[Row]:
    """Return the figures of each number over a whole period, also of those without calls, in the order given."""
    coverage = Coverage.of(numbers)
    bucket = periods.whole(period)
    found = read(COUNTS, coverage, period, [bucket.start, bucket.end], by=("destination_number_id",))
    return [
        Cells(coverage.only(number)).row(_of_number(coverage, number, found.get((number.id,), {})), bucket, number)
        for number in coverage
    ]


def by_bucket_and_number(numbers: Numbers, period: Period, grain: str) -> list[Row]:
    """Return the figures of each number in each bucket in which it has calls, in the order of time."""
    coverage = Coverage.of(numbers)
    buckets = periods.buckets(period, grain)
    cells = {number.id: Cells(coverage.only(number)) for number in coverage}
    by_id = {number.id: (place, number) for place, number in enumerate(coverage)}
    found = read(COUNTS, coverage, period, periods.edges_of(buckets), by=("bucket", "destination_number_id"))
    return [
        cells[number_id].row(_of_number(coverage, by_id[number_id][1], sums), buckets[bucket - 1], by_id[number_id][1])
        for (bucket, number_id), sums in sorted(found.items(), key=lambda one: (one[0][0], by_id[one[0][1]][0]))
    ]


def _of_number(coverage: Coverage, number: DestinationNumber, sums: ByMeasured) -> dict[str, Any]:
    """Return what was counted of one number, with the calls that figures do not cover."""
    if not sums:
        return {}
    of_number = {"offered": offered_in(sums)} | counted(CALL_FIGURES, sums)
    shown = coverage.shown(number)
    for bits, columns in sums.items():
        for key in _not_measured_in(ALL_KEYS, bits):
            if shown[key] is not None:
                _add(of_number, f"{key}_hidden", columns["offered"])
    return of_number


def offered_in(sums: ByMeasured) -> int:
    return sum(columns["offered"] for columns in sums.values())


def blocks(numbers: Numbers, period: Period, known_totals: Row | None = None) -> Blocks:
    """Return the figures of each block type over a whole period, the most frequent first.

    Give the `totals` of that period where they are known already: then they are not asked for again."""
    coverage = Coverage.of(numbers)
    bucket = periods.whole(period)
    # What is not measured is known from the calls of the numbers: those have no blocks to know it from.
    known = dict((known_totals or totals(coverage, period)).counted)
    found = [
        (block_type, counted(BLOCK_FIGURES, sums))
        for (block_type,), sums in read(
            count_tables.BLOCKS, coverage, period, [bucket.start, bucket.end], by=("block_type",)
        ).items()
    ]
    found = sorted((one for one in found if one[1]["blocks"]), key=lambda one: (-one[1]["blocks"], one[0]))
    cells = Cells(coverage)
    rows = [
        BlockRow(
            block_type,
            block_label(block_type),
            *(cells.cell(key, known | sums, bucket) for key in BLOCK_FIGURES),
        )
        for block_type, sums in found
    ]
    total = known | {"blocks": sum(sums["blocks"] for _block_type, sums in found)}
    return Blocks(rows, cells.cell("blocks", total, bucket))


def last_day_with_calls(numbers: Numbers, before: date | None = None, opening: Opening = Opening.ALL) -> date | None:
    """Return the latest day with an offered call, or the latest before a day; None where there is none."""
    found = _days(numbers, opening).filter(offered__gt=0)
    if before is not None:
        found = found.filter(day__lt=before)
    latest: date | None = found.aggregate(day=Max("day"))["day"]
    return latest


def has_calls_before(numbers: Numbers, day: date) -> bool:
    """Whether any of these numbers has an offered call before a day."""
    return _days(numbers, Opening.ALL).filter(offered__gt=0, day__lt=day).exists()


def offered_by_day(numbers: Numbers, period: Period) -> dict[int, list[int]]:
    """Return the offered calls of each day of a period, also of days without any, by the id of the number."""
    days = {day: place for place, day in enumerate(period.days)}
    offered = {number.pk: [0] * len(days) for number in numbers}
    found = _days(numbers, period.opening).filter(day__range=(period.first, period.last))
    for number_id, day, calls in found.values_list("destination_number_id", "day", "offered"):
        offered[number_id][days[day]] += calls
    return offered


def _days(numbers: Numbers, opening: Opening) -> QuerySet[DayCounts]:
    """The counts of days of these numbers: one row a day inside opening hours, and one outside of them."""
    found = DayCounts.objects.filter(destination_number__in=[number.pk for number in numbers])
    return found if opening.is_open is None else found.filter(is_open=opening.is_open)


def schedules(numbers: Numbers) -> dict[int, Schedule]:
    """Return the opening hours of those numbers that have any, by the id of the number."""
    return DestinationNumber.objects.filter(pk__in=[number.pk for number in numbers]).schedules()


def counted_at() -> datetime | None:
    """Return up to when calls are counted; None before the first roll-up."""
    return RollUp.objects.values_list("counted_at", flat=True).first()


def _by_bucket(
    coverage: Coverage, period: Period, buckets: Sequence[Bucket], keys: Sequence[str] = tuple(CALL_FIGURES)
) -> list[Row]:
    found = offered(coverage, period, buckets, keys)
    cells = Cells(coverage)
    rows = []
    for place, bucket in enumerate(buckets, start=1):
        of_bucket: dict[str, Any] = {}
        if place in found:
            sums, not_covered = found[place]
            of_bucket = {"offered": offered_in(sums)} | counted(CALL_FIGURES, sums) | not_covered
        rows.append(cells.row(of_bucket, bucket))
    return rows
