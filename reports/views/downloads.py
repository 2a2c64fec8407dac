"""The files: CSV, workbooks, and what workforce planners import."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import TypeVar

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from reports import exports, forwarding, hours, periods, querysets, workbooks
from reports.callforms import CallFilter
from reports.figures import Coverage
from reports.forms import ReportForm
from reports.periods import Period
from reports.views.shared import personal

Asked = TypeVar("Asked", ReportForm, CallFilter)
Answer = Callable[[HttpRequest, Asked], HttpResponseBase]
View = Callable[..., HttpResponseBase]
Make = Callable[[ReportForm, bool], exports.Pieces]  # the flag: for Excel
Refuse = Callable[[HttpRequest, ReportForm], HttpResponse | None]


def _download_of(read: Callable[[HttpRequest], Asked]) -> Callable[[Answer[Asked]], View]:
    """Make views of functions that answer with a file to what `read` makes of a request, where that could be read."""

    def make(answer: Answer[Asked]) -> View:
        @require_safe
        @login_required
        @personal
        @wraps(answer)
        def view(request: HttpRequest) -> HttpResponseBase:
            asked = read(request)
            return _bad_query(asked.errors) if asked.errors else answer(request, asked)

        return view

    return make


_of_a_report = _download_of(lambda request: ReportForm(request.GET, request.user, download=True))
_of_calls = _download_of(lambda request: CallFilter(request.GET, request.user, request.session))


def _files(what: str, make: Make, refuse: Refuse | None = None) -> tuple[View, View]:
    """Return the views of a file of a report: as CSV, also for Excel, and as a workbook."""

    @_of_a_report
    def as_csv(request: HttpRequest, form: ReportForm) -> HttpResponseBase:
        if refuse and (refusal := refuse(request, form)):
            return refusal
        return exports.download(exports.filename(what, form.period), make(form, _is_for_excel(request)))

    @_of_a_report
    def as_workbook(request: HttpRequest, form: ReportForm) -> HttpResponseBase:
        if refuse and (refusal := refuse(request, form)):
            return refusal
        return _workbook(exports.filename(what, form.period, "xlsx"), make(form, False), _said_of(form))

    return as_csv, as_workbook


def _unnamed(request: HttpRequest, form: ReportForm) -> HttpResponse | None:
    """Refuse figures of single destinations to who may not see them."""
    tried = forwarding.destinations_of(Coverage.of(form.numbers), form.period)
    why = forwarding.why_unnamed(request.user, tried)
    return HttpResponse(f"{why}\n", status=403, content_type="text/plain; charset=utf-8") if why else None


def _by_grain(csv: Callable[..., exports.Pieces]) -> Make:
    return lambda form, excel: csv(form.numbers, form.period, form.grain, excel=excel)


def _times(form: ReportForm, excel: bool) -> exports.Pieces:
    return exports.times_csv(form.numbers, form.period, excel=excel)


def _week(form: ReportForm, excel: bool) -> exports.Pieces:
    coverage = Coverage.of(form.numbers)
    totals = querysets.totals(coverage, form.period)
    return exports.week_csv(hours.of_week(coverage, form.period, totals, timezone.now()), excel=excel)


counts_csv, counts_xlsx = _files("counts", _by_grain(exports.counts_csv))
blocks_csv, blocks_xlsx = _files("blocks", _by_grain(exports.blocks_csv))
forwards_csv, forwards_xlsx = _files("forwards", _by_grain(exports.forwards_csv), refuse=_unnamed)
peaks_csv, peaks_xlsx = _files("peaks", _by_grain(exports.peaks_csv))
times_csv, times_xlsx = _files("times", _times)
week_csv, week_xlsx = _files("week", _week)


def _today() -> Period:
    """Coverage is told as of now, whatever the period asked for."""
    return Period(periods.today(), periods.today())


@_of_a_report
def coverage_csv(request: HttpRequest, form: ReportForm) -> HttpResponseBase:
    pieces = exports.coverage_csv(form.numbers, timezone.now(), excel=_is_for_excel(request))
    return exports.download(exports.filename("coverage", _today()), pieces)


@_of_a_report
def coverage_xlsx(_request: HttpRequest, form: ReportForm) -> HttpResponseBase:
    pieces = exports.coverage_csv(form.numbers, timezone.now())
    return _workbook(exports.filename("coverage", _today(), "xlsx"), pieces, [_numbers_of(form)])


@_of_a_report
def planner_csv(_request: HttpRequest, form: ReportForm) -> HttpResponseBase:
    return exports.download(exports.filename("planner", form.period), exports.planner_csv(form.numbers, form.period))


@_of_calls
def calls_csv(request: HttpRequest, asked: CallFilter) -> HttpResponseBase:
    pieces = exports.calls_csv(asked.calls(), excel=_is_for_excel(request))
    return exports.download(exports.filename("calls", asked.period), pieces)


@_of_calls
def calls_xlsx(_request: HttpRequest, asked: CallFilter) -> HttpResponseBase:
    name = exports.filename("calls", asked.period, "xlsx")
    return _workbook(name, exports.calls_csv(asked.calls()), asked.pairs("search"))


def _numbers_of(form: ReportForm) -> tuple[str, str]:
    numbers = ", ".join(str(one) for one in form.numbers) if form.selected else gettext("all that you may see")
    return gettext("Numbers"), numbers


def _said_of(form: ReportForm) -> list[tuple[str, str]]:
    return [
        (gettext("Period"), form.period.label),
        _numbers_of(form),
        (gettext("Cut by"), str(form.grain.label)),
        (gettext("Hours"), str(form.opening.label)),
    ]


def _workbook(name: str, pieces: exports.Pieces, filters: Sequence[tuple[str, str]]) -> HttpResponseBase:
    try:
        return workbooks.workbook(pieces, name, filters)
    except workbooks.TooLong:
        text = gettext("Excel holds 1,048,575 rows, and these are more. Choose a shorter period, or take the CSV.")
        return _bad_query({"to": text})


def _is_for_excel(request: HttpRequest) -> bool:
    return request.GET.get("format") == "excel"


def _bad_query(errors: dict[str, str]) -> HttpResponse:
    """A download that ignored a filter would be taken for another; so it says what it could not read."""
    return HttpResponse("\n".join(errors.values()) + "\n", status=400, content_type="text/plain; charset=utf-8")
