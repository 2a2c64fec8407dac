"""Sums of counts by what was measured: the statement with which pages and files read counts.

    SELECT <groups>, measured, sum(<column>), … FROM (<rows>) AS counts GROUP BY <groups>, measured

A period is read in runs (reports.queries.runs): whole months from counts of months, other days from counts of days, and
quarter-hours only where a bucket begins or ends within a day. docs/architecture.md shows a statement as it is sent."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection

from reports import periods
from reports.counting.count_tables import Table
from reports.figures.counted import ByMeasured
from reports.figures.coverage import Coverage
from reports.figures.definitions import FIGURES
from reports.periods import Grain, Period
from reports.queries.runs import Run, runs_of_period

# The sums of columns, by group and by what was measured.
Sums = Mapping[tuple[Any, ...], ByMeasured]
# SQL: inside opening hours, outside, or both, as requested.
IS_ASKED = "(%(is_open)s::boolean IS NULL OR is_open = %(is_open)s)"


@dataclass(frozen=True)
class Rows:
    """The SELECT, with its parameters, of the rows of counts that a period is read from.

    A row has its number, what was measured, its `bucket` (counted from 1), the parts of the table, and the columns to
    add up, which are negative if the row is subtracted. `takes_off` says whether there are such rows."""

    sql: str
    parameters: dict[str, Any]
    takes_off: bool


@dataclass(frozen=True)
class Where:
    """An SQL condition, with its parameters, for rows of counts, and the time of the last row; None for no limit.

    With a limit, no rows are subtracted: they may be later than the last, and the rows they are part of earlier."""

    sql: str
    parameters: Mapping[str, Any]
    until: datetime | None = None

    @property
    def takes_off(self) -> bool:
        return self.until is None


OF_NUMBERS = Where("destination_number_id = ANY(%(ids)s::bigint[])", {})
# If figures of forwards do not apply to a number, the posts of forwards need not arrive.
_INCOMPLETE = """destination_number_id = ANY(%(incomplete)s::bigint[])
    AND (measured & %(without_forwards)s <> %(without_forwards)s
      OR measured & %(every)s <> %(every)s AND destination_number_id <> ALL(%(no_forwards)s::bigint[]))"""


def parameters(coverage: Coverage, period: Period, edges: Sequence[datetime] = ()) -> dict[str, Any]:
    """Return the parameters of statements over these numbers. `edges` are the starts of buckets and the last end."""
    return {
        "ids": [number.id for number in coverage],
        "is_open": period.opening.is_open,
        "start": period.start,
        "end": period.end,
        "edges": list(edges),
    }


def rows(  # noqa: PLR0917 (all are needed, in the order of the others here)
    table: Table,
    coverage: Coverage,
    period: Period,
    edges: Sequence[datetime] | None,
    columns: Sequence[str],
    where: Where = OF_NUMBERS,
) -> Rows:
    """Return the rows that a period is read from. If `edges` is None, each quarter-hour is a bucket."""
    if edges is None:
        run = Run(Grain.QUARTER_HOUR, period.first, period.last, until=period.until)
        read_from = [(run, bucket_of_quarter_hour(None))]
        return _rows(table, columns, read_from, parameters(coverage, period), where)
    days = [periods.day_of(edge) for edge in edges]
    read_from = [(run, _bucket(run, edges, days)) for run in runs_of_period(period, edges, takes_off=where.takes_off)]
    values = {"days": days, "first": period.first, "of_days": [bisect_right(days, day) for day in period.days]}
    return _rows(table, columns, read_from, parameters(coverage, period, edges) | values, where)


def rows_of_each(
    table: Table, coverage: Coverage, spans: Sequence[Period], columns: Sequence[str], where: Where = OF_NUMBERS
) -> Rows:
    """Return the rows that several separate periods are read from. Each period is a bucket; all have the same hours."""
    read_from = [
        (run, str(bucket))
        for bucket, span in enumerate(spans, start=1)
        for run in runs_of_period(span, [span.start, span.end], takes_off=where.takes_off)
    ]
    return _rows(table, columns, read_from, parameters(coverage, spans[0]), where)


def _rows(
    table: Table,
    columns: Sequence[str],
    read_from: Sequence[tuple[Run, str]],
    values: dict[str, Any],
    where: Where,
) -> Rows:
    is_asked = "" if values["is_open"] is None else " AND is_open = %(is_open)s"
    values |= where.parameters
    if where.until:
        values |= {"until": where.until, "until_day": periods.day_of(where.until)}
        read_from = [(run, bucket) for run, bucket in read_from if run.first <= values["until_day"]]
    selects = []
    for n, (run, bucket) in enumerate(read_from):
        in_days = run.grain != Grain.QUARTER_HOUR
        values[f"from_{n}"] = run.first if in_days else run.start
        values[f"to_{n}"] = run.last + periods.DAY if in_days else run.end
        until = f" AND {{time}} <= {'%(until_day)s' if in_days else '%(until)s'}" if where.until else ""
        condition = f"{where.sql} AND {{time}} >= %(from_{n})s AND {{time}} < %(to_{n})s{until}{is_asked}"
        selects.append(_select(table, run, columns, bucket, condition))
    return Rows("\n  UNION ALL".join(selects), values, any(run.taken_off for run, _bucket_sql in read_from))


def bucket_of_quarter_hour(edges: Sequence[datetime] | None) -> str:
    """Return the SQL of the bucket of a `quarter_hour`, counted from 1."""
    if edges is None:
        return "1 + (extract(epoch FROM quarter_hour - %(start)s::timestamptz) / 900)::int"
    return "width_bucket(quarter_hour, %(edges)s::timestamptz[])"


def bounds_of_bucket(edges: Sequence[datetime] | None) -> tuple[str, str]:
    """Return the SQL of the start and end of a `bucket`."""
    if edges is None:
        start = "%(start)s::timestamptz + {} * interval '15 minutes'"
        return start.format("(bucket - 1)"), start.format("bucket")
    return "(%(edges)s::timestamptz[])[bucket]", "(%(edges)s::timestamptz[])[bucket + 1]"


def _bucket(run: Run, edges: Sequence[datetime], days: Sequence[date]) -> str:
    if len(edges) == 2:
        return "1"
    if run.of_day:
        return str(bisect_right(days[:-1], run.of_day))  # the last edge begins no bucket, also if it is on that day
    if run.grain == Grain.QUARTER_HOUR:
        return bucket_of_quarter_hour(edges)
    if run.grain == Grain.DAY:
        # The bucket of each day, found by its place. width_bucket would search for it, and takes several times as long.
        return "(%(of_days)s::int[])[day - %(first)s::date + 1]"
    return "width_bucket(month, %(days)s::date[])"


def _select(table: Table, run: Run, columns: Sequence[str], bucket: str, where: str) -> str:
    name, time = {
        Grain.MONTH: (table.of_months, "month"),
        Grain.DAY: (table.of_days, "day"),
        Grain.QUARTER_HOUR: (table.of_quarter_hours, "quarter_hour"),
    }[run.grain]
    kept = ["destination_number_id", "measured", *table.parts]
    kept += [f"-{column} AS {column}" if run.taken_off else column for column in columns]
    return f"""
  SELECT {bucket} AS bucket, {", ".join(kept)} FROM {name}
  WHERE {where.format(time=time)}"""


def columns_of(table: Table, keys: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of a table that these figures need; for calls also `offered`."""
    names = {"offered": None} if "offered" in table.sums else {}
    for key in keys:
        if FIGURES[key].table is table:
            names |= dict.fromkeys((*FIGURES[key].numerator, *FIGURES[key].denominator))
    return tuple(names)


def incomplete(coverage: Coverage, keys: Sequence[str], start: datetime, end: datetime) -> Where | None:
    """Return the condition for the rows of a time in which a figure that applies to the number is not measured.

    None if there are no such rows: for all numbers these figures are measured from the start on."""
    latest = {
        number_id: max(filter(None, map(shown.get, keys)), default=start)
        for number_id, shown in coverage.shown_by_number.items()
    }
    numbers = [number_id for number_id, since in latest.items() if since > start]
    if not numbers:
        return None
    every, without = 0, 0
    for key in keys:
        every |= FIGURES[key].needs
        if FIGURES[key].without_forwards:
            without |= FIGURES[key].needs
    no_forwards = [number.id for number in coverage if not coverage.forwards(number)]
    return Where(
        _INCOMPLETE,
        {
            "incomplete": numbers,
            "every": every,
            "without_forwards": without,
            "no_forwards": no_forwards,
        },
        until=min(end, max(latest.values())),
    )


def read(
    table: Table,
    coverage: Coverage,
    period: Period,
    edges: Sequence[datetime],
    *,
    by: tuple[str, ...],
    keys: Sequence[str],
    where: Where = OF_NUMBERS,
) -> Sums:
    """Return the sums of a period that these figures need, by group and by what was measured.

    `by` names the groups: `bucket`, `destination_number_id`, parts of the table."""
    columns = columns_of(table, keys)
    return _add_up(rows(table, coverage, period, edges, columns, where), columns, by)


def read_each(
    table: Table,
    coverage: Coverage,
    spans: Sequence[Period],
    *,
    by: tuple[str, ...],
    keys: Sequence[str],
    where: Where = OF_NUMBERS,
) -> Sums:
    """Return the sums of several separate periods as `read` does. Each period is a bucket."""
    columns = columns_of(table, keys)
    return _add_up(rows_of_each(table, coverage, spans, columns, where), columns, by)


def _add_up(selected: Rows, columns: Sequence[str], by: tuple[str, ...]) -> Sums:
    width = len(by)
    groups: dict[tuple[Any, ...], dict[int, Mapping[str, int]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(statement(selected.sql, columns, by), selected.parameters)
        for row in cursor.fetchall():
            # Groups that were only read to be subtracted again have sums of 0.
            if not selected.takes_off or any(row[width + 1 :]):
                groups.setdefault(row[:width], {})[row[width]] = dict(zip(columns, row[width + 1 :], strict=True))
    return groups


def statement(rows: str, columns: Sequence[str], by: Sequence[str]) -> str:
    """Return the statement that adds up rows by groups and by what was measured."""
    sums = ", ".join(f"sum({name})::bigint" for name in columns)
    places = ", ".join(str(n + 1) for n in range(len(by) + 1))
    return f"SELECT {', '.join([*by, 'measured'])}, {sums}\nFROM ({rows}\n) AS counts\nGROUP BY {places}"
