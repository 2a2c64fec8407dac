"""The list of calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from calls.access import Rights
from calls.kept_searches import LONGEST_SEARCH, TooManySearches, keep_search, kept_search
from calls.models import Call, Right
from reports import permissions
from reports.counting.outcomes import Outcome
from reports.figures.cells import Cell
from reports.filters import session_filter
from reports.filters.base import Chip
from reports.filters.call_filter import CallFilter
from reports.filters.call_menus import CallMenus
from reports.filters.call_paging import PageOfCalls, page_of_calls
from reports.filters.calls_by_course import CallbackFilter, FlagFilter, OutcomeFilter
from reports.filters.calls_by_time import DaysFilter
from reports.filters.search import SearchFilter, keep_caller_of
from reports.queries import calls as call_queries
from reports.queries import known_callers
from reports.queries.known_callers import KnownCaller
from reports.views.call_totals import Totals, totals_of
from reports.views.readable import Readable
from reports.views.shared import Page, last_question, page_of, personal, shown_outcome, waited

Option = tuple[str, str, bool]


@dataclass(frozen=True)
class ListedCall(Readable):
    """A row of the list."""

    call: Call  # with list columns
    outcome: str  # blank if it is not measured
    # How many seconds the caller waited.
    waited: Cell
    # None without a contact.
    known: KnownCaller | None


@dataclass(frozen=True)
class OutcomeChip(Readable):
    """An outcome to choose, and how many calls have it; None if that is not counted."""

    key: str
    label: str
    is_chosen: bool
    calls: int | None


@dataclass(frozen=True, kw_only=True)
class CallsPage(Page):
    """A page of the list of calls, with its filters."""

    filter: CallFilter
    form: CallMenus
    found: PageOfCalls
    rows: Sequence[ListedCall]
    totals: Totals
    # What links to its calls carry, so that these lead back to it.
    list_query: str
    # A search that was refused, and why; blank otherwise.
    refused_search: str = ""
    why_refused: str = ""

    @property
    def chips(self) -> list[Chip]:
        """The filters that are set."""
        return self.form.chips()

    @property
    def search(self) -> SearchFilter:
        return self.filter[SearchFilter]

    @property
    def outcomes(self) -> list[OutcomeChip]:
        """The outcomes to choose from."""
        return [chip for chip in self._chips if chip.key in Outcome.values]

    @property
    def more_outcomes(self) -> list[OutcomeChip]:
        """The further choices of the filter by outcome."""
        return [chip for chip in self._chips if chip.key not in Outcome.values]

    @property
    def _chips(self) -> list[OutcomeChip]:
        counted = self.totals.by_outcome
        return [OutcomeChip(*option, counted.get(option[0])) for option in self.filter[OutcomeFilter].options()]

    @property
    def is_more_chosen(self) -> bool:
        """Whether one of the further filters is set."""
        chosen = any(chip.is_chosen for chip in self.more_outcomes) or any(flag[2] for flag in self.flags)
        return chosen or self.leaves_out_callbacks

    @property
    def flags(self) -> list[Option]:
        return self.filter[FlagFilter].options()

    @property
    def rights(self) -> Rights:
        return self.filter.rights

    @property
    def exports_calls(self) -> bool:
        return self.rights.may_each(Right.EXPORT, self.filter.numbers_listed)

    @property
    def exports_whole_callers(self) -> bool:
        return any(permissions.may_have_callers(self.rights, number) for number in self.filter.numbers_listed)

    @property
    def leaves_out_callbacks(self) -> bool:
        return self.filter[CallbackFilter].are_left_out


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@personal
def calls(request: HttpRequest) -> HttpResponse:
    """List calls. A search is posted and kept in the session; the address has only its token."""
    if not permissions.may_list_calls(request.user):
        raise PermissionDenied
    if request.method == "POST":
        posted = request.POST.copy()
        try:
            posted["search"] = _kept_search(request)
        except TooManySearches as error:
            return _refused(request, posted, str(error))
        filters = CallFilter.raw_query(posted)
        return redirect(f"{reverse('calls')}?{filters}" if filters else "calls")
    # Without a query string, the filters kept in the session apply; otherwise the query string is complete.
    query: QueryDict = request.GET
    is_recalled = False
    if not query or query.get("period") == session_filter.FORGET:
        query, is_recalled = session_filter.completed(query, request.session)
    call_filter = CallFilter(query, request.user, request.session, is_recalled=is_recalled)
    page = build_calls_page(call_filter, query)
    return page_of(
        request, "reports/calls.html", page, call_filter.visible, question_of(request, call_filter, is_recalled)
    )


def _refused(request: HttpRequest, posted: QueryDict, why: str) -> HttpResponse:
    """Answer a search that is refused with its text and the other filters in the form, and no calls."""
    posted["search"] = ""
    query = QueryDict(CallFilter.raw_query(posted))
    call_filter = CallFilter(query, request.user, request.session)
    call_filter.errors["search"] = why
    page = build_calls_page(call_filter, query)
    page = replace(page, refused_search=request.POST.get("q", "")[:LONGEST_SEARCH], why_refused=why)
    answer = page_of(request, "reports/calls.html", page, call_filter.visible, last_question(request))
    answer.status_code = 429
    return answer


def _kept_search(request: HttpRequest) -> str:
    """Store what is searched for in the session; return its token: of a text, of a caller, or of the search before."""
    if call_id := request.POST.get("caller_of", ""):
        return keep_caller_of(request.session, call_id)
    if text := request.POST.get("q", "").strip():
        return keep_search(request.session, text)
    token = request.POST.get("search", "")
    return token if kept_search(request.session, token) else ""


def build_calls_page(call_filter: CallFilter, query: QueryDict) -> CallsPage:
    """Build the page of the list that `query` names, of the calls that match the filters."""
    listed = page_of_calls(call_queries.with_list_columns(call_filter.calls()), query, call_filter.query)
    coverage = call_filter.coverage
    known = known_callers.of_calls(listed.calls, call_filter.rights)
    rows = []
    for call in listed.calls:
        outcome = shown_outcome(call, coverage)
        rows.append(ListedCall(call, outcome, waited(call, outcome, coverage), known.get(call.pk)))
    return CallsPage(
        filter=call_filter,
        form=CallMenus(call_filter),
        found=listed,
        rows=rows,
        totals=totals_of(call_filter, listed, coverage),
        list_query=call_filter.query() or urlencode(DaysFilter.query_of(named=session_filter.EVERY_DAY)),
        zone=settings.TIME_ZONE,
    )


def question_of(request: HttpRequest, call_filter: CallFilter, is_recalled: bool = False) -> str:
    """Return the question for links to reports: that of the list, which the session then keeps, or the last one."""
    if not call_filter.question:
        return last_question(request)
    if not is_recalled:
        session_filter.remember(request, call_filter.question_to_remember)
    return call_filter.question
