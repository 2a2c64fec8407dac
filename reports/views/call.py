"""The page of a call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.formats import localize
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts import confirming
from calls import phones, showing
from calls.access import Rights
from calls.models import Call, RequestType, Right
from contacts.agents import NO_AGENTS, labelled
from contacts.links import Link
from contacts.matching import NOT_IDENTIFIED
from contacts.typed_numbers import Typed
from reports.figures.coverage import Coverage
from reports.filters.call_filter import CallFilter
from reports.filters.call_menus import CallMenus
from reports.filters.call_paging import MOST_COUNTED, PlaceInList, place_in_list
from reports.queries import call_timeline, known_callers
from reports.queries import calls as call_queries
from reports.queries.call_timeline import Happening, Remark, ScaleBar
from reports.queries.known_callers import KnownCaller
from reports.templatetags.formats import caller
from reports.views.call_notes import NoteForm, Notes, begun_note, build_notes, post_note
from reports.views.call_sentence import Tried, sentences
from reports.views.call_tiles import Tile, tiles_of
from reports.views.calls import question_of
from reports.views.readable import Readable
from reports.views.shared import Page, page_of, personal, shown_outcome, waited


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
    """One call, with the previous and next call in the list from which it was reached; without one, by time."""

    call: Call  # with list columns
    caller: str  # masked unless it is shown; blank if withheld
    showing: ShownCaller
    are_destinations_hidden: bool
    outcome: str
    # What became of it, and the times that apply to it.
    sentences: Sequence[str]
    tiles: Sequence[Tile]
    # Why its outcome is not measured; blank if it is.
    reason: str
    events: Sequence[Happening]
    bar: ScaleBar | None
    variables: dict[str, list[str]]
    remarks: Sequence[Remark]
    # None if there is no contact, or without the right to callers.
    known: KnownCaller | None
    # What the caller typed, as far as it is mapped; empty without the right to callers.
    typed: Sequence[Typed]
    links: Sequence[Link]
    notes: Notes
    # The list from which it was reached, in words, and its query string; blank without one.
    list_in_words: str
    list_query: str
    # Its place in the list; None without one.
    place: PlaceInList | None
    previous: int | None
    following: int | None
    most = call_timeline.MOST_EVENTS

    @property
    def is_caller_masked(self) -> bool:
        return bool(self.caller) and not self.showing.is_shown

    @property
    def dialled(self) -> str:
        """The caller as a telephone dials it; blank unless it is shown whole and a phone number."""
        number = self.call.caller_id_number
        return number if self.showing.is_shown and phones.e164(number) == number else ""

    @property
    def place_in_words(self) -> str:
        """Its place in the list: `4 of 34`; blank without a list, and if the list does not have the call."""
        if self.place is None or not self.place.is_listed:
            return ""
        most = localize(MOST_COUNTED)
        if self.place.place is None:
            return _("beyond the first %(most)s") % {"most": most}
        place = localize(self.place.place)
        if self.place.total is None:
            return _("%(place)s of more than %(most)s") % {"place": place, "most": most}
        return _("%(place)s of %(total)s") % {"place": place, "total": localize(self.place.total)}


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
        shown, posted = _show_caller(request, shown_call, shown), begun_note(request)
    elif request.method == "POST":
        posted = post_note(request, shown_call)
        if posted is None:
            return redirect(f"{request.get_full_path()}#notes")
    page = build_call_page(shown_call, call_filter, shown, posted)
    answer = page_of(request, "reports/call.html", page, call_filter.visible, question_of(request, call_filter))
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
    """Build the page of a call. `posted` is a note with errors, or one that was begun."""
    rights, number = call_filter.rights, shown_call.destination_number_id
    knows_callers, shows_people = rights.may(Right.CALLERS, number), rights.may(Right.PEOPLE, number)
    agents = call_filter.agents if shows_people else NO_AGENTS
    events = call_timeline.events_of(shown_call, callers=shown.is_shown, people=shows_people, agents=agents)
    found = known_callers.identified([shown_call], rights, is_shown=shown.is_shown).get(shown_call.pk, NOT_IDENTIFIED)
    of_caller = [number.pk for number in call_filter.choices if rights.may(Right.CALLERS, number) == knows_callers]
    coverage = Coverage.read([shown_call.destination_number])
    outcome = shown_outcome(shown_call, coverage)
    wait = waited(shown_call, outcome, coverage)
    place, previous, following = _neighbours(shown_call, call_filter)
    return CallPage(
        call=shown_call,
        caller=phones.readable(shown_call.caller_id_number) if shown.is_shown else caller(shown_call),
        showing=shown,
        are_destinations_hidden=not shows_people,
        outcome=outcome,
        sentences=sentences(shown_call, outcome, wait, _tried(events), _answered_by(events)),
        tiles=tiles_of(shown_call, outcome, wait, coverage),
        reason="" if outcome else _why_not_measured(shown_call, coverage),
        events=events,
        bar=call_timeline.scale_bar(shown_call),
        variables=call_timeline.variables_of(events),
        remarks=call_timeline.remarks_on(shown_call, events),
        known=KnownCaller(found.match) if found.match else None,
        typed=found.typed,
        links=known_callers.links_of(shown_call, found, is_shown=shown.is_shown) if knows_callers else [],
        notes=build_notes(shown_call, call_filter.user, of_caller, posted, callers=shown.is_shown),
        list_in_words=CallMenus(call_filter).in_words() if place else "",
        list_query=call_filter.query(),
        place=place,
        previous=previous,
        following=following,
        zone=settings.TIME_ZONE,
    )


def _neighbours(shown_call: Call, call_filter: CallFilter) -> tuple[PlaceInList | None, int | None, int | None]:
    """Return the place of a call in the list from which it was reached, and the calls above and below it there.

    Without a list: no place, and the earlier and later call of its number."""
    at, pk = shown_call.first_post_at, shown_call.pk
    if call_filter.pairs() or call_filter.errors:
        place = place_in_list(call_filter.calls(), at, pk, call_filter.query)
        return place, place.newer, place.older
    of_number = Call.objects.filter(destination_number=shown_call.destination_number_id)
    earlier, later = (
        calls(of_number, at, pk).values_list("pk", flat=True).first()
        for calls in (call_queries.earlier, call_queries.later)
    )
    return None, earlier, later


def _tried(events: Sequence[Happening]) -> Tried:
    """Return the destinations that a call was forwarded to, named as far as the person may know them."""
    names = {
        event.destination_place: labelled(event.people, event.destination)
        for event in events
        if event.request_type == RequestType.INITIATE_FORWARD
    }
    return Tried(list(names.values()))


def _answered_by(events: Sequence[Happening]) -> str:
    """Return the destination that answered first, with the names of its people; blank if it is hidden."""
    answers = (event for event in events if event.request_type == RequestType.FORWARD_ANSWER)
    answer = next(answers, None)
    return labelled(answer.people, answer.destination) if answer else ""


def _why_not_measured(shown_call: Any, coverage: Coverage) -> str:
    return coverage.reason(shown_call.destination_number, shown_call.outcome, shown_call.first_post_at)
