"""The page Data quality: which posts arrive, number by number, and on which days data are incomplete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import pgettext_lazy
from django.views.decorators.http import require_safe

from calls.models import DestinationNumber, RequestType
from reports import periods
from reports.counting import measured
from reports.figures.completeness import NumberDay, State, reasons
from reports.figures.coverage import Coverage
from reports.figures.definitions import FIGURES
from reports.periods import Period
from reports.queries import completeness, post_arrivals
from reports.queries.post_arrivals import Arrival, Silence
from reports.views.readable import Readable
from reports.views.shared import Page, page_of, passed_on, personal

DAYS = 28
# Columns of a phone; the letters are those of docs/figures.md.
LETTERS = {
    RequestType.CALL_START: pgettext_lazy("letter of call started", "S"),
    RequestType.BLOCK_END: pgettext_lazy("letter of block ended", "B"),
    RequestType.INITIATE_FORWARD: pgettext_lazy("letter of forwarding started", "F"),
    RequestType.FORWARD_ANSWER: pgettext_lazy("letter of forwarding answered", "A"),
    RequestType.CALL_END: pgettext_lazy("letter of call ended", "E"),
}


@require_safe
@login_required
@personal
def data_quality(request: HttpRequest) -> HttpResponse:
    choices = list(DestinationNumber.objects.visible_to(request.user))
    question = passed_on(request)
    page = build_data_quality_page(choices, question)
    # The page says what is so now, and so does the navigation beside it.
    return page_of(request, "reports/data_quality.html", page, choices, question, troubled=page.needing)


@dataclass(frozen=True)
class NumberQuality(Readable):
    """The posts and days of one number, and the figures that are not measured for it."""

    number: DestinationNumber
    arrivals: Sequence[Arrival]
    silence: Silence | None
    unmeasured: Sequence[Any]
    # The last days up to yesterday.
    days: Sequence[NumberDay]

    @property
    def needs_attention(self) -> bool:
        return self.silence is not None or any(arrival.needs_somebody for arrival in self.arrivals)

    @property
    def reasons(self) -> list[str]:
        """Why days are incomplete."""
        return reasons(self.days)

    @property
    def order(self) -> tuple[bool, bool, bool]:
        """Problems first: what is missing now, yesterday, and in the last days."""
        is_incomplete = [day.state is State.INCOMPLETE for day in self.days]
        return not self.needs_attention, not is_incomplete[-1], not any(is_incomplete)


@dataclass(frozen=True, kw_only=True)
class DataQualityPage(Page):
    """Which posts arrive, number by number: why a figure is not measured, and what to tick."""

    # Those that need attention first.
    numbers: Sequence[NumberQuality]
    # Whether data are complete for yesterday, in words.
    yesterday: str
    export_query: str

    # The headings of the five posts, in full and for a phone.
    columns: ClassVar = [(post.label, LETTERS[post]) for post in RequestType]

    @property
    def needing(self) -> int:
        """How many numbers send incomplete data."""
        return sum(row.needs_attention for row in self.numbers)


def build_data_quality_page(choices: Sequence[DestinationNumber], question: str) -> DataQualityPage:
    """Build the page for these numbers; `question` is the one that its links carry."""
    covered = Coverage.read(choices)
    arrivals = post_arrivals.of_numbers(choices)
    found = post_arrivals.silent(choices, timezone.now())
    silences = {silence.number: silence for silence in found}
    yesterday = periods.today() - periods.DAY
    complete = completeness.read(covered, Period(yesterday - (DAYS - 1) * periods.DAY, yesterday), found)
    numbers = [
        NumberQuality(
            number, arrivals[number], silences.get(number), _unmeasured(covered, number), complete.days[number]
        )
        for number in choices
    ]
    return DataQualityPage(
        zone=settings.TIME_ZONE,
        numbers=sorted(numbers, key=lambda row: row.order),
        yesterday=complete.of_last_day().says,
        # The page and its file are always about all numbers.
        export_query=urlencode([pair for pair in parse_qsl(question) if pair[0] != "number"]),
    )


def _unmeasured(covered: Coverage, number: DestinationNumber) -> list[Any]:
    """Return the labels of the figures that are not measured for a number."""
    return [figure.label for figure in FIGURES.values() if covered.shown_from(number, figure.key) == measured.NEVER]
