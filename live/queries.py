"""Rings as pages and streams show them. `ring_for` is the one place where a ring becomes what a browser is sent."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db import connection
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from calls import phones
from calls.access import Rights
from calls.models import Call, Right
from contacts import links, lookups, matching
from contacts.agents import Agents, labelled
from contacts.links import CallValues
from contacts.lookups import Kept
from contacts.matching import NOT_IDENTIFIED, Identified, Match
from contacts.models import LinkTemplate
from live import looked_up, notes, rings, shown_pops
from live.looked_up import LookedUp
from live.models import LiveProfile, Pop
from reports import periods
from reports.counting import outcomes
from reports.counting.outcomes import Outcome

# Of more calls of a caller only this many are counted.
MOST_EARLIER = 100

_EARLIER = """
SELECT call.id, earlier.calls, earlier.last_id FROM calls_call AS call CROSS JOIN LATERAL (
  SELECT count(*) AS calls, (array_agg(id ORDER BY first_post_at DESC, id DESC))[1] AS last_id FROM (
    SELECT id, first_post_at FROM calls_call AS before
    WHERE before.caller_id_number = call.caller_id_number AND before.callback_id = ''
      AND (before.first_post_at, before.id) < (call.first_post_at, call.id)
    ORDER BY first_post_at DESC, id DESC LIMIT %(most)s) AS latest
) AS earlier
WHERE call.id = ANY(%(ids)s) AND call.caller_id_number <> ''
"""


@dataclass(frozen=True)
class Earlier:
    """The earlier calls of a caller, at any number."""

    calls: int = 0
    last_at: datetime | None = None
    last_outcome: str = ""


@dataclass(frozen=True)
class Sight:
    """What is needed to show rings to people: their rights, and the earlier calls of the callers."""

    rights: dict[int, Rights]
    earlier: dict[int, Earlier] = field(default_factory=dict)
    # Who calls and what they typed, by the id of the call.
    identified: dict[int, Identified] = field(default_factory=dict)
    templates: Iterable[LinkTemplate] = ()
    # What other systems answered, by the caller and the number called.
    answers: dict[tuple[str, str], list[Kept]] = field(default_factory=dict)
    # By person and call.
    own_notes: dict[tuple[int, int], notes.Written] = field(default_factory=dict)

    @classmethod
    def of(cls, pops: Iterable[Pop], rights: dict[int, Rights]) -> Sight:
        pops = list(pops)
        calls = {call.pk: call for pop in pops if (call := pop.call)}
        if not calls:
            return cls(rights)
        identified = matching.identify(calls.values())
        answers = lookups.answers_for((call.caller_id_number, call.destination_number.e164) for call in calls.values())
        own_notes = notes.own_notes(pops)
        return cls(rights, earlier_calls(calls), identified, LinkTemplate.objects.all(), answers, own_notes)

    @cached_property
    def agents(self) -> Agents:
        """Who answers where: read only if a ring was answered by someone else."""
        return Agents.read()

    def may(self, user: int, what: str, call: Call) -> bool:
        return user in self.rights and self.rights[user].may(what, call.destination_number_id)


@dataclass(frozen=True)
class Message:
    """An event of the stream, for one person."""

    user: int
    name: str
    data: dict[str, Any]


def ring_for(pop: Pop, sight: Sight) -> dict[str, Any]:
    """Return a ring as its person sees it, with the whole caller."""
    call = pop.call
    if call is None:
        return _made_up(pop)
    number, caller = call.destination_number, call.caller_id_number
    earlier, found = sight.earlier.get(call.pk, Earlier()), sight.identified.get(call.pk, NOT_IDENTIFIED)
    values = CallValues(call.pk, caller, number.e164, found.typed)
    answers = sight.answers.get((caller, number.e164), [])
    match = found.match
    own_links = links.links_for(match or LookedUp.of(answers), values, sight.templates)
    return {
        "ring": pop.pk,
        "call": call.pk,
        "rang_at": pop.rang_at.isoformat(),
        "number": {"id": number.pk, "name": number.name, "e164": number.e164},
        "destination": phones.readable(pop.destination),
        "caller": {
            "text": phones.readable(caller),
            "is_withheld": phones.is_withheld(caller),
            "country": phones.foreign_region(caller),
        },
        "contact": looked_up.contact_with(_contact(match) if match else None, match, answers),
        "typed": [str(typed) for typed in found.typed],
        "links": looked_up.links_with(own_links, match, answers),
        "earlier": {
            "calls": earlier.calls,
            "last_at": earlier.last_at.isoformat() if earlier.last_at else None,
            "last_outcome": earlier.last_outcome,
        },
        "state": pop.state,
        "by": answered_by(pop, sight),
        "why": pop.why_closed,
        "call_url": reverse("call", args=[call.pk]) if sight.may(pop.user_id, Right.CALLS, call) else "",
        "own_note": sight.own_notes.get((pop.user_id, call.pk)),
    }


def _contact(match: Match) -> dict[str, Any]:
    """Return who calls. Of a number with extensions only the company is known."""
    first = match.contacts[0]
    is_company = match.kind == "company"
    return {
        "name": (first.company if is_company else first.name) or first.name or first.company,
        "company": first.company if first.name and not is_company else "",
        "customer_number": first.customer_number,
        "note": first.note,
        "important": any(contact.important for contact in match.contacts),
        "others": len(match.contacts) - 1,
    }


def answered_by(pop: Pop, sight: Sight) -> str:
    """Return who answered instead of the person of a ring; blank without an answer, or if they may not see people."""
    call, answer = pop.call, pop.answer
    if pop.why_closed != rings.ANSWERED_ELSEWHERE or call is None or answer is None:
        return ""
    if not sight.may(pop.user_id, Right.PEOPLE, call):
        return ""
    day = timezone.localtime(answer.received_at, periods.zone()).date()
    names = sight.agents.on(answer.destination, answer.destination_type, day)
    return labelled(names, answer.destination)


def _made_up(pop: Pop) -> dict[str, Any]:
    """Return the ring of a test, with a caller that cannot exist."""
    return {
        "ring": pop.pk,
        "call": None,
        "rang_at": pop.rang_at.isoformat(),
        "number": {"id": None, "name": _("Test call"), "e164": ""},
        "destination": "",
        "caller": {"text": "+49 30 23125 000", "is_withheld": False, "country": ""},
        "contact": None,
        "typed": [],
        "links": [],
        "earlier": {"calls": 0, "last_at": None, "last_outcome": ""},
        "state": pop.state,
        "by": "",
        "why": pop.why_closed,
        "call_url": "",
        "own_note": None,
    }


def earlier_calls(call_ids: Collection[int]) -> dict[int, Earlier]:
    """Return the earlier calls of the callers of these calls; withheld callers have none."""
    if not call_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_EARLIER, {"ids": list(call_ids), "most": MOST_EARLIER})
        rows = cursor.fetchall()
    last_ids = {last_id for _pk, _calls, last_id in rows if last_id}
    last = Call.objects.filter(pk__in=last_ids).values_list("pk", "first_post_at", outcomes.OUTCOME) if last_ids else ()
    by_id = {pk: (at, str(Outcome(outcome).label)) for pk, at, outcome in last}
    return {pk: Earlier(calls, *by_id.get(last_id, (None, ""))) for pk, calls, last_id in rows}


def states_of(user_ids: Collection[int]) -> list[Message]:
    """Return the whole state of these people as they see it now: the first message of a stream."""
    pops = shown_pops.open_now(user_ids)
    sight = Sight.of(pops, _rights(pops))
    shown: dict[int, list[dict[str, Any]]] = {user: [] for user in user_ids}
    for pop in pops:
        shown[pop.user_id].append(ring_for(pop, sight))
    at = timezone.now().isoformat()
    return [Message(user, "state", {"rings": rows, "at": at, "stream": "live"}) for user, rows in shown.items()]


def messages_after(revision: int, until: int, user_ids: Collection[int]) -> list[Message]:
    """Return what has changed for these people since a revision, in order."""
    # Few change at once, but thousands may listen: the statement does not name them.
    pops = [pop for pop in shown_pops.changed(revision, until) if pop.user_id in user_ids]
    if not pops:
        return []
    sight = Sight.of([pop for pop in pops if pop.closed_at is None], _rights(pops))
    return [message for pop in pops for message in _messages(pop, sight)]


def messages_about(callers: Collection[str], user_ids: Collection[int]) -> list[Message]:
    """Return who these callers are, for those of these people who see a ring of theirs: another system has answered."""
    pops = [pop for pop in shown_pops.open_of_callers(callers) if pop.user_id in user_ids]
    sight = Sight.of(pops, {})
    shown = [(pop.user_id, ring_for(pop, sight)) for pop in pops]
    return [
        Message(user, "caller", {name: ring[name] for name in ("ring", "contact", "links")}) for user, ring in shown
    ]


def _messages(pop: Pop, sight: Sight) -> list[Message]:
    if pop.closed_at is not None:
        closed = {"ring": pop.pk, "why": pop.why_closed, "by": answered_by(pop, sight)}
        return [Message(pop.user_id, "closed", closed)]
    messages = [Message(pop.user_id, "ring", ring_for(pop, sight))]
    if pop.answered_at is not None:
        messages.append(Message(pop.user_id, "answered", {"ring": pop.pk, "by": ""}))
    return messages


def profile_of(user: Any) -> dict[str, bool]:
    """Return how calls are shown to a person."""
    profile = LiveProfile.for_user(user)
    return {name: getattr(profile, name) for name in ("pops", "notification", "open_at_once", "sound")}


def _rights(pops: Iterable[Pop]) -> dict[int, Rights]:
    return Rights.of_each({pop.user_id: pop.user for pop in pops}.values())
