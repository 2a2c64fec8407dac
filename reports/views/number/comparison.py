"""The tab Comparison: this period against the previous one, and the last four weeks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from calls.models import DestinationNumber
from reports import periods
from reports.counting.outcomes import Outcome
from reports.figures.cells import Cell, CellState, Row
from reports.figures.coverage import Coverage
from reports.figures.definitions import FIGURES
from reports.queries import comparison, counts
from reports.queries.comparison import Pair
from reports.views.number.base import NumberPage, NumberReading, read_number, tab_of
from reports.views.shared import personal

LONGEST_OF_WEEKS = 7


@require_safe
@login_required
@personal
def compared(request: HttpRequest, pk: int) -> HttpResponse:
    return tab_of(request, "comparison.html", build_comparison(read_number(request, pk)))


class ComparedFigure(NamedTuple):
    """A figure in both periods."""

    key: str
    kind: str
    now: Cell
    then: Cell
    pair: Pair


@dataclass(frozen=True, kw_only=True)
class ComparisonPage(NumberPage):
    """How the period differs from the one before, and from the same weekdays of the last weeks."""

    # The same weekdays of the weeks before, in whole days.
    weeks: Sequence[Row]

    name = "number_comparison"
    files = "counts calls"

    @cached_property
    def both(self) -> tuple[Row, Row] | None:
        """The rows of the period, as far as it is over, and of the previous one."""
        return (self.compared.now[0], self.compared.then[0]) if self.compared else None

    @cached_property
    def compared_figures(self) -> list[ComparedFigure]:
        """The figures that apply to the number."""
        if self.compared is None or self.both is None:
            return []
        row, before = self.both
        return [
            ComparedFigure(key, FIGURES[key].kind, row[key], before[key], self.compared.pair(key))
            for key in counts.OF_CALLS
            if row[key].applies or before[key].applies
        ]

    @property
    def has_weeks(self) -> bool:
        """Whether the period is short enough to have the same weekdays before it."""
        return self.period.length <= LONGEST_OF_WEEKS

    @cached_property
    def week_keys(self) -> list[str]:
        return ["offered", *_outcomes_of(self.coverage, self.number), "service_level", "time_to_answer"]

    @cached_property
    def weeks_sum(self) -> dict[str, Cell]:
        return _sum_of_weeks(self.weeks)


def build_comparison(reading: NumberReading) -> ComparisonPage:
    """Build the tab."""
    both = reading.compared
    return ComparisonPage(
        **reading.of_every_tab,
        compared=both,
        # The table of weeks has whole days, also if the period includes today.
        weeks=(
            [week.together for week in reading.weeks]
            if both and both.days.now == reading.form.period
            else _whole_weeks(reading)
        ),
    )


def _outcomes_of(coverage: Coverage, destination_number: DestinationNumber) -> list[str]:
    """Return the four main outcomes of a number, with or without forwards."""
    if coverage.applies(destination_number, Outcome.ANSWERED):
        return [Outcome.ANSWERED, Outcome.MISSED, Outcome.ABANDONED, Outcome.SHORT]
    return [Outcome.SERVED_IN_PLAN, Outcome.SHORT, Outcome.IN_PROGRESS, Outcome.END_UNKNOWN]


def _whole_weeks(reading: NumberReading) -> list[Row]:
    if reading.form.period.length > LONGEST_OF_WEEKS:
        return []
    return comparison.same_days_before(reading.coverage, reading.form.period, periods.USUAL_WEEKS)


def _sum_of_weeks(weeks: Sequence[Row]) -> dict[str, Cell]:
    """Return the figures of the weeks together, as far as each is measured."""
    if not weeks:
        return {}
    sums = {}
    for key, first in weeks[0].cells.items():
        cells = [row[key] for row in weeks if row[key].is_measured]
        if not cells:
            sums[key] = first
        elif FIGURES[key].kind != "count":
            value, whole = comparison.usual_of(list(weeks), key), sum(cell.whole or 0 for cell in cells)
            sums[key] = Cell(value, CellState.EMPTY if value is None else CellState.MEASURED, whole=whole)
        else:
            sums[key] = Cell(sum(int(cell.value or 0) for cell in cells))
    return sums
