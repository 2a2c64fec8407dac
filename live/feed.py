"""Turns new events into rings of people: exactly once, whenever the process dies.

The position in the events, the rings and their revision change in one transaction, which holds the row of FeedCursor.
So one process feeds at a time, whichever comes first, and another one goes on where it was killed."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.utils import timezone

from calls.log_limits import OnceAMinute
from live import courses, rings, shown_pops, tail
from live.courses import StoredCall, StoredEvent, Targets
from live.kinds import Kind
from live.models import FeedCursor, Pop
from live.rings import Decisions, Event, Ring

logger = logging.getLogger(__name__)

# Events that were received longer ago were added as history: they ring for no person.
HISTORY = timedelta(days=1)
# A process that has not renewed its row for this long has no listeners any more.
LISTENS_FOR = timedelta(seconds=30)
# Of that the rings of a call cannot be followed, by the id of the call: an open ring is looked at each second.
_log_limit = OnceAMinute()

# Is there anything to do? One cheap statement, without a lock. Gaps are looked at, because they may be filled.
_PEEK = f"""
SELECT revision, jsonb_array_length(skipped) > 0 OR last_event_id <> {tail.NEWEST},
  EXISTS (SELECT FROM live_pop WHERE closed_at IS NULL)
FROM live_feedcursor
"""


# How people may be shown rings now: which of them have switched pops off, and which are connected.
_ABILITIES = """
SELECT person.id,
  EXISTS (SELECT FROM live_liveprofile AS profile WHERE profile.user_id = person.id AND NOT profile.pops),
  EXISTS (SELECT FROM live_listener AS listener JOIN live_liveprocess AS process ON process.id = listener.process_id
    WHERE listener.user_id = person.id AND process.seen_at > %(since)s)
FROM unnest(%(users)s::int[]) AS person (id)
"""

# bulk_create and bulk_update would write an expression for each value of each ring.
BEGINNING = {
    "user_id": "int",
    "event_id": "bigint",
    "destination": "text",
    "destination_type": "text",
    "is_of_team": "boolean",
    "is_test": "boolean",
    "rang_at": "timestamptz",
    "why_not": "text",
}
COURSE = {
    "dimmed_at": "timestamptz",
    "answered_at": "timestamptz",
    "answer_id": "bigint",
    "closed_at": "timestamptz",
    "why_closed": "text",
    "revision": "bigint",
}


def _arrays(columns: dict[str, str]) -> str:
    return ", ".join(f"%({name})s::{kind}[]" for name, kind in columns.items())


_INSERT = f"""
INSERT INTO live_pop ({", ".join(BEGINNING | COURSE)}) SELECT * FROM unnest({_arrays(BEGINNING | COURSE)})
"""
_UPDATE = f"""
UPDATE live_pop AS pop SET {", ".join(f"{name} = new.{name}" for name in COURSE)}
FROM unnest(%(id)s::bigint[], {_arrays(COURSE)}) AS new (id, {", ".join(COURSE)})
WHERE pop.id = new.id
"""
_SEND_AGAIN = """
UPDATE live_pop AS pop SET revision = %(revision)s
FROM calls_callevent AS typed JOIN calls_callevent AS event ON event.call_id = typed.call_id
WHERE typed.id = ANY(%(events)s) AND pop.event_id = event.id AND pop.closed_at IS NULL
  AND pop.revision < %(revision)s
"""


@dataclass(frozen=True)
class Fed:
    """What one step has done. `revision` is the newest one; `delays_s` how long ago the events were received."""

    revision: int
    events: int = 0
    delays_s: Sequence[float] = field(default_factory=list)


class Peeked(NamedTuple):
    revision: int
    has_events: bool  # that `feed` has not read
    has_open_rings: bool


def peek() -> Peeked:
    """Return the newest revision, and what there may be to do for `feed`."""
    with connection.cursor() as cursor:
        cursor.execute(_PEEK)
        row = cursor.fetchone()
    return Peeked(*row) if row else Peeked(0, has_events=True, has_open_rings=True)


def feed(*, sweeps: bool = False) -> Fed | None:
    """Read the next events and change rings by them; with `sweeps` also close rings whose time is over.

    Return None if another process is doing that."""
    with transaction.atomic():
        locked = tail.lock(FeedCursor, "revision")
        if locked is None:
            return None
        before, newest, now = locked
        revision = newest + 1
        events, after = tail.read(before)
        recent = [event for event in events if now - event.received_at < HISTORY]
        calls = courses.concerned(recent, courses.due(now) if sweeps else ())
        changed = _renew(calls, now, revision) if calls else 0
        if typed := [event.id for event in recent if event.has_typed]:
            changed += _send_again(typed, revision)
        if sweeps:
            changed += _close_tests(now, revision)
        if not changed:
            revision = newest
            # A crash would lose nothing but the work of this step, so it does not wait for the disk.
            _execute("SET LOCAL synchronous_commit = off")
        if changed or after != before:
            tail.store(FeedCursor, after, revision=revision)
    # An event may have been received while this one looked.
    delays = [max(0.0, (now - event.received_at).total_seconds()) for event in events]
    return Fed(revision, len(events), delays)


def next_revision() -> int:
    """Return a revision for a change of rings. To be called in the transaction that makes the change: until its end
    no other process changes rings, so revisions are committed in order."""
    FeedCursor.objects.get_or_create(pk=FeedCursor.ONLY, defaults={"last_event_id": tail.end().last})
    cursor = FeedCursor.objects.select_for_update().get(pk=FeedCursor.ONLY)
    cursor.revision += 1
    cursor.save(update_fields=["revision"])
    return cursor.revision


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _send_again(events: Sequence[int], revision: int) -> int:
    """Have the open rings of the calls of these events sent again, because the caller typed something; return how
    many."""
    with connection.cursor() as cursor:
        cursor.execute(_SEND_AGAIN, {"events": list(events), "revision": revision})
        return int(cursor.rowcount)


def _close_tests(now: datetime, revision: int) -> int:
    tests = Pop.objects.filter(closed_at=None, is_test=True, rang_at__lt=now - shown_pops.TEST_RINGS_FOR)
    return int(tests.update(closed_at=now, why_closed=rings.TIMED_OUT, revision=revision))


# --- The rings of these calls ---------------------------------------------------------------------


def _decisions(users: Collection[int], now: datetime) -> dict[int, str]:
    """Return for each person what is decided about a ring that nothing in its call speaks against."""
    with connection.cursor() as cursor:
        cursor.execute(_ABILITIES, {"users": list(users), "since": now - LISTENS_FOR})
        return {
            user: rings.SWITCHED_OFF if is_off else rings.SHOWN if listens else rings.NOT_CONNECTED
            for user, is_off, listens in cursor.fetchall()
        }


def _renew(calls: Collection[StoredCall], now: datetime, revision: int) -> int:
    """Store what has changed in the rings of these calls; return how many."""
    targets = Targets.of(calls)
    pops: dict[int, dict[tuple[int, int | None], Pop]] = {call.id: {} for call in calls}
    call_of = {pk: call.id for call in calls for pk in call.events}
    for stored in shown_pops.of_events(list(call_of)):
        pops[call_of[stored.event_id or 0]][stored.user_id, stored.event_id] = stored
    events_of = {call.id: targets.events_of(call) for call in calls}
    concerned = {user for events in events_of.values() for event in events for user in event.people}
    decisions = _decisions(concerned | {user for of_call in pops.values() for user, _event in of_call}, now)
    new: list[Pop] = []
    changed: list[Pop] = []
    for call in calls:
        events, settings = events_of[call.id], targets.settings_of(call)
        try:
            followed = _follow(events, pops[call.id], settings, now, decisions)
        except Exception as error:  # a call that cannot be followed must not keep others from ringing
            if _log_limit.is_due(call.id):
                logger.error("the rings of call %s cannot be followed", call.id, exc_info=error)
            followed = _without_rules(events, pops[call.id], settings, now)
        for user, ring in followed:
            pop = pops[call.id].get((user, ring.event.id))
            if pop is None and now - ring.event.at < HISTORY:
                new.append(_pop(call.events[ring.event.id], user, ring, revision, targets))
            elif pop is not None and pop.closed_at is None and _update(pop, ring, revision):
                changed.append(pop)
    if new:
        _store(_INSERT, new, BEGINNING | COURSE)
    if changed:
        _store(_UPDATE, changed, {"id": "bigint"} | COURSE)
    return len(new) + len(changed)


def _store(statement: str, pops: Sequence[Pop], columns: Iterable[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, {name: [getattr(pop, name) for pop in pops] for name in columns})


def _follow(
    events: Sequence[Event],
    pops: dict[tuple[int, int | None], Pop],
    settings: rings.Settings,
    now: datetime,
    decisions: dict[int, str],
) -> list[tuple[int, Ring]]:
    """Return the rings of a call, each with its person."""
    ringing = {user for event in events if event.kind in (Kind.START, Kind.FORWARD) for user in event.people}
    followed: list[tuple[int, Ring]] = []
    for user in sorted(ringing | {user for user, _event in pops}):
        decided = {pk: pop.why_not for (owner, pk), pop in pops.items() if owner == user and pk}
        own = Decisions(decided, decisions.get(user, rings.NOT_CONNECTED))
        followed += [(user, ring) for ring in rings.follow(_with_own(events, user, decided), user, now, settings, own)]
    return followed


def _without_rules(
    events: Sequence[Event], pops: dict[tuple[int, int | None], Pop], settings: rings.Settings, now: datetime
) -> list[tuple[int, Ring]]:
    """Return the rings of a call that the rules cannot follow: new ones are not shown, and open ones end with the call
    or by its time limit."""
    by_id = {event.id: event for event in events}
    ended_at = max((event.at for event in events if event.kind is Kind.CALL_END), default=None)
    left = [
        (user, Ring(event, rings.FAILED, event.at, closed_at=event.at))
        for event in events
        if event.kind in (Kind.START, Kind.FORWARD)
        for user in event.people
        if (user, event.id) not in pops
    ]
    for (user, event_id), pop in pops.items():
        rang_until = pop.rang_at + settings.timeout
        if pop.closed_at is None and (ended_at or (pop.answered_at is None and rang_until <= now)):
            ring = Ring(by_id[event_id or 0], pop.why_not, pop.rang_at, pop.dimmed_at, pop.answered_at)
            ring.answer, ring.closed_at = by_id.get(pop.answer_id or 0), ended_at or rang_until
            ring.why_closed = rings.ANSWERED if pop.answered_at else rings.NOT_ANSWERED if ended_at else rings.TIMED_OUT
            left.append((user, ring))
    return left


def _with_own(events: Sequence[Event], user: int, decided: Collection[int]) -> list[Event]:
    """Return the events, with the person at those that rang for them before, also if they are not mapped any more."""
    return [
        Event(event.id, event.at, event.kind, event.people | {user}) if event.id in decided else event
        for event in events
    ]


def _pop(event: StoredEvent, user: int, ring: Ring, revision: int, targets: Targets) -> Pop:
    return Pop(
        user_id=user,
        event_id=event.id,
        destination=event.destination,
        destination_type=event.destination_type,
        is_of_team=event.key not in targets.mapped,
        rang_at=event.received_at,
        why_not=ring.why_not,
        revision=revision,
        **_course(ring),
    )


def _course(ring: Ring) -> dict[str, Any]:
    return {
        "dimmed_at": ring.dimmed_at,
        "answered_at": ring.answered_at,
        "answer_id": ring.answer.id if ring.answer else None,
        "closed_at": ring.closed_at,
        "why_closed": ring.why_closed,
    }


def _update(pop: Pop, ring: Ring, revision: int) -> bool:
    """Take over how far a ring has come; return whether that is new."""
    course = _course(ring)
    if all(getattr(pop, name) == value for name, value in course.items()):
        return False
    for name, value in course.items():
        setattr(pop, name, value)
    pop.revision = revision
    return True


def delete_old(days: int = 30) -> int:
    """Delete rings that are older than this; return how many."""
    deleted, _of_each = Pop.objects.filter(rang_at__lt=timezone.now() - timedelta(days=days)).delete()
    return deleted
