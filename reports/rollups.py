"""Recounts quarter-hours and days, exactly, while posts keep arriving: never increments, always replaces.

A roll-up takes rows of the changed-quarter-hour log, then counts those quarter-hours in a later statement of the same
READ COMMITTED transaction: whatever had been logged when it took them is visible to it, and what comes later is
logged again. An advisory lock lets one roll-up work at a time."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection, transaction
from django.db.models import BooleanField, ExpressionWrapper, Q
from django.db.models.expressions import RawSQL
from django.db.models.functions import Extract

from calls.models import QUARTER_HOUR, Call, RequestType
from reports.outcomes import IN_TIME, IS_OFFERED, OUTCOME, RING_TIME, TALK_TIME, TIME_TO_ANSWER, Outcome

logger = logging.getLogger(__name__)

LOCK = 0x726F6C6C
MOST_LOG_ROWS = 100_000  # taken in one transaction

COUNTED = (
    "offered",
    *Outcome.values,
    "answered_after_start",
    "answered_in_time",
    "time_to_answer_s",
    "ring_s",
    "ring_calls",
    "talk_s",
    "talk_calls",
)
BLOCKS_COUNTED = ("blocks", "calls", "last_in_call", "lost")

# What makes a row of each table unique; the time is always second.
KEYS = ("destination_number_id", "quarter_hour")
BLOCK_KEYS = (*KEYS, "block_type")
DAY_KEYS = ("destination_number_id", "day")
DAY_BLOCK_KEYS = (*DAY_KEYS, "block_type")
FIRST_POST_KEYS = ("destination_number_id", "quarter_hour", "request_type", "received_at")


class ZoneChanged(Exception):  # noqa: N818 (a state of the installation, not a fault)
    """The days were counted in another zone than the reports' zone now is."""

    def __init__(self, counted_in: str) -> None:
        super().__init__(
            f"The days were counted in {counted_in}, and TIME_ZONE is now {settings.TIME_ZONE}: "
            "run `manage.py rebuild_counts` once, or set TIME_ZONE back."
        )


# --- The statements --------------------------------------------------------------------------

SQL = tuple[str, list[Any]]

# Keeps PostgreSQL from joining whole tables where an index answers for the few quarter-hours in question.
FENCE = "OFFSET 0"

# The quarter-hours to recount, as two parallel arrays.
CHANGED = """
changed AS MATERIALIZED (
  SELECT * FROM unnest(%s::bigint[], %s::timestamptz[]) AS changed (destination_number_id, quarter_hour)
)"""

COUNT_QUARTER_HOURS = f"""
SELECT destination_number_id, quarter_hour, count(*) AS offered,
  {", ".join(f"count(*) FILTER (WHERE outcome = '{outcome}') AS {outcome}" for outcome in Outcome.values)},
  count(time_to_answer_s) AS answered_after_start, count(*) FILTER (WHERE in_time) AS answered_in_time,
  coalesce(sum(time_to_answer_s), 0) AS time_to_answer_s,
  coalesce(sum(ring_s), 0) AS ring_s, count(ring_s) AS ring_calls,
  coalesce(sum(talk_s), 0) AS talk_s, count(talk_s) AS talk_calls
FROM judged
GROUP BY destination_number_id, quarter_hour"""

COUNT_BLOCKS = """
SELECT destination_number_id, quarter_hour, block_type, count(*) AS blocks, count(DISTINCT call_id) AS calls,
  count(*) FILTER (WHERE is_last AND is_ended_unanswered) AS last_in_call,
  count(*) FILTER (WHERE is_last AND is_ended_unanswered AND outcome IN ('missed', 'abandoned')) AS lost
FROM (
  SELECT judged.*, event.call_id, event.block_type,
    row_number() OVER (
      PARTITION BY event.call_id ORDER BY event.received_at DESC, event.ingest_id DESC
    ) = 1 AS is_last
  FROM judged JOIN LATERAL (
    SELECT call_id, block_type, received_at, ingest_id FROM calls_callevent
    WHERE call_id = judged.id AND request_type = 'BLOCK_END' {fence}
  ) AS event ON true
) AS block
GROUP BY destination_number_id, quarter_hour, block_type"""


def _judged(**restriction: Any) -> SQL:
    """Each offered call with what it came to: one row per call, by the definitions of reports.outcomes."""
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
        )
    )
    statement, parameters = calls.query.sql_with_params()
    return statement, list(parameters)


@cache
def _judged_of_changed() -> SQL:
    """The same for the quarter-hours in `changed`, each found by its index."""
    statement, parameters = _judged(
        destination_number_id=RawSQL("changed.destination_number_id", []),
        first_post_at__gte=RawSQL("changed.quarter_hour", []),
        first_post_at__lt=RawSQL("changed.quarter_hour + interval '15 minutes'", []),
    )
    return f"SELECT call.* FROM changed CROSS JOIN LATERAL ({statement} {FENCE}) AS call", parameters


def _replace(table: str, counting: str, keys: tuple[str, ...], figures: tuple[str, ...], scope: str) -> str:
    """A statement that makes `table` hold exactly what `counting` gives for `scope`: rows that vanish are removed."""
    names = ", ".join((*keys, *figures))
    same = " AND ".join(f"counted.{key} = old.{key}" for key in keys)
    return f"""
counted AS MATERIALIZED ({counting}),
gone AS (
  DELETE FROM {table} AS old USING {scope} AS scope
  WHERE old.destination_number_id = scope.destination_number_id AND old.{keys[1]} = scope.{keys[1]}
    AND NOT EXISTS (SELECT FROM counted WHERE {same})
)
INSERT INTO {table} ({names}) SELECT {names} FROM counted
ON CONFLICT ({", ".join(keys)}) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in figures)}"""


def _sum_days(table: str, keys: str, figures: tuple[str, ...]) -> str:
    """Days add up from their quarter-hours: in every zone in use a day begins with a quarter-hour.

    Where the clock goes back over midnight a day has two beginnings, of which PostgreSQL takes the later: so the
    index gives three hours more at either end, and the local date of each quarter-hour decides."""
    return f"""
SELECT {keys}, {", ".join(f"sum({name}) AS {name}" for name in figures)}
FROM (
  SELECT scope.day, counts.* FROM changed_day AS scope CROSS JOIN LATERAL (
    SELECT * FROM {table} AS counts
    WHERE counts.destination_number_id = scope.destination_number_id
      AND counts.quarter_hour >= scope.day::timestamp AT TIME ZONE scope.time_zone - interval '3 hours'
      AND counts.quarter_hour < (scope.day + 1)::timestamp AT TIME ZONE scope.time_zone + interval '3 hours'
      AND (counts.quarter_hour AT TIME ZONE scope.time_zone)::date = scope.day {FENCE}
  ) AS counts
) AS quarter_hour_of_day
GROUP BY {keys}"""


CHANGED_DAYS = """
changed_day AS MATERIALIZED (
  SELECT DISTINCT destination_number_id, (quarter_hour AT TIME ZONE zone.name)::date AS day, zone.name AS time_zone
  FROM changed CROSS JOIN (SELECT %s::text AS name) AS zone
)"""

EVENTS_OF_CHANGED = f"""
changed CROSS JOIN LATERAL (
  SELECT id FROM calls_call
  WHERE destination_number_id = changed.destination_number_id
    AND first_post_at >= changed.quarter_hour AND first_post_at < changed.quarter_hour + interval '15 minutes' {FENCE}
) AS call CROSS JOIN LATERAL (
  SELECT request_type, access_key_id, received_at FROM calls_callevent WHERE call_id = call.id {FENCE}
) AS event"""

# The first by receipt decides, and of two at once that of the earlier call; a call that moves takes it along.
NOTE_FIRST_POSTS = f"""
WITH {CHANGED}
INSERT INTO reports_firstpost AS known (destination_number_id, request_type, quarter_hour, received_at)
SELECT DISTINCT ON (changed.destination_number_id, event.request_type)
  changed.destination_number_id, event.request_type, changed.quarter_hour, event.received_at
FROM {EVENTS_OF_CHANGED} WHERE event.request_type = ANY(%s)
ORDER BY changed.destination_number_id, event.request_type, event.received_at, changed.quarter_hour
ON CONFLICT (destination_number_id, request_type) DO UPDATE
  SET quarter_hour = excluded.quarter_hour, received_at = excluded.received_at
  WHERE (known.received_at, known.quarter_hour) > (excluded.received_at, excluded.quarter_hour)"""

NOTE_LAST_POSTS = f"""
WITH {CHANGED}
UPDATE reports_firstpost AS known SET last_received_at = seen.received_at
FROM (
  SELECT changed.destination_number_id, event.request_type, max(event.received_at) AS received_at
  FROM {EVENTS_OF_CHANGED}
  GROUP BY 1, 2
) AS seen
WHERE known.destination_number_id = seen.destination_number_id AND known.request_type = seen.request_type
  AND (known.last_received_at IS NULL OR known.last_received_at < seen.received_at)"""

NOTE_KEYS_USED = f"""
WITH {CHANGED}
UPDATE calls_accesskey AS access_key SET last_used_at = used.received_at
FROM (
  SELECT event.access_key_id, max(event.received_at) AS received_at
  FROM {EVENTS_OF_CHANGED}
  GROUP BY event.access_key_id
) AS used
WHERE access_key.id = used.access_key_id
  AND (access_key.last_used_at IS NULL OR access_key.last_used_at < used.received_at)"""

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
        _recount(cursor, changed)
        cursor.execute(NOTE_ROLL_UP, [now, settings.TIME_ZONE])
    return len(changed)


def _recount(cursor: Any, changed: list[tuple[int, datetime]]) -> None:
    """Make all counts of these quarter-hours, and of their days, what the calls add up to."""
    if not changed:
        return
    pairs: list[Any] = [[number for number, _ in changed], [quarter_hour for _, quarter_hour in changed]]
    judged, parameters = _judged_of_changed()
    for table, counting, keys, figures in (
        ("reports_quarterhourcounts", COUNT_QUARTER_HOURS, KEYS, COUNTED),
        ("reports_quarterhourblockcounts", COUNT_BLOCKS.format(fence=FENCE), BLOCK_KEYS, BLOCKS_COUNTED),
    ):
        cursor.execute(
            f"WITH {CHANGED}, judged AS MATERIALIZED ({judged}), "
            + _replace(table, counting, keys, figures, "changed"),
            [*pairs, *parameters],
        )
    # In statements of their own, for they read what the ones above have written.
    for table, source, keys, figures in (
        ("reports_daycounts", "reports_quarterhourcounts", DAY_KEYS, COUNTED),
        ("reports_dayblockcounts", "reports_quarterhourblockcounts", DAY_BLOCK_KEYS, BLOCKS_COUNTED),
    ):
        counting = _sum_days(source, ", ".join(keys), figures)
        cursor.execute(
            f"WITH {CHANGED}, {CHANGED_DAYS}, " + _replace(table, counting, keys, figures, "changed_day"),
            [*pairs, settings.TIME_ZONE],
        )
    cursor.execute(NOTE_FIRST_POSTS, [*pairs, RequestType.values])
    cursor.execute(NOTE_LAST_POSTS, pairs)
    cursor.execute(NOTE_KEYS_USED, pairs)


@transaction.atomic
def rebuild() -> int:
    """Count everything again, in the zone that now is; return the number of quarter-hours.

    Readers see the old counts until the new ones are whole; posts are taken meanwhile and counted afterwards."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        for table in (
            "quarterhourcounts",
            "quarterhourblockcounts",
            "daycounts",
            "dayblockcounts",
            "firstpost",
        ):
            cursor.execute(f"DELETE FROM reports_{table}")
        cursor.execute("SELECT now()")
        now = cursor.fetchone()[0]
        # The log goes on from here: what it names is among the calls that the next statement sees.
        cursor.execute("DELETE FROM calls_changedquarterhour")
        cursor.execute(
            "SELECT destination_number_id, date_bin('15 minutes', first_post_at, '1970-01-01 00:00:00+00') "
            "FROM calls_call GROUP BY 1, 2 ORDER BY 1, 2"
        )
        changed = cursor.fetchall()
        for first in range(0, len(changed), 20_000):
            _recount(cursor, changed[first : first + 20_000])
        cursor.execute(NOTE_ROLL_UP, [now, settings.TIME_ZONE])
    return len(changed)


# --- Proof -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """A count that is not what the calls add up to."""

    table: str
    number_id: int
    destination_number: str
    when: datetime | date
    what: str = ""

    def __str__(self) -> str:
        return f"{self.table}: {self.destination_number} {self.when.isoformat()} {self.what}".rstrip()


FIRST_POSTS = """
SELECT DISTINCT ON (call.destination_number_id, event.request_type)
  call.destination_number_id, event.request_type,
  date_bin('15 minutes', call.first_post_at, '1970-01-01 00:00:00+00') AS quarter_hour, event.received_at
FROM calls_call AS call JOIN calls_callevent AS event ON event.call_id = call.id
WHERE event.request_type = ANY(%s)
ORDER BY 1, 2, event.received_at, quarter_hour"""

WAITING = """
EXISTS (
  SELECT FROM calls_changedquarterhour AS log
  WHERE log.destination_number_id = difference.destination_number_id AND {condition}
)"""


def differences() -> Iterator[Difference]:
    """Recount everything that does not wait in the log, in one snapshot, and yield the counts that differ.

    Raise ZoneChanged where the days are of another zone than the reports' zone now is."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        judged, parameters = _judged()
        zone = settings.TIME_ZONE
        cursor.execute("SELECT time_zone FROM reports_rollup WHERE time_zone <> %s", [zone])
        for (counted_in,) in cursor.fetchall():
            raise ZoneChanged(counted_in)
        all_days = """changed_day AS (
            SELECT DISTINCT destination_number_id, (quarter_hour AT TIME ZONE %s)::date AS day, %s AS time_zone
            FROM reports_quarterhourcounts)"""
        for table, before, expected, keys, figures, values in (
            (
                "quarterhourcounts",
                f"judged AS MATERIALIZED ({judged})",
                COUNT_QUARTER_HOURS,
                KEYS,
                COUNTED,
                parameters,
            ),
            (
                "quarterhourblockcounts",
                f"judged AS MATERIALIZED ({judged})",
                COUNT_BLOCKS.format(fence=""),
                BLOCK_KEYS,
                BLOCKS_COUNTED,
                parameters,
            ),
            (
                "daycounts",
                all_days,
                _sum_days("reports_quarterhourcounts", ", ".join(DAY_KEYS), COUNTED),
                DAY_KEYS,
                COUNTED,
                [zone, zone],
            ),
            (
                "dayblockcounts",
                all_days,
                _sum_days("reports_quarterhourblockcounts", ", ".join(DAY_BLOCK_KEYS), BLOCKS_COUNTED),
                DAY_BLOCK_KEYS,
                BLOCKS_COUNTED,
                [zone, zone],
            ),
            ("firstpost", "", FIRST_POSTS, FIRST_POST_KEYS, (), [RequestType.values]),
        ):
            names = ", ".join((*keys, *figures))
            # Days and their quarter-hours are written in one transaction: no day waits for its quarter-hours.
            waiting = {
                "quarterhourcounts": "log.quarter_hour = difference.quarter_hour",
                "quarterhourblockcounts": "log.quarter_hour = difference.quarter_hour",
                "firstpost": "true",
            }.get(table, "false")
            cursor.execute(
                f"""
                WITH {before + "," if before else ""}
                expected AS (SELECT {names} FROM ({expected}) AS expected),
                stored AS (SELECT {names} FROM reports_{table}),
                difference AS (
                  (TABLE expected EXCEPT TABLE stored) UNION ALL (TABLE stored EXCEPT TABLE expected)
                )
                SELECT DISTINCT number.e164, number.id, {", ".join(f"difference.{key}" for key in keys[1:])}
                FROM difference JOIN calls_destinationnumber AS number ON number.id = destination_number_id
                WHERE NOT {WAITING.format(condition=waiting)}
                ORDER BY 1, 2""",
                values,
            )
            for e164, number_id, when, *rest in cursor.fetchall():
                yield Difference(table, number_id, e164, when, " ".join(map(str, rest)))


@transaction.atomic
def mend(found: list[Difference]) -> None:
    """Count again what differs."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        changed = {
            (difference.number_id, _moment(difference.when)) for difference in found if difference.table != "firstpost"
        }
        _recount(cursor, sorted(changed))
        if any(difference.table == "firstpost" for difference in found):
            cursor.execute("DELETE FROM reports_firstpost")
            cursor.execute(
                "INSERT INTO reports_firstpost (destination_number_id, request_type, quarter_hour, received_at) "
                + FIRST_POSTS,
                [RequestType.values],
            )


def _moment(when: datetime | date) -> datetime:
    """The quarter-hour itself, or the first one of a day: counting it again counts its day again."""
    if isinstance(when, datetime):
        return when
    return datetime.combine(when, time(), ZoneInfo(settings.TIME_ZONE))
