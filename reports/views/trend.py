"""The page Trend: the time steps of a period, one after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from reports import periods
from reports.figures.cells import Row
from reports.figures.coverage import Coverage
from reports.filters.report_filter import ReportForm
from reports.periods import Grain, Period
from reports.queries import counts, hours_of_week
from reports.views.shared import (
    CHART_HEADINGS,
    PeriodPage,
    last_day_with_calls,
    page_of,
    personal,
    read_report,
    shown_outcomes,
)

STEPS = {
    Grain.DAY: _("Day"),
    Grain.WEEK: _("Week"),
    Grain.MONTH: _("Month"),
    Grain.HOUR: _("Hour"),
    Grain.HALF_HOUR: _("30 min"),
    Grain.QUARTER_HOUR: _("15 min"),
}


@require_safe
@login_required
@personal
def trend(request: HttpRequest) -> HttpResponse:
    """Show the time steps of the period."""
    form = read_report(request, unbounded=True)
    return page_of(request, "reports/trend.html", build_trend_page(form), form.choices, form.question)


@dataclass(frozen=True, kw_only=True)
class TrendPage(PeriodPage):
    """Show the time steps of the period."""

    grain: Grain
    # The days whose time steps are listed, and their totals.
    listed: Period
    sum: Row
    steps: Sequence[Row]

    means: ClassVar = ("service_level", "time_to_answer", "ring", "talk")

    @property
    def grains(self) -> list[tuple[Grain, Any, str]]:
        """The time steps to choose from, with the query that lists each."""
        return [(grain, label, self.form.query_with(by=grain)) for grain, label in STEPS.items()]

    @property
    def heading(self) -> Any:
        return CHART_HEADINGS[self.grain]

    @cached_property
    def folded(self) -> bool:
        """Whether time steps before the first call and after the last are left out."""
        return self.grain not in periods.OF_DAYS

    @property
    def shows_clock(self) -> bool:
        """Whether the time of day names a time step."""
        return self.folded and self.listed.length == 1

    @cached_property
    def outcomes(self) -> list[tuple[str, Any]]:
        """Keys and labels of the outcomes that the chart stacks."""
        return shown_outcomes(self.now)

    @cached_property
    def counts(self) -> list[str]:
        """The figures of time steps that are counts."""
        return ["offered", *(key for key, _label in self.outcomes)]

    @property
    def columns(self) -> list[str]:
        """The figures of time steps."""
        return [*self.counts, *self.means]

    @cached_property
    def busiest(self) -> Row | None:
        """The time step with the most calls, if there is more than one."""
        return max(self.steps, key=lambda row: row["offered"].value or 0) if len(self.steps) > 1 else None

    @property
    def download_query(self) -> str:
        return self.form.query_with(period=self.listed, by=self.grain)


def build_trend_page(form: ReportForm) -> TrendPage:
    """Build the page. For longer periods, time steps within a day are listed for the last day only."""
    grain, coverage = form.grain, Coverage.read(form.numbers)
    of_day = grain not in periods.OF_DAYS and form.period.length > 1
    listed = hours_of_week.last_day(form.period, timezone.now()) if of_day else form.period
    of_listed, steps = counts.together_and_by_bucket(coverage, listed, grain)
    totals = counts.totals(coverage, form.period) if of_day else of_listed
    return TrendPage(
        zone=settings.TIME_ZONE,
        form=form,
        now=totals,
        counted_at=counts.counted_at(),
        last_day=last_day_with_calls(form, coverage, totals),
        grain=grain,
        listed=listed,
        sum=of_listed,
        steps=steps if grain in periods.OF_DAYS else _without_empty_ends(steps),
    )


def _without_empty_ends(rows: list[Row]) -> list[Row]:
    """Return the rows from the first to the last with calls."""
    with_calls = [n for n, row in enumerate(rows) if row.offered]
    return rows[with_calls[0] : with_calls[-1] + 1] if with_calls else []
