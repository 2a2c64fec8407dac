"""What the address of a list of calls asks for: the list of filters, and the form that holds what was asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.contrib.sessions.backends.base import SessionBase
from django.db.models import QuerySet
from django.http import QueryDict

from calls.models import Call
from reports import periods
from reports.filters import session_filter
from reports.filters.base import Filter, FilterForm, Pairs
from reports.filters.calls_by_course import (
    BlockFilter,
    CallbackFilter,
    DestinationFilter,
    DurationFilter,
    FlagFilter,
    MeasuredFilter,
    NumberFilter,
    OutcomeFilter,
    ServiceLevelFilter,
)
from reports.filters.calls_by_time import (
    AtOnceFilter,
    DaysFilter,
    HourFilter,
    MomentsFilter,
    OpeningFilter,
    WeekdayFilter,
    WeeksFilter,
    listed_days,
)
from reports.filters.presets import Preset
from reports.filters.search import SearchFilter
from reports.filters.session_filter import DAYS, EVERY_DAY
from reports.periods import Period

Kinds = Sequence[type[Filter]]

# Every filter of calls, in the order in which addresses name them.
FILTERS: Kinds = (
    DaysFilter,
    MomentsFilter,
    WeekdayFilter,
    HourFilter,
    NumberFilter,
    OutcomeFilter,
    FlagFilter,
    OpeningFilter,
    CallbackFilter,
    BlockFilter,
    DestinationFilter,
    DurationFilter,
    ServiceLevelFilter,
    MeasuredFilter,
    AtOnceFilter,
    WeeksFilter,
    SearchFilter,
)


def _ordered(*first: type[Filter], last: Kinds = ()) -> Kinds:
    """Return every filter, some of them first and some last."""
    return (*first, *(kind for kind in FILTERS if kind not in {*first, *last}), *last)


# Other orders: of reading and its errors, of a posted form, and of words. A filter that is not named comes after the
# first ones.
PARSED = _ordered(DaysFilter, WeeksFilter, last=(ServiceLevelFilter, AtOnceFilter, SearchFilter))
POSTED = _ordered(DaysFilter, MomentsFilter, WeekdayFilter, HourFilter, OpeningFilter)
IN_A_SENTENCE = _ordered(
    OutcomeFilter,
    CallbackFilter,
    FlagFilter,
    DaysFilter,
    OpeningFilter,
    WeekdayFilter,
    DurationFilter,
    DestinationFilter,
)
ON_A_SHEET = _ordered(
    DaysFilter, NumberFilter, OpeningFilter, OutcomeFilter, BlockFilter, DestinationFilter, DurationFilter
)
CHIPS = _ordered(SearchFilter, BlockFilter, DurationFilter, DestinationFilter)


@dataclass(frozen=True)
class Chip:
    """What a list is narrowed to, and the query string of the list without it."""

    label: str
    query_without: str


class CallFilter(FilterForm):
    """What a person asked for, never outside what they may see.

    What cannot be read is left out and said in `errors`, by name of the field; the list is then empty, for a list that
    ignores a filter would mislead. A number that is not theirs is answered like one that does not exist: Http404."""

    def __init__(self, query: QueryDict, user: Any, session: SessionBase, *, is_recalled: bool = False) -> None:
        """Of a question that `is_recalled`, numbers that are no longer the person's are left out."""
        super().__init__(FILTERS, user, session, is_recalled=is_recalled)
        for one in self.filters(PARSED):
            one.parse(query)

    def filters(self, kinds: Kinds = FILTERS) -> Iterator[Filter]:
        """Yield the filters of some kinds."""
        return (self[kind] for kind in kinds)

    # --- Its address --------------------------------------------------------------------------

    def pairs(self, *without: type[Filter]) -> Pairs:
        """Return the filters as an address holds them. A search is a token there, never what was searched for."""
        return [pair for kind in FILTERS if kind not in without for pair in self[kind].to_query()]

    def query(self, *without: type[Filter], **more: str) -> str:
        """Return the query string of these filters."""
        return urlencode([*self.pairs(*without), *more.items()])

    @property
    def without_field(self) -> Pairs:
        """The filters that the form has no field for, and hands on."""
        return self.pairs(*(kind for kind in FILTERS if kind.has_field))

    @staticmethod
    def raw_query(posted: QueryDict) -> str:
        """Return the query string of filters as they were posted, also of those that cannot be read, so that the
        page says so; nothing else that was posted gets into an address."""
        query = QueryDict(mutable=True)
        for name in (name for kind in POSTED for name in kind.names):
            query.setlist(name, [value for value in posted.getlist(name) if value.strip()])
        return query.urlencode()

    @property
    def is_empty(self) -> bool:
        return not self.errors and all(name == "period" for name, _value in self.pairs())

    @property
    def question(self) -> str:
        """The question that the list asks of reports too; nothing where it is of the calls of a count.

        Such a list is left for the question from which it was reached."""
        names = {name for name, _value in self.pairs(SearchFilter)}
        named = self[DaysFilter].named
        if self.errors or named == EVERY_DAY or not names:
            return ""
        if not named and not names <= set(session_filter.NAMES):
            return ""
        wanted = [pair for pair in self.pairs() if pair[0] in session_filter.NAMES and pair != ("period", DAYS)]
        return urlencode(wanted)

    @property
    def question_to_remember(self) -> str:
        """The question as it is asked on another day: a named period moves on."""
        asked = self[DaysFilter]
        if asked.named not in Preset.values:
            return self.question
        days = Preset(asked.named).period(periods.today())
        moves_on = (asked.first, asked.last) == (days.first, days.last)
        return urlencode([pair for pair in parse_qsl(self.question) if not (moves_on and pair[0] in {"from", "to"})])

    # --- In words -----------------------------------------------------------------------------

    @property
    def period(self) -> Period | None:
        """The days asked for, where both ends are."""
        first, last = listed_days(self)
        return Period(first, last, self[OpeningFilter].opening) if first and last and not self.errors else None

    def sentence(self) -> list[str]:
        """Return what the list is narrowed to, part by part."""
        parts: dict[str, list[str]] = {}
        for one in self.filters(IN_A_SENTENCE):
            parts.setdefault(str(one.heading), []).append(one.label())
        return [label for labels in parts.values() for label in labels if label]

    def sheet_rows(self) -> list[tuple[str, str]]:
        """Return the filters by their headings, for the sheet of a workbook; without what was searched for."""
        rows: dict[str, list[str]] = {}
        for one in self.filters(ON_A_SHEET):
            for heading, label in one.sheet_rows():
                rows.setdefault(heading, []).extend([label] if label else [])
        return [(heading, ", ".join(labels)) for heading, labels in rows.items() if labels]

    def chips(self) -> list[Chip]:
        """Return what the list is narrowed to beside what the form and the menus show."""
        shared: dict[str, list[Filter]] = {}
        for one in self.filters(CHIPS):
            if one.chip:
                shared.setdefault(one.chip, []).append(one)
        labelled = [(self._chip_label(filters), filters) for filters in shared.values()]
        return [Chip(label, self.query(*map(type, filters))) for label, filters in labelled if label]

    @staticmethod
    def _chip_label(filters: Sequence[Filter]) -> str:
        labels: dict[str, list[str]] = {}
        for one in filters:
            labels.setdefault(str(one.heading), []).extend(filter(None, [one.chip_label()]))
        return " ".join(", ".join(of_heading) for of_heading in labels.values() if of_heading)

    # --- What it finds ------------------------------------------------------------------------

    def calls(self) -> QuerySet[Call]:
        """Return the calls that were asked for, in no order."""
        if self.errors:
            return Call.objects.none()
        calls = Call.objects.all()
        for one in self.filters():
            calls = one.apply(calls)
        return calls
