"""What all tabs of a number's page have: which number and period they are about, and the links between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from calls.models import DestinationNumber
from reports.figures.cells import Row
from reports.figures.coverage import Coverage
from reports.filters import session_filter
from reports.filters.report_filter import ReportForm
from reports.periods import Grain, Period
from reports.queries import counts
from reports.queries.comparison import Compared, Week
from reports.views.readable import Readable
from reports.views.shared import (
    PeriodPage,
    compared_with,
    last_day_with_calls,
    page_of,
    read_report,
    weeks_before,
)

# The tabs by the names of their addresses, in their order.
TABS = {
    "number": _("Summary"),
    "number_waiting": _("Waiting"),
    "number_by_hour": _("By hour"),
    "number_forwarding": _("Forwarding and menu"),
    "number_comparison": _("Comparison"),
    "number_data": _("Data and settings"),
}
# The page with all of them.
ALL_PARTS = "number_all"


@dataclass(frozen=True)
class TabLink(Readable):
    """A tab as a link, which keeps the filters."""

    name: str
    label: Any
    href: str
    is_current: bool


@dataclass(frozen=True, kw_only=True)
class NumberPage(PeriodPage):
    """A tab of the page of one number."""

    number: DestinationNumber
    coverage: Coverage

    # The name of its address.
    name: ClassVar[str]
    # What it offers to download: what it shows, the counts and the calls.
    files: ClassVar[str]
    # There is one number only.
    compared_numbers: ClassVar = ""

    @property
    def is_tab(self) -> bool:
        """Whether it is one of the tabs, not all of them."""
        return self.name in TABS

    @property
    def tab_label(self) -> Any:
        return TABS.get(self.name, _("All parts"))

    @property
    def title(self) -> str:
        """The title of the window; that of the first tab is the name of the number alone."""
        return self.number.name if self.name == "number" else f"{self.tab_label} · {self.number.name}"

    @property
    def tabs(self) -> list[TabLink]:
        return [TabLink(name, label, self.address_of(name), name == self.name) for name, label in TABS.items()]

    @property
    def all_parts(self) -> str:
        """The address of the page with all tabs."""
        return self.address_of(ALL_PARTS)

    @property
    def waiting_address(self) -> str:
        return self.address_of("number_waiting")

    def address_of(self, name: str) -> str:
        """Return the address of a tab with the same filters."""
        steps = urlencode({"by": self.form.by}) if self.form.by else ""
        address = session_filter.carry(reverse(name, args=[self.number.pk]), self.form.question)
        return session_filter.carry(address, steps)

    @property
    def calls_query(self) -> str:
        return f"{self.form.query_with(kept=[])}&{urlencode({'number': self.number.e164})}"

    @property
    def download_query(self) -> str:
        query = self.form.query_with(by=self.form.grain, kept=[])
        return f"{query}&{urlencode({'number': self.number.e164})}"

    @property
    def grain_queries(self) -> list[tuple[Grain, str]]:
        return [(grain, self.form.query_with(by=grain)) for grain in _grains_for(self.period)]


class NumberReading:
    """What the tabs read of counts, each when a tab first needs it, and only once."""

    def __init__(self, form: ReportForm, number: DestinationNumber) -> None:
        self.form, self.number = form, number
        self.coverage = Coverage.read([number])

    @cached_property
    def totals(self) -> Row:
        return counts.totals(self.coverage, self.form.period)

    @cached_property
    def row(self) -> Row:
        """The totals as the row of the number."""
        return replace(self.totals, number=self.number)

    @cached_property
    def compared(self) -> Compared | None:
        return compared_with(self.form, self.coverage, [self.row])

    @cached_property
    def weeks(self) -> list[Week]:
        """The same weekdays in the weeks before; up to now if the period includes today."""
        return weeks_before(self.form, self.coverage)

    @cached_property
    def buckets(self) -> Sequence[Row]:
        """The outcomes and the service level of each time step."""
        keys = (*counts.OF_CHART, "service_level")
        return counts.by_bucket(self.coverage, self.form.period, self.form.grain, keys)

    @cached_property
    def of_every_tab(self) -> dict[str, Any]:
        """The attributes that every tab has."""
        return {
            "zone": settings.TIME_ZONE,
            "form": self.form,
            "number": self.number,
            "coverage": self.coverage,
            "now": self.totals,
            "counted_at": counts.counted_at(),
            "last_day": last_day_with_calls(self.form, self.coverage, self.totals),
        }


def read_number(request: HttpRequest, pk: int, **options: Any) -> NumberReading:
    """Read which number and period a tab is about. Raise Http404 for a number that the user may not see."""
    number = get_object_or_404(DestinationNumber.objects.visible_to(request.user), pk=pk)
    return NumberReading(read_report(request, number=number, **options), number)


def tab_of(request: HttpRequest, template: str, page: NumberPage) -> HttpResponse:
    """Render a tab."""
    return page_of(request, f"reports/number/{template}", page, page.form.choices, page.form.question)


def _grains_for(period: Period) -> list[Grain]:
    """Return the time steps that are useful for a period."""
    if period.length == 1:
        return [Grain.HOUR, Grain.QUARTER_HOUR]
    if period.length <= 7:
        return [Grain.DAY, Grain.HOUR, Grain.QUARTER_HOUR]
    return [Grain.DAY, Grain.WEEK, Grain.MONTH]
