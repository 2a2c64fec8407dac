"""The tab Waiting: the service level over time, and how long callers waited and talked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from reports.figures.cells import Cell, CellState, Row
from reports.figures.coverage import Coverage
from reports.figures.definitions import FIGURES
from reports.queries import durations
from reports.queries.comparison import Compared
from reports.queries.durations import Times, TimesClass
from reports.queries.wait_curve import ClassOnCurve, WaitCurve
from reports.views.number.base import NumberReading, read_number, tab_of
from reports.views.number.level import LEAST_CALLS, Level, LevelPage
from reports.views.shared import personal

# The kinds of time in the table of classes.
CLASSED = ("time_to_answer", "ring")

# Parameters of the list of calls.
Filters = list[tuple[str, str]]


@require_safe
@login_required
@personal
def waiting(request: HttpRequest, pk: int) -> HttpResponse:
    return tab_of(request, "waiting.html", build_waiting(read_number(request, pk)))


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


@dataclass(frozen=True, kw_only=True)
class WaitingPage(LevelPage):
    """How many callers were answered in time, and how long they waited, let it ring and talked."""

    buckets: Sequence[Row]
    # By kind of time.
    durations: dict[str, Times]
    times: Sequence[TimeRow]

    name = "number_waiting"
    least_drawn: ClassVar = LEAST_CALLS
    files = "times counts calls"

    @cached_property
    def levels(self) -> list[Level]:
        return [Level(row, row["service_level"]) for row in self.buckets]

    @property
    def leaves_out_few(self) -> bool:
        """Whether the chart leaves out time steps of fewer than `least_drawn` calls."""
        return any(level.whole and level.drawn is None for level in self.levels)

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


def build_waiting(reading: NumberReading) -> WaitingPage:
    """Build the tab."""
    times = durations.read(reading.coverage, reading.form.period)
    return WaitingPage(
        **reading.of_every_tab,
        compared=reading.compared,
        buckets=reading.buckets,
        durations=times,
        times=_times(times, reading.coverage, reading.compared),
    )


def _times(times: dict[str, Times], coverage: Coverage, compared: Compared | None) -> list[TimeRow]:
    """Return each kind of time in the period and the previous one."""
    then = compared.then[0] if compared else None
    before = durations.read(coverage, compared.days.then) if compared else dict.fromkeys(durations.KEYS, durations.NONE)
    nothing = Cell(None, CellState.EMPTY)
    return [TimeRow(key, times[key], then[key] if then else nothing, before[key], _took(key)) for key in durations.KEYS]


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
