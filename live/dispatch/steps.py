"""What happens in a call, step by step, as other systems get it. Pure functions; docs/endpoints.md has the rules.

Signed webhooks get a step for each message from TENIOS. The CTI formats know rows: one for each call or for each ring,
which begins with a newCall, may be answered, and ends with a hangup."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from live.kinds import Kind
from live.rings import DEFAULT_TIMEOUT

NEW_CALL, ANSWER, HANGUP = "newCall", "answer", "hangup"
# Why a row ended. TENIOS does not say more, so we never claim that a line was busy.
NORMAL, CANCEL, NO_ANSWER, FORWARDED = "normalClearing", "cancel", "noAnswer", "forwarded"


@dataclass(frozen=True)
class Event:
    """An event of a call, also one that means nothing for rows."""

    id: int
    at: datetime
    kind: Kind | None
    destination: str = ""
    destination_type: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return self.destination_type, self.destination


@dataclass(frozen=True)
class Step:
    """What is sent to an endpoint: `kind` is a type of webhooks, or newCall, answer or hangup of a row.

    `ring` is the id of the forward's event, 0 where the step is of the whole call. `row` is the id of the event that
    began the row: it stays the same when calls are joined. An answer has the destination that answered."""

    kind: str
    event: Event
    ring: int = 0
    destination: str = ""
    destination_type: str = ""
    cause: str = ""
    row: int = 0
    # Of a step that no event brought: the time limit or the silence that did.
    at: datetime | None = None
    # Of a row of one ring: the destination at which it rings.
    rings_at: str = ""
    # Of a hangup: when the row was answered.
    answered_at: datetime | None = None

    @property
    def happened_at(self) -> datetime:
        return self.at or self.event.at


@dataclass(frozen=True)
class Course:
    """The events of a call, and what else decides about its rows."""

    events: Sequence[Event]
    silent_at: datetime | None = None
    ring_timeout: timedelta = DEFAULT_TIMEOUT
    # Without ends, calls are over once they rang for the time limit or were answered.
    has_ends: bool = True

    def ordered(self) -> list[Event]:
        return sorted(self.events, key=lambda event: (event.at, event.id))


def steps_of_call(course: Course, now: datetime) -> list[Step]:
    """Return the steps of the one row of a call, at most one of each kind."""
    row: _Row | None = None
    for event in course.ordered():
        if row is None:
            if event.kind in (Kind.START, Kind.FORWARD):
                row = _Row(0, event)
        elif event.kind is Kind.FORWARD:
            row.rang_at = event.at
        elif event.kind is Kind.ANSWER:
            row.answer(event)
        elif event.kind is Kind.CALL_END:
            row.hang_up(event, NORMAL if row.is_answered else CANCEL)
    if row is None:
        return []
    last = max(course.events, key=lambda event: event.id)
    if course.silent_at is not None:
        row.hang_up(last, NORMAL if row.is_answered else NO_ANSWER, course.silent_at)
    elif not course.has_ends and not row.is_answered and row.rang_at + course.ring_timeout <= now:
        row.hang_up(last, NO_ANSWER, row.rang_at + course.ring_timeout)
    return row.steps


def steps_of_rings(course: Course, now: datetime) -> list[Step]:
    """Return the steps of a row for each forward of a call."""
    rows: list[_Row] = []
    for event in course.ordered():
        _time_out(rows, course, event.at)
        if event.kind is Kind.FORWARD:
            rows.append(_Row(event.id, event))
        elif event.kind is Kind.ANSWER:
            _answer(rows, event)
        elif event.kind is Kind.BRIDGE_END:
            _end(rows, event, NO_ANSWER)
        elif event.kind is Kind.CALL_END:
            _end(rows, event, CANCEL)
    if course.silent_at is not None and rows:
        last = max(course.events, key=lambda event: event.id)
        _end(rows, last, NO_ANSWER, course.silent_at)
    _time_out(rows, course, now)
    return [step for row in rows for step in row.steps]


@dataclass
class _Row:
    """A row of another system while the events of its call are taken one by one."""

    ring: int
    first: Event
    is_answered: bool = False
    is_over: bool = False
    steps: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rang_at = self.first.at
        self._add(NEW_CALL, self.first, self.first.key)

    def answer(self, event: Event) -> None:
        if not self.is_over and not self.is_answered:
            self.is_answered = True
            self._add(ANSWER, event, event.key)

    def hang_up(self, event: Event, cause: str, at: datetime | None = None) -> None:
        if not self.is_over:
            self.is_over = True
            answered = next((step for step in self.steps if step.kind == ANSWER), None)
            destination = (answered.destination_type, answered.destination) if answered else ("", "")
            answered_at = answered.happened_at if answered else None
            self._add(HANGUP, event, destination, cause=cause, at=at, answered_at=answered_at)

    def _add(self, kind: str, event: Event, key: tuple[str, str], **more: Any) -> None:
        destination_type, destination = key
        rings_at = self.first.destination if self.ring else ""
        more |= {"row": self.first.id, "rings_at": rings_at}
        self.steps.append(Step(kind, event, self.ring, destination, destination_type, **more))


def _open(rows: Sequence[_Row]) -> Iterator[_Row]:
    return (row for row in rows if not row.is_over)


def _answer(rows: Sequence[_Row], event: Event) -> None:
    """Answer the latest open ring at the destination; all others that ring end."""
    at_destination = [row for row in _open(rows) if row.first.key == event.key and not row.is_answered]
    for row in list(_open(rows)):
        if at_destination and row is at_destination[-1]:
            row.answer(event)
        elif not row.is_answered:
            row.hang_up(event, FORWARDED)


def _end(rows: Sequence[_Row], event: Event, otherwise: str, at: datetime | None = None) -> None:
    for row in list(_open(rows)):
        row.hang_up(event, NORMAL if row.is_answered else otherwise, at)


def _time_out(rows: Sequence[_Row], course: Course, now: datetime) -> None:
    for row in list(_open(rows)):
        over_at = row.rang_at + course.ring_timeout
        if not row.is_answered and over_at <= now:
            row.hang_up(row.first, NO_ANSWER, over_at)
