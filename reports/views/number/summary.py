"""The tab Summary: the headline figures, the chart of calls, the service level in short."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from reports.views.headline import headline, headline_keys
from reports.views.number.base import NumberReading, read_number, tab_of
from reports.views.number.level import LevelPage
from reports.views.shared import ReportPage, personal


@require_safe
@login_required
@personal
def summary(request: HttpRequest, pk: int) -> HttpResponse:
    return tab_of(request, "summary.html", build_summary(read_number(request, pk)))


@dataclass(frozen=True, kw_only=True)
class SummaryPage(LevelPage, ReportPage):
    """How the period went, in a few figures."""

    name = "number"
    files = "counts calls"


def build_summary(reading: NumberReading) -> SummaryPage:
    """Build the tab."""
    keys = headline_keys(reading.coverage)
    return SummaryPage(
        **reading.of_every_tab,
        figures=headline(reading.totals, [reading.row], reading.compared, reading.weeks, keys),
        compared=reading.compared,
        buckets=reading.buckets,
    )
