"""The list of calls, and one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from calls.models import Call, RequestType
from reports.counting.outcomes import Outcome
from reports.figures.coverage import Coverage
from reports.filters import session_filter
from reports.filters.call_filter import CallFilter
from reports.filters.call_menus import CallMenus
from reports.filters.call_paging import PageOfCalls, page_of_calls
from reports.filters.calls_by_course import CallbackFilter, FlagFilter, OutcomeFilter
from reports.filters.search import SearchFilter, keep_search
from reports.queries import call_timeline
from reports.queries import calls as call_queries
from reports.queries.call_timeline import Happening, Remark, ScaleBar
from reports.views.shared import Page, last_question, page_of, personal, shown_outcome

Option = tuple[str, str, bool]


@dataclass(frozen=True, kw_only=True)
class CallsPage(Page):
    """A page of the list of calls, with its filters."""

    filter: CallFilter
    form: CallMenus
    found: PageOfCalls
    # Each call with its outcome; blank where that is not measured.
    rows: Sequence[tuple[Call, str]]
    list_query: str

    @property
    def search(self) -> SearchFilter:
        return self.filter[SearchFilter]

    @property
    def outcomes(self) -> list[Option]:
        """The outcomes to choose from."""
        return [option for option in self.filter[OutcomeFilter].options() if option[0] in Outcome.values]

    @property
    def more_outcomes(self) -> list[Option]:
        """What else can be chosen beside outcomes."""
        return [option for option in self.filter[OutcomeFilter].options() if option[0] not in Outcome.values]

    @property
    def flags(self) -> list[Option]:
        return self.filter[FlagFilter].options()

    @property
    def leaves_out_callbacks(self) -> bool:
        return self.filter[CallbackFilter].are_left_out


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@personal
def calls(request: HttpRequest) -> HttpResponse:
    """List calls. A search is posted, kept in the session, and stands in the address as a token only."""
    if request.method == "POST":
        posted = request.POST.copy()
        posted["search"] = keep_search(request.session, request.POST.get("q", ""))
        found_by = CallFilter.raw_query(posted)
        return redirect(f"{reverse('calls')}?{found_by}" if found_by else "calls")
    # An address without anything lists what was asked for elsewhere; any other says all that it is of.
    query: QueryDict = request.GET
    is_recalled = False
    if not query or query.get("period") == session_filter.FORGET:
        query, is_recalled = session_filter.completed(query, request.session)
    asked = CallFilter(query, request.user, request.session, is_recalled=is_recalled)
    page = build_calls_page(asked, query)
    return page_of(request, "reports/calls.html", page, asked.choices, _question_of(request, asked, is_recalled))


def build_calls_page(asked: CallFilter, query: QueryDict) -> CallsPage:
    """Build the page of the list that `query` names, of the calls that were asked for."""
    found = page_of_calls(call_queries.with_list_columns(asked.calls()), query, asked.query)
    coverage = Coverage.read(asked.choices)
    return CallsPage(
        filter=asked,
        form=CallMenus(asked),
        found=found,
        rows=[(call, shown_outcome(call, coverage)) for call in found.calls],
        list_query=asked.query(),
        zone=settings.TIME_ZONE,
    )


def _question_of(request: HttpRequest, asked: CallFilter, is_recalled: bool = False) -> str:
    """Return the question that links to reports carry: that of the list, which is then remembered, or the last one."""
    if not asked.question:
        return last_question(request)
    if not is_recalled:
        session_filter.remember(request, asked.question_to_remember)
    return asked.question


@dataclass(frozen=True, kw_only=True)
class CallPage(Page):
    """One call, with the calls before and after it in the list from which it was reached."""

    call: Call  # with list columns
    outcome: str
    events: Sequence[Happening]
    bar: ScaleBar | None
    variables: dict[str, list[str]]
    remarks: Sequence[Remark]
    # The destination that answered first.
    answered_by: str
    list_query: str
    earlier: int | None
    later: int | None
    most = call_timeline.MOST_EVENTS


@require_safe
@login_required
@personal
def call(request: HttpRequest, pk: int) -> HttpResponse:
    # The list from which it was reached: its calls come before and after.
    asked = CallFilter(request.GET, request.user, request.session)
    visible = call_queries.with_list_columns(Call.objects.filter(destination_number__in=asked.choices))
    page = build_call_page(get_object_or_404(visible, pk=pk), asked)
    return page_of(request, "reports/call.html", page, asked.choices, _question_of(request, asked))


def build_call_page(one: Call, asked: CallFilter) -> CallPage:
    """Build the page of a call; the calls beside it are those of its number where it was reached from no list."""
    beside: QuerySet[Call] = Call.objects.filter(destination_number=one.destination_number_id)
    if asked.pairs() or asked.errors:
        beside = asked.calls()
    place = one.first_post_at, one.pk
    events = call_timeline.events_of(one)
    answers = (event.destination for event in events if event.request_type == RequestType.FORWARD_ANSWER)
    return CallPage(
        call=one,
        outcome=shown_outcome(one, Coverage.read([one.destination_number])),
        events=events,
        bar=call_timeline.scale_bar(one),
        variables=call_timeline.variables_of(events),
        remarks=call_timeline.remarks_on(one, events),
        answered_by=next(answers, ""),
        list_query=asked.query(),
        earlier=call_queries.earlier(beside, *place).values_list("pk", flat=True).first(),
        later=call_queries.later(beside, *place).values_list("pk", flat=True).first(),
        zone=settings.TIME_ZONE,
    )
