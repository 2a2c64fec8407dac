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
from reports.queries.hours_of_week import Shown
from reports.views.number.base import NumberPage, NumberReading, read_number, tab_of
from reports.views.shared import personal
from reports.views.week_map import WeekMapPage, read_map, shown_by


@require_safe
@login_required
@personal
def by_hour(request: HttpRequest, pk: int) -> HttpResponse:
    shown = shown_by(request)
    reading = read_number(request, pk, kept=[("show", shown.value)] if shown else [])
    return tab_of(request, "by_hour.html", build_by_hour(reading, shown))


@dataclass(frozen=True, kw_only=True)
class ByHourPage(NumberPage, WeekMapPage):
    """When calls came, and how many at the same time."""

    at_once: Sequence[Peak]

    name = "number_by_hour"
    files = "week peaks counts calls planner"

    @cached_property
    def most_at_once(self) -> Peak | None:
        return concurrent_calls.highest(self.at_once)

    @property
    def ends_arrive(self) -> bool:
        return self.coverage.arrives_from(self.number, RequestType.CALL_END) <= self.period.start


def build_by_hour(reading: NumberReading, shown: Shown | None = None) -> ByHourPage:
    """Build the tab; `shown` is the figure on the map."""
    form, coverage = reading.form, reading.coverage
    return ByHourPage(
        **reading.of_every_tab,
        **read_map(form, coverage, reading.totals, shown, reading.number),
        at_once=concurrent_calls.peaks_by_bucket(coverage, form.period, periods.buckets(form.period, form.grain)),
    )
