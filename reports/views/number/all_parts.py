"""All tabs of a number on one page, for printing."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from reports.views.number.base import ALL_PARTS, NumberPage, NumberReading, read_number, tab_of
from reports.views.number.by_hour import ByHourPage, build_by_hour
from reports.views.number.comparison import ComparisonPage, build_comparison
from reports.views.number.data import DataPage, build_data
from reports.views.number.forwarding import ForwardingPage, build_forwarding
from reports.views.number.summary import SummaryPage, build_summary
from reports.views.number.waiting import WaitingPage, build_waiting
from reports.views.shared import personal


@require_safe
@login_required
@personal
def all_parts(request: HttpRequest, pk: int) -> HttpResponse:
    return tab_of(request, "all.html", build_all_parts(read_number(request, pk)))


@dataclass(frozen=True, kw_only=True)
class AllPartsPage(NumberPage):
    """The tabs of a number, one after the other."""

    summary: SummaryPage
    waiting: WaitingPage
    by_hour: ByHourPage
    forwarding: ForwardingPage
    comparison: ComparisonPage
    data: DataPage

    name = ALL_PARTS
    files = "counts blocks times week peaks coverage calls planner"


def build_all_parts(reading: NumberReading) -> AllPartsPage:
    """Build the page. What several tabs show is read once."""
    return AllPartsPage(
        **reading.of_every_tab,
        compared=reading.compared,
        summary=build_summary(reading),
        waiting=build_waiting(reading),
        by_hour=build_by_hour(reading),
        forwarding=build_forwarding(reading),
        comparison=build_comparison(reading),
        data=build_data(reading),
    )
