"""What the pages My calls and Why no pop ask the database: a person's connections, and rings with their callers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from calls import phones
from calls.access import Rights
from calls.masking import masked
from calls.models import Right
from contacts import matching
from contacts.agents import Agents
from contacts.matching import NOT_IDENTIFIED, Identified
from contacts.models import name_of
from live import notes, shown_pops, why_not
from live.models import NumberRings, Pop
from reports import periods
from reports.queries import forwards
from reports.queries.known_callers import KnownCaller
from reports.views.readable import Readable

LAST_RINGS = 20
UNSEEN_RINGS = 100
# A page says within this time that it showed a ring.
SHOWN_WITHIN = timedelta(seconds=30)


@dataclass(frozen=True)
class Connections(Readable):
    """Why calls are shown to a person: where they answer today, and the names of numbers whose team they are in."""

    destinations: Sequence[str]
    teams: Sequence[str]

    def __bool__(self) -> bool:
        return bool(self.destinations or self.teams)


def connections_of(user: Any) -> Connections:
    """Return what connects a person to calls today."""
    today = periods.today()
    destinations = [
        phones.readable(destination)
        for (_kind, destination), turns in Agents.read().by_destination.items()
        for turn in turns
        if turn.first <= today <= turn.last and user.pk in turn.people
    ]
    rows = NumberRings.objects.filter(team=user).select_related("destination_number")
    return Connections(sorted(destinations), sorted(row.destination_number.name for row in rows))


@dataclass(frozen=True)
class RingRow(Readable):
    """A ring as one person sees it in a list."""

    rang_at: datetime
    number: str
    # Whole in the reader's own rings, else masked; blank if withheld.
    caller: str
    # Who that is; blank if the caller is not known, or without the right to callers in rings of others.
    contact: str
    # What the caller typed, as far as it is mapped; empty without the right to callers in rings of others.
    typed: Sequence[str]
    destination: str
    # Whose it is; blank if the reader may not see people.
    person: str
    # How it ended, or why it was not shown.
    result: str
    is_unseen: bool
    # What to do if it was not shown.
    advice: str
    # Blank if the reader may not see the call.
    call_url: str
    is_test: bool
    # The ring whose note can be written in the list, and what it says by now.
    note_of: int | None = None
    note: notes.Written = field(default_factory=dict)


def last_rings(user: Any) -> list[RingRow]:
    """Return the latest rings of a person, newest first, with their whole callers, and notes that can be written."""
    pops = list(_rings().filter(user=user)[:LAST_RINGS])
    offered = [pop for pop in pops if notes.is_offered(pop)]
    own = notes.own_notes(offered)
    written = {pop.pk: own.get((pop.user_id, call.pk), {}) for pop in offered if (call := pop.call)}
    rows = zip(pops, _rows(pops, user), strict=True)
    return [replace(row, note_of=pop.pk, note=written[pop.pk]) if pop.pk in written else row for pop, row in rows]


def unseen_rings(reader: Any, *, of_all: bool) -> list[RingRow]:
    """Return the latest rings that were not shown: the reader's own, or those of all numbers whose calls they see."""
    rights = Rights.of(reader)
    rows = _rings().filter(is_test=False, shown_at=None).filter(~Q(why_not="") | Q(rang_at__lt=_soon_shown()))
    if of_all:
        numbers = rights.numbers(Right.CALLS)
        if numbers is not None:
            rows = rows.filter(event__call__destination_number__in=numbers)
    else:
        rows = rows.filter(user=reader)
    return _rows(rows[:UNSEEN_RINGS], reader)


def _rings() -> QuerySet[Pop]:
    return Pop.objects.select_related("user", "event__call__destination_number").order_by("-rang_at", "-pk")


def _soon_shown() -> datetime:
    """Return since when a page may still say that it showed a ring."""
    return timezone.now() - SHOWN_WITHIN


def _rows(pops: Iterable[Pop], reader: Any) -> list[RingRow]:
    """Return rings as the reader may see them: callers of their own rings whole."""
    rights = Rights.of(reader)
    shown = list(pops)
    named = {
        pop.pk
        for pop in shown
        if (call := pop.call) and (pop.user_id == reader.pk or rights.may(Right.CALLERS, call.destination_number))
    }
    calls = {call.pk: call for pop in shown if pop.pk in named and (call := pop.call)}
    known = matching.identify(calls.values()) if calls else {}
    return [_row(pop, rights, known, is_own=pop.user_id == reader.pk, is_named=pop.pk in named) for pop in shown]


def _row(pop: Pop, rights: Rights, known: Mapping[int, Identified], *, is_own: bool, is_named: bool) -> RingRow:
    call = pop.call
    if call is None:
        return _test_row(pop)
    number, found = call.destination_number, known.get(call.pk, NOT_IDENTIFIED) if is_named else NOT_IDENTIFIED
    found = found if is_own else matching.without_caller(found, call.caller_id_number)
    sees_people = is_own or rights.may(Right.PEOPLE, number)
    is_unseen = pop.shown_at is None and (bool(pop.why_not) or pop.rang_at < _soon_shown())
    return RingRow(
        rang_at=pop.rang_at,
        number=number.name,
        caller=phones.readable(call.caller_id_number) if is_own else masked(call.caller_id_number),
        contact=str(KnownCaller(found.match)) if found.match else "",
        typed=[str(typed) for typed in found.typed],
        destination=phones.readable(pop.destination) if sees_people else forwards.type_label(pop.destination_type),
        person=name_of(pop.user) if sees_people else "",
        result=why_not.happened(pop.why_not) if is_unseen else _result(pop),
        is_unseen=is_unseen,
        advice=why_not.advice(pop.why_not) if is_unseen else "",
        call_url=reverse("call", args=[call.pk]) if rights.may(Right.CALLS, number) else "",
        is_test=False,
    )


def _test_row(pop: Pop) -> RingRow:
    test = _("Test call")
    return RingRow(pop.rang_at, test, test, "", (), "", name_of(pop.user), _result(pop), False, "", "", True)


def _result(pop: Pop) -> str:
    if pop.state == "closed":
        return str(pop.get_why_closed_display())
    if pop.state == "answered" and shown_pops.is_long_over(pop):
        return _("Answered, end unknown")
    return {"answered": _("Answered"), "rang_before": _("Rings elsewhere now")}.get(pop.state, _("Ringing"))


def are_any(rows: Iterable[RingRow]) -> bool:
    """Return whether any of these rings was not shown."""
    return any(row.is_unseen for row in rows)
