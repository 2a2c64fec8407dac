"""The page Forwards: destinations, and which of them answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from contacts.agents import NO_AGENTS, Agents
from reports import permissions
from reports.counting.outcomes import Outcome
from reports.figures.cells import Cell
from reports.figures.coverage import Coverage
from reports.figures.definitions import FIGURES
from reports.filters.report_filter import ReportForm
from reports.queries import counts
from reports.queries import forwards as forward_figures
from reports.views.shared import PeriodPage, last_day_with_calls, page_of, personal, read_report

HEADLINE = (*forward_figures.COLUMNS, "handovers")


@require_safe
@login_required
@personal
def forwards(request: HttpRequest) -> HttpResponse:
    form = read_report(request)
    page = build_forwards_page(form, request.user)
    return page_of(request, "reports/forwards.html", page, form.choices, form.question)


class ForwardFigure(NamedTuple):
    """A figure at the top of the page."""

    key: str
    cell: Cell
    kind: str


@dataclass(frozen=True, kw_only=True)
class ForwardsPage(PeriodPage):
    """The forwards of a period by destination, by type and by course."""

    forwards: forward_figures.Report
    # Why single destinations are not shown; blank if they are.
    why_unnamed: str

    # The filters of the list of calls for those that a destination answered.
    answered: ClassVar = [("outcome", Outcome.ANSWERED.value)]
    columns: ClassVar = forward_figures.COLUMNS

    @property
    def figures(self) -> list[ForwardFigure]:
        cells = self.forwards.total.cells | {"handovers": self.forwards.handed_over}
        return [ForwardFigure(key, cells[key], FIGURES[key].kind) for key in HEADLINE]

    @property
    def download_query(self) -> str:
        return self.form.download_query


def build_forwards_page(form: ReportForm, user: Any) -> ForwardsPage:
    """Build the page. `why_unnamed` hides single destinations if the user may not see them."""
    coverage = Coverage.read(form.numbers)
    totals = counts.totals(coverage, form.period)
    agents = Agents.read() if permissions.may_see_destinations(user, form.numbers) else NO_AGENTS
    report = forward_figures.read_forwards(coverage, form.period, agents=agents)
    return ForwardsPage(
        zone=settings.TIME_ZONE,
        form=form,
        now=totals,
        counted_at=counts.counted_at(),
        last_day=last_day_with_calls(form, coverage, totals),
        forwards=report,
        why_unnamed=permissions.why_destinations_are_hidden(user, form.numbers, len(report.destinations)),
    )
