"""Reads the calls that new events concern: what happened in each of them, and for whom each event of it rings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Min

from calls.models import RequestType
from contacts.agents import Key
from live import people, rings
from live.kinds import BRIDGE, OF_REQUESTS, Kind, kind_of
from live.models import NumberRings, Pop, PopOn
from live.rings import Event
from live.tail import TailEvent
from reports import periods

# The events of calls to which something new happened that may ring for people, or that rang before; and of `others`.
# Whether an event rings is decided later: here a destination counts that ever had a person. The call of an event is
# asked again, because it may have been joined to another since the event was read.
_EVENTS = """
WITH concerned AS MATERIALIZED (
  SELECT stored.call_id
  FROM unnest(%(events)s::bigint[], %(numbers)s::bigint[], %(types)s::text[], %(destinations)s::text[])
    AS new (event_id, number_id, destination_type, destination)
  JOIN calls_callevent AS stored ON stored.id = new.event_id
  WHERE EXISTS (SELECT FROM contacts_agentdestination AS agent
    WHERE agent.destination_type = new.destination_type AND agent.destination = new.destination)
  OR EXISTS (SELECT FROM live_numberrings AS rings JOIN live_numberrings_team AS team ON team.numberrings_id = rings.id
    WHERE rings.destination_number_id = new.number_id)
  OR EXISTS (SELECT FROM calls_callevent AS event JOIN live_pop AS pop ON pop.event_id = event.id
    WHERE event.call_id = stored.call_id AND pop.closed_at IS NULL)
  UNION SELECT unnest(%(others)s::bigint[])
)
SELECT event.call_id, call.destination_number_id, call.callback_id <> '', call.silent_at,
  event.id, event.received_at, event.request_type, event.block_type, event.destination, event.destination_type
FROM concerned JOIN calls_call AS call ON call.id = concerned.call_id
JOIN calls_callevent AS event ON event.call_id = call.id
WHERE event.request_type = ANY(%(kinds)s) OR event.block_type = %(bridge)s
ORDER BY event.id
"""


class StoredEvent(NamedTuple):
    """An event of a call that means something for rings."""

    id: int
    received_at: datetime
    request_type: str
    block_type: str
    destination: str
    destination_type: str

    @property
    def key(self) -> Key:
        return self.destination_type, self.destination

    @property
    def kind(self) -> Kind | None:
        return kind_of(self.request_type, self.block_type)


@dataclass
class StoredCall:
    """A call with its events that mean something for rings, by their ids and in their order."""

    id: int
    number_id: int
    is_callback: bool
    silent_at: datetime | None
    events: dict[int, StoredEvent] = field(default_factory=dict)


def concerned(new: Sequence[TailEvent], others: Collection[int]) -> list[StoredCall]:
    """Return the calls of new events that may ring for people, or that rang before, and those with these ids."""
    new = [event for event in new if kind_of(event.request_type, event.block_type) is not None]
    if not new and not others:
        return []
    parameters: dict[str, Any] = {
        "events": [event.id for event in new],
        "numbers": [event.number_id for event in new],
        "types": [event.destination_type for event in new],
        "destinations": [event.destination for event in new],
        "others": list(others),
        "kinds": list(OF_REQUESTS),
        "bridge": BRIDGE,
    }
    calls: dict[int, StoredCall] = {}
    with connection.cursor() as cursor:
        cursor.execute(_EVENTS, parameters)
        for pk, number, is_callback, silent_at, *columns in cursor.fetchall():
            event = StoredEvent(*columns)
            if event.kind is not None:
                calls.setdefault(pk, StoredCall(pk, number, is_callback, silent_at)).events[event.id] = event
    return list(calls.values())


def due(now: datetime) -> set[int]:
    """Return the calls with rings that may be over although no event says so."""
    least_s = NumberRings.objects.aggregate(least_s=Min("ring_timeout_s"))["least_s"]
    default = rings.DEFAULT_TIMEOUT
    shortest = min(default, timedelta(seconds=least_s)) if least_s else default
    rang = Pop.objects.filter(closed_at=None, is_test=False)
    unanswered = rang.filter(answered_at=None, rang_at__lte=now - shortest)
    silent = rang.exclude(event__call__silent_at=None)
    found = {call for some in (unanswered, silent) for call in some.values_list("event__call", flat=True)}
    return {call for call in found if call}


@dataclass(frozen=True)
class Targets:
    """For whom calls of some numbers ring: the people of destinations, else the teams of the numbers."""

    mapped: Mapping[Key, frozenset[int]]
    of_numbers: Mapping[int, people.NumberTeam]
    ringing_at_start: frozenset[int]

    @classmethod
    def of(cls, calls: Iterable[StoredCall]) -> Targets:
        """Read those of these calls as they are today."""
        calls = list(calls)
        events = [event for call in calls for event in call.events.values()]
        of_numbers = people.of_numbers({call.number_id for call in calls})
        starting = {
            call.number_id
            for call in calls
            if call.number_id in of_numbers and of_numbers[call.number_id].team
            for event in call.events.values()
            if event.request_type == RequestType.CALL_START
        }
        return cls(
            people.at_destinations({event.key for event in events if event.destination}, periods.today()),
            of_numbers,
            people.start_rings(starting),
        )

    def events_of(self, call: StoredCall) -> list[Event]:
        """Return the events of a call as the rules take them; its silence is an end."""
        row = self.of_numbers.get(call.number_id)
        team = row.team if row else frozenset()
        events = []
        for event in call.events.values():
            kind = event.kind
            if kind is None:
                continue
            who: frozenset[int] = frozenset()
            if kind in (Kind.FORWARD, Kind.ANSWER):
                who = self.mapped.get(event.key, team)
            elif kind is Kind.START and call.number_id in self.ringing_at_start:
                who = team
            events.append(Event(event.id, event.received_at, kind, who))
        if call.silent_at is not None:
            events.append(Event(0, call.silent_at, Kind.CALL_END))
        return events

    def settings_of(self, call: StoredCall) -> rings.Settings:
        row = self.of_numbers.get(call.number_id)
        return rings.Settings(
            timeout=people.timeout_of(row),
            is_callback=call.is_callback,
            is_number_off=row is not None and row.pop_on == PopOn.NEVER,
        )
