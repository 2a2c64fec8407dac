"""Base classes of filters of calls: names in the query string, labels, and the condition on calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from django.contrib.sessions.backends.base import SessionBase
from django.http import QueryDict
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from calls.access import Rights
from calls.models import DestinationNumber, Right
from calls.querysets import CallQuerySet
from contacts.agents import NO_AGENTS, Agents
from reports.figures.coverage import Coverage
from reports.filters.readers import read_choice, read_choices

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

Pairs = list[tuple[str, str]]
# Up to this many selected numbers have a chip each; more share one.
MOST_CHIPS_OF_NUMBERS = 3
Kind = TypeVar("Kind", bound="Filter")


@dataclass(frozen=True)
class Chip:
    """A filter that is set, and the query string of the page without it."""

    label: str
    query_without: str


def chips_of_numbers(
    selected: Sequence[DestinationNumber],
    choices: Sequence[DestinationNumber],
    query_of: Callable[[Sequence[DestinationNumber]], str],
) -> list[Chip]:
    """Return a chip for each selected number, or one for all if they are many.

    `query_of` returns the query string of the page with other numbers."""
    if len(selected) > MOST_CHIPS_OF_NUMBERS:
        return [Chip(_("%(n)d of %(all)d numbers") % {"n": len(selected), "all": len(choices)}, query_of([]))]
    return [Chip(number.name, query_of([other for other in selected if other != number])) for number in selected]


class Filter:
    """One filter of calls. It is made for each request, empty, and then parsed.

    `label` says it in words, `sheet_label` in a workbook under `heading`, and `chip_label` on the chip that removes it.
    Each is blank if the filter is not set."""

    names: ClassVar[tuple[str, ...]]
    # The heading of its row in a workbook's list of filters. Filters with the same heading share a row; blank: no row.
    heading: ClassVar[_StrPromise | str] = ""
    # Filters with the same chip share one, which removes all of them; blank: no chip.
    chip: ClassVar[str] = ""
    # Whether the form of the list has a field for it; otherwise the form carries it in a hidden field.
    has_field: ClassVar[bool] = False

    def __init__(self, asked: FilterForm) -> None:
        self.asked = asked

    def parse(self, query: QueryDict) -> None:
        """Read the query string. Values that cannot be read are left out and reported in `asked.errors` by name.

        Filters before it in the list are already parsed: `asked[WeeksFilter]`."""
        raise NotImplementedError

    def to_query(self) -> Pairs:
        """Return the pairs of the query string; empty if the filter is not set."""
        raise NotImplementedError

    def label(self) -> str:
        return ""

    def sheet_label(self) -> str:
        return self.label()

    def chip_label(self) -> str:
        return self.label()

    def sheet_rows(self) -> Iterable[tuple[str, str]]:
        """Return the headings and texts of its rows in a workbook's list of filters."""
        return [(str(self.heading), self.sheet_label())] if self.heading else []

    def apply(self, calls: CallQuerySet) -> CallQuerySet:
        """Keep the matching calls; all of them if the filter is not set."""
        raise NotImplementedError


class ChoicesFilter(Filter):
    """A filter with one name and any number of known values."""

    chosen: list[str]

    def labels(self) -> Mapping[str, Any]:
        """Return the known values with their labels."""
        raise NotImplementedError

    def options(self) -> list[tuple[str, str, bool]]:
        """Return the values and labels to choose from, and whether each is selected."""
        return [(value, str(label), value in self.chosen) for value, label in self.labels().items()]

    def parse(self, query: QueryDict) -> None:
        (name,) = self.names
        self.chosen = read_choices(name, query.getlist(name), list(self.labels()), self.asked.errors)

    def to_query(self) -> Pairs:
        return [(self.names[0], value) for value in self.chosen]

    def sheet_label(self) -> str:
        labels = self.labels()
        return ", ".join(str(labels[value]) for value in self.chosen)


class ChoiceFilter(Filter):
    """A filter with one name and one of several known values."""

    chosen = ""

    def labels(self) -> Mapping[str, Any]:
        """Return the known values with their labels."""
        raise NotImplementedError

    def parse(self, query: QueryDict) -> None:
        (name,) = self.names
        self.chosen = read_choice(name, query, list(self.labels()), self.asked.errors)

    def to_query(self) -> Pairs:
        return [(self.names[0], self.chosen)] if self.chosen else []

    def label(self) -> str:
        return str(self.labels()[self.chosen]) if self.chosen else ""


class FilterForm:
    """What the filters of one request share: the user, the numbers, and the errors."""

    def __init__(
        self, kinds: Sequence[type[Filter]], user: Any, session: SessionBase, *, is_recalled: bool = False
    ) -> None:
        self.user, self.session, self.is_recalled = user, session, is_recalled
        self.errors: dict[str, str] = {}
        self.rights = Rights.of(user)
        # All numbers that the user may see; those of which they may see single calls, to choose from; those selected.
        self.visible: list[DestinationNumber] = list(DestinationNumber.objects.visible_to(user))
        self.choices = [number for number in self.visible if self.rights.may(Right.CALLS, number)]
        self.numbers: list[DestinationNumber] = []
        # Numbers that the query names, of which the user may see figures only.
        self.withheld: list[DestinationNumber] = []
        self._filters = {kind: kind(self) for kind in kinds}

    def __getitem__(self, kind: type[Kind]) -> Kind:
        """Return the filter of a kind."""
        return cast("Kind", self._filters[kind])

    @cached_property
    def agents(self) -> Agents:
        """Who answers at destinations; without names if the user may see no destination."""
        return Agents.read() if self.rights.anywhere(Right.PEOPLE) else NO_AGENTS

    @cached_property
    def coverage(self) -> Coverage:
        """Since when each figure of the numbers to choose from is measured."""
        return Coverage.read(self.choices)

    @property
    def numbers_listed(self) -> list[DestinationNumber]:
        """The numbers whose calls are listed: those selected, or all whose single calls the user may see."""
        return self.numbers or self.choices
