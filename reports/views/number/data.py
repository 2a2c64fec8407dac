"""The tab Data and settings: whether data are complete, which messages arrive, and how the number is set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from calls.models import BOXES, DestinationNumber, RequestType
from reports.counting import measured
from reports.figures.completeness import NumberDay, State
from reports.figures.coverage import Coverage
from reports.queries import completeness
from reports.views.number.base import NumberPage, NumberReading, read_number, tab_of
from reports.views.readable import Readable
from reports.views.shared import personal

# The incomplete days that are listed.
MOST_DAYS = 10


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

    # Whether the data are complete, day by day.
    days: Sequence[NumberDay]

    name = "number_data"
    files = "coverage counts calls"

    @cached_property
    def complete(self) -> int:
        """The days with calls on which nothing is known to be missing."""
        return sum(day.state is State.COMPLETE for day in self.days)

    @cached_property
    def incomplete(self) -> list[NumberDay]:
        """The days on which something is missing, latest first."""
        return [day for day in reversed(self.days) if day.state is State.INCOMPLETE]

    @property
    def listed_days(self) -> list[NumberDay]:
        return self.incomplete[:MOST_DAYS]

    @property
    def more_days(self) -> int:
        return len(self.incomplete) - len(self.listed_days)

    @property
    def posts(self) -> list[PostOfNumber]:
        return _posts(self.number, self.coverage)


def build_data(reading: NumberReading) -> DataPage:
    """Build the tab."""
    days = completeness.read(reading.coverage, reading.form.period).days[reading.number]
    return DataPage(**reading.of_every_tab, days=days)


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
