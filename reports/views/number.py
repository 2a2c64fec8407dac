"""The page of one number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar, NamedTuple
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from calls.models import BOXES, DestinationNumber, RequestType
from reports import periods
from reports.counting import measured
from reports.counting.outcomes import Outcome
from reports.figures.cells import Cell, CellState, Row
from reports.figures.coverage import Coverage
from reports.figures.definitions import FIGURES, HEADLINE
from reports.filters.report_filter import ReportForm
from reports.periods import Grain, Period
from reports.queries import comparison, concurrent_calls, counts, durations, service_level
from reports.queries import forwards as forward_figures
from reports.queries.comparison import Compared
from reports.queries.concurrent_calls import Peak
from reports.queries.durations import Times, TimesClass
from reports.queries.wait_curve import ClassOnCurve, WaitCurve
from reports.views.shared import (
    Readable,
    ReportPage,
    compared_with,
    headline,
    last_day_with_calls,
    page_of,
    personal,
    read_report,
    same_days_before,
)

# The kinds of time in the table of classes.
CLASSED = ("time_to_answer", "ring")
# The line of the service level leaves out shares of fewer calls.
LEAST_CALLS = 10

# Parameters of the list of calls.
Filters = list[tuple[str, str]]


@require_safe
@login_required
@personal
def number(request: HttpRequest, pk: int) -> HttpResponse:
    destination_number = get_object_or_404(DestinationNumber.objects.visible_to(request.user), pk=pk)
    form = read_report(request, number=destination_number)
    page = build_number_page(form, destination_number)
    return page_of(request, "reports/number.html", page, form.choices, form.question)


class TimeRow(NamedTuple):
    """One kind of time in the period and in the previous one."""

    key: str
    each: Times
    then: Cell
    before: Times
    took: Filters


class ClassedColumn(NamedTuple):
    """A column of the table of classes: one kind of time, and all calls that have it."""

    key: str
    label: Any
    calls: int
    took: Filters


class ClassedCalls(NamedTuple):
    """The calls of one kind of time in one class."""

    key: str
    calls: int
    took: Filters


@dataclass(frozen=True)
class Level(Readable):
    """The service level of a bucket or period, with numerator, denominator and the value for the chart."""

    row: Row
    cell: Cell

    @property
    def whole(self) -> int | None:
        return self.cell.whole

    @property
    def in_time(self) -> int | None:
        """The calls answered in time, the numerator."""
        share, whole = self.cell.value, self.cell.whole
        return None if share is None else round(share * (whole or 0))

    @property
    def drawn(self) -> float | None:
        """The value for the chart in percent; None if it is of few calls."""
        share = self.cell.value if (self.cell.whole or 0) >= LEAST_CALLS else None
        return share and round(share * 100, 1)


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
class NumberPage(ReportPage):
    """The calls of one number in a period."""

    number: DestinationNumber
    coverage: Coverage
    # By kind of time.
    durations: dict[str, Times]
    times: Sequence[TimeRow]
    at_once: Sequence[Peak]
    forwards: forward_figures.Report
    # The same weekdays of the weeks before, in whole days.
    weeks: Sequence[Row]

    columns: ClassVar = forward_figures.COLUMNS

    @property
    def calls_query(self) -> str:
        return f"{self.form.query}&{urlencode({'number': self.number.e164})}"

    @property
    def download_query(self) -> str:
        return f"{self.form.download_query}&{urlencode({'number': self.number.e164})}"

    @property
    def grain_queries(self) -> list[tuple[Grain, str]]:
        return [(grain, self.form.query_with(by=grain)) for grain in _grains_for(self.period)]

    @cached_property
    def level(self) -> Level:
        return Level(self.now, self.now["service_level"])

    @cached_property
    def levels(self) -> list[Level]:
        return [Level(row, row["service_level"]) for row in self.buckets]

    @property
    def aim(self) -> int | None:
        return self.number.service_level_aim

    @cached_property
    def reaches_aim(self) -> bool | None:
        return service_level.is_reached(self.number, self.level.cell.value)

    @property
    def points_short(self) -> float | None:
        return service_level.points_short(self.number, self.level.cell.value)

    @cached_property
    def without_start(self) -> int:
        """The answered calls that the service level leaves out; 0 if it covers other calls than these figures."""
        level, answered, lost = self.level.cell, self.now["answered"], self.now["lost"]
        if level.value is None or level.since or answered.since or lost.since or None in (answered.value, lost.value):
            return 0
        return int((answered.value or 0) + (lost.value or 0)) - (level.whole or 0)

    @cached_property
    def classed(self) -> list[ClassedColumn]:
        """The kinds of time that have a column in the table of classes."""
        # If a time is not measured, its column would show zeros.
        return [
            ClassedColumn(key, FIGURES[key].label, self.durations[key].calls, _took(key))
            for key in CLASSED
            if self.now[key].is_measured
        ]

    @property
    def classes(self) -> list[tuple[TimesClass, list[ClassedCalls]]]:
        return _classes(self.durations, [column.key for column in self.classed], durations.BOUNDS)

    @cached_property
    def wait_curve(self) -> WaitCurve:
        return WaitCurve.read(self.number, self.durations["time_to_answer"], self.now)

    @property
    def wait_rows(self) -> list[tuple[TimesClass, list[ClassedCalls], ClassOnCurve]]:
        """The rows of the table of classes, each with what it has of the curve of waiting times."""
        return [(one, kinds, self.wait_curve.of(one)) for one, kinds in self.classes]

    @property
    def talk_classes(self) -> list[tuple[TimesClass, list[ClassedCalls]]]:
        return _classes(self.durations, ["talk"], durations.TALK_BOUNDS)

    @property
    def took_talk(self) -> Filters:
        return _took("talk")

    @cached_property
    def most_at_once(self) -> Peak | None:
        return concurrent_calls.highest(self.at_once)

    @property
    def ends_arrive(self) -> bool:
        return self.coverage.arrives_from(self.number, RequestType.CALL_END) <= self.period.start

    @cached_property
    def week_keys(self) -> list[str]:
        return ["offered", *_outcomes_of(self.coverage, self.number), "service_level", "time_to_answer"]

    @cached_property
    def weeks_sum(self) -> dict[str, Cell]:
        return _sum_of_weeks(self.weeks)

    @property
    def posts(self) -> list[PostOfNumber]:
        return _posts(self.number, self.coverage)


def build_number_page(form: ReportForm, destination_number: DestinationNumber) -> NumberPage:
    """Build the page of a number."""
    coverage = Coverage.read([destination_number])
    totals = counts.totals(coverage, form.period)
    compared = compared_with(form, coverage, [replace(totals, number=destination_number)])
    usual = same_days_before(form, coverage)
    buckets = counts.by_bucket(coverage, form.period, form.grain, (*counts.OF_CHART, "service_level"))
    times = durations.read(coverage, form.period)
    return NumberPage(
        zone=settings.TIME_ZONE,
        form=form,
        now=totals,
        counted_at=counts.counted_at(),
        last_day=last_day_with_calls(form, coverage, totals),
        figures=headline(totals, compared, usual, _headline_of(coverage, destination_number)),
        compared=compared,
        buckets=buckets,
        blocks=counts.blocks(coverage, form.period, totals),
        number=destination_number,
        coverage=coverage,
        durations=times,
        times=_times(times, coverage, compared),
        at_once=concurrent_calls.peaks_by_bucket(coverage, form.period, [row.bucket for row in buckets if row.bucket]),
        forwards=forward_figures.read_forwards(coverage, form.period, with_handovers=False),
        # The table of weeks has whole days, also if the period includes today.
        weeks=usual if compared and compared.days.now == form.period else _whole_weeks(form, coverage),
    )


def _times(times: dict[str, Times], coverage: Coverage, compared: Compared | None) -> list[TimeRow]:
    """Return each kind of time in the period and the previous one."""
    then = compared.then[0] if compared else None
    before = durations.read(coverage, compared.days.then) if compared else dict.fromkeys(durations.KEYS, durations.NONE)
    nothing = Cell(None, CellState.EMPTY)
    return [TimeRow(key, times[key], then[key] if then else nothing, before[key], _took(key)) for key in durations.KEYS]


def _whole_weeks(form: ReportForm, coverage: Coverage) -> list[Row]:
    if form.period.length > 7:
        return []
    return comparison.same_days_before(coverage, form.period, periods.USUAL_WEEKS)


def _classes(
    times: dict[str, Times], keys: Sequence[str], bounds: Sequence[int]
) -> list[tuple[TimesClass, list[ClassedCalls]]]:
    """Return each class with its calls by kind of time."""
    return [
        (times_class, [ClassedCalls(key, times_class.calls[key], _took(key, times_class)) for key in keys])
        for times_class in durations.classes(times, keys, bounds)
    ]


def _took(key: str, times_class: TimesClass | None = None) -> Filters:
    """Return the filters of the list of calls for a class, or for all calls with that time."""
    bounds = {"over": times_class.above, "upto": times_class.to} if times_class else {}
    return [("took", key), *((name, str(bound)) for name, bound in bounds.items() if bound is not None)]


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


def _outcomes_of(coverage: Coverage, destination_number: DestinationNumber) -> list[str]:
    """Return the four main outcomes of a number, with or without forwards."""
    if coverage.applies(destination_number, Outcome.ANSWERED):
        return [Outcome.ANSWERED, Outcome.MISSED, Outcome.ABANDONED, Outcome.SHORT]
    return [Outcome.SERVED_IN_PLAN, Outcome.SHORT, Outcome.IN_PROGRESS, Outcome.END_UNKNOWN]


def _headline_of(coverage: Coverage, destination_number: DestinationNumber) -> Sequence[str]:
    """Return the figures at the top: those of the overview, or others for a number without forwards."""
    if coverage.applies(destination_number, Outcome.ANSWERED):
        return HEADLINE
    return ("offered", *_outcomes_of(coverage, destination_number), "talk")


def _grains_for(period: Period) -> list[Grain]:
    """Return the time steps that are useful for a period."""
    if period.length == 1:
        return [Grain.HOUR, Grain.QUARTER_HOUR]
    if period.length <= 7:
        return [Grain.DAY, Grain.HOUR, Grain.QUARTER_HOUR]
    return [Grain.DAY, Grain.WEEK, Grain.MONTH]


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
