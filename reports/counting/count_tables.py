"""The tables of counts: for each, how its rows are counted (SQL), what makes them unique, and what is summed.

Counts are kept by quarter-hour. Their sums are kept by local day, by month, and by hour of the week in each month. A
quarter-hour of a number is either inside its opening hours or outside. Days and months have a row for each of the two,
and for each set of posts that were measured (reports.counting.measured)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from django.db.models import BooleanField, ExpressionWrapper, Q
from django.db.models.expressions import RawSQL
from django.db.models.functions import Extract

from calls.models import Call
from calls.quarter_hours import QUARTER_HOUR, quarter_hour_sql
from reports.counting import measured
from reports.counting.outcomes import IN_TIME, IS_OFFERED, OUTCOME, RING_TIME, TALK_TIME, TIME_TO_ANSWER, Outcome

SQL = tuple[str, list[Any]]

# Keeps PostgreSQL from joining whole tables where an index finds the few quarter-hours that are needed.
FENCE = "OFFSET 0"


@dataclass(frozen=True)
class Table:
    """Counts of one kind, kept in `reports_quarterhour{name}`, `reports_day{name}` and `reports_month{name}`."""

    name: str
    # A SELECT from `judged` that returns number, quarter-hour, is_open, measured, parts and figures.
    counting: str
    # Further key columns, beside the number and the time.
    parts: tuple[str, ...]
    # Columns that days and months sum.
    sums: tuple[str, ...]
    # Columns that only quarter-hours have.
    lists: tuple[str, ...] = ()

    @property
    def of_quarter_hours(self) -> str:
        return f"reports_quarterhour{self.name}"

    @property
    def of_days(self) -> str:
        return f"reports_day{self.name}"

    @property
    def of_months(self) -> str:
        return f"reports_month{self.name}"

    @property
    def quarter_hour_keys(self) -> tuple[str, ...]:
        return ("destination_number_id", "quarter_hour", *self.parts)

    @property
    def day_keys(self) -> tuple[str, ...]:
        return ("destination_number_id", "day", "is_open", "measured", *self.parts)

    @property
    def month_keys(self) -> tuple[str, ...]:
        return ("destination_number_id", "month", "is_open", "measured", *self.parts)


# --- Judging calls -----------------------------------------------------------------------------

# The quarter-hours to recount, as three parallel arrays.
CHANGED = """
changed AS MATERIALIZED (
  SELECT * FROM unnest(%s::bigint[], %s::timestamptz[], %s::boolean[])
    AS changed (destination_number_id, quarter_hour, is_open)
)"""


def _judged(**restriction: Any) -> SQL:
    """Return the SQL of all offered calls with outcome and times, one row per call, as outcomes.py defines them."""
    calls = (
        Call.objects.filter(IS_OFFERED, **restriction)
        .annotate(
            quarter_hour=QUARTER_HOUR,
            outcome=OUTCOME,
            in_time=ExpressionWrapper(IN_TIME, output_field=BooleanField()),
            is_ended_unanswered=ExpressionWrapper(
                Q(ended_at__isnull=False, answered_at=None), output_field=BooleanField()
            ),
            time_to_answer_s=Extract(TIME_TO_ANSWER, "epoch"),
            ring_s=Extract(RING_TIME, "epoch"),
            talk_s=Extract(TALK_TIME, "epoch"),
            was_forwarded=ExpressionWrapper(
                Q(forwarded_at__isnull=False) | Q(answered_at__isnull=False), output_field=BooleanField()
            ),
        )
        .order_by()
        .values(
            "id",
            "destination_number_id",
            "quarter_hour",
            "outcome",
            "in_time",
            "is_ended_unanswered",
            "time_to_answer_s",
            "ring_s",
            "talk_s",
            "was_forwarded",
        )
    )
    statement, parameters = calls.query.sql_with_params()
    return statement, list(parameters)


@cache
def judged_of_changed() -> SQL:
    """Return the SQL of the offered calls in the quarter-hours of `changed`, found by index, with their outcomes.

    Reads `measured.arrivals`, as `judged_of_all` does."""
    statement, parameters = _judged(
        destination_number_id=RawSQL("changed.destination_number_id", []),
        first_post_at__gte=RawSQL("changed.quarter_hour", []),
        first_post_at__lt=RawSQL("changed.quarter_hour + interval '15 minutes'", []),
    )
    select = f"""
  SELECT call.*, changed.is_open, {measured.bits("changed.quarter_hour")} AS measured
  FROM changed JOIN arrival USING (destination_number_id) CROSS JOIN LATERAL ({statement} {FENCE}) AS call"""
    return select, parameters


def judged_of_all() -> SQL:
    """Return the SQL of all offered calls with their outcomes; `is_open` is always null."""
    statement, parameters = _judged()
    select = f"""
  SELECT call.*, NULL::boolean AS is_open, {measured.bits("quarter_hour")} AS measured
  FROM ({statement}) AS call JOIN arrival USING (destination_number_id)"""
    return select, parameters


# --- The tables ----------------------------------------------------------------------------------

TIMES = ("time_to_answer", "ring", "talk")

_PLACE = "destination_number_id, quarter_hour, is_open"
_QUARTER_HOUR = f"{_PLACE}, measured"


def _microseconds(seconds: str) -> str:
    """Return the SQL of a sum of seconds in whole microseconds, which is exact and faster to add up."""
    return f"coalesce((sum({seconds}) * 1000000)::bigint, 0)"


COUNTS = Table(
    "counts",
    f"""
SELECT {_QUARTER_HOUR}, count(*) AS offered,
  {", ".join(f"count(*) FILTER (WHERE outcome = '{outcome}') AS {outcome}" for outcome in Outcome.values)},
  count(time_to_answer_s) AS answered_after_start, count(*) FILTER (WHERE in_time) AS answered_in_time,
  coalesce(sum(time_to_answer_s), 0) AS time_to_answer_s,
  coalesce(sum(ring_s), 0) AS ring_s, count(ring_s) AS ring_calls,
  coalesce(sum(talk_s), 0) AS talk_s, count(talk_s) AS talk_calls,
  {", ".join(f"{_microseconds(f'{time}_s')} AS {time}_us" for time in TIMES)},
  {
        ", ".join(
            f"coalesce(array_agg(ceil({time}_s)::int ORDER BY {time}_s) FILTER (WHERE {time}_s IS NOT NULL), '{{}}')"
            f" AS each_{time}_s"
            for time in TIMES
        )
    }
FROM judged
GROUP BY {_QUARTER_HOUR}""",
    parts=(),
    sums=(
        "offered",
        *Outcome.values,
        "answered_after_start",
        "answered_in_time",
        "time_to_answer_s",
        "ring_s",
        "ring_calls",
        "talk_s",
        "talk_calls",
        *(f"{time}_us" for time in TIMES),
    ),
    # The time of each call, rounded up to full seconds, shortest first.
    lists=tuple(f"each_{time}_s" for time in TIMES),
)

BLOCKS = Table(
    "blockcounts",
    f"""
SELECT {_QUARTER_HOUR}, block_type, count(*) AS blocks, count(DISTINCT call_id) AS calls,
  count(*) FILTER (WHERE is_last AND is_ended_unanswered) AS last_in_call,
  count(*) FILTER (WHERE is_last AND is_ended_unanswered AND outcome IN ('missed', 'abandoned')) AS lost
FROM (
  SELECT judged.*, event.call_id, event.block_type,
    row_number() OVER (
      PARTITION BY event.call_id ORDER BY event.received_at DESC, event.ingest_id DESC
    ) = 1 AS is_last
  FROM judged JOIN LATERAL (
    SELECT call_id, block_type, received_at, ingest_id FROM calls_callevent
    WHERE call_id = judged.id AND request_type = 'BLOCK_END' {{fence}}
  ) AS event ON true
) AS block
GROUP BY {_QUARTER_HOUR}, block_type""",
    parts=("block_type",),
    sums=("blocks", "calls", "last_in_call", "lost"),
)

# Attempts and answers by destination. The first FORWARD_ANSWER of a call counts; it answers the latest earlier attempt
# at the same destination. A call is parallel if two destinations were tried within one second of each other.
AT_ONCE_S = 1
_TRIED = """
    SELECT destination, destination_type, received_at, ingest_id FROM calls_callevent
    WHERE call_id = judged.id AND request_type = 'INITIATE_FORWARD'"""
_FIRST_ANSWER = """
    SELECT destination, destination_type, received_at FROM calls_callevent
    WHERE call_id = judged.id AND request_type = 'FORWARD_ANSWER' ORDER BY received_at, ingest_id LIMIT 1"""

FORWARDS = Table(
    "forwardcounts",
    f"""
SELECT {_QUARTER_HOUR}, destination, destination_type, course, count(*) FILTER (WHERE NOT is_answer) AS attempts,
  count(DISTINCT judged.id) FILTER (WHERE NOT is_answer) AS calls, count(*) FILTER (WHERE is_answer) AS answers,
  coalesce(sum(forward.ring_s), 0) AS ring_s, count(forward.ring_s) AS ring_calls,
  {_microseconds("forward.ring_s")} AS ring_us
FROM judged CROSS JOIN LATERAL (
  WITH tried AS ({_TRIED}
  ), answer AS ({_FIRST_ANSWER}
  ), call AS (
    SELECT CASE
      WHEN EXISTS (
        SELECT FROM tried AS one JOIN tried AS other
          ON (one.destination, one.destination_type) <> (other.destination, other.destination_type)
          AND other.received_at BETWEEN one.received_at AND one.received_at + interval '{AT_ONCE_S} second'
      ) THEN 'parallel'
      WHEN (SELECT count(*) FROM tried) > 1 THEN 'sequence'
      ELSE 'alone' END AS course
  )
  SELECT false AS is_answer, destination, destination_type, course, NULL::numeric AS ring_s FROM tried CROSS JOIN call
  UNION ALL
  SELECT true, destination, destination_type, course, (
    SELECT extract(epoch FROM answer.received_at - max(tried.received_at)) FROM tried
    WHERE tried.destination = answer.destination AND tried.destination_type = answer.destination_type
      AND tried.received_at <= answer.received_at
  ) FROM answer CROSS JOIN call
) AS forward
WHERE was_forwarded
GROUP BY {_QUARTER_HOUR}, destination, destination_type, course""",
    parts=("destination", "destination_type", "course"),
    sums=("attempts", "calls", "answers", "ring_s", "ring_calls", "ring_us"),
)

# Answered calls whose destination was not the one tried first. If several were tried at once, none was the first.
HANDOVERS = Table(
    "handovers",
    f"""
SELECT {_QUARTER_HOUR}, first.destination AS first_destination, first.destination_type AS first_type,
  answer.destination, answer.destination_type, count(*) AS calls
FROM judged
CROSS JOIN LATERAL ({_TRIED} ORDER BY received_at, ingest_id LIMIT 1
) AS first
CROSS JOIN LATERAL ({_FIRST_ANSWER}
) AS answer
WHERE was_forwarded
  AND (first.destination, first.destination_type) <> (answer.destination, answer.destination_type)
  AND NOT EXISTS (
    SELECT FROM ({_TRIED}
    ) AS other
    WHERE (other.destination, other.destination_type) <> (first.destination, first.destination_type)
      AND other.received_at <= first.received_at + interval '{AT_ONCE_S} second'
  )
GROUP BY {_QUARTER_HOUR}, first.destination, first.destination_type, answer.destination, answer.destination_type""",
    parts=("first_destination", "first_type", "destination", "destination_type"),
    sums=("calls",),
)

TABLES = (COUNTS, BLOCKS, FORWARDS, HANDOVERS)


def _add_up(keys: tuple[str, ...], sums: tuple[str, ...], finer: str) -> str:
    """Return a SELECT of the sums of finer counts, by the keys of coarser ones."""
    names = ", ".join(keys)
    return f"""
SELECT {names}, {", ".join(f"sum({name}) AS {name}" for name in sums)}
FROM ({finer}) AS finer
GROUP BY {names}"""


def sum_days(table: Table) -> str:
    """Return the SELECT that sums quarter-hours to days: in every time zone in use a day begins with a quarter-hour.

    If the clock goes back over midnight, a day begins twice, and PostgreSQL takes the later beginning. So the index
    finds three hours more at each end, and the local date of each quarter-hour decides."""
    finer = f"""
  SELECT scope.day, counts.* FROM changed_day AS scope CROSS JOIN LATERAL (
    SELECT * FROM {table.of_quarter_hours} AS counts
    WHERE counts.destination_number_id = scope.destination_number_id
      AND counts.quarter_hour >= scope.day::timestamp AT TIME ZONE scope.time_zone - interval '3 hours'
      AND counts.quarter_hour < (scope.day + 1)::timestamp AT TIME ZONE scope.time_zone + interval '3 hours'
      AND (counts.quarter_hour AT TIME ZONE scope.time_zone)::date = scope.day {FENCE}
  ) AS counts"""
    return _add_up(table.day_keys, table.sums, finer)


CHANGED_DAYS = """
changed_day AS MATERIALIZED (
  SELECT DISTINCT destination_number_id, (quarter_hour AT TIME ZONE zone.name)::date AS day, zone.name AS time_zone
  FROM changed CROSS JOIN (SELECT %s::text AS name) AS zone
)"""


def sum_months(table: Table) -> str:
    """Return the SELECT that sums days to months."""
    finer = f"""
  SELECT scope.month, counts.* FROM changed_month AS scope CROSS JOIN LATERAL (
    SELECT * FROM {table.of_days} AS counts
    WHERE counts.destination_number_id = scope.destination_number_id
      AND counts.day >= scope.month AND counts.day < scope.month + interval '1 month' {FENCE}
  ) AS counts"""
    return _add_up(table.month_keys, table.sums, finer)


CHANGED_MONTHS = """
changed_month AS MATERIALIZED (
  SELECT DISTINCT destination_number_id, date_trunc('month', quarter_hour AT TIME ZONE zone.name)::date AS month
  FROM changed CROSS JOIN (SELECT %s::text AS name) AS zone
)"""

# --- Hours of the week -----------------------------------------------------------------------------
#
# For example, the calls on the Mondays of a month between 9:00 and 10:00, local time.

HOURS = "reports_hourofweekcounts"
HOUR_SCOPE = ("destination_number_id", "month", "weekday", "hour")
HOUR_KEYS = (*HOUR_SCOPE, "is_open", "measured")
HOUR_SUMS = ("offered", "answered", "missed", "abandoned")

HOURS_OF = """
  SELECT DISTINCT destination_number_id, date_trunc('month', local)::date AS month,
    extract(isodow FROM local)::int AS weekday, extract(hour FROM local)::int AS hour, zone.name AS time_zone
  FROM {quarter_hours} CROSS JOIN (SELECT %s::text AS name) AS zone
  CROSS JOIN LATERAL (SELECT quarter_hour AT TIME ZONE zone.name AS local) AS clock"""
CHANGED_HOURS = f"changed_hour AS MATERIALIZED ({HOURS_OF.format(quarter_hours='changed')})"
# The first time in a month that this weekday and hour occur.
FIRST_OF_HOUR = "month + mod(weekday - extract(isodow FROM month)::int + 7, 7) + hour * interval '1 hour'"

# As for days, the index finds three hours more at each end.
SUM_HOURS = _add_up(
    HOUR_KEYS,
    HOUR_SUMS,
    f"""
  SELECT scope.month, scope.weekday, scope.hour, counts.*
  FROM changed_hour AS scope
  CROSS JOIN LATERAL generate_series(
    {FIRST_OF_HOUR}, month + interval '1 month' - interval '1 second', interval '7 days'
  ) AS starts_at
  CROSS JOIN LATERAL (
    SELECT * FROM {COUNTS.of_quarter_hours} AS counts
    WHERE counts.destination_number_id = scope.destination_number_id
      AND counts.quarter_hour >= starts_at AT TIME ZONE scope.time_zone - interval '3 hours'
      AND counts.quarter_hour < starts_at AT TIME ZONE scope.time_zone + interval '4 hours'
      AND date_trunc('hour', counts.quarter_hour AT TIME ZONE scope.time_zone) = starts_at {FENCE}
  ) AS counts""",
)

# --- Calls at once -------------------------------------------------------------------------------
#
# A call is ongoing from its first post to its last, for four hours at most. It counts in every quarter-hour that it
# touches, also where no call begins; so a changed quarter-hour changes later ones too.

PEAKS = "reports_quarterhourpeaks"
FOLLOWED_FOR = timedelta(hours=4)
FOLLOWED = f"interval '{FOLLOWED_FOR // timedelta(hours=1)} hours'"
UNTIL = f"least(last_post_at, first_post_at + {FOLLOWED})"

TOUCHED_BY_CHANGED = f"""
SELECT DISTINCT destination_number_id, slot
FROM changed CROSS JOIN LATERAL (
  SELECT max({UNTIL}) AS until FROM calls_call
  WHERE destination_number_id = changed.destination_number_id AND callback_id = ''
    AND first_post_at >= changed.quarter_hour AND first_post_at < changed.quarter_hour + interval '15 minutes'
) AS call
CROSS JOIN generate_series(quarter_hour, coalesce(until, quarter_hour), interval '15 minutes') AS slot"""

GOING_IN_CHANGED = f"""
SELECT destination_number_id, quarter_hour, is_open, first_post_at, until
FROM changed CROSS JOIN LATERAL (
  SELECT first_post_at, {UNTIL} AS until FROM calls_call
  WHERE destination_number_id = changed.destination_number_id AND callback_id = ''
    AND first_post_at >= changed.quarter_hour - {FOLLOWED}
    AND first_post_at < changed.quarter_hour + interval '15 minutes'
    AND {UNTIL} >= changed.quarter_hour {FENCE}
) AS call"""

GOING_IN_ALL = f"""
SELECT destination_number_id, slot AS quarter_hour, NULL::boolean AS is_open, first_post_at, until
FROM (SELECT destination_number_id, first_post_at, {UNTIL} AS until FROM calls_call WHERE callback_id = '') AS call
CROSS JOIN generate_series({quarter_hour_sql("first_post_at")}, until, interval '15 minutes') AS slot"""

# The number of ongoing calls from each moment on: one more at each start, one less after each end.
_STEPS = f"""
SELECT {_PLACE}, at, sum(step) OVER (
  PARTITION BY destination_number_id, quarter_hour ORDER BY at, step DESC
) AS going_on
FROM going CROSS JOIN LATERAL (VALUES (greatest(first_post_at, quarter_hour), 1), (until, -1)) AS point (at, step)"""
COUNT_PEAKS = f"""
SELECT {_PLACE}, max(going_on) AS peak FROM ({_STEPS}) AS step GROUP BY {_PLACE}"""
# The first moment of the peak of a number in a quarter-hour.
BUSIEST_MOMENT = f"""
WITH changed AS (SELECT %s AS destination_number_id, %s AS quarter_hour, NULL::boolean AS is_open),
going AS ({GOING_IN_CHANGED})
SELECT at FROM ({_STEPS}) AS step ORDER BY going_on DESC, at LIMIT 1"""
PEAK_KEYS = ("destination_number_id", "quarter_hour")


# --- Replacing -----------------------------------------------------------------------------------


def replacing(
    table: str,
    counting: str,
    keys: tuple[str, ...],
    figures: tuple[str, ...],
    scope: str,
    *,
    scope_keys: tuple[str, ...] = (),
) -> str:
    """Return the parts of a WITH that make `table` hold exactly what `counting` returns for `scope`.

    Rows that `counting` does not return are deleted; unchanged rows are not written. `scope` selects rows by
    `scope_keys`, by default the first two keys: the number and a time. One statement may replace several tables, if
    `counting` reads none of them."""
    names = ", ".join((*keys, *figures))
    in_scope = " AND ".join(f"{table}.{key} = scope.{key}" for key in scope_keys or keys[:2])
    return f"""
counted_{table} AS MATERIALIZED ({counting}),
old_{table} AS MATERIALIZED (
  SELECT old.* FROM {scope} AS scope
  CROSS JOIN LATERAL (SELECT ctid AS place, {names} FROM {table} WHERE {in_scope} {FENCE}) AS old
),
gone_{table} AS (
  DELETE FROM {table} WHERE ctid = ANY (ARRAY(
    SELECT place FROM old_{table} AS old WHERE NOT EXISTS (
      SELECT FROM counted_{table} AS counted WHERE {" AND ".join(f"counted.{key} = old.{key}" for key in keys)}
    )
  ))
),
replaced_{table} AS (
  INSERT INTO {table} ({names})
  SELECT {names} FROM counted_{table} EXCEPT SELECT {names} FROM old_{table}
  ON CONFLICT ({", ".join(keys)}) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in figures)}
)"""
