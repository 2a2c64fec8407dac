"""Reads stored events once each, in the order of their ids, although these are not committed in this order.

An id below the last one that was read and not seen yet belongs to a transaction that is still open, or to nothing:
`ON CONFLICT` uses up ids, and a transaction that is rolled back leaves its ids unused. Such a gap is remembered with a
transaction number that is taken when the gap is first seen. The intake's statement has a transaction number before it
takes ids of events, so the one that may fill the gap has a lower number. The gap is given up once all transactions up
to that number have ended, which no length of time could say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from live.models import DispatchCursor, FeedCursor

BATCH = 2000
# More gaps at once are not the intake's work; the oldest are given up.
MOST_GAPS = 1000

# The newest event, as SQL.
NEWEST = "(SELECT coalesce(max(id), 0) FROM calls_callevent)"
# Runs before the events are read: what ended before that can be seen by then.
_ENDED = f"SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, {NEWEST}"
_TRANSACTION = "SELECT pg_current_xact_id()::text::bigint"
_EVENTS = """
SELECT tail.id, tail.call_id, tail.received_at, tail.request_type, tail.block_type, tail.destination,
  tail.destination_type, call.destination_number_id, EXISTS (
    SELECT FROM contacts_typednumber AS typed WHERE typed.destination_number_id = call.destination_number_id
      AND position('"' || typed.variable || '":' IN tail.payload) > 0)
FROM (
  (SELECT event.* FROM calls_callevent AS event WHERE event.id > %(last)s ORDER BY event.id LIMIT %(batch)s)
  UNION ALL
  (SELECT event.* FROM unnest(%(firsts)s::bigint[], %(lasts)s::bigint[]) AS gap (first, last)
   JOIN calls_callevent AS event ON event.id BETWEEN gap.first AND gap.last LIMIT %(batch)s)
) AS tail JOIN calls_call AS call ON call.id = tail.call_id ORDER BY tail.id
"""


class TailEvent(NamedTuple):
    """An event as it was read."""

    id: int
    call_id: int
    received_at: datetime
    request_type: str
    block_type: str
    destination: str
    destination_type: str
    number_id: int
    # It has a variable in which callers type.
    has_typed: bool


class Gap(NamedTuple):
    """Ids that were not seen, and the transaction number after which they are given up."""

    first: int
    last: int
    transaction: int


@dataclass(frozen=True)
class Position:
    """How far events were read."""

    last: int
    gaps: Sequence[Gap] = ()


def lock(cursor: type[FeedCursor | DispatchCursor], column: str) -> tuple[Position, Any, datetime] | None:
    """Lock the row of a cursor; return its position, what it has in another column, and the database's time.

    None if another process has locked it. The first one begins after the events that are stored."""
    if (locked := _try_to_lock(cursor, column)) or cursor.objects.exists():
        return locked
    cursor.objects.get_or_create(pk=cursor.ONLY, defaults={"last_event_id": end().last})
    return _try_to_lock(cursor, column)


def _try_to_lock(cursor: type[FeedCursor | DispatchCursor], column: str) -> tuple[Position, Any, datetime] | None:
    table = cursor._meta.db_table
    with connection.cursor() as statement:
        statement.execute(
            f"SELECT last_event_id, skipped, {column}, clock_timestamp() FROM {table} FOR UPDATE SKIP LOCKED"
        )
        row = statement.fetchone()
    if row is None:
        return None
    last, skipped, value, now = row
    return Position(last, tuple(Gap(*gap) for gap in json.loads(skipped))), value, now


def store(cursor: type[FeedCursor | DispatchCursor], position: Position, **values: Any) -> None:
    """Store the position of a cursor whose row is locked, and its other columns."""
    cursor.objects.update(last_event_id=position.last, skipped=position.gaps, **values)


def end() -> Position:
    """Return the position after all events that are stored now."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {NEWEST}")
        ((last,),) = cursor.fetchall()
    return Position(last)


def read(position: Position, most: int = BATCH) -> tuple[list[TailEvent], Position]:
    """Return the next events, at most this many that are new and as many that fill gaps, and the position after them.

    To be called in a transaction that stores this position."""
    with connection.cursor() as cursor:
        cursor.execute(_ENDED)
        ((ended_below, newest),) = cursor.fetchall()
        if newest < position.last:  # the database was restored to an earlier state
            position = Position(newest)
        parameters: dict[str, Any] = {
            "last": position.last,
            "batch": most,
            "firsts": [gap.first for gap in position.gaps],
            "lasts": [gap.last for gap in position.gaps],
        }
        cursor.execute(_EVENTS, parameters)
        events = [TailEvent(*row) for row in cursor.fetchall()]
        ids = [event.id for event in events]
        filled = [pk for pk in ids if pk <= position.last]
        gaps: list[Gap] = []
        for gap in position.gaps:
            if gap.transaction >= ended_below or len(filled) == most:
                gaps += _unseen(gap, filled)
        ahead = [pk for pk in ids if pk > position.last]
        last = ahead[-1] if ahead else position.last
        if last - position.last > len(ahead):
            cursor.execute(_TRANSACTION)
            ((transaction,),) = cursor.fetchall()
            gaps += _unseen(Gap(position.last + 1, last, transaction), ahead)
    return events, Position(last, tuple(gaps[-MOST_GAPS:]))


def _unseen(gap: Gap, ids: Sequence[int]) -> list[Gap]:
    """Return what is left of a gap; `ids` are in order."""
    left, first = [], gap.first
    for pk in ids:
        if gap.first <= pk <= gap.last:
            if pk > first:
                left.append(Gap(first, pk - 1, gap.transaction))
            first = pk + 1
    if first <= gap.last:
        left.append(Gap(first, gap.last, gap.transaction))
    return left
