"""What every filter of calls is: its names in an address, its words, and the calls that it keeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from django.contrib.sessions.backends.base import SessionBase
from django.http import QueryDict

from calls.models import DestinationNumber
from calls.querysets import CallQuerySet
from reports.filters.readers import read_choice, read_choices

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

Pairs = list[tuple[str, str]]
Kind = TypeVar("Kind", bound="Filter")


class Filter:
    """One filter of calls. It is made empty for each address, and then parsed.

    `label` says it in a sentence, `sheet_label` under its heading in a workbook, `chip_label` on the chip that removes
    it; each is blank where there is nothing to say."""

    names: ClassVar[tuple[str, ...]]
    # Of its row on a workbook's sheet of filters. Filters of one heading share a row; without one there is no row.
    heading: ClassVar[_StrPromise | str] = ""
    # Filters that name the same chip share one, which removes all of them; without a name there is no chip.
    chip: ClassVar[str] = ""
    # Whether the form of the list has a field for it, so that it need not be handed on.
    has_field: ClassVar[bool] = False

    def __init__(self, asked: FilterForm) -> None:
        self.asked = asked

    def parse(self, query: QueryDict) -> None:
        """Read what an address asks. What cannot be read is left out, and said in `asked.errors` by name.

        Filters before it in the list are parsed already: `asked[WeeksFilter]`."""
        raise NotImplementedError

    def to_query(self) -> Pairs:
        """Return what was asked as an address names it; nothing where it was not."""
        raise NotImplementedError

    def label(self) -> str:
        return ""

    def sheet_label(self) -> str:
        return self.label()

    def chip_label(self) -> str:
        return self.label()

    def sheet_rows(self) -> Iterable[tuple[str, str]]:
        """Yield headings and texts of a workbook's sheet of filters."""
        return [(str(self.heading), self.sheet_label())] if self.heading else []

    def apply(self, calls: CallQuerySet) -> CallQuerySet:
        """Keep the calls that were asked for; all of them where nothing was."""
        raise NotImplementedError


class ChoicesFilter(Filter):
    """Any of some known values of one name."""

    chosen: list[str]

    def labels(self) -> Mapping[str, Any]:
        """Return the known values with their labels."""
        raise NotImplementedError

    def options(self) -> list[tuple[str, str, bool]]:
        """Return values and labels to choose from, and whether each is chosen."""
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
    """One of some known values of one name."""

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
    """What the filters of one address share: who asks, among which numbers, and what could not be read."""

    def __init__(
        self, kinds: Sequence[type[Filter]], user: Any, session: SessionBase, *, is_recalled: bool = False
    ) -> None:
        self.user, self.session, self.is_recalled = user, session, is_recalled
        self.errors: dict[str, str] = {}
        # All that the person may see, and those that were asked for.
        self.choices: list[DestinationNumber] = list(DestinationNumber.objects.visible_to(user))
        self.numbers: list[DestinationNumber] = []
        self._filters = {kind: kind(self) for kind in kinds}

    def __getitem__(self, kind: type[Kind]) -> Kind:
        """Return the filter of a kind."""
        return cast("Kind", self._filters[kind])

    @property
    def numbers_listed(self) -> list[DestinationNumber]:
        """The numbers whose calls are listed: those asked for, or all that the person may see."""
        return self.numbers or self.choices
