"""CSV downloads, streamed by COPY into the response: memory does not grow with the number of rows.

docs/csv.md describes columns, formats and the guard against formulas. Each function reads what it needs first and
returns an iterator of pieces of the file; the statement runs when the first piece is requested.

Single calls are masked by the statement itself: it names destinations and contacts only for the numbers for which the
rights passed to it allow them. Callers are whole only if that is asked for, and the rights allow them."""

from __future__ import annotations

import codecs
import json
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from accounts.audit.downloads import Download
from calls.access import Rights
from calls.models import Call, DestinationNumber, RequestType, Right
from contacts.agents import NO_AGENTS, Agents
from reports import periods, permissions
from reports.counting import count_tables, outcomes
from reports.counting.count_tables import Table
from reports.counting.measured import ALWAYS, NEVER
from reports.exports import csv_agents, csv_calls
from reports.exports.csv_cells import MOMENTS, for_excel, moment, safe
from reports.figures.coverage import Coverage
from reports.figures.definitions import COUNTED_FIGURES, FIGURES, MICROSECONDS, OUTCOMES, Figure, figures_of
from reports.periods import Grain, Period
from reports.queries import calls as call_queries
from reports.queries import concurrent_calls, durations, post_arrivals, sums
from reports.queries.counts import Numbers
from reports.queries.hours_of_week import HourOfWeek, Shown, Week

PIECE_BYTES = 64 * 1024
Pieces = Generator[bytes, None, None]
Parameters = dict[str, Any]
NO_RIGHTS = Rights()

# The numbers of a file, and since when each figure is shown for them: infinity is never, null is not applicable. Of
# single calls also whether contacts are named, callers are written whole and destinations are named; null is no.
_NUMBER = f"""
number AS MATERIALIZED (
  SELECT * FROM json_to_recordset(%(numbers)s::json) AS number (
    id bigint, e164 text, label text, callers boolean, whole boolean, people boolean, forwards_from timestamptz,
    {", ".join(f"{key}_from timestamptz" for key in COUNTED_FIGURES)}
  )
)"""


def _numbers(
    coverage: Coverage, rights: Rights = NO_RIGHTS, *, whole_callers: bool = False, names_people: bool = False
) -> str:
    """Return the JSON that `number` is read from."""
    return json.dumps(
        [
            {
                "id": number.id,
                "e164": number.e164,
                "label": number.label,
                "callers": permissions.may_have_callers(rights, number),
                "whole": whole_callers and permissions.may_have_callers(rights, number),
                "people": names_people and rights.may(Right.PEOPLE, number),
                "forwards_from": _sql_moment(coverage.arrives_from(number, RequestType.INITIATE_FORWARD)),
            }
            | {f"{key}_from": _sql_moment(coverage.shown_from(number, key)) for key in COUNTED_FIGURES}
            for number in coverage
        ]
    )


def _sql_moment(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return "-infinity" if moment == ALWAYS else "infinity" if moment == NEVER else moment.isoformat()


@dataclass(frozen=True)
class FileOfCounts:
    """A file with a row for each number, bucket, and combination of the table's parts.

    `columns` is SQL that uses figures by key, and their denominators as `…_whole`. A figure is empty in a bucket that
    ends before the figure is measured. With `names_agents` the columns also use `agents`: the people of the row's
    destination in its bucket."""

    table: Table
    columns: str
    order: tuple[str, ...] = ()
    names_agents: bool = False

    def statement(self, coverage: Coverage, period: Period, edges: Sequence[datetime] | None) -> tuple[str, Parameters]:
        """Return the statement of the file and its parameters."""
        figures = figures_of(self.table).values()
        sides = [
            (f"{figure.key}{suffix}", figure, " + ".join(side))
            for figure in figures
            for suffix, side in (("", figure.numerator), ("_whole", figure.denominator))
            if side
        ]
        summed = ", ".join(
            f"coalesce(sum({side}) FILTER (WHERE measured & {figure.needs} = {figure.needs}), 0) AS {name}"
            for name, figure, side in sides
        )
        shown = ", ".join(
            f"CASE WHEN {figure.key}_from < ends_at THEN {name} END AS {name}" for name, figure, _side in sides
        )
        keys = ", ".join(("bucket", "destination_number_id", *self.table.parts))
        offered = "sum(offered) AS offered, " if "offered" in self.table.sums else ""
        names = sums.columns_of(self.table, [figure.key for figure in figures])
        rows = sums.rows(self.table, coverage, period, edges, names)
        starts_at, ends_at = sums.bounds_of_bucket(edges)
        # Groups that were only read to be subtracted again have sums of 0.
        having = f"HAVING {' OR '.join(f'sum({name}) <> 0' for name in names)}" if rows.takes_off else ""
        turn, agents = (f", {csv_agents.TURN}", f", {_AGENTS_OF_BUCKET} AS agents") if self.names_agents else ("", "")
        statement = f"""
WITH {_NUMBER}{turn}, counted AS (
  SELECT {keys}, {offered}{summed}
  FROM ({rows.sql}) AS counts
  GROUP BY {keys} {having}
), bounded AS (
  SELECT *, {starts_at} AS starts_at, {ends_at} AS ends_at FROM counted
), shown AS (
  SELECT {keys}, e164, number.label, starts_at, ends_at{", offered" if offered else ""}, {shown}{agents}
  FROM bounded JOIN number ON number.id = destination_number_id
)
SELECT {_BUCKET}, {self.columns}
FROM shown
ORDER BY {", ".join(("bucket", "e164", *self.order))}
"""
        return statement, rows.parameters


def _figures(*keys: str) -> str:
    """Return figures as the columns of a file, in this order, which must not change."""
    return ", ".join(f"{_value(FIGURES[key])} AS {FIGURES[key].csv_column}" for key in keys)


def _value(figure: Figure) -> str:
    """Return the SQL of a figure: a count, a share with four decimals, or an average in seconds with one."""
    if figure.kind == "share":
        return f"round({figure.key}::numeric / nullif({figure.key}_whole, 0), 4)"
    if figure.kind == "seconds":
        return f"round({figure.key}::numeric / {MICROSECONDS} / nullif({figure.key}_whole, 0), 1)"
    return figure.key


# In the time zone of the transaction, which is that of the reports.
_AGENTS_OF_BUCKET = csv_agents.names(
    *("bounded.destination", "bounded.destination_type"),
    *("bounded.starts_at::date", "(bounded.ends_at - interval '1 microsecond')::date"),
)

_BUCKET = f"""{moment("starts_at")} AS start, {moment("ends_at")} AS "end",
  e164 AS destination_number, {safe("label")} AS label"""

COUNTS = FileOfCounts(
    count_tables.COUNTS,
    f"""offered,
  {_figures("answered", "missed", "abandoned", "short", "served_in_plan", "in_progress", "end_unknown")},
  {_figures("service_level", "time_to_answer", "ring", "talk")},
  offered - {" - ".join(f"coalesce({outcome}, 0)" for outcome in OUTCOMES)} AS unclassified,
  {_figures("lost", "reached")}""",
)

BLOCKS = FileOfCounts(
    count_tables.BLOCKS,
    f"{safe('block_type')} AS block_type, {_figures('blocks', 'block_calls', 'last_in_call')}",
    ("block_type",),
)

FORWARDS = FileOfCounts(
    count_tables.FORWARDS,
    f"""{safe("destination")} AS destination, {safe("destination_type")} AS destination_type, course,
  {_figures("attempts", "tried", "forward_answers", "answer_rate", "forward_ring")}, {safe("agents")} AS agents""",
    ("destination", "destination_type", "course"),
    names_agents=True,
)


def _statement_of_peaks(edges: Sequence[datetime] | None) -> str:
    starts_at, ends_at = sums.bounds_of_bucket(edges)
    return f"""
WITH {_NUMBER}, {concurrent_calls.highest_by_bucket(edges)}, shown AS (
  SELECT bucket, e164, label, {starts_at} AS starts_at, {ends_at} AS ends_at, peak, quarter_hour
  FROM highest JOIN number USING (id)
)
SELECT {_BUCKET}, peak, {moment("quarter_hour")} AS peak_at
FROM shown
ORDER BY bucket, e164
"""


# The format of workforce planning programs: no header, UTC, every quarter-hour of every number. Calls handled are the
# answered ones; handling time is their average talk time. Cells are empty if that is not measured.
PLANNER = f"""
WITH {_NUMBER}
SELECT to_char(slot AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), number.e164, coalesce(counts.offered, 0),
  CASE WHEN slot >= number.answered_from THEN coalesce(counts.answered, 0) END,
  CASE WHEN slot >= number.talk_from
    THEN coalesce(round(counts.talk_us::numeric / {MICROSECONDS} / nullif(counts.talk_calls, 0)), 0) END
FROM number
CROSS JOIN generate_series(%(start)s, %(end)s - interval '15 minutes', interval '15 minutes') AS slot
LEFT JOIN reports_quarterhourcounts AS counts
  ON counts.destination_number_id = number.id AND counts.quarter_hour = slot AND {sums.IS_ASKED}
ORDER BY number.e164, slot
"""


def counts_csv(numbers: Numbers, period: Period, grain: str, *, excel: bool = False) -> Pieces:
    """Return the figures of each number in each bucket in which it has calls, as CSV."""
    return _counts(COUNTS, numbers, period, grain, excel=excel)


def blocks_csv(numbers: Numbers, period: Period, grain: str, *, excel: bool = False) -> Pieces:
    """Return the figures of each block type of each number in each bucket, as CSV."""
    return _counts(BLOCKS, numbers, period, grain, excel=excel)


def forwards_csv(numbers: Numbers, period: Period, grain: str, *, excel: bool = False) -> Pieces:
    """Return the figures of each destination of each number in each bucket, by course of the call, as CSV."""
    agents = {"agents": csv_agents.as_parameter(Agents.read())}
    return _counts(FORWARDS, numbers, period, grain, excel=excel, more=agents)


def peaks_csv(numbers: Numbers, period: Period, grain: str, *, excel: bool = False) -> Pieces:
    """Return the peak of simultaneous calls of each number in each bucket that has calls, as CSV."""
    coverage, edges = Coverage.read(numbers), _edges(period, grain)
    parameters = sums.parameters(coverage, period, edges or ()) | {"numbers": _numbers(coverage)}
    return _copy(_rendered(_statement_of_peaks(edges), parameters), excel=excel)


def times_csv(numbers: Numbers, period: Period, *, excel: bool = False) -> Pieces:
    """Return the durations of the calls of each number in classes, with median and 90th percentile, as CSV."""
    return _copy(_rows_of(TIMES, _times(Coverage.read(numbers), period)), excel=excel)


def week_csv(week: Week, *, excel: bool = False) -> Pieces:
    """Return the hours of the week, for all numbers together, as CSV."""
    return _copy(_rows_of(WEEK, map(_hour_of_week, week.cells)), excel=excel)


def coverage_csv(numbers: Sequence[DestinationNumber], now: datetime, *, excel: bool = False) -> Pieces:
    """Return which of the five posts arrive for each number, and since when silent numbers are silent, as CSV."""
    return _copy(_rows_of(COVERAGE, _arrivals(numbers, now)), excel=excel)


def planner_csv(numbers: Numbers, period: Period) -> Pieces:
    """Return every quarter-hour of every number, also those without calls, for workforce planning."""
    coverage = Coverage.read(numbers)
    parameters = sums.parameters(coverage, period) | {"numbers": _numbers(coverage)}
    return _copy(_rendered(PLANNER, parameters), header=False)


def calls_csv(
    calls: QuerySet[Call], rights: Rights = NO_RIGHTS, *, whole_callers: bool = False, excel: bool = False
) -> Pieces:
    """Return calls as CSV, oldest first, with the destinations and contacts that `rights` allow.

    Callers are masked. With `whole_callers` they are whole where `rights` allow it: ask for a reason before, and note
    it in the audit."""
    return _copy(calls_query(calls, rights, whole_callers=whole_callers), excel=excel)


def calls_query(calls: QuerySet[Call], rights: Rights = NO_RIGHTS, *, whole_callers: bool = False) -> str:
    """Return the statement of the CSV of calls."""
    if calls.query.is_sliced or calls.query.distinct or calls.query.combinator:
        calls = Call.objects.filter(pk__in=calls.values("pk"))
    names_people = _names_people(calls, rights)
    question, parameters = (
        calls.order_by()
        .annotate(
            outcome=outcomes.OUTCOME,
            time_to_answer=outcomes.TIME_TO_ANSWER,
            ring=outcomes.RING_TIME,
            talk=outcomes.TALK_TIME,
            waited=outcomes.WAITED,
        )
        .values(*csv_calls.FIELDS)
        # Do not elide an empty query, such as the calls of no numbers: its file has only the header.
        .query.get_compiler(connection=connection, elide_empty=False)
        .as_sql()
    )
    statement = f"WITH {_NUMBER}, {csv_calls.STATEMENT}"
    sql = statement.replace("{calls}", _rendered(question, parameters).replace("%", "%%"))
    coverage = Coverage.read(DestinationNumber.objects.all())
    numbers = _numbers(coverage, rights, whole_callers=whole_callers, names_people=names_people)
    agents = Agents.read() if names_people else NO_AGENTS
    return _rendered(sql, {"numbers": numbers, "agents": csv_agents.as_parameter(agents)})


def _names_people(calls: QuerySet[Call], rights: Rights) -> bool:
    """Return whether enough destinations were tried in calls to name them one by one, for those who may see them.

    A person with a row for each call can add it up by destination, so the least number is that of figures."""
    numbers, least = rights.numbers(Right.PEOPLE), settings.FORWARDS_LEAST_DESTINATIONS
    return numbers != frozenset() and call_queries.try_at_least(calls, least, numbers)


# Columns of the files whose rows are computed here, not by PostgreSQL.
WEEK = ("weekday", "hour", "times", "offered", "answered", "missed", "lost", "reached", "offered_mean")
TIMES = ("destination_number", "label", "figure", "over_s", "to_s", "calls", "median_s", "ninetieth_s")
COVERAGE = ("destination_number", "label", "post", "arrives", "first_at", "last_at", "set_to", "silent_since")


def _arrivals(numbers: Sequence[DestinationNumber], now: datetime) -> Iterator[Sequence[object]]:
    silent = {silence.number: silence.since for silence in post_arrivals.silent(numbers, now)}
    for number, arrivals in sorted(post_arrivals.of_numbers(numbers).items(), key=lambda item: item[0].e164):
        for arrival in arrivals:
            rest = arrival.first_at, arrival.last_at, arrival.setting, silent.get(number)
            yield number.e164, number.label, arrival.post.value, arrival.state.value, *rest


def _hour_of_week(cell: HourOfWeek) -> Sequence[object]:
    counted = (cell.weekday, cell.hour, cell.times, cell.offered, cell.answered, cell.missed, cell.lost)
    return *counted, _rounded(cell.reached, 4), _rounded(cell.mean(Shown.OFFERED), 2)


def _times(coverage: Coverage, period: Period) -> Iterator[Sequence[object]]:
    """Yield a row for each number, kind of time and class, if the time is measured and some call has it."""
    by_number = zip(coverage, durations.by_number(coverage, period), strict=True)
    for number, times in sorted(by_number, key=lambda item: item[0].e164):
        for key, spread in times.items():
            classes = durations.classes({key: spread}, [key], durations.BOUNDS_OF[key]) if spread.calls else ()
            for row in classes:
                calls = (row.above, row.to, row.calls[key])
                yield number.e164, number.label, key, *calls, spread.median, spread.ninetieth


def _rounded(value: float | None, digits: int) -> Decimal | None:
    return None if value is None else round(Decimal(value), digits)


def _rows_of(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a query whose rows are these, so that they become a file like all others."""
    texts = {"label": safe("label")} | {column: moment(f"{column}::timestamptz") for column in MOMENTS}
    named = ", ".join(f"{texts.get(column, column)} AS {column}" for column in columns)
    listed = list(rows)
    if not listed:
        return f"SELECT {', '.join(f'NULL AS {column}' for column in columns)} LIMIT 0"
    place = f"({', '.join(['%s'] * len(columns))})"
    sql = f"SELECT {named} FROM (VALUES {', '.join([place] * len(listed))}) AS row ({', '.join(columns)})"
    return _rendered(sql, [value for row in listed for value in row])


def download(noted: Download, name: str, pieces: Pieces) -> StreamingHttpResponse:
    """Return a response that streams a file while it is made, and notes its end in the audit."""
    return StreamingHttpResponse(
        noted.streamed(pieces),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"},
    )


def _counts(
    file: FileOfCounts, numbers: Numbers, period: Period, grain: str, *, excel: bool, more: Parameters | None = None
) -> Pieces:
    coverage = Coverage.read(numbers)
    statement, parameters = file.statement(coverage, period, _edges(period, grain))
    return _copy(_rendered(statement, parameters | {"numbers": _numbers(coverage)} | (more or {})), excel=excel)


def _edges(period: Period, grain: str) -> list[datetime] | None:
    """Return the starts of buckets and the end of the last; None if each quarter-hour is a bucket."""
    return None if grain == Grain.QUARTER_HOUR else periods.edges(period, grain)


def _rendered(sql: str, parameters: Any) -> str:
    """Return a statement with its parameters quoted into it, because COPY takes none."""
    connection.ensure_connection()
    return psycopg.ClientCursor(connection.connection).mogrify(sql, parameters)


def _copy(query: str, *, header: bool = True, excel: bool = False) -> Pieces:
    """Yield the rows of a query as CSV. Closing the iterator early cancels the query; the connection stays usable.

    The last piece is yielded after the transaction, so a slow reader of it holds no connection."""
    pieces: list[bytes] = [codecs.BOM_UTF8] if excel else []
    size = 0
    with transaction.atomic(), connection.cursor() as cursor:
        # The statement takes as long as the client reads: the time limit of web requests would cut off a slow client.
        cursor.execute(
            "SELECT set_config('TimeZone', %s, true), set_config('statement_timeout', '0', true)", [settings.TIME_ZONE]
        )
        options = "FORMAT csv, HEADER" if header else "FORMAT csv"
        if excel:
            cursor.execute(f"SELECT * FROM ({query}) AS rows LIMIT 0")
            columns = ", ".join(for_excel(column.name, column.type_code) for column in cursor.description)
            query, options = f"SELECT {columns} FROM ({query}) AS rows", f"{options}, DELIMITER ';'"
        with cursor.copy(f"COPY ({query}) TO STDOUT WITH ({options})") as rows:
            for row in rows:
                pieces.append(bytes(row))
                size += len(row)
                if size >= PIECE_BYTES:
                    yield b"".join(pieces)
                    pieces, size = [], 0
    yield b"".join(pieces)
