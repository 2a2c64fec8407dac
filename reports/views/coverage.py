"""The page Coverage: which posts arrive, number by number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from calls.models import DestinationNumber
from reports.counting import measured
from reports.figures.coverage import Coverage
from reports.figures.definitions import FIGURES
from reports.queries import post_arrivals
from reports.queries.post_arrivals import Arrival, Silence
from reports.views.readable import Readable
from reports.views.shared import Page, page_of, passed_on, personal


@require_safe
@login_required
@personal
def coverage(request: HttpRequest) -> HttpResponse:
    choices = list(DestinationNumber.objects.visible_to(request.user))
    question = passed_on(request)
    return page_of(request, "reports/coverage.html", build_coverage_page(choices, question), choices, question)


@dataclass(frozen=True)
class NumberCoverage(Readable):
    """The posts of one number, and the figures that are not measured for it."""

    number: DestinationNumber
    arrivals: Sequence[Arrival]
    silence: Silence | None
    unmeasured: Sequence[Any]

    @property
    def needs_attention(self) -> bool:
        return self.silence is not None or any(arrival.needs_somebody for arrival in self.arrivals)


@dataclass(frozen=True, kw_only=True)
class CoveragePage(Page):
    """Which posts arrive, number by number: why a figure is not measured, and what to tick."""

    # Those that need attention first.
    numbers: Sequence[NumberCoverage]
    export_query: str

    @property
    def needing(self) -> int:
        """How many numbers send incomplete data."""
        return sum(row.needs_attention for row in self.numbers)


def build_coverage_page(choices: Sequence[DestinationNumber], question: str) -> CoveragePage:
    """Build the page for these numbers; `question` is the one that its links carry."""
    covered = Coverage.read(choices)
    arrivals = post_arrivals.of_numbers(choices)
    silences = {silence.number: silence for silence in post_arrivals.silent(choices, timezone.now())}
    numbers = [
        NumberCoverage(number, arrivals[number], silences.get(number), _unmeasured(covered, number))
        for number in choices
    ]
    return CoveragePage(
        zone=settings.TIME_ZONE,
        numbers=sorted(numbers, key=lambda row: not row.needs_attention),
        # The page and its file are always about all numbers.
        export_query=urlencode([pair for pair in parse_qsl(question) if pair[0] != "number"]),
    )


def _unmeasured(covered: Coverage, number: DestinationNumber) -> list[Any]:
    """Return the labels of the figures that are not measured for a number."""
    return [figure.label for figure in FIGURES.values() if covered.shown_from(number, figure.key) == measured.NEVER]
