"""The page Numbers: every number that a person may see, a search among them, and pins."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from accounts.folding import matches
from calls.models import DestinationNumber
from reports.figures.cells import Row
from reports.figures.coverage import Coverage
from reports.filters.report_filter import ReportForm
from reports.queries import counts, pins
from reports.queries.pins import MOST_PINS
from reports.views.shared import PeriodPage, last_day_with_calls, page_of, personal, read_report

FIGURES = ("offered", "lost", "service_level")
LONGEST_TERM = 60


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@personal
def numbers(request: HttpRequest) -> HttpResponse:
    """List numbers. A POST pins one, or takes its pin off."""
    term = request.GET.get("find", "").strip()[:LONGEST_TERM]
    form = read_report(request, kept=[("find", term)] if term else [])
    if request.method == "POST":
        _change_pins(request, form)
        return redirect(request.get_full_path())
    return page_of(
        request, "reports/numbers.html", build_numbers_page(form, term, request.user), form.choices, form.question
    )


@dataclass(frozen=True, kw_only=True)
class NumbersPage(PeriodPage):
    """Every number that a person may see, or those that a search finds."""

    term: str
    rows: Sequence[Row]
    pinned: frozenset[int]

    figures: ClassVar = FIGURES
    # It lists all numbers, whichever are selected on other pages.
    has_number_filter: ClassVar = False

    @property
    def about(self) -> Sequence[DestinationNumber]:
        return self.form.choices

    @property
    def chosen(self) -> Sequence[DestinationNumber]:
        return []

    @property
    def beside_term(self) -> list[tuple[str, str]]:
        """The hidden fields of the search."""
        return parse_qsl(self.form.question)


def build_numbers_page(form: ReportForm, term: str, user: Any) -> NumbersPage:
    """Build the page; `term` is the beginning of a search, blank for all numbers."""
    coverage = Coverage.read(form.choices)
    totals, rows = counts.together_and_by_number(coverage, form.period, counts.OF_PAGES, FIGURES)
    return NumbersPage(
        zone=settings.TIME_ZONE,
        form=form,
        now=totals,
        counted_at=counts.counted_at(),
        last_day=last_day_with_calls(form, coverage, totals),
        term=term,
        rows=[row for row in rows if row.number and _is_found(row.number, term)],
        pinned=frozenset(number.pk for number in pins.pinned(user, form.choices)),
    )


def _is_found(number: DestinationNumber, term: str) -> bool:
    """Return whether a number has this name or these digits, in any spelling."""
    if not term or matches(term, [number.name]):
        return True
    digits = "" if re.search(r"[^\W\d_]", term) else re.sub(r"\D", "", term).lstrip("0")
    return bool(digits) and digits in number.e164


def _change_pins(request: HttpRequest, form: ReportForm) -> None:
    """Pin the number that was posted, or take its pin off. Raise Http404 for one that the person may not see."""
    by_id = {str(number.pk): number for number in form.choices}
    number = by_id.get(request.POST.get("pin", "")) or by_id.get(request.POST.get("unpin", ""))
    if number is None:
        raise Http404
    if "unpin" in request.POST:
        pins.unpin(request.user, number)
    elif not pins.pin(request.user, number, form.choices):
        most = gettext("You can pin %(n)d numbers. Unpin one of them first.") % {"n": MOST_PINS}
        messages.error(request, most)
