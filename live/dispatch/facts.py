"""Reads what is sent of calls: the events of calls, and each call as one endpoint may have it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.contrib.auth.models import User
from django.db import connection

from calls import masking
from calls.models import Call
from contacts import matching
from contacts.agents import Key
from contacts.matching import NOT_IDENTIFIED, Identified
from contacts.models import name_of
from live import people
from live.dispatch.formats.base import CallFacts, Identifier, Match
from live.dispatch.steps import Event
from live.kinds import kind_of
from live.models import CallerShown
from reports import periods

_CALLS = """
SELECT call.id, call.destination_number_id, number.e164, number.label, call.call_uuid, call.correlation_id,
  call.callback_id <> '', call.caller_id_number, call.first_post_at, call.forwarded_at, call.answered_at,
  call.ended_at, call.silent_at
FROM calls_call AS call JOIN calls_destinationnumber AS number ON number.id = call.destination_number_id
WHERE call.id = ANY(%s) ORDER BY call.id
"""
_EVENTS = """
SELECT call_id, id, received_at, request_type, block_type, destination, destination_type
FROM calls_callevent WHERE call_id = ANY(%s) ORDER BY id
"""


@dataclass(frozen=True)
class StoredCall:
    """A call with its events, in the order of their ids."""

    id: int
    number_id: int
    number: str
    label: str
    call_uuid: str
    correlation_id: str
    is_callback: bool
    caller: str
    started_at: datetime
    forwarded_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    silent_at: datetime | None
    events: Mapping[int, Event] = field(default_factory=dict)


def calls_with_events(call_ids: Collection[int]) -> list[StoredCall]:
    """Return these calls with two statements."""
    if not call_ids:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_EVENTS, [list(call_ids)])
        events: dict[int, dict[int, Event]] = {}
        for call, pk, at, request_type, block_type, *destination in cursor.fetchall():
            events.setdefault(call, {})[pk] = Event(pk, at, kind_of(request_type, block_type), *destination)
        cursor.execute(_CALLS, [list(call_ids)])
        return [StoredCall(*(*row, events.get(row[0], {}))) for row in cursor.fetchall()]


@dataclass
class Knowledge:
    """Who calls, and who answers at destinations, read when it is first asked for."""

    calls: Sequence[StoredCall]
    _identified: dict[int, Identified] | None = None
    _facts: dict[tuple[int, str], CallFacts] = field(default_factory=dict)
    _people: dict[Key, tuple[str, ...]] | None = None

    def identified(self, call: StoredCall) -> Identified:
        """Return who calls, and what they typed."""
        if self._identified is None:
            asked = (Call(pk=one.id, caller_id_number=one.caller) for one in self.calls)
            self._identified = matching.identify(asked)
        return self._identified.get(call.id, NOT_IDENTIFIED)

    def people_at(self, destination_type: str, destination: str) -> tuple[str, ...]:
        """Return the names of the people who answer there today."""
        if self._people is None:
            keys = {event.key for call in self.calls for event in call.events.values() if event.destination}
            self._people = names_at(keys)
        return self._people.get((destination_type, destination), ())

    def facts(self, call: StoredCall, caller: str) -> CallFacts:
        """Return a call as an endpoint may have it; `caller` is one of CallerShown."""
        if (call.id, caller) not in self._facts:
            self._facts[call.id, caller] = self._read_facts(call, caller)
        return self._facts[call.id, caller]

    def _read_facts(self, call: StoredCall, caller: str) -> CallFacts:
        identified = self.identified(call) if caller == CallerShown.WHOLE else NOT_IDENTIFIED
        return CallFacts(
            id=call.id,
            call_uuid=call.call_uuid,
            correlation_id=call.correlation_id,
            number=call.number,
            number_name=call.label or call.number,
            caller=_caller(call.caller, caller),
            is_withheld=not call.caller,
            is_callback=call.is_callback,
            started_at=call.started_at,
            forwarded_at=call.forwarded_at,
            answered_at=call.answered_at,
            ended_at=call.ended_at,
            matches=_matches(identified),
            identifiers=[Identifier(typed.kind, typed.label, typed.value) for typed in identified.typed],
        )


def _caller(caller: str, shown: str) -> str:
    if shown == CallerShown.WHOLE:
        return caller
    return masking.masked_in_files(caller) if shown == CallerShown.MASKED else ""


def _matches(identified: Identified) -> list[Match]:
    match = identified.match
    if match is None:
        return []
    return [
        Match(
            kind=match.kind,
            source=contact.source,
            external_id=contact.external_id,
            name=contact.name,
            company=contact.company,
            customer_number=contact.customer_number,
            url=contact.url,
        )
        for contact in match.contacts
    ]


def names_at(keys: Iterable[Key]) -> dict[Key, tuple[str, ...]]:
    """Return the names of the people who answer today at these destinations, in the order of the alphabet."""
    at_destinations = people.at_destinations({*keys}, periods.today())
    users = User.objects.filter(pk__in={pk for ids in at_destinations.values() for pk in ids})
    names = {user.pk: name_of(user) for user in users} if at_destinations else {}
    return {
        key: tuple(sorted((names[pk] for pk in ids if pk in names), key=str.casefold))
        for key, ids in at_destinations.items()
    }
