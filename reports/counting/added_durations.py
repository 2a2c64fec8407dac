"""Durations of the calls of past months and days, added up: each full second that occurs, with its number of calls.

Adding up takes longer than a recount may. So a recount only deletes these rows for the months and days that it writes,
in the same transaction, and `add_up` makes them again once the month or day is over. While they are missing, pages
read quarter-hours and show the same figures. Days are kept for this month and the one before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from django.conf import settings
from django.db import connection, transaction

from reports import periods
from reports.counting.count_tables import COUNTS, FENCE, TIMES
from reports.counting.rollups import DAY_DURATIONS, LOCK, MONTH_DURATIONS

ARRAYS = tuple(f"{time}_{what}" for time in TIMES for what in ("s", "calls"))

_SECONDS = "\n      UNION ALL ".join(f"SELECT '{time}', unnest(each_{time}_s)" for time in TIMES)
_ADDED_UP = ",\n  ".join(
    f"coalesce(array_agg({column} ORDER BY second) FILTER (WHERE kind = '{time}'), '{{}}') AS {time}_{what}"
    for time in TIMES
    for what, column in (("s", "second"), ("calls", "calls"))
)


@dataclass(frozen=True)
class Added:
    """A table of durations that are added up by `column`, a month or a day, and of which counts these are known."""

    table: str
    column: str
    counts: str
    # Of numbers: so many in a transaction, because a roll-up waits for it.
    at_once: int

    @property
    def keys(self) -> tuple[str, ...]:
        return ("destination_number_id", self.column, "is_open", "measured")

    @property
    def add_up(self) -> str:
        """The rows of the months or days and numbers in `scope`. One without any known duration has empty arrays."""
        keys, column = ", ".join(self.keys), self.column
        return f"""
SELECT {keys}, {_ADDED_UP}
FROM (
  SELECT {keys}, kind, second, count(*)::int AS calls
  FROM (
    SELECT scope.{column}, counts.* FROM scope CROSS JOIN LATERAL (
      SELECT * FROM {COUNTS.of_quarter_hours} AS counts
      WHERE counts.destination_number_id = scope.destination_number_id
        AND counts.quarter_hour >= scope.{column}::timestamp AT TIME ZONE scope.time_zone - interval '3 hours'
        AND counts.quarter_hour
          < (scope.{column} + interval '1 {column}') AT TIME ZONE scope.time_zone + interval '3 hours'
        AND date_trunc('{column}', counts.quarter_hour AT TIME ZONE scope.time_zone)::date = scope.{column} {FENCE}
    ) AS counts
  ) AS counts CROSS JOIN LATERAL (
      {_SECONDS}
      UNION ALL SELECT NULL, NULL
  ) AS duration (kind, second)
  GROUP BY {keys}, kind, second
) AS duration
GROUP BY {keys}"""

    @property
    def find_missing(self) -> str:
        return f"""
SELECT DISTINCT destination_number_id, {self.column} FROM {self.counts} AS counts
WHERE {self.column} >= %s AND {self.column} < %s AND NOT EXISTS (
  SELECT FROM {self.table} AS known
  WHERE known.destination_number_id = counts.destination_number_id AND known.{self.column} = counts.{self.column}
)
ORDER BY {self.column} DESC, destination_number_id LIMIT {self.at_once}"""

    @property
    def insert(self) -> str:
        return f"""
WITH scope AS MATERIALIZED (
  SELECT destination_number_id, {self.column}, zone.name AS time_zone
  FROM unnest(%s::bigint[], %s::date[]) AS missing (destination_number_id, {self.column})
  CROSS JOIN (SELECT %s::text AS name) AS zone
)
INSERT INTO {self.table} ({", ".join((*self.keys, *ARRAYS))}) SELECT * FROM ({self.add_up}) AS added_up"""


MONTHS = Added(MONTH_DURATIONS, "month", COUNTS.of_months, at_once=20)
DAYS = Added(DAY_DURATIONS, "day", COUNTS.of_days, at_once=600)


def days_kept_from(today: date) -> date:
    """Return the first day that is added up: that of the month before."""
    return (today.replace(day=1) - timedelta(days=1)).replace(day=1)


def add_up() -> int:
    """Add up past months and days that are missing, latest first; return how many, counted for each number.

    Stops if a roll-up is running, or if the days were counted in a time zone other than the current one."""
    today = periods.today()
    days_from = days_kept_from(today)
    added = _add_up(DAYS, days_from, today) + _add_up(MONTHS, date.min, today.replace(day=1))
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {DAY_DURATIONS} WHERE day < %s", [days_from])
    return added


def _add_up(durations: Added, first: date, before: date) -> int:
    added = 0
    while batch := _add_up_batch(durations, first, before):
        added += batch
    return added


@transaction.atomic
def _add_up_batch(durations: Added, first: date, before: date) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s), (SELECT time_zone FROM reports_rollup)", [LOCK])
        is_alone, zone = cursor.fetchone()
        if not is_alone or zone != settings.TIME_ZONE:
            return 0
        cursor.execute(durations.find_missing, [first, before])
        missing = cursor.fetchall()
        if missing:
            numbers, ends = ([row[place] for row in missing] for place in (0, 1))
            cursor.execute(durations.insert, [numbers, ends, settings.TIME_ZONE])
    return len(missing)
