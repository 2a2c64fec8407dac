"""Turns new events into rings of people: exactly once, whenever the process dies.

The position in the events, the rings and their revision change in one transaction, which holds the row of FeedCursor.
So one process feeds at a time, whichever comes first, and another one goes on where it was killed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Min
from django.utils import timezone

from calls.models import Call, CallEvent, RequestType
from contacts.agents import Key
from live import people, queries, rings, tail
from live.models import FeedCursor, Listener, LiveProfile, NumberRings, Pop, PopOn
from live.rings import Decisions, Event, Kind, Ring
from live.tail import Gap, Position, TailEvent
from reports import periods

BRIDGE = "BRIDGE"
KINDS: dict[str, Kind] = {
    RequestType.CALL_START: Kind.START,
    RequestType.INITIATE_FORWARD: Kind.FORWARD,
    RequestType.FORWARD_ANSWER: Kind.ANSWER,
    RequestType.CALL_END: Kind.CALL_END,
}
# Events that were received longer ago are history that was added, not calls that anybody missed.
HISTORY = timedelta(days=1)
# A process that has not renewed its row for this long has no listeners any more.
LISTENS_FOR = timedelta(seconds=30)
TIMEOUT = timedelta(seconds=60)

# Is there anything to do? One cheap statement, without a lock. Gaps are looked at, because they may be filled.
_PEEK = """
SELECT revision, jsonb_array_length(skipped) > 0 OR last_event_id <> coalesce((SELECT max(id) FROM calls_callevent), 0)
FROM live_feedcursor
"""


@dataclass(frozen=True)
class Fed:
    """What one step has done. `revision` is the newest one; `delays_s` how long ago the events were received."""

    revision: int
    events: int = 0
    delays_s: Sequence[float] = field(default_factory=list)


def peek() -> tuple[int, bool]:
    """Return the newest revision, and whether `feed` has anything to do."""
    with connection.cursor() as cursor:
        cursor.execute(_PEEK)
        row = cursor.fetchone()
    return row or (0, True)


def feed(*, sweeps: bool = False) -> Fed | None:
    """Read the next events and change rings by them; with `sweeps` also close rings whose time is over.

    Return None if another process is doing that."""
    with transaction.atomic():
        cursor = _lock()
        if cursor is None:
            return None
        position = Position(cursor.last_event_id, [Gap(*gap) for gap in cursor.skipped])
        events, after = tail.read(position)
        now = _database_time()
        calls = _concerned(events, now)
        if sweeps:
            calls |= _due(now)
        revision = cursor.revision + 1
        changed = _renew(calls, now, revision) if calls else 0
        if sweeps:
            changed += _close_tests(now, revision)
        if changed:
            cursor.revision = revision
        else:
            # A crash would lose nothing but the work of this step, so it does not wait for the disk.
            _execute("SET LOCAL synchronous_commit = off")
        if changed or after != position:
            cursor.last_event_id, cursor.skipped = after.last, after.gaps
            cursor.save()
    delays = [(now - event.received_at).total_seconds() for event in events]
    return Fed(cursor.revision, len(events), delays)


def next_revision() -> int:
    """Return a revision for a change of rings. To be called in the transaction that makes the change: until its end
    no other process changes rings, so revisions are committed in order."""
    FeedCursor.objects.get_or_create(pk=FeedCursor.ONLY, defaults={"last_event_id": tail.end().last})
    cursor = FeedCursor.objects.select_for_update().get(pk=FeedCursor.ONLY)
    cursor.revision += 1
    cursor.save(update_fields=["revision"])
    return cursor.revision


def _lock() -> FeedCursor | None:
    """Lock the cursor; None if another process has it. The first one begins after the events that are stored."""
    cursor = FeedCursor.objects.select_for_update(skip_locked=True).first()
    if cursor is None and not FeedCursor.objects.exists():
        cursor, is_new = FeedCursor.objects.get_or_create(
            pk=FeedCursor.ONLY, defaults={"last_event_id": tail.end().last}
        )
        return cursor if is_new else None
    return cursor


def _database_time() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        ((now,),) = cursor.fetchall()
    return now  # type: ignore[no-any-return]


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _key(event: Any) -> Key:
    return event.destination_type, event.destination


# --- Which calls concern anybody -----------------------------------------------------------------


def _concerned(events: Sequence[TailEvent], now: datetime) -> set[int]:
    """Return the calls of new events that ring for people, or rang before."""
    recent = [event for event in events if now - event.received_at < HISTORY and _kind(event) is not None]
    if not recent:
        return set()
    mapped = people.at_destinations({_key(event) for event in recent if event.destination}, periods.today())
    with_team = people.teams({event.number_id for event in recent})
    calls = {event.call_id for event in recent if _key(event) in mapped or event.number_id in with_team}
    others = {event.call_id for event in recent} - calls
    return calls | set(_open().filter(event__call__in=others).values_list("event__call", flat=True))


def _kind(event: Any) -> Kind | None:
    """Return what an event means for rings; None if nothing."""
    if event.request_type == RequestType.BLOCK_END and event.block_type == BRIDGE:
        return Kind.BRIDGE_END
    return KINDS.get(event.request_type)


def _open() -> Any:
    return Pop.objects.filter(closed_at=None)


def _due(now: datetime) -> set[int]:
    """Return the calls with rings that may be over although no event says so."""
    least_s = NumberRings.objects.aggregate(least_s=Min("ring_timeout_s"))["least_s"]
    shortest = min(TIMEOUT, timedelta(seconds=least_s)) if least_s else TIMEOUT
    unanswered = _open().filter(answered_at=None, rang_at__lte=now - shortest)
    silent = _open().exclude(event__call__silent_at=None)
    return {
        call
        for found in (unanswered, silent)
        for call in found.filter(is_test=False).values_list("event__call", flat=True)
        if call
    }


def _close_tests(now: datetime, revision: int) -> int:
    tests = _open().filter(is_test=True, rang_at__lt=now - queries.TEST_RINGS_FOR)
    return int(tests.update(closed_at=now, why_closed=rings.TIMED_OUT, revision=revision))


# --- The rings of these calls ---------------------------------------------------------------------


@dataclass(frozen=True)
class _Audience:
    """Who can be shown rings now: not people who switched pops off, nor those without an open page."""

    off: frozenset[int]
    listening: frozenset[int]

    @classmethod
    def read(cls, users: Collection[int], now: datetime) -> _Audience:
        off = LiveProfile.objects.filter(user__in=users, pops=False).values_list("user", flat=True)
        listening = Listener.objects.filter(user__in=users, process__seen_at__gt=now - LISTENS_FOR)
        return cls(frozenset(off), frozenset(listening.values_list("user", flat=True)))

    def decision(self, user: int) -> str:
        if user in self.off:
            return rings.SWITCHED_OFF
        return rings.SHOWN if user in self.listening else rings.NOT_CONNECTED


def _renew(call_ids: Iterable[int], now: datetime, revision: int) -> int:
    """Store what has changed in the rings of these calls; return how many."""
    calls = {call.pk: call for call in Call.objects.filter(pk__in=call_ids)}
    stored: dict[int, list[CallEvent]] = {pk: [] for pk in calls}
    for event in CallEvent.objects.filter(call__in=calls).defer("payload"):
        if _kind(event) is not None:
            stored[event.call_id].append(event)
    number_ids = {call.destination_number_id for call in calls.values()}
    keys = {_key(event) for events in stored.values() for event in events if event.destination}
    found = _Found(
        people.at_destinations(keys, periods.today()),
        people.teams(number_ids),
        people.start_rings(number_ids),
        {row.destination_number_id: row for row in NumberRings.objects.filter(destination_number__in=number_ids)},
    )
    pops: dict[tuple[int, int | None], Pop] = {
        (pop.user_id, pop.event_id): pop for pop in Pop.objects.filter(event__call__in=calls)
    }
    courses = [(calls[pk], found.events_of(calls[pk], events)) for pk, events in stored.items()]
    users = {user for _call, events in courses for event in events for user in event.people}
    audience = _Audience.read(users, now)
    by_id = {event.pk: event for events in stored.values() for event in events}
    new: list[Pop] = []
    changed: list[Pop] = []
    for call, events in courses:
        ids = {event.id for event in events}
        ringing = {user for event in events if event.kind in (Kind.START, Kind.FORWARD) for user in event.people}
        before = {user for user, event_id in pops if event_id in ids}
        for user in sorted(ringing | before):
            decided = {pk: pop.why_not for (owner, pk), pop in pops.items() if owner == user and pk in ids}
            decisions = Decisions({pk: why for pk, why in decided.items() if pk}, audience.decision(user))
            events_for = _with_own(events, user, decided)
            for ring in rings.follow(events_for, user, now, found.settings_of(call), decisions):
                pop = pops.get((user, ring.event.id))
                if pop is None and now - ring.event.at < HISTORY:
                    new.append(_pop(by_id[ring.event.id], user, ring, revision, found))
                elif pop is not None and pop.closed_at is None and _update(pop, ring, revision):
                    changed.append(pop)
    Pop.objects.bulk_create(new)
    Pop.objects.bulk_update(
        changed, ["dimmed_at", "answered_at", "answer", "closed_at", "why_closed", "revision"], batch_size=500
    )
    return len(new) + len(changed)


def _with_own(events: Sequence[Event], user: int, decided: Collection[int | None]) -> list[Event]:
    """Return the events, with the person at those that rang for them before, also if they are not mapped any more."""
    return [
        Event(event.id, event.at, event.kind, event.people | {user}) if event.id in decided else event
        for event in events
    ]


@dataclass(frozen=True)
class _Found:
    """The people of destinations and teams, and the settings of numbers."""

    mapped: dict[Key, frozenset[int]]
    teams: dict[int, frozenset[int]]
    ringing_at_start: frozenset[int]
    of_numbers: dict[int, NumberRings]

    def events_of(self, call: Call, stored: Sequence[CallEvent]) -> list[Event]:
        """Return the events of a call as the rules take them; its silence is an end."""
        team = self.teams.get(call.destination_number_id, frozenset())
        events = []
        for event in stored:
            kind = _kind(event)
            if kind is None:
                continue
            concerned: frozenset[int] = frozenset()
            if kind in (Kind.FORWARD, Kind.ANSWER):
                concerned = self.mapped.get(_key(event), team)
            elif kind is Kind.START and call.destination_number_id in self.ringing_at_start:
                concerned = team
            events.append(Event(event.pk, event.received_at, kind, concerned))
        if call.silent_at is not None:
            events.append(Event(0, call.silent_at, Kind.CALL_END))
        return events

    def settings_of(self, call: Call) -> rings.Settings:
        row = self.of_numbers.get(call.destination_number_id)
        return rings.Settings(
            timeout=timedelta(seconds=row.ring_timeout_s) if row else TIMEOUT,
            is_callback=bool(call.callback_id),
            is_number_off=row is not None and row.pop_on == PopOn.NEVER,
        )


def _pop(event: CallEvent, user: int, ring: Ring, revision: int, found: _Found) -> Pop:
    return Pop(
        user_id=user,
        event=event,
        destination=event.destination,
        destination_type=event.destination_type,
        is_of_team=_key(event) not in found.mapped,
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
