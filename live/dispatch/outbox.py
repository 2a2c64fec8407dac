"""Turns new events into deliveries to endpoints: exactly once, whenever the process dies.

The position in the events and the deliveries change in one transaction, which holds the row of DispatchCursor."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection, transaction

from calls.models import RequestType
from live import people, rings, tail
from live.dispatch import formats, steps
from live.dispatch.facts import Knowledge, StoredCall, calls_with_events
from live.dispatch.steps import Course, Step
from live.kinds import Kind
from live.models import CallerShown, DispatchCursor, Endpoint, EventType, Rows
from live.tail import TailEvent

# Of a step, so that deliveries are sent between two steps.
MOST_EVENTS = 50
# What was received longer ago was added as history: nothing is sent of it.
HISTORY = timedelta(days=7)
# Silence is stored by a transaction that may take this long, with the time of its beginning.
SILENCE_TAKES_AT_MOST = timedelta(minutes=10)
# Not with each sweep, because each write waits for the disk.
NOTES_SILENCE_EVERY = timedelta(minutes=1)
TYPES: dict[Kind | None, str] = {
    Kind.START: EventType.STARTED,
    Kind.FORWARD: EventType.RINGING,
    Kind.ANSWER: EventType.ANSWERED,
    Kind.CALL_END: EventType.ENDED,
}

# Is there anything to do? One cheap statement, without a lock. Gaps are looked at, because they may be filled.
_PEEK = f"""
SELECT jsonb_array_length(skipped) > 0 OR last_event_id <> {tail.NEWEST} FROM live_dispatchcursor
"""
# Rows of other systems that may be over although no event says so.
_MAY_BE_OVER = """
SELECT event.call_id FROM live_delivery AS opened JOIN calls_callevent AS event ON event.id = opened.event_id
JOIN calls_call AS call ON call.id = event.call_id
WHERE opened.is_open AND (opened.created_at <= %(until)s OR call.silent_at IS NOT NULL)
"""
# Calls that fell silent, but for those whose silence was added.
_FALLEN_SILENT = """
SELECT call.id FROM calls_call AS call WHERE call.silent_at > %(since)s AND NOT EXISTS (
  SELECT FROM calls_callevent AS event JOIN live_delivery AS added ON added.event_id = event.id
  WHERE event.call_id = call.id AND added.kind = %(silent)s AND added.created_at >= call.silent_at)
"""
_ADDED = """
SELECT event.call_id, delivery.endpoint_id, delivery.ring, delivery.kind, event.id, delivery.is_open,
  CASE WHEN delivery.kind = %(identified)s THEN delivery.body END
FROM calls_callevent AS event JOIN live_delivery AS delivery ON delivery.event_id = event.id
WHERE event.call_id = ANY(%(calls)s) ORDER BY delivery.id
"""
# As JSON, in which a text stands once for all deliveries that share it. As arrays, or with bulk_create, they would take
# as long to write as all the rest of a look.
_ADD = """
INSERT INTO live_delivery (uuid, endpoint_id, event_id, kind, ring, body, is_late, expires_at, is_open, created_at,
  next_at, state, tries, answer, error, follow_up)
SELECT gen_random_uuid(), endpoint, event, kind, ring, text.body, late, expires, open, %(now)s, %(now)s,
  'waiting', 0, '', '', '{}'::jsonb
FROM json_to_recordset(%(deliveries)s) AS added (place bigint, endpoint bigint, event bigint, kind text, ring bigint,
  body bigint, late boolean, expires timestamptz, open boolean)
JOIN json_array_elements_text(%(bodies)s) WITH ORDINALITY AS text (body, number) ON text.number = added.body
ORDER BY place
ON CONFLICT DO NOTHING
"""
_CLOSE = """
UPDATE live_delivery AS opened SET is_open = false
FROM unnest(%(calls)s::bigint[], %(endpoints)s::bigint[], %(rings)s::bigint[]) AS over (call_id, endpoint_id, ring)
JOIN calls_callevent AS event ON event.call_id = over.call_id
WHERE opened.event_id = event.id AND opened.endpoint_id = over.endpoint_id AND opened.ring = over.ring
  AND opened.is_open
"""


class Row(NamedTuple):
    """A row of another system: that of a call, or of one of its rings."""

    call: int
    endpoint: int
    ring: int


@dataclass
class NewDelivery:
    """A delivery that is to be added. No model: one of them takes as long as ten of these."""

    endpoint: int
    event: int
    kind: str
    ring: int
    body: str
    is_late: bool
    expires_at: datetime | None
    is_open: bool = False


@dataclass
class Added:
    """What was added for some calls before: the kinds of each row, the events with which it began, if it is open, and
    what was last identified in each call. After two calls with open rows were joined, a row has begun twice."""

    kinds: dict[Row, set[str]] = field(default_factory=dict)
    open: dict[Row, list[int]] = field(default_factory=dict)
    identified: dict[tuple[int, int], list[str]] = field(default_factory=dict)

    def has(self, row: Row, kind: str) -> bool:
        return kind in self.kinds.get(row, ())

    def note(self, row: Row, kind: str) -> None:
        self.kinds.setdefault(row, set()).add(kind)


@dataclass(frozen=True)
class Receiver:
    """An endpoint that is on."""

    endpoint: Endpoint
    # None: all numbers.
    numbers: frozenset[int] | None

    def wants_number(self, call: StoredCall) -> bool:
        return self.numbers is None or call.number_id in self.numbers

    def was_on(self, at: datetime) -> bool:
        since = self.endpoint.on_since
        return since is None or at >= since

    @classmethod
    def all_on(cls) -> list[Receiver]:
        """Return the endpoints that are on, with two statements."""
        endpoints = Endpoint.objects.filter(is_on=True).order_by("pk").prefetch_related("numbers")
        return [
            cls(one, None if one.all_numbers else frozenset(number.pk for number in one.numbers.all()))
            for one in endpoints
        ]


class Filled(NamedTuple):
    """How many events were read, and how many deliveries were added."""

    events: int
    deliveries: int


NOTHING = Filled(0, 0)


def has_events() -> bool:
    """Return whether there may be events that were not read. One cheap statement."""
    with connection.cursor() as cursor:
        cursor.execute(_PEEK)
        row = cursor.fetchone()
    return bool(row is None or row[0])


def fill(*, sweeps: bool = False) -> Filled | None:
    """Read the next events and add deliveries for them; with `sweeps` also for calls that are over by time alone.

    Return None if another process is doing that."""
    with transaction.atomic():
        locked = tail.lock(DispatchCursor, "silent_until")
        if locked is None:
            return None
        before, silent_until, now = locked
        events, after = tail.read(before, MOST_EVENTS)
        receivers = Receiver.all_on()
        deliveries: Sequence[NewDelivery] | None = ()
        if receivers:
            fresh = [event for event in events if now - event.received_at < HISTORY]
            deliveries = _Outbox(receivers, now).deliveries(fresh, silent_until, sweeps=sweeps)
        if deliveries is None:
            return NOTHING
        if deliveries:
            _add_all(deliveries, now)
        is_time_to_note = sweeps and now - silent_until > NOTES_SILENCE_EVERY
        if is_time_to_note or after != before:
            tail.store(DispatchCursor, after, silent_until=now if sweeps else silent_until)
    return Filled(len(events), len(deliveries))


class _Outbox:
    """Deliveries for some events, at one time."""

    def __init__(self, receivers: Sequence[Receiver], now: datetime) -> None:
        self._with_rows = [one for one in receivers if formats.of(one.endpoint.format).has_rows]
        self._with_types = [one for one in receivers if not formats.of(one.endpoint.format).has_rows]
        self._now = now
        self._deliveries: list[NewDelivery] = []
        # Rows that begin now, and rows that began before and end now.
        self._begun: dict[Row, NewDelivery] = {}
        self._over: list[Row] = []
        self._knowledge = Knowledge(())
        self._bodies: dict[tuple[str, str, Step], str] = {}
        self._added = Added()

    def deliveries(
        self, events: Sequence[TailEvent], silent_until: datetime, *, sweeps: bool
    ) -> list[NewDelivery] | None:
        """Return the deliveries that are to be added, in the order in which they are to be sent. None if a call was
        joined to another while it was read: then its events have to be read again."""
        silent = self._fallen_silent(silent_until) if sweeps else set()
        over = self._may_be_over() if sweeps and self._with_rows else set()
        calls = {call.id: call for call in calls_with_events({event.call_id for event in events} | silent | over)}
        if any(event.call_id not in calls or event.id not in calls[event.call_id].events for event in events):
            return None
        self._knowledge = Knowledge([*calls.values()])
        self._added = (
            _added(calls) if self._with_rows or silent or any(event.has_typed for event in events) else Added()
        )
        for event in events:
            self._add_event(calls[event.call_id], event)
        # Without those that were joined to another call since.
        for pk in silent & calls.keys():
            if calls[pk].silent_at is not None and calls[pk].events:
                last = calls[pk].events[max(calls[pk].events)]
                self._add_step(calls[pk], Step(EventType.SILENT, last, at=calls[pk].silent_at))
        if self._with_rows:
            self._add_rows([call for call in calls.values() if not call.is_callback])
        if self._over:
            _close(self._over)
        return self._deliveries

    def _fallen_silent(self, silent_until: datetime) -> set[int]:
        if not any(EventType.SILENT in one.endpoint.events for one in self._with_types):
            return set()
        with connection.cursor() as cursor:
            cursor.execute(_FALLEN_SILENT, {"since": silent_until - SILENCE_TAKES_AT_MOST, "silent": EventType.SILENT})
            return {pk for (pk,) in cursor.fetchall()}

    def _may_be_over(self) -> set[int]:
        with connection.cursor() as cursor:
            cursor.execute(_MAY_BE_OVER, {"until": self._now - people.SHORTEST_TIMEOUT})
            return {pk for (pk,) in cursor.fetchall()}

    # --- Signed webhooks: a step for each event ---

    def _add_event(self, call: StoredCall, new: TailEvent) -> None:
        event = call.events[new.id]
        if event.kind in TYPES:
            step = Step(TYPES[event.kind], event, 0, event.destination, event.destination_type)
            self._add_step(call, step)
        if new.has_typed:
            self._add_step(call, Step(EventType.IDENTIFIED, event))

    def _add_step(self, call: StoredCall, step: Step) -> None:
        for receiver in self._with_types:
            endpoint = receiver.endpoint
            if step.kind not in endpoint.events or not receiver.wants_number(call):
                continue
            if not receiver.was_on(step.happened_at) or not self._is_new(call, step, endpoint):
                continue
            self._add(call, step, endpoint, is_late=self._now - step.happened_at > rings.FRESH)

    def _is_new(self, call: StoredCall, step: Step, endpoint: Endpoint) -> bool:
        """Return whether a step is new: an identification is one if what was typed is not the same as before."""
        if step.kind != EventType.IDENTIFIED:
            return True
        if endpoint.caller != CallerShown.WHOLE:
            return False
        typed = [f"{one.kind} {one.value}" for one in self._knowledge.identified(call).typed]
        key = call.id, endpoint.pk
        if not typed or self._added.identified.get(key) == typed:
            return False
        self._added.identified[key] = typed
        return True

    # --- CTI formats: rows ---

    def _add_rows(self, calls: Sequence[StoredCall]) -> None:
        numbers = {call.number_id for call in calls}
        without_ends = people.without(RequestType.CALL_END, numbers)
        of_numbers = people.of_numbers(numbers)
        for call in calls:
            timeout = people.timeout_of(of_numbers.get(call.number_id))
            events = [event for event in call.events.values() if event.kind is not None]
            course = Course(events, call.silent_at, timeout, has_ends=call.number_id not in without_ends)
            of_rows: dict[str, list[Step]] = {}
            for receiver in self._with_rows:
                if receiver.wants_number(call):
                    rows = receiver.endpoint.rows
                    if rows not in of_rows:
                        follow = steps.steps_of_call if rows == Rows.CALL else steps.steps_of_rings
                        of_rows[rows] = follow(course, self._now)
                    for step in of_rows[rows]:
                        self._add_row(call, step, receiver)

    def _add_row(self, call: StoredCall, step: Step, receiver: Receiver) -> None:
        """Add a step of a row unless it was added. A row begins and is answered only at once, but its end is also sent
        late: otherwise it would ring there for ever."""
        row = Row(call.id, receiver.endpoint.pk, step.ring)
        is_late = self._now - step.happened_at > rings.FRESH
        if step.kind == steps.HANGUP:
            self._hang_up(row, call, step, receiver.endpoint, is_late=is_late)
        elif self._added.has(row, step.kind) or self._added.has(row, steps.HANGUP) or is_late:
            return
        elif step.kind == steps.ANSWER:
            if began := self._added.open.get(row):
                self._added.note(row, step.kind)
                self._add(call, replace(step, row=began[-1]), receiver.endpoint, is_late=is_late)
        elif receiver.was_on(step.happened_at):
            self._added.note(row, step.kind)
            self._added.open[row] = [step.event.id]
            self._begun[row] = self._add(call, step, receiver.endpoint, is_late=is_late)
            self._begun[row].is_open = True

    def _hang_up(self, row: Row, call: StoredCall, step: Step, endpoint: Endpoint, *, is_late: bool) -> None:
        """Add a hangup for all that is open of a row. An event has one of them, so the others are of the event that
        began them."""
        for began in reversed(self._added.open.pop(row, [])):
            of_row = replace(step, row=began)
            if self._added.has(row, steps.HANGUP):
                of_row = replace(of_row, event=call.events[began], at=step.happened_at)
            self._added.note(row, steps.HANGUP)
            self._add(call, of_row, endpoint, is_late=is_late)
            if row in self._begun:
                self._begun[row].is_open = False
            else:
                self._over.append(row)

    # --- Deliveries ---

    def _add(self, call: StoredCall, step: Step, endpoint: Endpoint, *, is_late: bool) -> NewDelivery:
        endpoint_format = formats.of(endpoint.format)
        # Endpoints that get the same of the same step share its text.
        same = endpoint.format, endpoint.caller, step
        if same not in self._bodies:
            facts = self._knowledge.facts(call, endpoint.caller)
            who = self._knowledge.people_at(step.destination_type, step.destination) if step.destination else ()
            self._bodies[same] = endpoint_format.body(step, facts, who, is_late=is_late)
        expires_after = endpoint_format.expires_after
        since = self._now if step.kind == steps.HANGUP else step.happened_at
        delivery = NewDelivery(
            endpoint=endpoint.pk,
            event=step.event.id,
            kind=step.kind,
            ring=step.ring,
            body=self._bodies[same],
            is_late=is_late,
            expires_at=since + expires_after if expires_after else None,
        )
        self._deliveries.append(delivery)
        return delivery


def _add_all(deliveries: Sequence[NewDelivery], now: datetime) -> None:
    numbers: dict[str, int] = {}
    rows = [
        {
            "place": place,
            "endpoint": one.endpoint,
            "event": one.event,
            "kind": one.kind,
            "ring": one.ring,
            "body": numbers.setdefault(one.body, len(numbers) + 1),
            "late": one.is_late,
            "expires": one.expires_at and one.expires_at.isoformat(),
            "open": one.is_open,
        }
        for place, one in enumerate(deliveries)
    ]
    with connection.cursor() as cursor:
        cursor.execute(_ADD, {"deliveries": json.dumps(rows), "bodies": json.dumps([*numbers]), "now": now})


def _added(call_ids: Iterable[int]) -> Added:
    """Return what was added for these calls before."""
    added = Added()
    with connection.cursor() as cursor:
        cursor.execute(_ADDED, {"calls": [*call_ids], "identified": EventType.IDENTIFIED})
        for call, endpoint, ring, kind, event, is_open, body in cursor.fetchall():
            row = Row(call, endpoint, ring)
            added.note(row, kind)
            if is_open:
                added.open.setdefault(row, []).append(event)
            if body is not None:
                added.identified[call, endpoint] = [*_typed_in(body)]
    return added


def _typed_in(body: str) -> Iterator[str]:
    for one in json.loads(body).get("data", {}).get("identifiers") or ():
        yield f"{one.get('kind')} {one.get('value')}"


def _close(over: Collection[Row]) -> None:
    """Note that rows of other systems are over."""
    with connection.cursor() as cursor:
        calls, endpoints, ring_numbers = zip(*over, strict=True)
        cursor.execute(_CLOSE, {"calls": [*calls], "endpoints": [*endpoints], "rings": [*ring_numbers]})
