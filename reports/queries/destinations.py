"""Which destinations rang lately, and who answers there. It is data about people, limited to the right *people*."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Sum

from calls import phones
from calls.access import Rights
from calls.models import Right
from contacts.agents import Agents, Key, Turn
from reports import periods
from reports.models import DayForwardCounts
from reports.queries import forwards

# A destination that was not tried for longer is listed only if people answer there.
LOOKED_BACK = timedelta(days=90)


@dataclass(frozen=True)
class Destination:
    """A destination with its people, and how often it was tried and answered in the days looked back."""

    destination: str
    destination_type: str
    attempts: int
    answers: int
    turns: Sequence[Turn]

    @property
    def name(self) -> str:
        return forwards.named(self.destination, self.destination_type)

    @property
    def pk(self) -> str:
        """What stands for the destination in addresses."""
        return forwards.token(self.name)

    @property
    def type_in_words(self) -> str:
        return forwards.type_label(self.destination_type)

    @property
    def current(self) -> Turn | None:
        """Those who answer today; None if there is no entry for today."""
        today = periods.today()
        return next((turn for turn in self.turns if turn.first <= today <= turn.last), None)

    def __str__(self) -> str:
        return phones.readable(self.destination)


@dataclass(frozen=True)
class Destinations:
    """The destinations that a person may name people for: those without people first, then the most tried."""

    rows: Sequence[Destination]
    # Whether enough were tried to show figures of single ones.
    are_enough: bool

    def get(self, token: str) -> Destination | None:
        """Return the destination that a token stands for; None if it is not among these."""
        return next((row for row in self.rows if row.pk == token), None)


def of_numbers_seen_by(user: Any) -> Destinations:
    """Return the destinations tried in calls to the numbers of which a person may see people.

    Destinations that were last tried longer ago are among them if people answer there."""
    numbers = Rights.of(user).numbers(Right.PEOPLE)
    if numbers is not None and not numbers:
        return Destinations([], are_enough=False)
    agents = Agents.read().by_destination
    tried = _tried(numbers)
    mapped = agents.keys() - tried.keys()
    if mapped and numbers is not None:
        known = forwards.names_at_any_time(numbers)
        mapped = {key for key in mapped if forwards.named(key[1], key[0]) in known}
    are_enough = len(tried) >= settings.FORWARDS_LEAST_DESTINATIONS
    rows = [
        Destination(destination, kind, *counted, agents.get((kind, destination), ()))
        for (kind, destination), counted in (dict.fromkeys(mapped, (0, 0)) | tried).items()
        if destination
    ]
    # In an order that says nothing of how often each was tried, if that is not shown.
    rows.sort(key=lambda row: (bool(row.turns), *((-row.attempts, -row.answers) if are_enough else ()), row.name))
    return Destinations(rows, are_enough)


def _tried(numbers: Collection[int] | None) -> dict[Key, tuple[int, int]]:
    """Return attempts and answers of each destination of these numbers (ids; None for all) in the days looked back."""
    rows = DayForwardCounts.objects.order_by().filter(day__gt=periods.today() - LOOKED_BACK)
    if numbers is not None:
        rows = rows.filter(destination_number__any_of=numbers)
    summed = rows.values_list("destination_type", "destination").annotate(Sum("attempts"), Sum("answers"))
    return {(kind, destination): (attempts, answers) for kind, destination, attempts, answers in summed}
