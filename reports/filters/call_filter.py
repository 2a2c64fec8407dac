"""Filters of the list of calls: the list of all filters, and the form that reads and applies them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.contrib.sessions.backends.base import SessionBase
from django.db.models import QuerySet
from django.http import QueryDict

from calls.models import Call
from reports import periods
from reports.filters import session_filter
from reports.filters.base import Chip, Filter, FilterForm, Pairs
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

# Every filter of calls, in the order of the query string.
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
    """Return every filter, with these first and last."""
    return (*first, *(kind for kind in FILTERS if kind not in {*first, *last}), *last)


# Other orders: of reading and error messages, of a posted form, and of labels. Filters that are not named come between
# `first` and `last`.
PARSED = _ordered(DaysFilter, WeeksFilter, last=(ServiceLevelFilter, AtOnceFilter, SearchFilter))
POSTED = _ordered(DaysFilter, MomentsFilter, WeekdayFilter, HourFilter, OpeningFilter)
ON_A_SHEET = _ordered(
    DaysFilter, NumberFilter, OpeningFilter, OutcomeFilter, BlockFilter, DestinationFilter, DurationFilter
)
CHIPS = _ordered(SearchFilter, BlockFilter, DurationFilter, DestinationFilter)


class CallFilter(FilterForm):
    """The filters of one list of calls, limited to what the user may see.

    A value that cannot be read is left out and reported in `errors` by name of the field. The list is then empty,
    because a list that ignores a filter would mislead. Raise Http404 for a number that the user may not see or that
    does not exist; a number of which they see figures but no single calls is reported in `errors`."""

    def __init__(self, query: QueryDict, user: Any, session: SessionBase, *, is_recalled: bool = False) -> None:
        """If the query `is_recalled` from the session, numbers that the user may no longer see are left out."""
        super().__init__(FILTERS, user, session, is_recalled=is_recalled)
        for call_filter in self.filters(PARSED):
            call_filter.parse(query)

    def filters(self, kinds: Kinds = FILTERS) -> Iterator[Filter]:
        """Return the filters of these kinds, in this order."""
        return (self[kind] for kind in kinds)

    # --- Query strings ------------------------------------------------------------------------

    def pairs(self, *without: type[Filter]) -> Pairs:
        """Return the filters as pairs of the query string. A search is a token there, never the text."""
        return [pair for kind in FILTERS if kind not in without for pair in self[kind].to_query()]

    def query(self, *without: type[Filter], **more: str) -> str:
        """Return the query string of these filters."""
        return urlencode([*self.pairs(*without), *more.items()])

    @property
    def without_field(self) -> Pairs:
        """The filters that the form has no field for and keeps in hidden fields."""
        return self.pairs(*(kind for kind in FILTERS if kind.has_field))

    @staticmethod
    def raw_query(posted: QueryDict) -> str:
        """Return the query string of the posted filters, also of those that cannot be read: the page reports them.

        Nothing else that was posted gets into an address."""
        query = QueryDict(mutable=True)
        for name in (name for kind in POSTED for name in kind.names):
            query.setlist(name, [value for value in posted.getlist(name) if value.strip()])
        return query.urlencode()

    @property
    def is_empty(self) -> bool:
        return not self.errors and all(name == "period" for name, _value in self.pairs())

    @property
    def question(self) -> str:
        """The period, numbers and hours of the list, for links to reports; blank for the list of the calls of a count.

        From such a list, links lead back to the filters from which it was reached."""
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
        """The question to keep for another day: a named period is then relative to that day. Days only if chosen."""
        asked = self[DaysFilter]
        if not asked.are_kept:
            return urlencode([pair for pair in parse_qsl(self.question) if pair[0] not in DaysFilter.names])
        if asked.named not in Preset.values:
            return self.question
        days = Preset(asked.named).period(periods.today())
        moves_on = (asked.first, asked.last) == (days.first, days.last)
        return urlencode([pair for pair in parse_qsl(self.question) if not (moves_on and pair[0] in {"from", "to"})])

    # --- Labels -------------------------------------------------------------------------------

    @property
    def period(self) -> Period | None:
        """The selected days; None if the first or the last is not set."""
        first, last = listed_days(self)
        return Period(first, last, self[OpeningFilter].opening) if first and last and not self.errors else None

    def sheet_rows(self) -> list[tuple[str, str]]:
        """Return headings and labels of the filters for the second sheet of a workbook, without the search."""
        rows: dict[str, list[str]] = {}
        for call_filter in self.filters(ON_A_SHEET):
            for heading, label in call_filter.sheet_rows():
                rows.setdefault(heading, []).extend([label] if label else [])
        return [(heading, ", ".join(labels)) for heading, labels in rows.items() if labels]

    def chips(self, *without: type[Filter]) -> list[Chip]:
        """Return a chip for each filter that neither the form nor the menus show."""
        shared: dict[str, list[Filter]] = {}
        for call_filter in self.filters(CHIPS):
            if call_filter.chip and type(call_filter) not in without:
                shared.setdefault(call_filter.chip, []).append(call_filter)
        labelled = [(self._chip_label(filters), filters) for filters in shared.values()]
        return [Chip(label, self.query(*map(type, filters))) for label, filters in labelled if label]

    @staticmethod
    def _chip_label(filters: Sequence[Filter]) -> str:
        labels: dict[str, list[str]] = {}
        for one in filters:
            labels.setdefault(str(one.heading), []).extend(filter(None, [one.chip_label()]))
        return "; ".join(", ".join(of_heading) for of_heading in labels.values() if of_heading)

    # --- Calls --------------------------------------------------------------------------------

    def calls(self) -> QuerySet[Call]:
        """Return the matching calls, unordered."""
        if self.errors:
            return Call.objects.none()
        calls = Call.objects.all()
        for call_filter in self.filters():
            calls = call_filter.apply(calls)
        return calls
