"""The rules of the live board: the state of an open call at a moment. Pure functions; docs/live-board.md has the rules.

`live.board.open_calls` says the same in SQL."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from live.kinds import Kind

# A call that is in one state for longer has probably ended, and its end did not arrive.
RINGS_AT_MOST = timedelta(minutes=3)
IN_PLAN_AT_MOST = timedelta(hours=1)
TALK_ALLOWED = timedelta(hours=1)
# A talk may take this many times what 99 % of the number's talks take.
TALK_FACTOR = 2


class State(StrEnum):
    """The state of an open call."""

    IN_PLAN = "in_plan"
    RINGING = "ringing"
    TALKING = "talking"
    NO_END = "no_end"


@dataclass(frozen=True)
class Event:
    """An event of a call. Those of the same moment are ordered by id."""

    id: int
    at: datetime
    kind: Kind


@dataclass(frozen=True)
class Standing:
    """The state of a call, and since when its caller waits; None if they talk, or if the call has probably ended."""

    state: State
    waits_since: datetime | None = None


def talk_limit(ninety_ninth_s: int | None) -> timedelta:
    """Return how long a talk may take, from what 99 % of the number's talks take; None if it had none."""
    return max(TALK_ALLOWED, TALK_FACTOR * timedelta(seconds=ninety_ninth_s or 0))


def standing(started_at: datetime, events: Iterable[Event], limit: timedelta, now: datetime) -> Standing:
    """Return the state of an open call. What came after the last end of a forwarding block decides.

    A caller waits from the start of the call; if they talked before, from the end of that forwarding block."""
    state, since, waits_since, has_talked = State.IN_PLAN, started_at, started_at, False
    for event in sorted(events, key=lambda event: (event.at, event.id)):
        if event.kind is Kind.BRIDGE_END:
            state, since = State.IN_PLAN, max(started_at, event.at)
            waits_since = event.at if has_talked else started_at
        elif event.kind is Kind.ANSWER:
            has_talked = True
            if state is not State.TALKING:
                state, since = State.TALKING, event.at
        elif event.kind is Kind.FORWARD and state is not State.TALKING:
            state, since = State.RINGING, event.at
    at_most = {State.IN_PLAN: IN_PLAN_AT_MOST, State.RINGING: RINGS_AT_MOST, State.TALKING: limit}[state]
    if now - since > at_most:
        return Standing(State.NO_END)
    return Standing(state, None if state is State.TALKING else waits_since)
