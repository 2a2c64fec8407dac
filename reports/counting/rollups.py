"""Recounts quarter-hours, days and months, exactly, while posts keep arriving: never increments, always replaces.

A roll-up takes rows of the changed-quarter-hour log, then counts those quarter-hours in a later statement of the same
READ COMMITTED transaction: whatever had been logged when it took them is visible to it, and what comes later is
logged again. An advisory lock lets one roll-up work at a time. What is counted, and how: count_tables."""

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
MONTH_DURATIONS = "reports_monthdurations"


class ZoneChanged(Exception):  # noqa: N818 (a state of the installation, not a fault)
    """The days were counted in another zone than the reports' zone now is."""

    def __init__(self, counted_in: str) -> None:
        super().__init__(
            f"The days were counted in {counted_in}, and TIME_ZONE is now {settings.TIME_ZONE}: "
            "run `manage.py rebuild_counts` once, or set TIME_ZONE back."
        )


# --- Statements ------------------------------------------------------------------------------------
#
# Each begins with CHANGED. They run one after the other, for each reads what those before it have written.


def _numbered(statement: str) -> str:
    """Return a statement with its parameters by number, as PostgreSQL takes them: psycopg does not remember a statement
    of this length, and would look for them each time."""
    numbers = count(1)
    return re.sub("%[s%]", lambda found: f"${next(numbers)}" if found[0] == "%s" else "%", statement)


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
} SELECT""")

SUM_MONTHS = _numbered(f"""
WITH {CHANGED}, {count_tables.CHANGED_MONTHS}, {
    ", ".join(
        count_tables.replacing(
            table.of_months, count_tables.sum_months(table), table.month_keys, table.sums, "changed_month"
        )
        for table in TABLES
    )
}, forgotten AS (
  -- What was added up of durations; reports.counting.month_durations makes it again.
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

# The first by receipt decides, and of two at once that of the earlier call; a call that moves takes it along.
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
    """Count again what the log holds now; return how many quarter-hours that were. What comes meanwhile is for later.

    Where another roll-up is at work, wait for it, or leave the work to it. Raise ZoneChanged where days would mix
    two zones."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM calls_changedquarterhour")
        last = cursor.fetchone()[0]
    counted = 0
    while taken := _recount_some(last, wait):
        counted += taken
    return counted


@transaction.atomic
def _recount_some(last: int, wait: bool) -> int:
    """Count what one helping of the log, up to a row, names; nothing where another roll-up is at work."""
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
    """Make all counts of these quarter-hours, and of what they lie in, what the calls add up to. In a transaction."""
    named = set(changed)
    if not named:
        return
    _count(sorted(named | _note_posts(named)))


def _count(changed: list[tuple[int, datetime]]) -> None:
    """Make the counts of these quarter-hours, and of what they lie in. The first posts are noted by then."""
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
    """Note which posts and keys came first and last in these quarter-hours. Return the quarter-hours counted before of
    which other posts are measured now."""
    before = measured.first_posts({number for number, _ in changed})
    with _cursor(is_for_few=len(changed) <= FEW) as cursor:
        noted = cursor.execute(NOTE_POSTS_AND_KEYS, [*_arrays(list(changed), {}), RequestType.values]).fetchall()
    after = before | {(number, request_type): quarter_hour for number, request_type, quarter_hour in noted}
    return measured.counted_otherwise(before, after)


@contextlib.contextmanager
def _cursor(*, is_for_few: bool) -> Iterator[psycopg.RawCursor]:
    """Yield a cursor on Django's connection. For few quarter-hours most of the time would go into reading and planning
    the statements: so they are prepared once a connection. For many the plan is made for so many."""
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
    """Return the opening hours of those numbers that have any. Most have none, which is asked for plainly: what the ORM
    asks would take a tenth of a recount."""
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
    """Count everything again, in the zone that now is; return the number of quarter-hours.

    Readers see the old counts until the new ones are whole; posts are taken meanwhile and counted afterwards."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        counted = [name for table in TABLES for name in (table.of_quarter_hours, table.of_days, table.of_months)]
        for name in (*counted, count_tables.HOURS, MONTH_DURATIONS, count_tables.PEAKS, "reports_firstpost"):
            cursor.execute(f"DELETE FROM {name}")
        cursor.execute("SELECT now()")
        now = cursor.fetchone()[0]
        # The log goes on from here: what it names is among the calls that the next statement sees.
        cursor.execute("DELETE FROM calls_changedquarterhour")
        cursor.execute(
            f"SELECT destination_number_id, {quarter_hour_sql('first_post_at')} "
            "FROM calls_call GROUP BY 1, 2 ORDER BY 1, 2"
        )
        changed = cursor.fetchall()
        # All first posts before the first count, for they say what is measured in it.
        parts = [changed[first : first + MOST_AT_ONCE] for first in range(0, len(changed), MOST_AT_ONCE)]
        for part in parts:
            _note_posts(part)
        for part in parts:
            _count(part)
        cursor.execute(NOTE_ROLL_UP, [now, settings.TIME_ZONE])
    return len(changed)
