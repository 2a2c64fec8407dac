"""Which posts arrive, and what every figure means."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from calls.models import DestinationNumber
from reports import figures
from reports.counting import measured
from reports.figures import Coverage
from reports.queries import post_arrivals
from reports.views.shared import counted, page_of, passed_on, personal


@require_safe
@login_required
@personal
def coverage(request: HttpRequest) -> HttpResponse:
    """Which posts arrive, number by number: why a figure is not measured, and what to tick."""
    choices = list(DestinationNumber.objects.visible_to(request.user))
    covered = Coverage.of(choices)
    arriving = post_arrivals.of_numbers(choices)
    silent = post_arrivals.silent(choices, timezone.now())
    needing = {one for one in choices if any(arrival.needs_somebody for arrival in arriving[one])}
    needing |= {silence.number for silence in silent}
    asked = passed_on(request)
    # The page is of all numbers, and so is its file.
    of_all = [pair for pair in parse_qsl(asked) if pair[0] != "number"]
    page = {
        "export_query": urlencode(of_all),
        "numbers": [
            {
                "number": one,
                "arrivals": arriving[one],
                "silence": next((silence for silence in silent if silence.number == one), None),
                "unmeasured": [
                    figure.label
                    for figure in figures.FIGURES.values()
                    if covered.shown_from(one, figure.key) == measured.NEVER
                ],
            }
            for one in sorted(choices, key=lambda one: one not in needing)
        ],
        "needing": sum(one.needs_somebody for rows in arriving.values() for one in rows) + len(silent),
        "zone": settings.TIME_ZONE,
        **counted(),
    }
    return page_of(request, "reports/coverage.html", page, choices, asked)


@require_safe
@login_required
@personal
def definitions(request: HttpRequest) -> HttpResponse:
    """Every figure in words, and the posts it rests on."""
    page = {
        "figures": [
            {"figure": figure, "posts": [post.value for post in figure.rests_on]} for figure in figures.FIGURES.values()
        ]
    }
    choices = list(DestinationNumber.objects.visible_to(request.user))
    return page_of(request, "reports/definitions.html", page, choices, passed_on(request))
