"""The rules of rings once more, in another shape than live.rings: for each ring, the earliest of what can end it.

live.rings goes through a call event by event and keeps what is open. Here every question is asked of all events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from live.kinds import Kind
from live.rings import Event, Settings

TEN, THREE = timedelta(seconds=10), timedelta(seconds=3)
SHOWN_OR_WAITING = ("", "not_connected")


def _key(event: Event) -> tuple[datetime, int]:
    return event.at, event.id


def _rings(event: Event, user: int) -> bool:
    return event.kind in (Kind.START, Kind.FORWARD) and user in event.people


@dataclass(frozen=True)
class Question:
    """What is known when an event is read: all events, and what was decided about the rings of a person."""

    known: Sequence[Event]
    rang: dict[int, str]
    user: int
    now: datetime
    settings: Settings
    otherwise: str = ""

    def is_shown(self, event: Event) -> bool:
        return self.rang.get(event.id) in SHOWN_OR_WAITING


def ends_of(ring: Event, events: Sequence[Event], until: datetime, asked: Question):
    """Return when and why a ring that was shown ends, and when its person answered; None for what did not happen."""
    user, timeout = asked.user, asked.settings.timeout
    after = [event for event in events if _key(event) > _key(ring)]
    own = [e for e in after if e.kind is Kind.ANSWER and user in e.people]
    others = [(e.at, e.id, "answered_elsewhere") for e in after if e.kind is Kind.ANSWER and user not in e.people]
    # A later ring is shown only if this one is over, or seemed to be because events were read out of order.
    overs = [(e.at, e.id, "over") for e in after if e.kind in (Kind.BRIDGE_END, Kind.CALL_END) or asked.is_shown(e)]
    firsts = sorted(others + overs)
    answered = min((_key(e) for e in own), default=None)
    # It rings until no forward of the person follows within the time-out; an answer in time stops this clock.
    renewals = sorted([_key(ring), *(_key(e) for e in after if _rings(e, user))])
    silent_at = ring.at
    for at, _id in renewals:
        if at >= silent_at + timeout:
            break
        silent_at = max(silent_at, at)
    times_out = silent_at + timeout
    if answered and answered[0] < times_out and (not firsts or answered < firsts[0][:2]):
        at, _id, why = firsts[0] if firsts else (None, 0, "")
        return at, "answered" if why == "over" else why, answered[0]
    if firsts and firsts[0][0] < times_out:
        at, _id, why = firsts[0]
        return at, "not_answered" if why == "over" else why, None
    return (times_out, "timed_out", None) if times_out <= until else (None, "", None)


def dimmed(ring: Event, events: Sequence[Event], user: int, answered: datetime | None) -> bool:
    """Whether it rings elsewhere now: since the person's last forward another began more than 3 seconds later."""
    during = [e for e in events if _key(e) > _key(ring) and e.kind in (Kind.FORWARD, Kind.START)]
    if answered is not None:
        during = [e for e in during if e.at < answered]
    last = max([_key(ring), *(_key(e) for e in during if _rings(e, user))])
    return any(e.at - last[0] > THREE for e in during if e.kind is Kind.FORWARD and user not in e.people)


def decide(event: Event, asked: Question) -> str:
    """Return why a ring is not shown, at the moment when its event is read; blank if it is shown."""
    reasons = [
        ("callback", asked.settings.is_callback),
        ("number_off", asked.settings.is_number_off),
        ("ended", any(e.kind is Kind.CALL_END and e.at >= event.at for e in asked.known)),
        ("late", asked.now > event.at + TEN),
        ("already_ringing", any(_still_rings(other, event, asked) for other in asked.known)),
        ("over", asked.otherwise in SHOWN_OR_WAITING and _end(event, asked.known, asked.now, asked) is not None),
    ]
    return next((reason for reason, applies in reasons if applies), asked.otherwise)


def _still_rings(other: Event, event: Event, asked: Question) -> bool:
    """Whether another ring of the person was shown and had not ended, or came later and was read earlier."""
    if other is event or not asked.is_shown(other):
        return False
    before = [e for e in asked.known if _key(e) < _key(event)]
    return _key(other) > _key(event) or _end(other, before, event.at, asked) is None


def _end(ring: Event, events: Sequence[Event], until: datetime, asked: Question) -> datetime | None:
    return ends_of(ring, events, until, asked)[0]
