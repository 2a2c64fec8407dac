"""The page Trend: the figures of a period and of another one, and its time steps one after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from reports import periods
from reports.figures.cells import Cell, Row
from reports.figures.coverage import Coverage
from reports.figures.definitions import FIGURES, Kind
from reports.filters import presets
from reports.filters.presets import Comparison
from reports.filters.report_filter import ReportForm
from reports.periods import Grain, Period
from reports.queries import comparison, counts, hours_of_week
from reports.queries.comparison import Compared, Pair
from reports.templatetags.formats import EN_DASH, clock, shown
from reports.views.readable import Readable
from reports.views.shared import (
    CHART_HEADINGS,
    PeriodPage,
    last_day_with_calls,
    page_of,
    personal,
    read_report,
    shown_outcomes,
    without_empty_ends,
)

STEPS = {
    Grain.DAY: _("Day"),
    Grain.WEEK: _("Week"),
    Grain.MONTH: _("Month"),
    Grain.HOUR: _("Hour"),
    Grain.HALF_HOUR: _("30 min"),
    Grain.QUARTER_HOUR: _("15 min"),
}

COMPARED = ("offered", "answered", "lost", "reached", "service_level", "time_to_answer")


class Other(models.TextChoices):
    """What a period is compared with. The values are those of the query string."""

    WEEK_BEFORE = "week", _("A week before")
    PREVIOUS = "previous", _("Previous period")
    A_YEAR_AGO = "year", _("A year ago")
    NONE = "none", _("Nothing")


@require_safe
@login_required
@personal
def trend(request: HttpRequest) -> HttpResponse:
    """Show the time steps of the period."""
    asked = next((one for one in Other if one.value == request.GET.get("compare")), None)
    form = read_report(request, unbounded=True, kept=[("compare", asked.value)] if asked else [])
    return page_of(request, "reports/trend.html", build_trend_page(form, asked), form.choices, form.question)


@dataclass(frozen=True)
class ChangedFigure(Readable):
    """A figure of the period, and for the same numbers in both periods."""

    key: str
    now: Cell
    # None if the period is not compared.
    pair: Pair | None

    @property
    def kind(self) -> Kind:
        return FIGURES[self.key].kind

    @property
    def label(self) -> Any:
        return FIGURES[self.key].label

    @property
    def change(self) -> str:
        """How it has changed, in words; blank if there is nothing to compare."""
        if self.pair is None or self.pair.now is None or self.pair.then is None:
            return ""
        return in_words(self.kind, self.pair.now, self.pair.then)

    @property
    def is_partial(self) -> bool:
        """Whether not all that the figure of the period covers is compared."""
        pair = self.pair
        return pair is not None and pair.then is not None and pair.now != self.now.value

    @property
    def compared(self) -> str:
        """Its value as far as it is compared; a dash if there is nothing to compare."""
        return _value(self.pair.now if self.pair else None, self.kind)

    @property
    def then(self) -> str:
        """The same in the other period."""
        return _value(self.pair.then if self.pair else None, self.kind)

    @property
    def numbers(self) -> str:
        """How many numbers are compared, if not all."""
        if self.pair is None or self.pair.then is None or self.pair.numbers == self.pair.of_numbers:
            return ""
        return gettext("%(n)d of %(all)d numbers") % {"n": self.pair.numbers, "all": self.pair.of_numbers}


def _value(value: float | None, kind: Kind) -> str:
    return EN_DASH if value is None else shown(value, kind)


def in_words(kind: Kind, now: float, then: float) -> str:
    """Return a change in words: of a count in percent, of a share in points, of a time in minutes and seconds."""
    if kind == "share":
        points = round(now * 100) - round(then * 100)
        more = ngettext("%(n)d point more", "%(n)d points more", abs(points))
        less = ngettext("%(n)d point less", "%(n)d points less", abs(points))
        return (more if points > 0 else less) % {"n": abs(points)} if points else gettext("no change")
    difference = round(now) - round(then)
    if not difference:
        return gettext("no change")
    if kind == "seconds":
        words = gettext("%(time)s longer") if difference > 0 else gettext("%(time)s shorter")
        return words % {"time": clock(abs(difference))}
    more = ngettext("%(n)s more", "%(n)s more", abs(difference))
    less = ngettext("%(n)s fewer", "%(n)s fewer", abs(difference))
    many = shown(abs(difference), "count")
    if not then:
        return more % {"n": many}
    words = gettext("%(change)s (%(percent)s %%)")
    percent = round(difference / then * 100)
    return words % {
        "change": (more if difference > 0 else less) % {"n": many},
        "percent": f"{percent:+d}".replace("-", "−"),
    }


@dataclass(frozen=True, kw_only=True)
class TrendPage(PeriodPage):
    """Show the figures of the period and of another one, and the time steps of the period."""

    other: Other
    compared: Compared | None
    grain: Grain
    # The days whose time steps are listed, and their totals.
    listed: Period
    sum: Row
    steps: Sequence[Row]

    means: ClassVar = ("service_level", "time_to_answer", "ring", "talk")

    @property
    def others(self) -> list[tuple[Other, str]]:
        """What the period can be compared with, with the query that does."""
        usual = _usual_other(self.period)
        return [
            (other, self.form.query_with(kept=[("compare", other.value)] if other != usual else []))
            for other in Other
            if other != Other.WEEK_BEFORE or usual == other
        ]

    @cached_property
    def changes(self) -> list[ChangedFigure]:
        return [
            ChangedFigure(key, self.now[key], self.compared.pair(key) if self.compared else None) for key in COMPARED
        ]

    @property
    def is_partial(self) -> bool:
        """Whether not all that a figure covers is compared."""
        return any(figure.is_partial for figure in self.changes)

    @property
    def grains(self) -> list[tuple[Grain, Any, str]]:
        """The time steps to choose from, with the query that lists each."""
        return [(grain, label, self.form.query_with(by=grain)) for grain, label in STEPS.items()]

    @property
    def heading(self) -> Any:
        return CHART_HEADINGS[self.grain]

    @cached_property
    def folded(self) -> bool:
        """Whether time steps before the first call and after the last are left out."""
        return self.grain not in periods.OF_DAYS

    @property
    def shows_clock(self) -> bool:
        """Whether the time of day names a time step."""
        return self.folded and self.listed.length == 1

    @cached_property
    def outcomes(self) -> list[tuple[str, Any]]:
        """Keys and labels of the outcomes that the chart stacks."""
        return shown_outcomes(self.now)

    @cached_property
    def counts(self) -> list[str]:
        """The figures of time steps that are counts."""
        return ["offered", *(key for key, _label in self.outcomes)]

    @property
    def columns(self) -> list[str]:
        """The figures of time steps."""
        return [*self.counts, *self.means]

    @cached_property
    def busiest(self) -> Row | None:
        """The time step with the most calls, if there is more than one."""
        return max(self.steps, key=lambda row: row["offered"].value or 0) if len(self.steps) > 1 else None

    @property
    def download_query(self) -> str:
        return self.form.query_with(period=self.listed, by=self.grain)


def build_trend_page(form: ReportForm, asked: Other | None) -> TrendPage:
    """Build the page. For longer periods, time steps within a day are listed for the last day only.

    `asked` is what the period is compared with, None for what is usual."""
    grain, coverage = form.grain, Coverage.read(form.numbers)
    usual = _usual_other(form.period)
    other = usual if asked is None or (asked == Other.WEEK_BEFORE != usual) else asked
    of_day = grain not in periods.OF_DAYS and form.period.length > 1
    listed = hours_of_week.last_day(form.period, timezone.now()) if of_day else form.period
    of_listed, steps = counts.together_and_by_bucket(coverage, listed, grain)
    totals = counts.totals(coverage, form.period) if of_day else of_listed
    return TrendPage(
        zone=settings.TIME_ZONE,
        form=form,
        now=totals,
        counted_at=counts.counted_at(),
        last_day=last_day_with_calls(form, coverage, totals),
        other=other,
        compared=comparison.compare(coverage, days, None, COMPARED) if (days := _days(form, other)) else None,
        grain=grain,
        listed=listed,
        sum=of_listed,
        steps=steps if grain in periods.OF_DAYS else without_empty_ends(steps),
    )


def _usual_other(period: Period) -> Other:
    """Return what a period is compared with at first: a single day with the same weekday, since a Sunday before a
    Monday says nothing."""
    return Other.WEEK_BEFORE if period.length == 1 else Other.PREVIOUS


def _days(form: ReportForm, other: Other) -> Comparison | None:
    """Return what is compared; None for nothing, or if no part of the period is over."""
    if other == Other.A_YEAR_AGO:
        return presets.compared_a_year_ago(form.period, form.chosen_preset, timezone.now())
    if other == Other.WEEK_BEFORE:
        return presets.compared_weeks_ago(1, form.period, form.chosen_preset, timezone.now())
    return form.compared if other == Other.PREVIOUS else None
