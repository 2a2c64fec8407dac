"""Recounts quarter-hours, days and months, exactly, while posts keep arriving: never increments, always replaces.

A roll-up takes rows of the changed-quarter-hour log, then counts those quarter-hours in a later statement of the same
READ COMMITTED transaction: whatever had been logged when it took them is visible to it, and what comes later is
logged again. An advisory lock lets one roll-up work at a time. What is counted, and how: reports.countings."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from calls.models import DestinationNumber, RequestType
from calls.opening import Schedule
from reports import countings
from reports.countings import CHANGED, CHANGED_DAYS, CHANGED_MONTHS, FENCE, TABLES, replace

logger = logging.getLogger(__name__)

LOCK = 0x726F6C6C
MOST_LOG_ROWS = 100_000  # taken in one transaction


class ZoneChanged(Exception):  # noqa: N818 (a state of the installation, not a fault)
    """The days were counted in another zone than the reports' zone now is."""

    def __init__(self, counted_in: str) -> None:
        super().__init__(
            f"The days were counted in {counted_in}, and TIME_ZONE is now {settings.TIME_ZONE}: "
            "run `manage.py rebuild_counts` once, or set TIME_ZONE back."
        )


# --- What is noted beside the counts ---------------------------------------------------------------

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
        recount(changed)
        cursor.execute(NOTE_ROLL_UP, [now, settings.TIME_ZONE])
    return len(changed)


# What adds up from quarter-hours, each after what it is made of.
_SUMMED = (
    *(
        (CHANGED_DAYS, replace(table.of_days, countings.sum_days(table), table.day_keys, table.sums, "changed_day"))
        for table in TABLES
    ),
    *(
        (
            CHANGED_MONTHS,
            replace(table.of_months, countings.sum_months(table), table.month_keys, table.sums, "changed_month"),
        )
        for table in TABLES
    ),
    (
        countings.CHANGED_HOURS,
        replace(
            countings.HOURS,
            countings.SUM_HOURS,
            countings.HOUR_KEYS,
            countings.HOUR_SUMS,
            "changed_hour",
            scope_keys=countings.HOUR_SCOPE,
        ),
    ),
)


def recount(changed: Iterable[tuple[int, datetime]]) -> None:
    """Make all counts of these quarter-hours, and of what they lie in, what the calls add up to. In a transaction."""
    changed = list(changed)
    if not changed:
        return
    schedules = DestinationNumber.objects.filter(pk__in={number for number, _ in changed}).schedules()
    arrays = _arrays(changed, schedules)
    judged, parameters = countings.judged_of_changed()
    with connection.cursor() as cursor:
        for table in TABLES:
            counting = table.counting.replace("{fence}", FENCE)
            figures = ("is_open", *table.sums, *table.lists)
            cursor.execute(
                f"WITH {CHANGED}, judged AS MATERIALIZED ({judged}), "
                + replace(table.of_quarter_hours, counting, table.quarter_hour_keys, figures, "changed"),
                [*arrays, *parameters],
            )
        # In statements of their own, for they read what the ones above have written.
        for scope, replacing in _SUMMED:
            cursor.execute(f"WITH {CHANGED}, {scope}, {replacing}", [*arrays, settings.TIME_ZONE])
        cursor.execute(f"WITH {CHANGED} {countings.TOUCHED_BY_CHANGED}", arrays)
        touched = _arrays(cursor.fetchall(), schedules)
        cursor.execute(
            f"WITH {CHANGED}, going AS MATERIALIZED ({countings.GOING_IN_CHANGED}), "
            + replace(countings.PEAKS, countings.COUNT_PEAKS, countings.PEAK_KEYS, ("is_open", "peak"), "changed"),
            touched,
        )
        cursor.execute(NOTE_FIRST_POSTS, [*arrays, RequestType.values])
        cursor.execute(NOTE_LAST_POSTS, arrays)
        cursor.execute(NOTE_KEYS_USED, arrays)


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
        for name in (*counted, countings.HOURS, countings.PEAKS, "reports_firstpost"):
            cursor.execute(f"DELETE FROM {name}")
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
            recount(changed[first : first + 20_000])
        cursor.execute(NOTE_ROLL_UP, [now, settings.TIME_ZONE])
    return len(changed)
