"""What was measured: one bit for each of the five posts, set if that post counts as arriving for a number.

Depending on the number's setting, a post counts as arriving from the quarter-hour in which the first one arrived, or
always, or never. A figure is measured in the rows of counts that have the bits of all posts it needs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from django.db import connection

from calls.models import RequestType

# The bit of each of the five posts, in the order of a call. Stored rows contain them: never change a value.
BITS: dict[str, int] = {request_type.value: 1 << n for n, request_type in enumerate(RequestType)}
EVERY_POST = sum(BITS.values())

# Before and after every quarter-hour: for posts that are set to always arrive, and for posts that never arrived.
ALWAYS = datetime.min.replace(tzinfo=UTC)
NEVER = datetime.max.replace(tzinfo=UTC)


def needs(posts: Iterable[str]) -> int:
    """Return the sum of the bits of these posts."""
    return sum(BITS[post] for post in set(posts))


def arrivals(named: str = "") -> str:
    """Return the part of a WITH that says since when each post counts as arriving.

    `named` is a table of the numbers to include; if it is blank, all numbers are included."""
    moments = ", ".join(
        f"CASE number.{name.lower()} WHEN 'on' THEN '-infinity' WHEN 'off' THEN 'infinity' ELSE coalesce("
        f"min(first.quarter_hour) FILTER (WHERE first.request_type = '{name}'), 'infinity') END AS {name.lower()}_from"
        for name in BITS
    )
    return f"""
arrival AS MATERIALIZED (
  SELECT number.id AS destination_number_id, {moments}
  FROM calls_destinationnumber AS number LEFT JOIN reports_firstpost AS first ON first.destination_number_id = number.id
  {f"WHERE number.id IN (SELECT destination_number_id FROM {named})" if named else ""}
  GROUP BY number.id
)"""


def bits(quarter_hour: str) -> str:
    """Return the SQL of the bits measured in a quarter-hour; the number is that of the row of `arrival`."""
    return f"({' + '.join(f'({name.lower()}_from <= {quarter_hour})::int * {bit}' for name, bit in BITS.items())})"


FIRST_POSTS = """
SELECT destination_number_id, request_type, quarter_hour FROM reports_firstpost WHERE destination_number_id = ANY(%s)"""

COUNTED_BETWEEN = """
SELECT destination_number_id, quarter_hour FROM reports_quarterhourcounts
WHERE destination_number_id = %s AND quarter_hour >= %s AND quarter_hour < %s"""


def first_posts(numbers: Iterable[int]) -> dict[tuple[int, str], datetime]:
    """Return the quarter-hour of the first post of each kind, by number and kind."""
    with connection.cursor() as cursor:
        cursor.execute(FIRST_POSTS, [list(numbers)])
        return {(number, request_type): quarter_hour for number, request_type, quarter_hour in cursor.fetchall()}


def counted_otherwise(
    before: dict[tuple[int, str], datetime], after: dict[tuple[int, str], datetime]
) -> set[tuple[int, datetime]]:
    """Return the counted quarter-hours whose measured posts differ because first posts have moved."""
    quarter_hours: set[tuple[int, datetime]] = set()
    with connection.cursor() as cursor:
        for place in {key for key, _moment in before.items() ^ after.items()}:
            moments = sorted(by_kind.get(place, NEVER) for by_kind in (before, after))
            cursor.execute(COUNTED_BETWEEN, [place[0], *moments])
            quarter_hours.update(cursor.fetchall())
    return quarter_hours
