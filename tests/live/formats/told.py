"""Calls as endpoints are told them, and answers as systems give them, for tests of formats."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from calls.outgoing import Answer
from live.dispatch import formats
from live.dispatch.formats.base import CallFacts
from live.dispatch.steps import Course, Event, Step, steps_of_call, steps_of_rings
from live.kinds import Kind
from live.models import Rows

AT = datetime(2026, 3, 2, 9, 15, 4, tzinfo=UTC)
LATER = AT + timedelta(days=1)
NUMBER, CALLER = "+4922155400300", "+4917012345678"

START, FORWARD, ANSWERED, BRIDGE_END, END = Kind.START, Kind.FORWARD, Kind.ANSWER, Kind.BRIDGE_END, Kind.CALL_END


def facts(**fields: Any) -> CallFacts:
    defaults = {
        "id": 48211,
        "call_uuid": "5e0a3c4e-161b-11f1-8f29-0242ac120002",
        "correlation_id": "c-7",
        "number": NUMBER,
        "number_name": "Sales",
        "caller": CALLER,
        "is_withheld": False,
    }
    return CallFacts(**(defaults | fields))


def rows(mode: str, *events: tuple[Any, ...], first_id: int = 1) -> list[Step]:
    """Return the steps of a call; `events` are (kind, seconds) or (kind, seconds, destination)."""
    course = Course(
        [
            Event(pk, AT + timedelta(seconds=seconds), kind, *destination, *(["SIP_USER"] if destination else []))
            for pk, (kind, seconds, *destination) in enumerate(events, first_id)
        ]
    )
    return (steps_of_call if mode == Rows.CALL else steps_of_rings)(course, LATER)


def bodies(endpoint_format: str, steps: list[Step], people: tuple[str, ...] = (), **fields: Any) -> list[str]:
    call = facts(**fields)
    return [formats.of(endpoint_format).body(step, call, people, is_late=False) for step in steps]


def answer(status: int, body: str = "") -> Answer:
    return Answer(status, body.encode(), {})
