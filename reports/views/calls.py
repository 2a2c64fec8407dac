"""The list of calls, and one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts import confirming
from calls import phones, showing
from calls.access import Rights
from calls.kept_searches import LONGEST_SEARCH, TooManySearches, keep_search, kept_search
from calls.models import Call, RequestType, Right
from contacts.agents import NO_AGENTS, labelled
from contacts.links import Link
from contacts.matching import NOT_IDENTIFIED
from contacts.typed_numbers import Typed
from reports import permissions
from reports.counting.outcomes import Outcome
from reports.figures.coverage import Coverage
from reports.filters import session_filter
from reports.filters.call_filter import CallFilter
from reports.filters.call_menus import CallMenus
from reports.filters.call_paging import PageOfCalls, page_of_calls
from reports.filters.calls_by_course import CallbackFilter, FlagFilter, OutcomeFilter
from reports.filters.search import SearchFilter, keep_caller_of
from reports.queries import call_timeline, known_callers
from reports.queries import calls as call_queries
from reports.queries.call_timeline import Happening, Remark, ScaleBar
from reports.queries.known_callers import KnownCaller
from reports.templatetags.formats import caller
from reports.views.call_notes import NoteForm, Notes, build_notes, post_note
from reports.views.readable import Readable
from reports.views.shared import Page, last_question, page_of, personal, shown_outcome

Option = tuple[str, str, bool]


@dataclass(frozen=True, kw_only=True)
class CallsPage(Page):
    """A page of the list of calls, with its filters."""

    filter: CallFilter
    form: CallMenus
    found: PageOfCalls
    # Each call with its outcome, blank if that is not measured, and its caller if there is a contact.
    rows: Sequence[tuple[Call, str, KnownCaller | None]]
    list_query: str
    # A search that was refused, and why; blank otherwise.
    refused_search: str = ""
    why_refused: str = ""

    @property
    def search(self) -> SearchFilter:
        return self.filter[SearchFilter]

    @property
    def outcomes(self) -> list[Option]:
        """The outcomes to choose from."""
        return [option for option in self.filter[OutcomeFilter].options() if option[0] in Outcome.values]

    @property
    def more_outcomes(self) -> list[Option]:
        """The further choices of the filter by outcome."""
        return [option for option in self.filter[OutcomeFilter].options() if option[0] not in Outcome.values]

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
        request, "reports/calls.html", page, call_filter.visible, _question_of(request, call_filter, is_recalled)
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
    coverage = Coverage.read(call_filter.choices)
    known = known_callers.of_calls(listed.calls, call_filter.rights)
    return CallsPage(
        filter=call_filter,
        form=CallMenus(call_filter),
        found=listed,
        rows=[(call, shown_outcome(call, coverage), known.get(call.pk)) for call in listed.calls],
        list_query=call_filter.query(),
        zone=settings.TIME_ZONE,
    )


def _question_of(request: HttpRequest, call_filter: CallFilter, is_recalled: bool = False) -> str:
    """Return the question for links to reports: that of the list, which the session then keeps, or the last one."""
    if not call_filter.question:
        return last_question(request)
    if not is_recalled:
        session_filter.remember(request, call_filter.question_to_remember)
    return call_filter.question


@dataclass(frozen=True)
class ShownCaller(Readable):
    """Whether the page of a call shows the caller whole, and what it says about that."""

    # Whether the person may have it shown, once they have confirmed who they are.
    is_offered: bool = False
    # Where they do that first; blank if they did.
    confirm: str = ""
    is_shown: bool = False
    # What they entered, and why the caller was not shown; blank before.
    reason: str = ""
    error: str = ""
    longest_reason = showing.LONGEST_REASON


@dataclass(frozen=True, kw_only=True)
class CallPage(Page):
    """One call, with the previous and next call in the list from which it was reached."""

    call: Call  # with list columns
    caller: str  # masked unless it is shown; blank if withheld
    showing: ShownCaller
    are_destinations_hidden: bool
    outcome: str
    events: Sequence[Happening]
    bar: ScaleBar | None
    variables: dict[str, list[str]]
    remarks: Sequence[Remark]
    # The destination that answered first, with the names of its people; blank if it is hidden.
    answered_by: str
    # None if there is no contact, or without the right to callers.
    known: KnownCaller | None
    # What the caller typed, as far as it is mapped; empty without the right to callers.
    typed: Sequence[Typed]
    links: Sequence[Link]
    notes: Notes
    list_query: str
    earlier: int | None
    later: int | None
    most = call_timeline.MOST_EVENTS

    @property
    def is_caller_masked(self) -> bool:
        return bool(self.caller) and not self.showing.is_shown


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@personal
def call(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a call; a POST stores a note on it, or shows its caller whole."""
    # The list from which the call was reached; it has the previous and next call.
    call_filter = CallFilter(request.GET, request.user, request.session)
    visible = call_queries.with_list_columns(Call.objects.filter(destination_number__in=call_filter.choices))
    shown_call = get_object_or_404(visible, pk=pk)
    shown, posted = _offered(request, shown_call), None
    if request.method == "POST" and "show_caller" in request.POST:
        if shown.confirm:
            showing.keep_reason(request.session, request.path, request.POST.get("reason", ""))
            return redirect(shown.confirm)
        shown = _show_caller(request, shown_call, shown)
    elif request.method == "POST":
        posted = post_note(request, shown_call)
        if posted is None:
            return redirect(f"{request.get_full_path()}#notes")
    page = build_call_page(shown_call, call_filter, shown, posted)
    answer = page_of(request, "reports/call.html", page, call_filter.visible, _question_of(request, call_filter))
    # Otherwise browsers would not find the tab again that all links share.
    answer.headers["Cross-Origin-Opener-Policy"] = "same-origin-allow-popups"
    return answer


def _offered(request: HttpRequest, shown_call: Call) -> ShownCaller:
    """Return whether the person may have the caller of a call shown."""
    may = Rights.of(request.user).may(Right.CALLERS, shown_call.destination_number_id)
    if not may or not shown_call.caller_id_number:
        return ShownCaller()
    is_confirmed = confirming.is_confirmed(request)
    return ShownCaller(
        is_offered=True,
        confirm="" if is_confirmed else confirming.address(f"{request.get_full_path()}#caller"),
        reason=showing.kept_reason(request.session, request.path),
    )


def _show_caller(request: HttpRequest, shown_call: Call, offered: ShownCaller) -> ShownCaller:
    """Show the caller for the reason that is posted, or say why not. Raise PermissionDenied."""
    if not offered.is_offered:
        raise PermissionDenied
    reason = request.POST.get("reason", "")
    try:
        showing.show(shown_call, request.user, reason)
    except showing.NotShown as error:
        return replace(offered, reason=reason, error=str(error))
    showing.forget_reason(request.session)
    return replace(offered, is_shown=True, reason=reason)


def build_call_page(
    shown_call: Call, call_filter: CallFilter, shown: ShownCaller, posted: NoteForm | None = None
) -> CallPage:
    """Build the page of a call. Without a list, the previous and next calls are those of its number.

    `posted` is a note with errors."""
    neighbours: QuerySet[Call] = Call.objects.filter(destination_number=shown_call.destination_number_id)
    if call_filter.pairs() or call_filter.errors:
        neighbours = call_filter.calls()
    place = shown_call.first_post_at, shown_call.pk
    rights, number = call_filter.rights, shown_call.destination_number_id
    knows_callers, shows_people = rights.may(Right.CALLERS, number), rights.may(Right.PEOPLE, number)
    agents = call_filter.agents if shows_people else NO_AGENTS
    events = call_timeline.events_of(shown_call, callers=shown.is_shown, people=shows_people, agents=agents)
    answers = (event for event in events if event.request_type == RequestType.FORWARD_ANSWER)
    answer = next(answers, None)
    found = known_callers.identified([shown_call], rights, is_shown=shown.is_shown).get(shown_call.pk, NOT_IDENTIFIED)
    of_caller = [number.pk for number in call_filter.choices if rights.may(Right.CALLERS, number) == knows_callers]
    return CallPage(
        call=shown_call,
        caller=phones.readable(shown_call.caller_id_number) if shown.is_shown else caller(shown_call),
        showing=shown,
        are_destinations_hidden=not shows_people,
        outcome=shown_outcome(shown_call, Coverage.read([shown_call.destination_number])),
        events=events,
        bar=call_timeline.scale_bar(shown_call),
        variables=call_timeline.variables_of(events),
        remarks=call_timeline.remarks_on(shown_call, events),
        answered_by=labelled(answer.people, answer.destination) if answer else "",
        known=KnownCaller(found.match) if found.match else None,
        typed=found.typed,
        links=known_callers.links_of(shown_call, found, is_shown=shown.is_shown) if knows_callers else [],
        notes=build_notes(shown_call, call_filter.user, of_caller, posted, callers=shown.is_shown),
        list_query=call_filter.query(),
        earlier=call_queries.earlier(neighbours, *place).values_list("pk", flat=True).first(),
        later=call_queries.later(neighbours, *place).values_list("pk", flat=True).first(),
        zone=settings.TIME_ZONE,
    )
