"""Reads rings with their people, calls and numbers, as models whose other fields are read when asked for.

Every look of `live` asks this. The ORM would take six times as long to write the statement as PostgreSQL to run it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, models
from django.utils import timezone

from calls.models import Call, CallEvent, DestinationNumber
from live import rings
from live.models import LONGEST_TIMEOUT_S, Pop

RINGS_AT_MOST = timedelta(seconds=LONGEST_TIMEOUT_S)
# A call that was answered longer ago is not shown as going on: its end did not arrive.
TALKS_AT_MOST = timedelta(hours=4)
TEST_RINGS_FOR = timedelta(seconds=30)


def _in_order(model: type[models.Model], *wanted: str) -> tuple[type[models.Model], tuple[str, ...]]:
    """Return a model with the columns that are read of it, all if none are named, in the order in which from_db takes
    them."""
    columns = tuple(field.attname for field in model._meta.concrete_fields)
    return model, tuple(column for column in columns if not wanted or column in wanted)


_EVENT = ("id", "call_id", "received_at", "destination", "destination_type")
# What is read of each table. The first column is the key, which is null where nothing was joined.
_READ = {
    "pop": _in_order(Pop),
    "person": _in_order(User, "id", "is_active", "is_superuser"),
    "event": _in_order(CallEvent, *_EVENT),
    "call": _in_order(Call, "id", "destination_number_id", "caller_id_number", "silent_at"),
    "number": _in_order(DestinationNumber, "id", "e164", "label"),
    "answer": _in_order(CallEvent, *_EVENT),
}
_SELECT = f"""
SELECT {", ".join(f"{table}.{column}" for table, (_model, columns) in _READ.items() for column in columns)}
FROM live_pop AS pop
JOIN auth_user AS person ON person.id = pop.user_id
LEFT JOIN calls_callevent AS event ON event.id = pop.event_id
LEFT JOIN calls_call AS call ON call.id = event.call_id
LEFT JOIN calls_destinationnumber AS number ON number.id = call.destination_number_id
LEFT JOIN calls_callevent AS answer ON answer.id = pop.answer_id
WHERE pop.why_not = ANY(%(rings)s) AND """
# What rang long ago is left out, because the process that closes rings may not run; so are calls whose end did not
# arrive: silent ones, and those that were answered hours ago.
_OPEN = f"""{_SELECT} pop.closed_at IS NULL
AND CASE WHEN pop.is_test THEN pop.rang_at > %(tests_since)s
  WHEN pop.answered_at IS NULL THEN pop.rang_at > %(rang_since)s
  ELSE pop.answered_at > %(answered_since)s AND call.silent_at IS NULL END
"""
_OPEN_OF_PEOPLE = f"{_OPEN} AND pop.user_id = ANY(%(users)s) ORDER BY pop.rang_at, pop.id"
_OPEN_OF_CALLERS = f"{_OPEN} AND call.caller_id_number = ANY(%(callers)s) ORDER BY pop.rang_at, pop.id"
_OF_EVENTS = f"SELECT {', '.join(_READ['pop'][1])} FROM live_pop WHERE event_id = ANY(%s)"
_CHANGED = f"{_SELECT} pop.revision > %(after)s AND pop.revision <= %(until)s ORDER BY pop.revision, pop.id"


def open_now(user_ids: Collection[int]) -> list[Pop]:
    """Return what rings now for these people, and whom they talk to."""
    return _read(_OPEN_OF_PEOPLE, {"users": list(user_ids), **_since()})


def open_of_callers(callers: Collection[str]) -> list[Pop]:
    """Return what rings now, or is answered, of these callers."""
    return _read(_OPEN_OF_CALLERS, {"callers": list(callers), **_since()})


def of_events(event_ids: Sequence[int]) -> list[Pop]:
    """Return the rings of these events, shown or not, without their calls."""
    _pop, columns = _READ["pop"]
    with connection.cursor() as cursor:
        cursor.execute(_OF_EVENTS, [list(event_ids)])
        return [Pop.from_db(connection.alias, columns, row) for row in cursor.fetchall()]


def _since() -> dict[str, datetime]:
    now = timezone.now()
    return {
        "rang_since": now - RINGS_AT_MOST,
        "answered_since": now - TALKS_AT_MOST,
        "tests_since": now - TEST_RINGS_FOR,
    }


def is_long_over(pop: Pop) -> bool:
    """Return whether a call that was answered goes on only because its end did not arrive."""
    call, answered_at = pop.call, pop.answered_at
    if call is None or answered_at is None:
        return False
    return call.silent_at is not None or answered_at <= timezone.now() - TALKS_AT_MOST


def changed(after: int, until: int) -> list[Pop]:
    """Return what has changed since a revision, up to another one, in this order."""
    return _read(_CHANGED, {"after": after, "until": until})


def _read(statement: str, parameters: dict[str, Any]) -> list[Pop]:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"rings": list(rings.RINGS), **parameters})
        return [_pop(row) for row in cursor.fetchall()]


def _pop(row: Sequence[Any]) -> Pop:
    found: dict[str, Any] = {}
    first = 0
    for table, (model, columns) in _READ.items():
        values = row[first : first + len(columns)]
        first += len(columns)
        found[table] = None if values[0] is None else model.from_db(connection.alias, columns, values)
    pop: Pop = found["pop"]
    pop.user = found["person"]
    if event := found["event"]:
        event.call = found["call"]
        event.call.destination_number = found["number"]
    pop.event, pop.answer = event, found["answer"]
    return pop
