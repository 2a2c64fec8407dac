"""Downloads of single calls: by GET with masked callers, for everybody; by POST with whole callers, for a reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_safe

from accounts import confirming
from accounts.audit.downloads import Download
from calls import showing
from reports import permissions
from reports.exports import csv_files, downloads
from reports.exports.downloads import BadQuery, Book, Refused, WholeCallers
from reports.exports.workbook_jobs import TooManyWaiting
from reports.filters.call_filter import CallFilter
from reports.filters.search import SearchFilter
from reports.views.downloads import NotMade, at_once, is_for_excel, masked_calls_xlsx, said
from reports.views.files import request_workbook, says_too_many
from reports.views.shared import Page, last_question, page_of, personal


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@personal
def calls_csv(request: HttpRequest) -> HttpResponseBase:
    if request.method == "POST":
        return _whole(request, _csv)
    try:
        return _csv(request, downloads.read("calls", request.GET, request.user, request.session))
    except BadQuery as error:
        return said(400, *error.errors.values())
    except Refused as error:
        return said(403, str(error))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@personal
def calls_xlsx(request: HttpRequest) -> HttpResponseBase:
    return _whole(request, _workbook) if request.method == "POST" else masked_calls_xlsx(request)


@require_safe
@login_required
@personal
def whole_callers(request: HttpRequest) -> HttpResponse:
    """Ask what whole callers are needed for, and offer the files."""
    page = build_whole_callers_page(request, showing.kept_reason(request.session, _asked_for(request)))
    return _page(request, page, page.status)


@dataclass(frozen=True, kw_only=True)
class WholeCallersPage(Page):
    """What a download with whole callers will hold, or why the person may not have it."""

    call_filter: CallFilter
    why: str
    status: int
    filters: Sequence[tuple[str, str]]
    # The numbers whose callers are whole if those of other numbers stay masked; blank if all are whole.
    whole_of: str
    # Where the person confirms who they are first; blank if they did.
    confirm: str
    # What they entered, and why there is no file; blank before.
    reason: str
    error: str
    longest_reason = showing.LONGEST_REASON

    @property
    def query(self) -> str:
        return self.call_filter.query()


def build_whole_callers_page(request: HttpRequest, reason: str = "", error: str = "") -> WholeCallersPage:
    """Build the page that asks for a reason, or says why there is no file. Raise Http404."""
    call_filter = CallFilter(request.GET, request.user, request.session)
    numbers = call_filter.numbers_listed
    refused = downloads.why_calls_are_refused(call_filter, whole_callers=True)
    whole = [number for number in numbers if permissions.may_have_callers(call_filter.rights, number)]
    searched = call_filter[SearchFilter].readable
    back_to = f"{reverse('whole_callers')}?{call_filter.query()}"
    return WholeCallersPage(
        call_filter=call_filter,
        why=refused or "\n".join(call_filter.errors.values()),
        status=403 if refused else 400 if call_filter.errors else 200,
        filters=[*call_filter.sheet_rows(), *([(gettext("Search"), searched)] if searched else [])],
        whole_of=", ".join(number.name for number in whole) if len(whole) < len(numbers) else "",
        confirm="" if confirming.is_confirmed(request) else confirming.address(back_to),
        reason=reason,
        error=error,
    )


def _whole(request: HttpRequest, answer: Callable[[HttpRequest, Book], HttpResponseBase]) -> HttpResponseBase:
    """Answer a POST with whole callers, or say why not without losing the reason that was entered."""
    reason = request.POST.get("reason", "")
    page = build_whole_callers_page(request, reason)
    if page.why or page.confirm:
        showing.keep_reason(request.session, _asked_for(request), reason)
        return _page(request, page, page.status) if page.why else redirect(page.confirm)
    try:
        whole = WholeCallers.asked_by(request.user, showing.reason_of(reason))
        showing.forget_reason(request.session)
        return answer(request, downloads.of_calls(page.call_filter, whole))
    except showing.NotShown:
        why, status = gettext("Enter why you need the whole numbers."), 400
    except NotMade as error:
        why, status = str(error), error.status
    except TooManyWaiting:
        why, status = says_too_many(), 429
    return _page(request, build_whole_callers_page(request, reason, why), status)


def _asked_for(request: HttpRequest) -> str:
    """Return what a reason is kept for: these filters, whatever search they had."""
    query = request.GET.copy()
    query.pop("search", None)
    query.pop("format", None)
    return f"{reverse('whole_callers')}?{query.urlencode()}"


def _csv(request: HttpRequest, book: Book) -> HttpResponseBase:
    download = Download("calls.csv", book.noted, book.reason)
    name = f"{book.name.removesuffix('.xlsx')}.csv"
    return csv_files.download(download, name, book.pieces(excel=is_for_excel(request)))


def _workbook(request: HttpRequest, book: Book) -> HttpResponseBase:
    return at_once(book) or redirect(request_workbook(book, request.user))


def _page(request: HttpRequest, page: WholeCallersPage, status: int) -> HttpResponse:
    answer = page_of(request, "reports/whole_callers.html", page, page.call_filter.visible, last_question(request))
    answer.status_code = status
    if status in {429, 503}:
        answer["Retry-After"] = "60"
    return answer
