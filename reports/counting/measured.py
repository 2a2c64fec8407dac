"""What was measured: for each of the five posts a bit, set where that post counts as arriving for a number.

A post counts as arriving from the quarter-hour of its first one on, or always, or never, as the number is set. So a
figure that rests on some posts is measured in those rows of counts that have all of their bits."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from django.db import connection

from calls.models import RequestType

# Of the five posts, in the order of a call. Rows of counts keep them: never give one another value.
BITS: dict[str, int] = {request_type.value: 1 << n for n, request_type in enumerate(RequestType)}
EVERY_POST = sum(BITS.values())

# Before and after every quarter-hour: since when a post counts as arriving that is set to, or that never arrived.
ALWAYS = datetime.min.replace(tzinfo=UTC)
NEVER = datetime.max.replace(tzinfo=UTC)


def needs(posts: Iterable[str]) -> int:
    """Return the bits of these posts together."""
    return sum(BITS[post] for post in set(posts))


def arrivals(named: str = "") -> str:
    """Return a part of a WITH: since when each post counts as arriving, for the numbers in a table, or for all."""
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
    """Return the SQL of what is measured in a quarter-hour of the number that a row of `arrival` is of."""
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
    """Return the quarter-hours counted already, of which other posts are measured since first posts have moved."""
    found: set[tuple[int, datetime]] = set()
    with connection.cursor() as cursor:
        for place in {key for key, _moment in before.items() ^ after.items()}:
            moments = sorted(by_kind.get(place, NEVER) for by_kind in (before, after))
            cursor.execute(COUNTED_BETWEEN, [place[0], *moments])
            found.update(cursor.fetchall())
    return found
