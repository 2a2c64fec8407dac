"""Recounts quarter-hours, days and months while posts keep arriving. Counts are replaced, never incremented.

A roll-up takes rows of the changed-quarter-hour log, then counts those quarter-hours in a later statement of the same
READ COMMITTED transaction. It sees every call logged before it took the rows; later calls are logged again. An
advisory lock allows one roll-up at a time. count_tables says what is counted, and how."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from functools import cache
from itertools import count
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection, transaction

from calls.models import DestinationNumber, RequestType
from calls.opening_hours import Schedule
from calls.quarter_hours import quarter_hour_sql
from reports.counting import count_tables, measured
from reports.counting.count_tables import CHANGED, FENCE, TABLES

logger = logging.getLogger(__name__)

LOCK = 0x726F6C6C
MOST_LOG_ROWS = 100_000  # taken in one transaction
FEW = 100  # quarter-hours
MOST_AT_ONCE = 20_000  # quarter-hours
MONTH_DURATIONS, DAY_DURATIONS = "reports_monthdurations", "reports_daydurations"


class ZoneChanged(Exception):  # noqa: N818 (a state of the installation, not a fault)
    """The days were counted in a time zone other than the reports' current one."""

    def __init__(self, counted_in: str) -> None:
        super().__init__(
            f"The days were counted in {counted_in}, and TIME_ZONE is now {settings.TIME_ZONE}: "
            "run `manage.py rebuild_counts` once, or set TIME_ZONE back."
        )


# --- Statements ------------------------------------------------------------------------------------
#
# Each begins with CHANGED. They run in order, because each reads what the previous ones wrote.


def _numbered(statement: str) -> str:
    """Return a statement with numbered parameters, PostgreSQL's own form. psycopg does not cache statements of this
    length and would parse the parameters each time."""
    numbers = count(1)
    return re.sub("%[s%]", lambda match: f"${next(numbers)}" if match[0] == "%s" else "%", statement)


_COUNT_QUARTER_HOURS = f"""
WITH {CHANGED}, {measured.arrivals("changed")}, judged AS MATERIALIZED ({{judged}}), {
    ", ".join(
        count_tables.replacing(
            table.of_quarter_hours,
            table.counting.replace("{fence}", FENCE),
            table.quarter_hour_keys,
            ("is_open", "measured", *table.sums, *table.lists),
            "changed",
        )
        for table in TABLES
    )
} SELECT"""


@cache
def count_quarter_hours() -> count_tables.SQL:
    """Return the statement, and its parameters after the quarter-hours to count."""
    judged, parameters = count_tables.judged_of_changed()
    return _numbered(_COUNT_QUARTER_HOURS.replace("{judged}", judged)), parameters


SUM_DAYS_AND_HOURS = _numbered(f"""
WITH {CHANGED}, {count_tables.CHANGED_DAYS}, {count_tables.CHANGED_HOURS}, {
    ", ".join(
        count_tables.replacing(table.of_days, count_tables.sum_days(table), table.day_keys, table.sums, "changed_day")
        for table in TABLES
    )
}, {
    count_tables.replacing(
        count_tables.HOURS,
        count_tables.SUM_HOURS,
        count_tables.HOUR_KEYS,
        count_tables.HOUR_SUMS,
        "changed_hour",
        scope_keys=count_tables.HOUR_SCOPE,
    )
}, forgotten AS (
  -- The sums of durations; reports.counting.added_durations makes them again.
  DELETE FROM {DAY_DURATIONS} AS durations USING changed_day
  WHERE durations.destination_number_id = changed_day.destination_number_id AND durations.day = changed_day.day
) SELECT""")

SUM_MONTHS = _numbered(f"""
WITH {CHANGED}, {count_tables.CHANGED_MONTHS}, {
    ", ".join(
        count_tables.replacing(
            table.of_months, count_tables.sum_months(table), table.month_keys, table.sums, "changed_month"
        )
        for table in TABLES
    )
}, forgotten AS (
  -- As those of days.
  DELETE FROM {MONTH_DURATIONS} AS durations USING changed_month
  WHERE durations.destination_number_id = changed_month.destination_number_id
    AND durations.month = changed_month.month
) SELECT""")

FIND_TOUCHED = _numbered(f"WITH {CHANGED} {count_tables.TOUCHED_BY_CHANGED}")

COUNT_PEAKS = _numbered(f"""
WITH {CHANGED}, going AS MATERIALIZED ({count_tables.GOING_IN_CHANGED}), {
    count_tables.replacing(
        count_tables.PEAKS, count_tables.COUNT_PEAKS, count_tables.PEAK_KEYS, ("is_open", "peak"), "changed"
    )
} SELECT""")

# The first post received decides; if two were received at once, that of the earlier call. If that call moves to an
# earlier quarter-hour, so does its first post.
NOTE_POSTS_AND_KEYS = _numbered(f"""
WITH {CHANGED}, event AS MATERIALIZED (
  SELECT changed.destination_number_id, changed.quarter_hour, event.*
  FROM changed CROSS JOIN LATERAL (
    SELECT id FROM calls_call
    WHERE destination_number_id = changed.destination_number_id
      AND first_post_at >= changed.quarter_hour AND first_post_at < changed.quarter_hour + interval '15 minutes' {FENCE}
  ) AS call CROSS JOIN LATERAL (
    SELECT request_type, access_key_id, received_at FROM calls_callevent WHERE call_id = call.id {FENCE}
  ) AS event
),
posts AS (
  INSERT INTO reports_firstpost AS known
    (destination_number_id, request_type, quarter_hour, received_at, last_received_at)
  SELECT DISTINCT ON (destination_number_id, request_type)
    destination_number_id, request_type, quarter_hour, received_at,
    max(received_at) OVER (PARTITION BY destination_number_id, request_type)
  FROM event WHERE request_type = ANY(%s)
  ORDER BY destination_number_id, request_type, received_at, quarter_hour
  ON CONFLICT (destination_number_id, request_type) DO UPDATE SET
    quarter_hour = CASE
      WHEN (excluded.received_at, excluded.quarter_hour) < (known.received_at, known.quarter_hour)
      THEN excluded.quarter_hour ELSE known.quarter_hour END,
    received_at = least(known.received_at, excluded.received_at),
    last_received_at = greatest(known.last_received_at, excluded.last_received_at)
  WHERE (excluded.received_at, excluded.quarter_hour) < (known.received_at, known.quarter_hour)
    OR known.last_received_at IS NULL OR known.last_received_at < excluded.last_received_at
  RETURNING destination_number_id, request_type, quarter_hour
),
keys AS (
  UPDATE calls_accesskey AS access_key SET last_used_at = used.received_at
  FROM (SELECT access_key_id, max(received_at) AS received_at FROM event GROUP BY access_key_id) AS used
  WHERE access_key.id = used.access_key_id
    AND (access_key.last_used_at IS NULL OR access_key.last_used_at < used.received_at)
) SELECT destination_number_id, request_type, quarter_hour FROM posts""")

TAKE_LOG = """
WITH taken AS (
  DELETE FROM calls_changedquarterhour
  WHERE id IN (SELECT id FROM calls_changedquarterhour WHERE id <= %s ORDER BY id LIMIT %s)
  RETURNING destination_number_id, quarter_hour
)
SELECT destination_number_id, quarter_hour FROM taken GROUP BY 1, 2 ORDER BY 1, 2"""

NOTE_ROLL_UP = """
INSERT INTO reports_rollup (id, counted_at, time_zone) VALUES (1, %s, %s)
ON CONFLICT (id) DO UPDATE SET counted_at = excluded.counted_at, time_zone = excluded.time_zone"""


# --- Recounting ------------------------------------------------------------------------------


def recount_changed(*, wait: bool = False) -> int:
    """Recount the quarter-hours now in the log; return how many. Rows added meanwhile are left for the next roll-up.

    If another roll-up is running, wait for it or return. Raise ZoneChanged if days would mix two time zones."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM calls_changedquarterhour")
        last = cursor.fetchone()[0]
    counted = 0
    while taken := _recount_some(last, wait):
        counted += taken
    return counted


@transaction.atomic
def _recount_some(last: int, wait: bool) -> int:
    """Recount one batch of the log, up to the row `last`; return 0 if another roll-up is running."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_{'' if wait else 'try_'}advisory_xact_lock(%s)", [LOCK])
        if cursor.fetchone()[0] is False:
            return 0
        cursor.execute("SELECT now(), (SELECT time_zone FROM reports_rollup)")
        now, zone = cursor.fetchone()
        if zone not in {None, settings.TIME_ZONE}:
            raise ZoneChanged(zone)
        cursor.execute(TAKE_LOG, [last, MOST_LOG_ROWS])
        changed = cursor.fetchall()
        recount(changed)
        cursor.execute(NOTE_ROLL_UP, [now, settings.TIME_ZONE])
    return len(changed)


def recount(changed: Iterable[tuple[int, datetime]]) -> None:
    """Recount these quarter-hours and their days, months and hours of the week. Needs a transaction."""
    quarter_hours = set(changed)
    if not quarter_hours:
        return
    _count(sorted(quarter_hours | _note_posts(quarter_hours)))


def _count(changed: list[tuple[int, datetime]]) -> None:
    """Write the counts of these quarter-hours and their days, months and hours. First posts must be noted before."""
    schedules = _schedules({number for number, _ in changed})
    arrays = _arrays(changed, schedules)
    counting, parameters = count_quarter_hours()
    with _cursor(is_for_few=len(changed) <= FEW) as cursor:
        cursor.execute(counting, [*arrays, *parameters])
        cursor.execute(SUM_DAYS_AND_HOURS, [*arrays, settings.TIME_ZONE, settings.TIME_ZONE])
        cursor.execute(SUM_MONTHS, [*arrays, settings.TIME_ZONE])
        touched = cursor.execute(FIND_TOUCHED, arrays).fetchall()
        cursor.execute(COUNT_PEAKS, _arrays(touched, schedules))


def _note_posts(changed: Collection[tuple[int, datetime]]) -> set[tuple[int, datetime]]:
    """Note the first and last posts and the use of keys in these quarter-hours.

    Return the quarter-hours already counted whose measured posts have changed by this."""
    before = measured.first_posts({number for number, _ in changed})
    with _cursor(is_for_few=len(changed) <= FEW) as cursor:
        noted = cursor.execute(NOTE_POSTS_AND_KEYS, [*_arrays(list(changed), {}), RequestType.values]).fetchall()
    after = before | {(number, request_type): quarter_hour for number, request_type, quarter_hour in noted}
    return measured.counted_otherwise(before, after)


@contextlib.contextmanager
def _cursor(*, is_for_few: bool) -> Iterator[psycopg.RawCursor]:
    """Yield a cursor on Django's connection.

    For few quarter-hours, parsing and planning would take most of the time, so statements are prepared once per
    connection. For many, each statement is planned for its parameters."""
    of_django = connection.connection
    threshold, of_django.prepare_threshold = of_django.prepare_threshold, 0 if is_for_few else None
    try:
        with of_django.pipeline(), psycopg.RawCursor(of_django) as cursor:
            if is_for_few:
                cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan", prepare=False)
            yield cursor
    finally:
        of_django.prepare_threshold = threshold


def _schedules(numbers: Iterable[int]) -> dict[int, Schedule]:
    """Return the opening hours of the numbers that have any.

    Most have none, so plain SQL asks for that first: the ORM's query would take a tenth of a recount."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM calls_destinationnumber WHERE id = ANY(%s) AND opening_hours_id IS NOT NULL", [[*numbers]]
        )
        with_hours = [number for (number,) in cursor.fetchall()]
    return DestinationNumber.objects.filter(pk__in=with_hours).schedules() if with_hours else {}


def _arrays(changed: list[tuple[int, datetime]], schedules: dict[int, Schedule]) -> list[list[Any]]:
    """Return numbers, quarter-hours, and whether each lies inside the number's opening hours, as CHANGED takes them."""
    return [
        [number for number, _ in changed],
        [quarter_hour for _, quarter_hour in changed],
        [number not in schedules or schedules[number].is_open(quarter_hour) for number, quarter_hour in changed],
    ]


@transaction.atomic
def rebuild() -> int:
    """Recount everything in the current time zone; return the number of quarter-hours.

    Readers see the old counts until this commits; posts that arrive meanwhile are stored and counted afterwards."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        counted = [name for table in TABLES for name in (table.of_quarter_hours, table.of_days, table.of_months)]
        others = (count_tables.HOURS, MONTH_DURATIONS, DAY_DURATIONS, count_tables.PEAKS, "reports_firstpost")
        for name in (*counted, *others):
            cursor.execute(f"DELETE FROM {name}")
        cursor.execute("SELECT now()")
        now = cursor.fetchone()[0]
        # Empty the log: the next statement sees all calls that it names.
        cursor.execute("DELETE FROM calls_changedquarterhour")
        cursor.execute(
            f"SELECT destination_number_id, {quarter_hour_sql('first_post_at')} "
            "FROM calls_call GROUP BY 1, 2 ORDER BY 1, 2"
        )
        changed = cursor.fetchall()
        # Note all first posts before counting, because they say what is measured.
        parts = [changed[first : first + MOST_AT_ONCE] for first in range(0, len(changed), MOST_AT_ONCE)]
        for part in parts:
            _note_posts(part)
        for part in parts:
            _count(part)
        cursor.execute(NOTE_ROLL_UP, [now, settings.TIME_ZONE])
    return len(changed)
