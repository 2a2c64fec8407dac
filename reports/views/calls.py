"""The list of calls, and one call."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from calls.models import Call, DestinationNumber, RequestType
from reports import callforms, figures, timeline
from reports.callforms import CallFilter
from reports.figures import Coverage
from reports.outcomes import CALLBACK
from reports.views.shared import OUTCOMES, page_of, personal, shown_outcome


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@personal
def calls(request: HttpRequest) -> HttpResponse:
    """List calls. A search is posted, kept in the session, and stands in the address as a token only."""
    if request.method == "POST":
        posted = request.POST.copy()
        posted["search"] = callforms.keep_search(request.session, request.POST.get("q", ""))
        query = CallFilter.raw_query(posted)
        return redirect(f"{reverse('calls')}?{query}" if query else "calls")
    asked = CallFilter(request.GET, request.user, request.session)
    found = asked.page(request.GET)
    coverage = Coverage.of(asked.choices)
    page = {
        "filter": asked,
        "found": found,
        "rows": [(call, shown_outcome(call, coverage)) for call in found.calls],
        "outcomes": OUTCOMES,
        "callback": CALLBACK,
        "flags": callforms.FLAGS.items(),
        "block": figures.block_label(asked.block or asked.last_block),
        "zone": settings.TIME_ZONE,
    }
    return page_of(request, "reports/calls.html", page, asked.choices)


@require_safe
@login_required
@personal
def call(request: HttpRequest, pk: int) -> HttpResponse:
    choices = list(DestinationNumber.objects.visible_to(request.user))
    visible = callforms.as_offered(Call.objects.filter(destination_number__in=choices))
    one = get_object_or_404(visible, pk=pk)
    events = timeline.events_of(one)
    page = {
        "call": one,
        "outcome": shown_outcome(one, Coverage.of([one.destination_number])),
        "events": events,
        "bar": timeline.scale_bar(one),
        "variables": timeline.variables_of(events),
        "remarks": timeline.remarks_on(one, events),
        "answered_by": next((e.destination for e in events if e.request_type == RequestType.FORWARD_ANSWER), ""),
        "most": timeline.MOST_EVENTS,
        "zone": settings.TIME_ZONE,
        **_neighbours(one),
    }
    return page_of(request, "reports/call.html", page, choices)


def _neighbours(one: Call) -> dict[str, int | None]:
    """Return the calls of the same number before and after this one."""
    same: QuerySet[Call] = Call.objects.filter(destination_number=one.destination_number_id)
    at, pk = one.first_post_at, one.pk
    earlier = same.filter(first_post_at__lte=at).exclude(first_post_at=at, id__gte=pk)
    later = same.filter(first_post_at__gte=at).exclude(first_post_at=at, id__lte=pk)
    return {
        "earlier": earlier.order_by("-first_post_at", "-id").values_list("pk", flat=True).first(),
        "later": later.order_by("first_post_at", "id").values_list("pk", flat=True).first(),
    }
