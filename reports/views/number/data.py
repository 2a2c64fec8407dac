"""The tab Data and settings: which messages arrive, how the number is set, and the lead time of rings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from calls.models import BOXES, DestinationNumber, RequestType
from reports.counting import measured
from reports.figures.coverage import Coverage
from reports.views.number.base import NumberPage, NumberReading, read_number, tab_of
from reports.views.readable import Readable
from reports.views.shared import personal


@require_safe
@login_required
@personal
def data(request: HttpRequest, pk: int) -> HttpResponse:
    return tab_of(request, "data.html", build_data(read_number(request, pk)))


@dataclass(frozen=True)
class PostOfNumber(Readable):
    """One of the five posts of a number: whether it arrives, and since when if not always."""

    post: str
    label: Any
    box: Any
    arrives: bool
    since: datetime | None
    setting: str


@dataclass(frozen=True, kw_only=True)
class DataPage(NumberPage):
    """What the figures of a number rest on."""

    name = "number_data"
    files = "coverage counts calls"

    @property
    def posts(self) -> list[PostOfNumber]:
        return _posts(self.number, self.coverage)


def build_data(reading: NumberReading) -> DataPage:
    """Build the tab."""
    return DataPage(**reading.of_every_tab)


def _posts(destination_number: DestinationNumber, coverage: Coverage) -> list[PostOfNumber]:
    """Return which of the five posts of a number arrive, and since when."""
    since = {post: coverage.arrives_from(destination_number, post) for post in RequestType}
    return [
        PostOfNumber(
            post.value,
            post.label,
            BOXES[post],
            arrives=moment != measured.NEVER,
            since=moment if moment not in (measured.ALWAYS, measured.NEVER) else None,
            setting=destination_number.arrives(post),
        )
        for post, moment in since.items()
    ]
