"""The tab By hour: the hours of the week, and simultaneous calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from calls.models import RequestType
from reports import periods
from reports.queries import concurrent_calls
from reports.queries.concurrent_calls import Peak
from reports.views.number.base import NumberPage, NumberReading, read_number, tab_of
from reports.views.shared import personal


@require_safe
@login_required
@personal
def by_hour(request: HttpRequest, pk: int) -> HttpResponse:
    return tab_of(request, "by_hour.html", build_by_hour(read_number(request, pk)))


@dataclass(frozen=True, kw_only=True)
class ByHourPage(NumberPage):
    """When calls came, and how many at the same time."""

    at_once: Sequence[Peak]

    name = "number_by_hour"
    files = "peaks counts calls planner"

    @cached_property
    def most_at_once(self) -> Peak | None:
        return concurrent_calls.highest(self.at_once)

    @property
    def ends_arrive(self) -> bool:
        return self.coverage.arrives_from(self.number, RequestType.CALL_END) <= self.period.start


def build_by_hour(reading: NumberReading) -> ByHourPage:
    """Build the tab."""
    period = reading.form.period
    buckets = periods.buckets(period, reading.form.grain)
    return ByHourPage(
        **reading.of_every_tab, at_once=concurrent_calls.peaks_by_bucket(reading.coverage, period, buckets)
    )
