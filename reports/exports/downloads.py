"""Downloads: for each, its filters, who may have it, its rows, and the highest possible number of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.db import models
from django.db.models import Sum
from django.http import Http404, QueryDict
from django.utils import timezone
from django.utils.translation import gettext

from calls.access import Rights
from calls.kept_searches import checksum_of
from calls.models import DestinationNumber, Right
from reports import periods, permissions
from reports.exports import csv_files, file_names
from reports.exports.csv_files import Pieces
from reports.figures.coverage import Coverage
from reports.filters.call_filter import CallFilter
from reports.filters.calls_by_time import MomentsFilter
from reports.filters.report_filter import ReportForm
from reports.filters.search import SearchFilter
from reports.models import (
    DayBlockCounts,
    DayCounts,
    DayForwardCounts,
    MonthBlockCounts,
    MonthCounts,
    MonthForwardCounts,
)
from reports.periods import Grain, Period
from reports.queries import counts, forwards, hours_of_week

Make = Callable[[ReportForm, bool], Pieces]  # the flag: for Excel
# Longer periods are estimated from months, which are fewer rows.
LONGEST_BY_DAY = 92
# The most time steps of each kind in a day: one day a year has 25 hours.
IN_A_DAY = {Grain.QUARTER_HOUR: 100, Grain.HALF_HOUR: 50, Grain.HOUR: 25, Grain.DAY: 1, Grain.WEEK: 1, Grain.MONTH: 1}
# Classes of the three times of a number, without those that have no calls.
CLASSES_OF_A_NUMBER = 40
HOURS_OF_A_WEEK = 7 * 24


class BadQuery(Exception):  # noqa: N818 (a state of the request)
    """A filter that cannot be read. If it were ignored, the file would hold other rows than requested."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__("\n".join(errors.values()))
        self.errors = errors


class Refused(Exception):  # noqa: N818 (a state of the request)
    """A person may not have this download; the text says why."""


@dataclass(frozen=True)
class WholeCallers:
    """That a file of single calls has whole callers: who asked for them, when, and why."""

    person: str
    asked_at: datetime
    reason: str  # as calls.showing.reason_of returns it

    @classmethod
    def asked_by(cls, user: Any, reason: str, asked_at: datetime | None = None) -> WholeCallers:
        return cls(user.get_full_name() or user.get_username(), asked_at or timezone.now(), reason)


@dataclass(frozen=True)
class Book:
    """A workbook that a person requests and may have."""

    kind: str
    name: str  # of the file, as it is downloaded
    query: str  # the filters as a query string; the same text for the same filters
    search: str
    numbers: Sequence[DestinationNumber]  # all numbers in the workbook
    # What the rows depend on: the ids of the numbers for which the person has each right (`Right`).
    rights: dict[str, list[int]]
    filters: Sequence[tuple[str, str]]  # as the second sheet shows them
    pieces: Callable[..., Pieces]  # with `excel=True` as CSV for Excel
    most_rows: Callable[[], int]  # from counts, without reading calls or including callbacks
    count: Callable[[], int]  # exactly
    whole: WholeCallers | None = None  # None if callers are masked, or the file has none

    @property
    def noted(self) -> dict[str, Any]:
        """What the audit holds of its content."""
        return noted_filters(self.query, self.search, whole_callers=self.whole is not None)

    @property
    def reason(self) -> str:
        """Why callers are whole; blank if they are not."""
        return self.whole.reason if self.whole else ""


def _by_grain(csv: Callable[..., Pieces]) -> Make:
    return lambda form, excel: csv(form.numbers, form.period, form.grain, excel=excel)


def _times(form: ReportForm, excel: bool) -> Pieces:
    return csv_files.times_csv(form.numbers, form.period, excel=excel)


def _week(form: ReportForm, excel: bool) -> Pieces:
    coverage = Coverage.read(form.numbers)
    totals = counts.totals(coverage, form.period)
    return csv_files.week_csv(hours_of_week.of_week(coverage, form.period, totals, timezone.now()), excel=excel)


def _coverage(form: ReportForm, excel: bool) -> Pieces:
    return csv_files.coverage_csv(form.numbers, timezone.now(), excel=excel)


MAKE: dict[str, Make] = {
    "counts": _by_grain(csv_files.counts_csv),
    "blocks": _by_grain(csv_files.blocks_csv),
    "forwards": _by_grain(csv_files.forwards_csv),
    "peaks": _by_grain(csv_files.peaks_csv),
    "times": _times,
    "week": _week,
    "coverage": _coverage,
}
KINDS = (*MAKE, "calls")
# Those whose rows are of time steps.
WITH_STEPS = ("counts", "blocks", "forwards", "peaks")
# The rights that decide what is in a workbook.
OF_REPORTS = (Right.FIGURES,)
OF_FORWARDS = (Right.FIGURES, Right.PEOPLE)
OF_CALLS = tuple(Right)


def why_refused(kind: str, form: ReportForm, user: Any) -> str:
    """Return why a person may not have a download; blank if they may."""
    if kind != "forwards":
        return ""
    tried = forwards.destinations_of(Coverage.read(form.numbers), form.period)
    return permissions.why_destinations_are_hidden(user, form.numbers, tried)


def why_calls_are_refused(call_filter: CallFilter, *, whole_callers: bool = False) -> str:
    """Return why a person may not download these calls; blank if they may, with whole callers for some of the numbers
    if that is asked for."""
    if call_filter.withheld:
        return call_filter.errors["number"]
    if whole_callers:
        return permissions.why_whole_callers_are_refused(call_filter.user, call_filter.numbers_listed)
    return permissions.why_export_is_refused(call_filter.user, call_filter.numbers_listed)


def noted_filters(query: str, search: str, *, whole_callers: bool = False) -> dict[str, Any]:
    """Return filters as the audit holds them: of a search, which may be a caller, a checksum."""
    noted: dict[str, Any] = {"filters": query} | ({"search": checksum_of(search)} if search else {})
    return noted | ({"whole_callers": True} if whole_callers else {})


def filename(kind: str, form: ReportForm, ending: str = "csv") -> str:
    """Return the name of a report's file. Coverage is as of now, with or without a period."""
    period = as_of_now() if kind == "coverage" else form.period
    return file_names.name_of_report(kind, form, period, ending, has_steps=kind in WITH_STEPS)


def as_of_now() -> Period:
    """Return today: coverage is always as of now, whatever period is requested."""
    return Period(periods.today(), periods.today())


def read(kind: str, query: QueryDict, user: Any, session: SessionBase, whole: WholeCallers | None = None) -> Book:
    """Return the workbook that a query requests. Raise Http404, BadQuery, Refused."""
    if kind not in KINDS:
        raise Http404
    return of_calls(CallFilter(query, user, session), whole) if kind == "calls" else _of_report(kind, query, user)


def _of_report(kind: str, query: QueryDict, user: Any) -> Book:
    form = ReportForm(query, user, download=True)
    if form.errors:
        raise BadQuery(form.errors)
    if why := why_refused(kind, form, user):
        raise Refused(why)

    def pieces(*, excel: bool = False) -> Pieces:
        return MAKE[kind](form, excel)

    return Book(
        kind,
        filename(kind, form, "xlsx"),
        form.download_query,
        "",
        form.numbers,
        _rights_for(form.numbers, form.rights, OF_FORWARDS if kind == "forwards" else OF_REPORTS),
        [_numbers_of(form)] if kind == "coverage" else _said_of(form),
        pieces,
        lambda: _most_rows(kind, form),
        lambda: sum(piece.count(b"\n") for piece in pieces()) - 1,
    )


def of_calls(call_filter: CallFilter, whole: WholeCallers | None = None) -> Book:
    """Return the file of these calls, with whole callers as far as the person may have them, if they are asked for.

    Raise BadQuery; Refused also if they may have no whole callers."""
    if why := why_calls_are_refused(call_filter, whole_callers=whole is not None):
        raise Refused(why)
    if call_filter.errors:
        raise BadQuery(call_filter.errors)
    numbers = call_filter.numbers_listed
    period = call_filter.period or call_filter[MomentsFilter].period

    def pieces(*, excel: bool = False) -> Pieces:
        is_whole = whole is not None
        return csv_files.calls_csv(call_filter.calls(), call_filter.rights, whole_callers=is_whole, excel=excel)

    return Book(
        "calls",
        file_names.name_of_calls(call_filter, "xlsx", whole=whole is not None),
        call_filter.query(),
        call_filter[SearchFilter].text,
        numbers,
        _rights_for(numbers, call_filter.rights, OF_CALLS),
        [*call_filter.sheet_rows(), *_hidden_in_calls(numbers, call_filter.rights, whole)],
        pieces,
        lambda: _counted("offered", numbers, period),
        lambda: call_filter.calls().order_by().count(),
        whole,
    )


def _hidden_in_calls(
    numbers: Sequence[DestinationNumber], rights: Rights, whole: WholeCallers | None
) -> Iterator[tuple[str, str]]:
    """Yield what the second sheet of a workbook of single calls says about its callers and destinations."""
    if whole is None:
        yield gettext("Callers"), gettext("Without the last three digits")
    else:
        asked = {
            "numbers": ", ".join(str(number) for number in numbers if permissions.may_have_callers(rights, number)),
            "person": whole.person,
            "moment": periods.moment_label(whole.asked_at),
            "reason": whole.reason,
        }
        text = (
            gettext("Whole, requested by %(person)s on %(moment)s, reason: %(reason)s")
            if all(permissions.may_have_callers(rights, number) for number in numbers)
            else gettext(
                "Whole in calls to %(numbers)s, requested by %(person)s on %(moment)s, reason: %(reason)s. Without the "
                "last three digits in all other calls"
            )
        )
        yield gettext("Callers"), text % asked
    named = [str(number) for number in numbers if rights.may(Right.PEOPLE, number)]
    if not named:
        yield gettext("Destinations"), gettext("Only their types")
    else:
        text = gettext("Named in calls to %(numbers)s if at least %(least)d were tried in them; else only their types")
        least = settings.FORWARDS_LEAST_DESTINATIONS
        yield gettext("Destinations"), text % {"numbers": ", ".join(named), "least": least}


def _rights_for(numbers: Sequence[DestinationNumber], rights: Rights, of: Sequence[Right]) -> dict[str, list[int]]:
    return {right.value: sorted(number.pk for number in numbers if rights.may(right, number)) for right in of}


def _most_rows(kind: str, form: ReportForm) -> int:
    numbers, period = form.numbers, form.period
    if kind == "coverage":
        return len(numbers) * 5
    if kind == "week":
        return HOURS_OF_A_WEEK
    if kind == "times":
        # Few rows, but the times of every call are read.
        return max(len(numbers) * CLASSES_OF_A_NUMBER, _counted("offered", numbers, period) // 10)
    most = period.length * IN_A_DAY[form.grain] * len(numbers)
    if kind == "counts":
        return min(most, _counted("offered", numbers, period))
    if kind == "peaks":
        return most
    # A row for each block type or destination: at most as many as there are blocks or attempts.
    return _counted({"blocks": "blocks", "forwards": "attempts"}[kind], numbers, period)


TABLES: dict[str, tuple[type[models.Model], type[models.Model]]] = {
    "offered": (DayCounts, MonthCounts),
    "blocks": (DayBlockCounts, MonthBlockCounts),
    "attempts": (DayForwardCounts, MonthForwardCounts),
}


def _counted(what: str, numbers: Sequence[DestinationNumber], period: Period | None) -> int:
    """Return the number of calls, blocks or attempts in a period, or in all if it is None.

    For a long period the first and last month are included in full."""
    by_day, by_month = TABLES[what]
    table = by_day if period and period.length <= LONGEST_BY_DAY else by_month
    rows = table._default_manager.filter(destination_number__in=numbers)
    if period:
        first = period.first if table is by_day else period.first.replace(day=1)
        rows = rows.filter(**{f"{'day' if table is by_day else 'month'}__range": (first, period.last)})
    return int(rows.aggregate(sum=Sum(what))["sum"] or 0)


def _numbers_of(form: ReportForm) -> tuple[str, str]:
    numbers = (
        ", ".join(str(one) for one in form.numbers) if form.selected else gettext("All numbers you have access to")
    )
    return gettext("Numbers"), numbers


def _said_of(form: ReportForm) -> list[tuple[str, str]]:
    counted_at = counts.counted_at() if periods.today() in form.period else None
    until = [(gettext("Includes today, updated"), periods.moment_label(counted_at))] if counted_at else []
    return [
        (gettext("Period"), form.period.label),
        *until,
        _numbers_of(form),
        (gettext("Time steps"), str(form.grain.label)),
        (gettext("Opening hours"), str(form.opening.label)),
    ]
