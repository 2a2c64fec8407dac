"""The list of calls, and one call."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from calls.models import Call, RequestType
from reports import figures
from reports.counting.outcomes import MORE_OUTCOMES
from reports.figures import Coverage
from reports.filters import call_filter, session_filter
from reports.filters.call_filter import CallFilter
from reports.filters.call_menus import CallMenus
from reports.queries import call_timeline
from reports.views.shared import OUTCOMES, last_question, page_of, personal, shown_outcome


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@personal
def calls(request: HttpRequest) -> HttpResponse:
    """List calls. A search is posted, kept in the session, and stands in the address as a token only."""
    if request.method == "POST":
        posted = request.POST.copy()
        posted["search"] = call_filter.keep_search(request.session, request.POST.get("q", ""))
        found_by = CallFilter.raw_query(posted)
        return redirect(f"{reverse('calls')}?{found_by}" if found_by else "calls")
    # An address without anything lists what was asked for elsewhere; any other says all that it is of.
    query: QueryDict = request.GET
    is_recalled = False
    if not query or query.get("period") == session_filter.FORGET:
        query, is_recalled = session_filter.completed(query, request.session)
    asked = CallFilter(query, request.user, request.session, is_recalled=is_recalled)
    found = asked.page(query)
    coverage = Coverage.of(asked.choices)
    page = {
        "filter": asked,
        "form": CallMenus(asked),
        "list_query": asked.query(),
        "found": found,
        "rows": [(call, shown_outcome(call, coverage)) for call in found.calls],
        "outcomes": OUTCOMES,
        "more_outcomes": MORE_OUTCOMES.items(),
        "flags": call_filter.FLAGS.items(),
        "block": figures.block_label(asked.block or asked.last_block),
        "zone": settings.TIME_ZONE,
    }
    return page_of(request, "reports/calls.html", page, asked.choices, _question_of(request, asked, is_recalled))


def _question_of(request: HttpRequest, asked: CallFilter, is_recalled: bool = False) -> str:
    """Return the question that links to reports carry: that of the list, which is then remembered, or the last one."""
    if not asked.question:
        return last_question(request)
    if not is_recalled:
        session_filter.remember(request, asked.question_to_remember)
    return asked.question


@require_safe
@login_required
@personal
def call(request: HttpRequest, pk: int) -> HttpResponse:
    # The list from which it was reached: its calls come before and after.
    asked = CallFilter(request.GET, request.user, request.session)
    visible = call_filter.as_offered(Call.objects.filter(destination_number__in=asked.choices))
    one = get_object_or_404(visible, pk=pk)
    events = call_timeline.events_of(one)
    page = {
        "call": one,
        "outcome": shown_outcome(one, Coverage.of([one.destination_number])),
        "events": events,
        "bar": call_timeline.scale_bar(one),
        "variables": call_timeline.variables_of(events),
        "remarks": call_timeline.remarks_on(one, events),
        "answered_by": next((e.destination for e in events if e.request_type == RequestType.FORWARD_ANSWER), ""),
        "most": call_timeline.MOST_EVENTS,
        "zone": settings.TIME_ZONE,
        "list_query": asked.query(),
        **_neighbours(one, asked),
    }
    return page_of(request, "reports/call.html", page, asked.choices, _question_of(request, asked))


def _neighbours(one: Call, asked: CallFilter) -> dict[str, int | None]:
    """Return the calls before and after this one: of the list, or of the same number where it came from none."""
    same: QuerySet[Call] = Call.objects.filter(destination_number=one.destination_number_id)
    if asked.pairs() or asked.errors:
        same = asked.calls()
    at, pk = one.first_post_at, one.pk
    earlier = same.filter(first_post_at__lte=at).exclude(first_post_at=at, id__gte=pk)
    later = same.filter(first_post_at__gte=at).exclude(first_post_at=at, id__lte=pk)
    return {
        "earlier": earlier.order_by("-first_post_at", "-id").values_list("pk", flat=True).first(),
        "later": later.order_by("first_post_at", "id").values_list("pk", flat=True).first(),
    }
