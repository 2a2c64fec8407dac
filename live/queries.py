"""Rings as pages and streams show them. `ring_for` is the one place where a ring becomes what a browser is sent."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from calls import phones
from calls.access import Rights
from calls.models import Call, Right
from contacts import links, matching
from contacts.agents import Agents, labelled
from contacts.links import CallValues
from contacts.matching import NOT_IDENTIFIED, Identified, Match
from contacts.models import LinkTemplate
from live import rings
from live.models import LONGEST_TIMEOUT_S, LiveProfile, Pop
from reports import periods
from reports.counting import outcomes
from reports.counting.outcomes import Outcome

# Of more calls of a caller only this many are counted.
MOST_EARLIER = 100
RINGS_AT_MOST = timedelta(seconds=LONGEST_TIMEOUT_S)
TEST_RINGS_FOR = timedelta(seconds=30)

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

    @classmethod
    def of(cls, pops: Iterable[Pop], rights: dict[int, Rights]) -> Sight:
        calls = {call.pk: call for pop in pops if (call := pop.call)}
        if not calls:
            return cls(rights)
        identified = matching.identify(calls.values())
        return cls(rights, earlier_calls(calls), identified, LinkTemplate.objects.all())

    @cached_property
    def agents(self) -> Agents:
        """Who answers where: read only if a ring was answered by somebody else."""
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
        "contact": _contact(found.match) if found.match else None,
        "typed": [str(typed) for typed in found.typed],
        "links": [vars(link) for link in links.links_for(found.match, values, sight.templates)],
        "earlier": {
            "calls": earlier.calls,
            "last_at": earlier.last_at.isoformat() if earlier.last_at else None,
            "last_outcome": earlier.last_outcome,
        },
        "state": pop.state,
        "by": answered_by(pop, sight),
        "why": pop.why_closed,
        "call_url": reverse("call", args=[call.pk]) if sight.may(pop.user_id, Right.CALLS, call) else "",
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
    """Return who answered instead of the person of a ring; blank if nobody did, or if they may not see people."""
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
    }


def earlier_calls(call_ids: Collection[int]) -> dict[int, Earlier]:
    """Return the earlier calls of the callers of these calls; withheld callers have none."""
    if not call_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_EARLIER, {"ids": list(call_ids), "most": MOST_EARLIER})
        rows = cursor.fetchall()
    last_ids = {last_id for _pk, _calls, last_id in rows if last_id}
    last = Call.objects.filter(pk__in=last_ids).values_list("pk", "first_post_at", outcomes.OUTCOME)
    by_id = {pk: (at, str(Outcome(outcome).label)) for pk, at, outcome in last}
    return {pk: Earlier(calls, *by_id.get(last_id, (None, ""))) for pk, calls, last_id in rows}


def open_pops(user_ids: Iterable[int]) -> QuerySet[Pop]:
    """Return what rings now for these people, and whom they talk to. What rang long ago is left out: the process that
    closes rings may not run."""
    now = timezone.now()
    is_recent = Q(answered_at__isnull=False) | Q(rang_at__gt=now - RINGS_AT_MOST)
    is_recent &= Q(is_test=False) | Q(rang_at__gt=now - TEST_RINGS_FOR)
    return _with_calls(Pop.objects.filter(is_recent, user__in=user_ids, closed_at=None, why_not__in=rings.RINGS))


def states_of(user_ids: Collection[int]) -> list[Message]:
    """Return the whole state of these people as they see it now: the first message of a stream."""
    pops = list(open_pops(user_ids))
    sight = Sight.of(pops, _rights({pop.user_id for pop in pops}))
    shown: dict[int, list[dict[str, Any]]] = {user: [] for user in user_ids}
    for pop in pops:
        shown[pop.user_id].append(ring_for(pop, sight))
    at = timezone.now().isoformat()
    return [Message(user, "state", {"rings": rows, "at": at, "stream": "live"}) for user, rows in shown.items()]


def messages_after(revision: int, until: int, user_ids: Collection[int]) -> list[Message]:
    """Return what has changed for these people since a revision, in order."""
    changed = Pop.objects.filter(revision__gt=revision, revision__lte=until, why_not__in=rings.RINGS)
    # Few change at once, but thousands may listen: the statement does not name them.
    pops = [pop for pop in _with_calls(changed).order_by("revision", "pk") if pop.user_id in user_ids]
    if not pops:
        return []
    sight = Sight.of([pop for pop in pops if pop.closed_at is None], _rights({pop.user_id for pop in pops}))
    return [message for pop in pops for message in _messages(pop, sight)]


def _messages(pop: Pop, sight: Sight) -> list[Message]:
    if pop.closed_at is not None:
        closed = {"ring": pop.pk, "why": pop.why_closed, "by": answered_by(pop, sight)}
        return [Message(pop.user_id, "closed", closed)]
    messages = [Message(pop.user_id, "ring", ring_for(pop, sight))]
    if pop.answered_at is not None:
        messages.append(Message(pop.user_id, "answered", {"ring": pop.pk, "by": ""}))
    return messages


def profile_of(user: Any) -> dict[str, bool]:
    """Return how a person wants to be told."""
    profile = LiveProfile.for_user(user)
    return {name: getattr(profile, name) for name in ("pops", "notification", "open_at_once", "sound")}


def _with_calls(pops: QuerySet[Pop]) -> QuerySet[Pop]:
    related = pops.select_related("event__call__destination_number", "answer")
    return related.defer("event__payload", "answer__payload").order_by("rang_at", "pk")


def _rights(user_ids: Collection[int]) -> dict[int, Rights]:
    return Rights.of_each(User.objects.filter(pk__in=user_ids)) if user_ids else {}
