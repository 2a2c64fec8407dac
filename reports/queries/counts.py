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
from reports.figures.cells import BlockRow, Blocks, Cell, Cells, Row
from reports.figures.counted import NOTHING, ByMeasured, Counted, add_up, of_bucket
from reports.figures.coverage import Coverage
from reports.figures.definitions import BLOCK_FIGURES, CALL_FIGURES, FIGURES
from reports.models import DayCounts, RollUp
from reports.periods import Bucket, Grain, Opening, Period, Run

Numbers = Iterable[DestinationNumber] | Coverage

# --- The statement -----------------------------------------------------------------------------
#
# Sums of a table of counts by bucket and by what was measured: docs/architecture.md shows one as it is sent. Whole
# months are read from counts of months, other days from counts of days, and quarter-hours only where a bucket begins or
# ends within a day: each such stretch is a run. OFFSET 0 has each number's runs read by the index.

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


@cache
def source(table: Table) -> str:
    """Return the rows of a table that a period is read from, each with the bucket it lies in, counted from 1, and with
    its number as `incomplete` where not every figure asked for is measured in it.

    Goes after `WITH {EDGE}`."""
    kept = ", ".join(("destination_number_id", "measured", *table.parts, *table.sums))
    number = "unnest(%(ids)s::bigint[], %(every)s::int[]) AS number (id, every)"
    incomplete = "CASE WHEN measured & every <> every THEN id END AS incomplete"
    return f"""
  SELECT width_bucket(month, %(days)s::date[]) AS bucket, {incomplete}, {kept}
  FROM {number}
  CROSS JOIN unnest(%(month_from)s::date[], %(month_to)s::date[]) AS run (starts, ends)
  CROSS JOIN LATERAL (
    SELECT month, {kept} FROM {table.of_months}
    WHERE destination_number_id = number.id AND month >= starts AND month < ends AND {ASKED} OFFSET 0
  ) AS counts
  UNION ALL
  SELECT width_bucket(day, %(days)s::date[]) AS bucket, {incomplete}, {kept}
  FROM {number}
  CROSS JOIN unnest(%(day_from)s::date[], %(day_to)s::date[]) AS run (starts, ends)
  CROSS JOIN LATERAL (
    SELECT day, {kept} FROM {table.of_days}
    WHERE destination_number_id = number.id AND day >= starts AND day < ends AND {ASKED} OFFSET 0
  ) AS counts
  UNION ALL
  SELECT width_bucket(quarter_hour, {EDGES}) AS bucket, {incomplete}, {kept}
  FROM {number}
  CROSS JOIN unnest(%(quarter_hour_from)s::timestamptz[], %(quarter_hour_to)s::timestamptz[]) AS run (starts, ends)
  CROSS JOIN LATERAL (
    SELECT quarter_hour, {kept} FROM {table.of_quarter_hours}
    WHERE destination_number_id = number.id AND quarter_hour >= starts AND quarter_hour < ends AND {ASKED} OFFSET 0
  ) AS counts"""


@cache
def statement(table: Table, by: tuple[str, ...]) -> str:
    """Return the sums of a table by what was measured, in groups by some columns of `source`."""
    keys = ", ".join((*by, "measured"))
    sums = ", ".join(f"sum({name})::bigint" for name in _added(table))
    return f"WITH {EDGE}\nSELECT {keys}, {sums}\nFROM ({source(table)}\n) AS counts\nGROUP BY {keys}"


@cache
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
        "every": [_needed(coverage.shown(number), keys) for number in coverage],
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


def _needed(shown: Mapping[str, datetime | None], keys: Sequence[str]) -> int:
    """Return the posts on which those of some figures rest that apply to a number, as bits."""
    bits = 0
    for key in keys:
        if shown[key] is not None:
            bits |= FIGURES[key].needs
    return bits


def read(
    table: Table,
    coverage: Coverage,
    period: Period,
    edges: Sequence[datetime],
    *,
    by: tuple[str, ...],
    keys: Sequence[str] = (),
) -> Mapping[tuple[Any, ...], ByMeasured]:
    """Return the sums of a table by what was measured, in groups by some columns of `source`."""
    groups: dict[tuple[Any, ...], dict[int, dict[str, int]]] = {}
    columns, width = _added(table), len(by)
    with connection.cursor() as cursor:
        cursor.execute(statement(table, by), parameters(coverage, period, edges, keys=keys))
        for row in cursor.fetchall():
            groups.setdefault(row[:width], {})[row[width]] = dict(zip(columns, row[width + 1 :], strict=True))
    return groups


# --- The questions -----------------------------------------------------------------------------

# The figures that every page of counts shows; the page of forwards asks for its own.
OF_CALLS = ("offered", *CALL_FIGURES)
OF_PAGES = (*OF_CALLS, *BLOCK_FIGURES)


def totals(numbers: Numbers, period: Period) -> Row:
    """Return the figures of all numbers together over a whole period."""
    [row] = in_buckets(numbers, period, [periods.whole(period)], OF_PAGES)
    return row


def by_bucket(numbers: Numbers, period: Period, grain: str) -> list[Row]:
    """Return the figures of all numbers together, one row for every bucket, also where no call came."""
    return in_buckets(numbers, period, periods.buckets(period, grain))


def in_buckets(
    numbers: Numbers, period: Period, buckets: Sequence[Bucket], keys: tuple[str, ...] = OF_CALLS
) -> list[Row]:
    """Return the figures of all numbers together in each of some buckets that follow one another in a period."""
    coverage = Coverage.read(numbers)
    cells = Cells(coverage)
    found = counted(coverage, period, buckets, keys)
    return [cells.row(figures, bucket) for figures, bucket in zip(found, buckets, strict=True)]


def counted(
    coverage: Coverage, period: Period, buckets: Sequence[Bucket], keys: tuple[str, ...]
) -> list[dict[str, Counted]]:
    """Return for each bucket what was counted of some figures, of all numbers together; nothing where no call came."""
    shown = {number.id: coverage.shown(number) for number in coverage}
    groups: list[list[tuple[int | None, ByMeasured]]] = [[] for _bucket in buckets]
    found = read(COUNTS, coverage, period, periods.edges_of(buckets), by=("bucket", "incomplete"), keys=keys)
    for (place, number_id), sums in found.items():
        if 0 < place <= len(buckets):
            groups[place - 1].append((number_id, sums))
    return [
        of_bucket(keys, of_place, shown, bucket.end) if of_place else {}
        for of_place, bucket in zip(groups, buckets, strict=True)
    ]


def by_number(numbers: Numbers, period: Period) -> list[Row]:
    """Return the figures of each number over a whole period, also of those without calls, in the order given."""
    coverage = Coverage.read(numbers)
    bucket = periods.whole(period)
    shown = {number.id: coverage.shown(number) for number in coverage}
    found = read(COUNTS, coverage, period, [bucket.start, bucket.end], by=("destination_number_id",))
    rows = []
    for number in coverage:
        sums = found.get((number.id,))
        of_number = of_bucket(OF_PAGES, [(number.id, sums)], shown, bucket.end) if sums else {}
        rows.append(Cells(coverage.only(number)).row(of_number, bucket, number))
    return rows


def blocks(numbers: Numbers, period: Period, known_totals: Row | None = None) -> Blocks:
    """Return the figures of each block type over a whole period, the most frequent first.

    Give the `totals` of that period where they are known already: then they are not asked for again."""
    coverage = Coverage.read(numbers)
    bucket = periods.whole(period)
    # How many calls each figure leaves out is known from the calls: blocks have none to know it from.
    known = (known_totals or totals(coverage, period)).counted
    found = read(count_tables.BLOCKS, coverage, period, [bucket.start, bucket.end], by=("block_type",))
    by_type = [(block_type, add_up(tuple(BLOCK_FIGURES), sums)) for (block_type,), sums in found.items()]
    measured = [(block_type, of_type) for block_type, of_type in by_type if of_type.get("blocks", NOTHING).above]
    cells = Cells(coverage)

    def cell(key: str, of_type: Counted) -> Cell:
        return cells.cell(key, known.get(key, NOTHING).with_sums(of_type.above, of_type.whole), bucket)

    rows = [
        BlockRow(block_type, block_label(block_type), *(cell(key, of_type.get(key, NOTHING)) for key in BLOCK_FIGURES))
        for block_type, of_type in sorted(measured, key=lambda one: (-one[1]["blocks"].above, one[0]))
    ]
    return Blocks(rows, cell("blocks", Counted(sum(of_type["blocks"].above for _type, of_type in measured))))


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
