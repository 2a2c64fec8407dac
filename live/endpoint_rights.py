"""Who may see and set up endpoints. Another system gets no more of calls than who sets it up may see themselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet

from calls.access import Right, Rights
from calls.models import DestinationNumber
from live.models import CallerShown, Endpoint


def needed(caller: str) -> list[Right]:
    """Return the rights that setting up an endpoint needs for each of its numbers. All formats contain destinations and
    the names of the people there."""
    rights = [Right.CALLS, Right.PEOPLE]
    return [*rights, Right.CALLERS] if caller == CallerShown.WHOLE else rights


def may_send(user: Any, caller: str, *, all_numbers: bool, numbers: Iterable[DestinationNumber]) -> bool:
    """Return whether a person may send events of these numbers to another system; `caller` is one of CallerShown."""
    rights = Rights.of(user)
    if all_numbers:
        return all(rights.everywhere(right) for right in needed(caller))
    return all(rights.may_each(right, numbers) for right in needed(caller))


def may_set_up(user: Any, endpoint: Endpoint) -> bool:
    """Return whether a person has the rights to change an endpoint as it is."""
    numbers = [] if endpoint.all_numbers else list(endpoint.numbers.all())
    return may_send(user, endpoint.caller, all_numbers=endpoint.all_numbers, numbers=numbers)


def visible_endpoints(user: Any) -> QuerySet[Endpoint]:
    """Return the endpoints of which a person sees every number."""
    numbers = Rights.of(user).numbers(Right.FIGURES)
    if numbers is None:
        return Endpoint.objects.all()
    chosen: Any = Endpoint.numbers.through
    of_others = chosen.objects.exclude(destinationnumber_id__in=numbers)
    return Endpoint.objects.filter(all_numbers=False).exclude(pk__in=of_others.values("endpoint_id"))
