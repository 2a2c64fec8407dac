"""Verifies the counts: recounts everything from the calls and compares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection, transaction

from calls.models import DestinationNumber, RequestType
from calls.quarter_hours import quarter_hour_sql
from reports.counting import added_durations, count_tables, measured, rollups
from reports.counting.count_tables import TABLES


@dataclass(frozen=True)
class Difference:
    """A stored count that differs from the recount."""

    table: str
    number_id: int
    destination_number: str
    when: datetime | date
    what: str = ""

    def __str__(self) -> str:
        return f"{self.table}: {self.destination_number} {self.when.isoformat()} {self.what}".rstrip()


FIRST_POSTS = f"""
SELECT DISTINCT ON (call.destination_number_id, event.request_type)
  call.destination_number_id, event.request_type,
  {quarter_hour_sql("call.first_post_at")} AS quarter_hour, event.received_at
FROM calls_call AS call JOIN calls_callevent AS event ON event.call_id = call.id
WHERE event.request_type = ANY(%s)
ORDER BY 1, 2, event.received_at, quarter_hour"""

ALL_DAYS = """
changed_day AS (
  SELECT DISTINCT destination_number_id, (quarter_hour AT TIME ZONE %s)::date AS day, %s AS time_zone
  FROM reports_quarterhourcounts
)"""

ALL_MONTHS = """
changed_month AS (
  SELECT DISTINCT destination_number_id, date_trunc('month', day)::date AS month FROM reports_daycounts
)"""

# Only months and days that were added up are compared; the others have no rows yet.
ADDED_UP = """
scope AS MATERIALIZED (
  SELECT DISTINCT destination_number_id, {column}, %s::text AS time_zone FROM {table}
)"""

ALL_HOURS = f"changed_hour AS ({count_tables.HOURS_OF.format(quarter_hours=count_tables.COUNTS.of_quarter_hours)})"

FIRST_POST_KEYS = ("destination_number_id", "quarter_hour", "request_type", "received_at")

# Quarter-hours that wait in the log to be recounted may differ. Days and months never wait for their quarter-hours:
# both are written in one transaction.
OF_QUARTER_HOUR = "log.quarter_hour = difference.quarter_hour"
OF_PEAK = f"""log.quarter_hour BETWEEN difference.quarter_hour - {count_tables.FOLLOWED} AND difference.quarter_hour"""
OF_NUMBER, NEVER = "true", "false"


@dataclass(frozen=True)
class Question:
    """The SQL to compare a table with its recount."""

    table: str
    before: str
    expected: str
    keys: Sequence[str]
    figures: Sequence[str]
    waiting: str
    values: list[Any]
    # SQL of the time of a difference if its keys do not hold it; recounting that quarter-hour fixes the difference.
    when: str = ""


def _questions() -> Iterator[Question]:
    judged, parameters = count_tables.judged_of_all()
    with_judged, zone = f"{measured.arrivals()}, judged AS MATERIALIZED ({judged})", settings.TIME_ZONE
    for table in TABLES:
        counting = table.counting.replace("{fence}", "")
        figures = ("measured", *table.sums, *table.lists)
        yield Question(
            table.of_quarter_hours,
            with_judged,
            counting,
            table.quarter_hour_keys,
            figures,
            OF_QUARTER_HOUR,
            parameters,
        )
    for table in TABLES:
        yield Question(
            table.of_days, ALL_DAYS, count_tables.sum_days(table), table.day_keys, table.sums, NEVER, [zone, zone]
        )
    for table in TABLES:
        yield Question(
            table.of_months, ALL_MONTHS, count_tables.sum_months(table), table.month_keys, table.sums, NEVER, []
        )
    yield Question(
        count_tables.HOURS,
        ALL_HOURS,
        count_tables.SUM_HOURS,
        count_tables.HOUR_KEYS,
        count_tables.HOUR_SUMS,
        NEVER,
        [zone, zone],
        # Not the first occurrence, which might be the hour that is skipped in spring.
        f"({count_tables.FIRST_OF_HOUR} + interval '14 days') AT TIME ZONE %s",
    )
    for added in (added_durations.MONTHS, added_durations.DAYS):
        yield Question(
            added.table,
            ADDED_UP.format(column=added.column, table=added.table),
            added.add_up,
            added.keys,
            added_durations.ARRAYS,
            NEVER,
            [zone],
        )
    yield Question(
        count_tables.PEAKS,
        f"going AS MATERIALIZED ({count_tables.GOING_IN_ALL})",
        count_tables.COUNT_PEAKS,
        count_tables.PEAK_KEYS,
        ("peak",),
        OF_PEAK,
        [],
    )
    yield Question("reports_firstpost", "", FIRST_POSTS, FIRST_POST_KEYS, (), OF_NUMBER, [RequestType.values])


def differences() -> Iterator[Difference]:
    """Recount everything that does not wait in the log, in one snapshot, and yield the counts that differ.

    Raise ZoneChanged if the days were counted in a time zone other than the current one."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT time_zone FROM reports_rollup WHERE time_zone <> %s", [settings.TIME_ZONE])
        for (counted_in,) in cursor.fetchall():
            raise rollups.ZoneChanged(counted_in)
        for question in _questions():
            names = ", ".join((*question.keys, *question.figures))
            when, *parts = (f"difference.{key}" for key in question.keys[1:])
            cursor.execute(
                f"""
                WITH {question.before + "," if question.before else ""}
                expected AS (SELECT {names} FROM ({question.expected}) AS expected),
                stored AS (SELECT {names} FROM {question.table}),
                difference AS (
                  (TABLE expected EXCEPT TABLE stored) UNION ALL (TABLE stored EXCEPT TABLE expected)
                )
                SELECT DISTINCT number.e164, number.id, {", ".join((question.when or when, *parts))}
                FROM difference JOIN calls_destinationnumber AS number ON number.id = destination_number_id
                WHERE NOT {_waits(question.waiting)}
                ORDER BY 1, 2""",
                question.values,
            )
            for e164, number_id, at, *rest in cursor.fetchall():
                what = " ".join("open" if part is True else "closed" if part is False else str(part) for part in rest)
                yield Difference(question.table.removeprefix("reports_"), number_id, e164, at, what)
        yield from _opened_otherwise(cursor)


def _waits(condition: str) -> str:
    return f"""EXISTS (
  SELECT FROM calls_changedquarterhour AS log
  WHERE log.destination_number_id = difference.destination_number_id AND {condition}
)"""


def _opened_otherwise(cursor: Any) -> Iterator[Difference]:
    """Yield the quarter-hours that are counted on the wrong side of the opening hours."""
    schedules = DestinationNumber.objects.schedules()
    e164 = dict(DestinationNumber.objects.values_list("pk", "e164"))
    for name in (*(table.of_quarter_hours for table in TABLES), count_tables.PEAKS):
        # Without opening hours a number is always open.
        cursor.execute(
            f"SELECT DISTINCT destination_number_id, quarter_hour, is_open FROM {name} AS difference "
            "WHERE (NOT is_open OR destination_number_id = ANY(%s)) "
            f"AND NOT {_waits(OF_PEAK if name == count_tables.PEAKS else OF_QUARTER_HOUR)} ORDER BY 1, 2",
            [list(schedules)],
        )
        for number_id, quarter_hour, is_open in cursor.fetchall():
            if is_open != (number_id not in schedules or schedules[number_id].is_open(quarter_hour)):
                counted = "counted as open" if is_open else "counted as closed"
                yield Difference(name.removeprefix("reports_"), number_id, e164[number_id], quarter_hour, counted)


@transaction.atomic
def fix(differing: list[Difference]) -> None:
    """Recount what differs; first posts come first, because they say what is measured."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [rollups.LOCK])
        changed = {
            (difference.number_id, _moment(difference.when))
            for difference in differing
            if difference.table != "firstpost"
        }
        if numbers := {difference.number_id for difference in differing if difference.table == "firstpost"}:
            before = measured.first_posts(numbers)
            cursor.execute("DELETE FROM reports_firstpost")
            cursor.execute(
                "INSERT INTO reports_firstpost (destination_number_id, request_type, quarter_hour, received_at) "
                + FIRST_POSTS,
                [RequestType.values],
            )
            changed |= measured.counted_otherwise(before, measured.first_posts(numbers))
        rollups.recount(sorted(changed))


def _moment(when: datetime | date) -> datetime:
    """Return the quarter-hour, or the first one of a day: recounting it recounts its day."""
    if isinstance(when, datetime):
        return when
    return datetime.combine(when, time(), ZoneInfo(settings.TIME_ZONE))
