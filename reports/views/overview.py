"""The overview: all numbers in a period, and what needs attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from reports import periods
from reports.figures.cells import Row
from reports.figures.coverage import Coverage
from reports.figures.definitions import HEADLINE, TABLE_OF_NUMBERS
from reports.filters import session_filter
from reports.filters.report_filter import ReportForm
from reports.periods import Opening, Period
from reports.queries import comparison, counts, post_arrivals, service_level
from reports.queries.post_arrivals import Arrival, Silence
from reports.queries.service_level import Below
from reports.views.first_run import build_first_run_page
from reports.views.headline import WITHOUT_FORWARDS, headline, headline_keys
from reports.views.readable import Readable
from reports.views.shared import (
    BlocksPage,
    ReportPage,
    compared_with,
    last_day_with_calls,
    page_of,
    personal,
    read_report,
    weeks_before,
)

MOST_ATTENTION = 4
# The figures of single numbers: those of the table, and those that are compared.
_OF_NUMBERS = tuple(dict.fromkeys([*TABLE_OF_NUMBERS, *HEADLINE, *WITHOUT_FORWARDS]))


@require_safe
def home(_request: HttpRequest) -> HttpResponse:
    return redirect("overview")


@require_safe
@login_required
@personal
def overview(request: HttpRequest) -> HttpResponse:
    form = read_report(request)
    coverage = Coverage.read(form.choices)
    # A call may have only posts of unknown kinds.
    if not coverage.first_posts and counts.last_day_with_calls(coverage) is None:
        here_url = request.build_absolute_uri(settings.POSTS_PATH)
        first_run = build_first_run_page(form.choices, request.user, here_url)
        return page_of(request, "reports/first_run.html", first_run, form.choices)
    page = build_overview_page(form, coverage)
    return page_of(request, "reports/overview.html", page, form.choices, form.question)


@dataclass(frozen=True)
class Attention(Readable):
    """Something that needs attention, with a link to where it is explained."""

    text: str
    href: str
    advice: str = ""


@dataclass(frozen=True, kw_only=True)
class OverviewPage(ReportPage, BlocksPage):
    """All numbers of a period together, and each by itself."""

    attention: Sequence[Attention]
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


def build_overview_page(form: ReportForm, everything: Coverage) -> OverviewPage:
    """Build the overview; `everything` covers all numbers that the user may see."""
    coverage = everything.only(*form.numbers)
    totals, rows = counts.together_and_by_number(coverage, form.period, keys_of_numbers=_OF_NUMBERS)
    keys = headline_keys(coverage)
    compared = compared_with(form, coverage, rows, keys)
    # Presets end yesterday, so today is shown beside them.
    is_live = form.period.first <= periods.today() and form.period.last >= periods.today() - periods.DAY
    return OverviewPage(
        zone=settings.TIME_ZONE,
        form=form,
        now=totals,
        counted_at=counts.counted_at(),
        last_day=last_day_with_calls(form, coverage, totals),
        figures=headline(totals, rows, compared, weeks_before(form, coverage, keys), keys),
        compared=compared,
        buckets=counts.by_bucket(coverage, form.period, form.grain, counts.OF_CHART),
        blocks=counts.blocks(coverage, form.period, totals),
        attention=_attention(everything, form.question),
        is_live=is_live,
        today=comparison.so_far(coverage, timezone.now(), form.opening) if is_live else None,
        numbers=sorted(rows, key=_most_lost_first),
        sparks=counts.offered_by_day(coverage, _four_weeks(form.opening)),
    )


def _four_weeks(opening: Opening) -> Period:
    """Return the four weeks up to yesterday. Only whole days show how many calls come."""
    yesterday = periods.today() - periods.DAY
    return Period(yesterday - 27 * periods.DAY, yesterday, opening)


def _attention(everything: Coverage, question: str) -> list[Attention]:
    """Return what needs attention, whatever the filters: silent numbers, missed service levels, missing posts.

    Links carry `question`, except those of a service level, which have its own days."""
    address = session_filter.carry(reverse("data_quality"), question)
    silent = post_arrivals.silent(everything.numbers, timezone.now())
    lacking = post_arrivals.needing_somebody(everything.numbers)
    found: list[Silence | Below | Arrival] = [*silent, *service_level.below(everything), *lacking]
    shown = [_attention_to(one, address) for one in found[:MOST_ATTENTION]]
    more = len(found) - len(shown)
    if more:
        shown.append(Attention(ngettext("%(n)d more", "%(n)d more", more) % {"n": more}, address))
    return shown


def _attention_to(found: Silence | Below | Arrival, address: str) -> Attention:
    """Return what is shown of one of them. `address` is that of the page of data quality."""
    if isinstance(found, Below):
        days = f"from={found.period.first}&to={found.period.last}"
        return Attention(found.says, f"{reverse('number', args=[found.number.pk])}?{days}#service-level")
    href = f"{address}#n-{found.number.pk}"
    return Attention(found.says, href, found.advice if isinstance(found, Arrival) else "")


def _most_lost_first(row: Row) -> tuple[float, int, str]:
    return -(row.lost.value or 0), -row.offered, row.number.name.casefold() if row.number else ""
