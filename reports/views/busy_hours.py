"""The page Busy hours: the hours of the week on a map."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from reports.figures.cells import Row
from reports.figures.coverage import Coverage
from reports.filters.report_filter import ReportForm
from reports.queries import counts
from reports.queries.hours_of_week import HourOfWeek, Shown
from reports.views.shared import last_day_with_calls, page_of, personal, read_report
from reports.views.week_map import WeekMapPage, read_map, shown_by


@require_safe
@login_required
@personal
def busy_hours(request: HttpRequest) -> HttpResponse:
    """Show the hours of the week of the period."""
    shown = shown_by(request)
    form = read_report(request, kept=[("show", shown.value)] if shown else [])
    return page_of(request, "reports/busy_hours.html", build_busy_hours_page(form, shown), form.choices, form.question)


@dataclass(frozen=True, kw_only=True)
class BusyHoursPage(WeekMapPage):
    """Show the hours of the week of the period."""

    @cached_property
    def busiest(self) -> HourOfWeek | None:
        return self.week.busiest() if self.week else None

    @cached_property
    def worst(self) -> HourOfWeek | None:
        return self.week.worst() if self.week else None

    @cached_property
    def busiest_of_day(self) -> Row | None:
        """Of a single day: the hour with the most calls."""
        return max((row for row in self.hours if row.offered), key=lambda row: row.offered, default=None)

    @cached_property
    def worst_of_day(self) -> Row | None:
        """Of a single day: the hour with the most lost calls."""
        return max((row for row in self.hours if row.lost.value), key=lambda row: row.lost.value or 0, default=None)

    @property
    def period_query(self) -> str:
        return self.form.query_with(kept=[])


def build_busy_hours_page(form: ReportForm, shown: Shown | None) -> BusyHoursPage:
    """Build the page; `shown` is the figure on its map."""
    coverage = Coverage.read(form.numbers)
    totals = counts.totals(coverage, form.period)
    return BusyHoursPage(
        zone=settings.TIME_ZONE,
        form=form,
        now=totals,
        counted_at=counts.counted_at(),
        last_day=last_day_with_calls(form, coverage, totals),
        **read_map(form, coverage, totals, shown),
    )
