"""Downloads: CSV files, workbooks, and the file for workforce planning. Those of single calls are in call_files."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from accounts.audit.downloads import Download
from reports.exports import csv_files, downloads, workbooks
from reports.filters.report_filter import ReportForm
from reports.views.shared import personal

Answer = Callable[[HttpRequest, ReportForm], HttpResponseBase]
View = Callable[..., HttpResponseBase]

# Takes about half a second; a workbook with more rows is made by the files worker.
ROWS_AT_ONCE = 5_000
# The estimate may be too low because of callbacks or late counting; writing stops here.
MOST_ROWS_AT_ONCE = 2 * ROWS_AT_ONCE


def _of_a_report(answer: Answer) -> View:
    """Make a view of a function that returns a file; filters that cannot be read are answered 400."""

    @require_safe
    @login_required
    @personal
    @wraps(answer)
    def view(request: HttpRequest) -> HttpResponseBase:
        form = ReportForm(request.GET, request.user, download=True)
        return said(400, *form.errors.values()) if form.errors else answer(request, form)

    return view


def _csv(kind: str) -> View:
    """Return the view of a report's CSV, also for Excel."""

    @_of_a_report
    def as_csv(request: HttpRequest, form: ReportForm) -> HttpResponseBase:
        if why := downloads.why_refused(kind, form, request.user):
            return said(403, why)
        download = Download(f"{kind}.csv", {"filters": form.download_query})
        pieces = downloads.MAKE[kind](form, is_for_excel(request))
        return csv_files.download(download, downloads.filename(kind, form), pieces)

    return as_csv


def _xlsx(kind: str) -> View:
    """Return the view of a workbook: the file if it is small, else a redirect to the page that requests it."""

    @require_safe
    @login_required
    @personal
    def as_workbook(request: HttpRequest) -> HttpResponseBase:
        try:
            book = downloads.read(kind, request.GET, request.user, request.session)
        except downloads.BadQuery as error:
            return said(400, *error.errors.values())
        except downloads.Refused as error:
            return said(403, str(error))
        try:
            return at_once(book) or redirect(f"{reverse('new_file')}?kind={kind}&{book.query}")
        except NotMade as error:
            return said(error.status, str(error))

    return as_workbook


class NotMade(Exception):  # noqa: N818 (a state of the request)
    """A small workbook could not be made; the text says why, for the person who asked."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def at_once(book: downloads.Book) -> HttpResponseBase | None:
    """Return a small workbook, and note its download; None if it has to be made in the background. Raise NotMade."""
    if book.most_rows() > ROWS_AT_ONCE:
        return None
    try:
        return _at_once(book)
    except workbooks.TooManyAtOnce:
        return None
    except workbooks.TooLong as error:
        raise NotMade(400, str(workbooks.TOO_LONG)) from error
    except OSError as error:
        why = gettext("The server has no disk space for this workbook. Download the CSV instead.")
        raise NotMade(503, why) from error


def _at_once(book: downloads.Book) -> HttpResponseBase:
    """Return a small workbook, and note its download. Raise as workbooks.at_once does."""
    download = Download(f"{book.kind}.xlsx", book.noted, book.reason)
    is_complete = False
    try:
        answer = workbooks.at_once(download.counted(book.pieces()), book.name, book.filters, MOST_ROWS_AT_ONCE)
        download.bytes, is_complete = int(answer["Content-Length"]), True
    finally:
        download.end(is_complete=is_complete)
    return answer


counts_csv, counts_xlsx = _csv("counts"), _xlsx("counts")
blocks_csv, blocks_xlsx = _csv("blocks"), _xlsx("blocks")
forwards_csv, forwards_xlsx = _csv("forwards"), _xlsx("forwards")
peaks_csv, peaks_xlsx = _csv("peaks"), _xlsx("peaks")
times_csv, times_xlsx = _csv("times"), _xlsx("times")
week_csv, week_xlsx = _csv("week"), _xlsx("week")
coverage_csv, coverage_xlsx = _csv("coverage"), _xlsx("coverage")
masked_calls_xlsx = _xlsx("calls")


@_of_a_report
def planner_csv(_request: HttpRequest, form: ReportForm) -> HttpResponseBase:
    download = Download("planner.csv", {"filters": form.download_query})
    pieces = csv_files.planner_csv(form.numbers, form.period)
    return csv_files.download(download, downloads.filename("planner", form), pieces)


def is_for_excel(request: HttpRequest) -> bool:
    """Return whether a CSV is requested for Excel."""
    return request.GET.get("format") == "excel"


def said(status: int, *lines: str) -> HttpResponse:
    """Return a text response that says why there is no download."""
    answer = HttpResponse("\n".join(lines) + "\n", status=status, content_type="text/plain; charset=utf-8")
    if status == 503:
        answer["Retry-After"] = "60"
    return answer
