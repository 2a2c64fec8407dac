"""Durations of the calls of past months, added up: each full second that occurs, with its number of calls.

Adding up a month takes longer than a recount may. So a recount only deletes these rows for the months that it writes,
in the same transaction, and `add_up` makes them again once the month is over. While they are missing, pages read
quarter-hours and show the same figures."""

from __future__ import annotations

from django.conf import settings
from django.db import connection, transaction

from reports import periods
from reports.counting.count_tables import COUNTS, FENCE, TIMES
from reports.counting.rollups import LOCK, MONTH_DURATIONS

AT_ONCE = 20  # months of numbers per transaction; limits how long a roll-up waits

KEYS = ("destination_number_id", "month", "is_open", "measured")
ARRAYS = tuple(f"{time}_{what}" for time in TIMES for what in ("s", "calls"))

_SECONDS = "\n      UNION ALL ".join(f"SELECT '{time}', unnest(each_{time}_s)" for time in TIMES)
_ADDED_UP = ",\n  ".join(
    f"coalesce(array_agg({column} ORDER BY second) FILTER (WHERE kind = '{time}'), '{{}}') AS {time}_{what}"
    for time in TIMES
    for what, column in (("s", "second"), ("calls", "calls"))
)
# For the months and numbers in `scope`. A month without any known duration has a row of empty arrays.
ADD_UP = f"""
SELECT {", ".join(KEYS)}, {_ADDED_UP}
FROM (
  SELECT {", ".join(KEYS)}, kind, second, count(*)::int AS calls
  FROM (
    SELECT scope.month, counts.* FROM scope CROSS JOIN LATERAL (
      SELECT * FROM {COUNTS.of_quarter_hours} AS counts
      WHERE counts.destination_number_id = scope.destination_number_id
        AND counts.quarter_hour >= scope.month::timestamp AT TIME ZONE scope.time_zone - interval '3 hours'
        AND counts.quarter_hour < (scope.month + interval '1 month') AT TIME ZONE scope.time_zone + interval '3 hours'
        AND date_trunc('month', counts.quarter_hour AT TIME ZONE scope.time_zone)::date = scope.month {FENCE}
    ) AS counts
  ) AS counts CROSS JOIN LATERAL (
      {_SECONDS}
      UNION ALL SELECT NULL, NULL
  ) AS duration (kind, second)
  GROUP BY {", ".join(KEYS)}, kind, second
) AS duration
GROUP BY {", ".join(KEYS)}"""

FIND_MISSING = f"""
SELECT DISTINCT destination_number_id, month FROM {COUNTS.of_months} AS counts
WHERE month < %s AND NOT EXISTS (
  SELECT FROM {MONTH_DURATIONS} AS known
  WHERE known.destination_number_id = counts.destination_number_id AND known.month = counts.month
)
ORDER BY month DESC, destination_number_id LIMIT %s"""

INSERT = f"""
WITH scope AS MATERIALIZED (
  SELECT destination_number_id, month, zone.name AS time_zone
  FROM unnest(%s::bigint[], %s::date[]) AS missing (destination_number_id, month)
  CROSS JOIN (SELECT %s::text AS name) AS zone
)
INSERT INTO {MONTH_DURATIONS} ({", ".join((*KEYS, *ARRAYS))}) SELECT * FROM ({ADD_UP}) AS added_up"""


def add_up() -> int:
    """Add up past months that are missing, latest first; return how many, counted for each number.

    Stops if a roll-up is running, or if the days were counted in a time zone other than the current one."""
    added = 0
    while batch := _add_up_batch():
        added += batch
    return added


@transaction.atomic
def _add_up_batch() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s), (SELECT time_zone FROM reports_rollup)", [LOCK])
        is_alone, zone = cursor.fetchone()
        if not is_alone or zone != settings.TIME_ZONE:
            return 0
        cursor.execute(FIND_MISSING, [periods.today().replace(day=1), AT_ONCE])
        missing = cursor.fetchall()
        if missing:
            numbers, months = ([row[place] for row in missing] for place in (0, 1))
            cursor.execute(INSERT, [numbers, months, settings.TIME_ZONE])
    return len(missing)
