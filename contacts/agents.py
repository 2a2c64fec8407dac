"""The people who answer at destinations: read by one query for each request, then looked up by day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import groupby
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from calls import phones
from calls.access import Right, Rights
from contacts.models import AgentDestination, name_of

# On pages; files have all.
MOST_NAMES = 3
# Type and destination.
Key = tuple[str, str]


@dataclass(frozen=True)
class Turn:
    """Those who answer at a destination from one day to another. Without people, `rows` are one row without a user."""

    first: date
    last: date
    rows: Sequence[AgentDestination]

    @property
    def people(self) -> dict[int, str]:
        """The names of the people by the id of the user, in alphabetical order."""
        named = [(name_of(row.user), row.user.pk) for row in self.rows if row.user]
        return {pk: name for name, pk in sorted(named, key=lambda one: (one[0].casefold(), one[1]))}


@dataclass(frozen=True)
class Agents:
    """Who answers at each destination, and when. Read it only for people who may see destinations."""

    by_destination: Mapping[Key, Sequence[Turn]] = field(default_factory=dict)

    @classmethod
    def read(cls) -> Agents:
        """Return all of them, with one query."""
        rows = AgentDestination.objects.select_related("user")
        by_destination: dict[Key, list[AgentDestination]] = {}
        for row in rows:
            by_destination.setdefault((row.destination_type, row.destination), []).append(row)
        return cls({key: turns(of_destination) for key, of_destination in by_destination.items()})

    def on(self, destination: str, destination_type: str, day: date) -> list[str]:
        """Return the names of the people of a destination on a day."""
        return self.between(destination, destination_type, day, day)

    def between(self, destination: str, destination_type: str, first: date, last: date) -> list[str]:
        """Return the names of all people of a destination in a period, those of earlier days first."""
        people: dict[int, str] = {}
        for turn in self.by_destination.get((destination_type, destination), ()):
            if turn.first <= last and turn.last >= first:
                people |= turn.people
        return list(people.values())

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield a row for each turn, for statements that look up names themselves."""
        for (destination_type, destination), of_destination in self.by_destination.items():
            for place, turn in enumerate(of_destination):
                yield {
                    "destination": destination,
                    "destination_type": destination_type,
                    "first_day": _sql_day(turn.first),
                    "last_day": _sql_day(turn.last),
                    "place": place,
                    "people": list(turn.people),
                    "names": list(turn.people.values()),
                }


# For people who may not see who answers.
NO_AGENTS = Agents()


def _sql_day(day: date) -> str:
    return {date.min: "-infinity", date.max: "infinity"}.get(day, day.isoformat())


def turns(rows: Iterable[AgentDestination]) -> list[Turn]:
    """Return the turns of one destination in order: each ends on the day before the next one begins."""
    ordered = sorted(rows, key=lambda row: (_first_day(row), row.person_name.casefold()))
    parts = [(first, list(of_day)) for first, of_day in groupby(ordered, key=_first_day)]
    next_days = [first for first, _rows in parts[1:]]
    ends = [*(day - timedelta(days=1) for day in next_days), date.max]
    return [Turn(first, last, of_day) for (first, of_day), last in zip(parts, ends, strict=False)]


def _first_day(row: AgentDestination) -> date:
    return row.from_day or date.min


def labelled(names: Sequence[str], destination: str) -> str:
    """Return a destination for a page, with the names of its people: `Anna Meyer (1001)`; without names as it is."""
    written = phones.readable(destination)
    if not names:
        return written
    people = ", ".join(names[:MOST_NAMES])
    more = len(names) - MOST_NAMES
    if more > 0:
        words = ngettext("%(people)s and %(n)d more", "%(people)s and %(n)d more", more)
        people = words % {"people": people, "n": more}
    return _("%(people)s (%(destination)s)") % {"people": people, "destination": written}


# --- Changes -----------------------------------------------------------------------------------


def nameable_by(editor: Any) -> QuerySet[User]:
    """Return the users that a person may name as agents. Only superusers see superusers."""
    users = User.objects.filter(is_active=True)
    return users if editor.is_superuser else users.filter(is_superuser=False)


def why_not_join(editor: Any, number: Any = None) -> str:
    """Return why a person may not add themselves to those who are shown calls while they ring, in the team of a number,
    or at a destination, for all numbers of which they see destinations; blank if they may.

    People there see whole callers without any right, so nobody may take that who does not have it."""
    rights = Rights.of(editor)
    if number is not None:
        may = rights.may(Right.CALLERS, number)
    else:
        callers, people = rights.numbers(Right.CALLERS), rights.numbers(Right.PEOPLE)
        may = callers is None or (people is not None and people <= callers)
    return "" if may else _("People who are added see who calls. Ask a colleague to add you.")


def rows_of(destination: str, destination_type: str) -> list[AgentDestination]:
    """Return the rows of a destination."""
    rows = AgentDestination.objects.filter(destination=destination, destination_type=destination_type)
    return list(rows.select_related("user"))


def answering_on(day: date | None, of_destination: Sequence[Turn]) -> list[User]:
    """Return those who answer at a destination on a day (None: in the beginning)."""
    begun = [turn for turn in of_destination if turn.first <= (day or date.min)]
    return [row.user for row in begun[-1].rows if row.user] if begun else []


@transaction.atomic
def take_over(
    destination: str, destination_type: str, people: Sequence[User | None], day: date | None, *, joins: bool = False
) -> list[str]:
    """Let people answer at a destination from a day on (None: from the beginning), in place of those before.

    With `joins` those who answer on that day go on. Later turns stay as they are. Return in words what changed."""
    before = rows_of(destination, destination_type)
    others = answering_on(day, turns(before)) if joins else []
    wanted = {person.pk if person else None: person for person in (*others, *people)}
    if any(wanted.values()):
        wanted.pop(None, None)
    kept = {row.user_id for row in before if row.from_day == day and row.user_id in wanted}
    for row in before:
        if row.from_day == day and row.user_id not in wanted:
            row.delete()
    for pk, person in wanted.items():
        if pk not in kept:
            AgentDestination.objects.create(
                user=person, destination=destination, destination_type=destination_type, from_day=day
            )
    return _changes(before, rows_of(destination, destination_type))


def remove(row: AgentDestination) -> list[str]:
    """Remove a row. If it was the only one of its day, those before answer again. Return in words what changed."""
    AgentDestination.objects.filter(pk=row.pk).delete()
    return _changes([row], [])


def _changes(before: Sequence[AgentDestination], after: Sequence[AgentDestination]) -> list[str]:
    had, has = ({(row.from_day, row.user_id): row for row in rows} for rows in (before, after))
    removed = [_in_words(row, is_added=False) for key, row in had.items() if key not in has]
    return [*removed, *(_in_words(row, is_added=True) for key, row in has.items() if key not in had)]


def _in_words(row: AgentDestination, *, is_added: bool) -> str:
    named = {"name": name_of(row.user)}
    if row.from_day is None:
        words = _("%(name)s added from the beginning") if is_added else _("%(name)s removed from the beginning")
        return words % named
    words = _("%(name)s added from %(day)s") if is_added else _("%(name)s removed from %(day)s")
    return words % (named | {"day": date_format(row.from_day, "j M Y")})
