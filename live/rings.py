"""The rules of rings: what a call's events mean for one person. Pure functions; docs/screen-pop.md has the rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from live.kinds import Kind
from live.models import DEFAULT_TIMEOUT_S

# A pop needs an event that was received at most this long ago.
FRESH = timedelta(seconds=10)
# Forwards that begin within this time of each other ring together; a later one dims those before.
TOGETHER = timedelta(seconds=3)
# Of numbers for which no other time limit was set.
DEFAULT_TIMEOUT = timedelta(seconds=DEFAULT_TIMEOUT_S)

# Why a ring is not shown, and why it is over: the values of live.models.WhyNot and WhyClosed.
SHOWN, NOT_CONNECTED, SWITCHED_OFF = "", "not_connected", "switched_off"
LATE, ENDED, OVER, CALLBACK = "late", "ended", "over", "callback"
ALREADY_RINGING, NUMBER_OFF, FAILED = "already_ringing", "number_off", "failed"
ANSWERED, ANSWERED_ELSEWHERE, NOT_ANSWERED, TIMED_OUT = "answered", "answered_elsewhere", "not_answered", "timed_out"
# Rings that go on until they are closed. A person who opens a page while it rings sees those too that were not shown.
RINGS = frozenset({SHOWN, NOT_CONNECTED})


@dataclass(frozen=True)
class Event:
    """An event of a call. `people` are those at its destination, or else the team of the number; of a start those
    who are shown the call at once."""

    id: int
    at: datetime
    kind: Kind
    people: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Settings:
    """What else decides about the rings of a call."""

    timeout: timedelta = DEFAULT_TIMEOUT
    is_callback: bool = False
    is_number_off: bool = False


@dataclass
class Ring:
    """A forward, or the start of a call, for one person: shown or why not, and how far it has come."""

    event: Event
    why_not: str
    rang_last_at: datetime
    dimmed_at: datetime | None = None
    answered_at: datetime | None = None
    answer: Event | None = None
    closed_at: datetime | None = None
    why_closed: str = ""


@dataclass(frozen=True)
class Decisions:
    """What was decided about showing rings: `stored` by the id of the event, which stays; `otherwise` for a new ring
    that nothing in the call speaks against."""

    stored: Mapping[int, str] = field(default_factory=dict)
    otherwise: str = SHOWN


def follow(events: Iterable[Event], user: int, now: datetime, settings: Settings, decisions: Decisions) -> list[Ring]:
    """Return the rings of a person, one for each forward that concerns them. They have at most one open one."""
    course = _Course(sorted(events, key=lambda event: (event.at, event.id)), user, now, settings, decisions)
    return course.run()


class _Course:
    """The course of a call for one person, taken event by event."""

    def __init__(
        self, events: Sequence[Event], user: int, now: datetime, settings: Settings, decisions: Decisions
    ) -> None:
        self._events, self._user, self._now = events, user, now
        self._settings, self._decisions = settings, decisions
        self._ended_at = max((event.at for event in events if event.kind is Kind.CALL_END), default=None)
        decided = (place for place, event in enumerate(events) if decisions.stored.get(event.id) in RINGS)
        self._shown_last = max(decided, default=-1)
        self._rings: list[Ring] = []
        self._current: Ring | None = None

    def run(self) -> list[Ring]:
        for place, event in enumerate(self._events):
            self._close_if_it_rang_too_long(event.at)
            concerns_them = self._user in event.people
            if event.kind in (Kind.START, Kind.FORWARD) and concerns_them:
                self._ring(place, event)
            elif self._current is not None:
                self._go_on(self._current, event, concerns_them=concerns_them)
        self._close_if_it_rang_too_long(self._now)
        for ring in self._rings:
            if ring.why_not in RINGS and ring.event.id not in self._decisions.stored and ring.closed_at is not None:
                ring.why_not, ring.why_closed = OVER, ""
        return self._rings

    def _close_if_it_rang_too_long(self, now: datetime) -> None:
        ring = self._current
        if ring is not None and ring.answered_at is None and ring.rang_last_at + self._settings.timeout <= now:
            self._close(ring, ring.rang_last_at + self._settings.timeout, TIMED_OUT)

    def _close(self, ring: Ring, at: datetime, why: str) -> None:
        ring.closed_at, ring.why_closed = at, why
        self._current = None

    def _end(self, ring: Ring, at: datetime) -> None:
        self._close(ring, at, ANSWERED if ring.answered_at else NOT_ANSWERED)

    def _ring(self, place: int, event: Event) -> None:
        ring = Ring(event, self._decide(place, event), event.at)
        self._rings.append(ring)
        if ring.why_not in RINGS:
            if self._current is not None:  # only if events were read out of order
                self._end(self._current, event.at)
            self._current = ring
            return
        ring.closed_at = event.at
        if self._current is not None and self._current.answered_at is None:
            # It rings again for the person who has it on their screen.
            self._current.rang_last_at, self._current.dimmed_at = event.at, None

    def _decide(self, place: int, event: Event) -> str:
        """Return why a ring is not shown, blank if it is; what was decided once stays."""
        stored = self._decisions.stored.get(event.id)
        if stored is not None:
            return stored
        against = {
            CALLBACK: self._settings.is_callback,
            NUMBER_OFF: self._settings.is_number_off,
            ENDED: self._ended_at is not None and self._ended_at >= event.at,
            LATE: self._now - event.at > FRESH,
            ALREADY_RINGING: self._current is not None or place < self._shown_last,
        }
        return next((reason for reason, applies in against.items() if applies), self._decisions.otherwise)

    def _go_on(self, ring: Ring, event: Event, *, concerns_them: bool) -> None:
        """Take another event to the open ring."""
        if event.kind is Kind.FORWARD:
            if ring.answered_at is None and ring.dimmed_at is None and event.at - ring.rang_last_at > TOGETHER:
                ring.dimmed_at = event.at
        elif event.kind in (Kind.BRIDGE_END, Kind.CALL_END):
            self._end(ring, event.at)
        elif event.kind is Kind.ANSWER and not concerns_them:
            ring.answer = event
            self._close(ring, event.at, ANSWERED_ELSEWHERE)
        elif event.kind is Kind.ANSWER and ring.answered_at is None:
            ring.answered_at, ring.answer = event.at, event
