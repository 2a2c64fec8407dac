"""The overview: all numbers in a period, and what needs attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_safe

from reports import periods
from reports.figures.cells import Row
from reports.figures.completeness import Completeness
from reports.figures.coverage import Coverage
from reports.figures.definitions import HEADLINE, TABLE_OF_NUMBERS
from reports.filters.presets import Preset
from reports.filters.report_filter import ReportForm
from reports.periods import Opening, Period
from reports.queries import comparison, completeness, counts, post_arrivals
from reports.queries.post_arrivals import Silence
from reports.views.attention import Attention, read_attention
from reports.views.first_run import build_first_run_page
from reports.views.headline import WITHOUT_FORWARDS, headline, headline_keys
from reports.views.shared import (
    BlocksPage,
    ReportPage,
    compared_with_usual,
    last_day_with_calls,
    page_of,
    personal,
    read_report,
)

# Until then people ask how yesterday went.
NOON = 12
# The number of days of which it is said whether their data are complete.
LONGEST_JUDGED = 31
# The figures of single numbers: those of the table, and those that are compared.
_OF_NUMBERS = tuple(dict.fromkeys([*TABLE_OF_NUMBERS, *HEADLINE, *WITHOUT_FORWARDS]))


@require_safe
def home(_request: HttpRequest) -> HttpResponse:
    return redirect("overview")


@require_safe
@login_required
@personal
def overview(request: HttpRequest) -> HttpResponse:
    form = read_report(request, default=_default_period())
    coverage = Coverage.read(form.choices)
    # A call may have only posts of unknown kinds.
    if not coverage.first_posts and counts.last_day_with_calls(coverage) is None:
        here_url = request.build_absolute_uri(settings.POSTS_PATH)
        first_run = build_first_run_page(form.choices, request.user, here_url)
        return page_of(request, "reports/first_run.html", first_run, form.choices)
    page = build_overview_page(form, coverage, request.user)
    return page_of(request, "reports/overview.html", page, form.choices, form.question)


def _default_period() -> Preset:
    """Return the period of the overview if none was chosen: before noon it is yesterday."""
    return Preset.YESTERDAY if timezone.localtime(timezone=periods.zone()).hour < NOON else Preset.WEEK


@dataclass(frozen=True, kw_only=True)
class OverviewPage(ReportPage, BlocksPage):
    """All numbers of a period together, and each by itself."""

    attention: Attention
    completeness: Completeness
    is_live: bool
    # Today so far, shown beside periods that end yesterday.
    today: dict[str, Any] | None
    # The rows of single numbers, most lost calls first.
    numbers: Sequence[Row]
    # The offered calls of the last days, by the id of the number.
    sparks: dict[int, list[int]]

    # The figures of the table of numbers.
    columns: ClassVar = TABLE_OF_NUMBERS

    @property
    def calls_query(self) -> str:
        return self.form.query


def build_overview_page(form: ReportForm, everything: Coverage, user: Any) -> OverviewPage:
    """Build the overview; `everything` covers all numbers that the user may see."""
    coverage = everything.only(*form.numbers)
    silences = post_arrivals.silent(everything.numbers, timezone.now())
    totals, rows = counts.together_and_by_number(coverage, form.period, keys_of_numbers=_OF_NUMBERS)
    keys = headline_keys(coverage)
    compared, weeks = compared_with_usual(form, coverage, rows, keys)
    today = periods.today()
    # Presets end yesterday, so today is shown beside them.
    is_live = form.period.first <= today and form.period.last >= today - periods.DAY
    is_today = form.period.first == form.period.last == today
    return OverviewPage(
        zone=settings.TIME_ZONE,
        form=form,
        now=totals,
        counted_at=counts.counted_at(),
        last_day=last_day_with_calls(form, coverage, totals),
        figures=headline(totals, rows, compared, weeks, keys),
        compared=compared,
        buckets=counts.by_bucket(coverage, form.period, form.grain, counts.OF_CHART),
        blocks=counts.blocks(coverage, form.period, totals),
        attention=read_attention(everything, silences, form.question, user),
        completeness=_completeness(form, silences),
        is_live=is_live,
        # The headline figures of today say the same.
        today=(
            comparison.so_far(coverage, timezone.now(), form.opening)
            if is_live and not (is_today and totals.offered)
            else None
        ),
        numbers=sorted(rows, key=_most_lost_first),
        sparks=counts.offered_by_day(coverage, _four_weeks(form.opening)),
    )


def _four_weeks(opening: Opening) -> Period:
    """Return the four weeks up to yesterday. Only whole days show how many calls come."""
    yesterday = periods.today() - periods.DAY
    return Period(yesterday - 27 * periods.DAY, yesterday, opening)


def _completeness(form: ReportForm, silences: Sequence[Silence]) -> Completeness:
    """Return whether the data of the period are complete; of a long one, of its last days."""
    period = form.period
    first = max(period.first, period.last - (LONGEST_JUDGED - 1) * periods.DAY)
    chosen = {number.pk for number in form.numbers}
    of_chosen = [silence for silence in silences if silence.number.pk in chosen]
    return completeness.read(form.numbers, period.of_days(first, period.last), of_chosen)


def _most_lost_first(row: Row) -> tuple[float, int, str]:
    return -(row.lost.value or 0), -row.offered, row.number.name.casefold() if row.number else ""
