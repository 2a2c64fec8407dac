"""Pages of workbooks that are made in the background: request, status, download."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_safe

from accounts import confirming
from accounts.audit.actions import Action
from accounts.audit.downloads import Download, NotedFile
from accounts.audit.entries import Subject, write
from calls.kept_searches import TooManySearches, keep_search
from calls.models import DestinationNumber
from reports.exports import downloads, file_store, workbook_jobs, workbooks
from reports.exports.downloads import BadQuery, Book, Refused
from reports.exports.workbook_jobs import TooManyWaiting
from reports.models import Workbook, WorkbookState
from reports.views.shared import Page, page_of, passed_on, personal

# If no worker takes a job for this long, the worker needs attention.
SLOW = timedelta(seconds=30)
MOST_LISTED = 50


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@personal
def files(request: HttpRequest) -> HttpResponse:
    """List the user's workbooks; a POST requests one."""
    if request.method == "POST":
        return _ask(request)
    page = FilesPage(files=list(workbook_jobs.workbooks_of(request.user)[:MOST_LISTED]))
    return _page(request, "reports/files.html", page)


@require_safe
@login_required
@personal
def new(request: HttpRequest) -> HttpResponse:
    """Show what a workbook will hold, with the button that requests it."""
    book, why, status = _read(request, request.GET)
    return _new(request, request.GET, book, why, status)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@personal
def file(request: HttpRequest, pk: Any) -> HttpResponse:
    """Show the status of a workbook; a POST requests the same again, or the reason for whole callers first."""
    workbook = get_object_or_404(workbook_jobs.workbooks_of(request.user), pk=pk)
    if request.method != "POST":
        return _shown(request, workbook)
    try:
        if workbook.whole_callers:
            return redirect(f"{reverse('whole_callers')}?{_filters_again(request, workbook)}")
        asked = workbook_jobs.ask_again(workbook, request.user)
        _note_asked(asked)
        return redirect(asked)
    except (Refused, BadQuery, Http404) as error:
        why = (
            str(error)
            if not isinstance(error, Http404)
            else gettext("You no longer have access to a number in this workbook.")
        )
        return _shown(request, workbook, why, 403)
    except TooManyWaiting:
        return _too_many(_shown(request, workbook, says_too_many(), 429))
    except TooManySearches as error:
        return _shown(request, workbook, str(error), 429)


def _filters_again(request: HttpRequest, workbook: Workbook) -> str:
    """Return the filters of a workbook for an address, with its search in the session. Raise Refused."""
    query = workbook_jobs.filters_still_visible(workbook, request.user)
    if workbook.search:
        query["search"] = keep_search(request.session, workbook.search)
    return query.urlencode()


@require_safe
@login_required
@personal
def download(request: HttpRequest, pk: Any) -> HttpResponseBase:
    """Return a file to the person who requested it, if they may still see all that it holds."""
    workbook = get_object_or_404(workbook_jobs.workbooks_of(request.user), pk=pk)
    if workbook.state != WorkbookState.READY or (workbook.expires_at and workbook.expires_at < timezone.now()):
        return redirect(workbook)
    if why := workbook_jobs.why_withheld(workbook, request.user):
        return _shown(request, workbook, why, 403)
    if confirm := _confirm(request, workbook):
        return redirect(confirm)
    try:
        path = file_store.path_of(workbook.file_name)
        path.open("rb").close()
        download = Download(f"{workbook.kind}.xlsx", _noted(workbook), workbook.reason)
        content = NotedFile(path, download, workbook.rows)
    except OSError:
        return _shown(request, workbook, gettext("The file is no longer on the server. Create it again."), 410)
    return workbooks.response(content, workbook.name)


@dataclass(frozen=True, kw_only=True)
class FilesPage(Page):
    """The user's workbooks, newest first."""

    files: Sequence[Workbook]

    @property
    def refreshes(self) -> bool:
        return any(workbook.is_unfinished for workbook in self.files)


@dataclass(frozen=True, kw_only=True)
class NewFilePage(Page):
    """What a workbook will hold, or why there is none."""

    kind: str
    book: Book | None
    why: str
    # The highest possible number of rows.
    of_rows: int

    @property
    def csv(self) -> str:
        """The URL name of the same file as CSV."""
        return f"{self.book.kind}_csv" if self.book else ""


@dataclass(frozen=True, kw_only=True)
class FilePage(Page):
    """A workbook that is ready, being made or waiting, or why there is none."""

    file: Workbook
    # The filters in words, which may name a destination; empty if the person has lost a right.
    filters: Sequence[tuple[str, str]]
    why: str
    # Why there is no file; blank if it was removed because its time was over.
    error: str
    # How many workbooks are ahead of it.
    before: int
    # Whether it is waiting and no worker makes workbooks.
    is_stuck: bool
    # Whether its worker sends no heartbeats.
    is_silent: bool
    # Where the person confirms who they are before they get whole callers; blank if they did, or for masked ones.
    confirm: str

    @property
    def is_written(self) -> bool:
        return bool(self.file.of_rows and self.file.rows >= self.file.of_rows)

    @property
    def refreshes(self) -> bool:
        return self.file.is_unfinished and not self.why


def build_file_page(workbook: Workbook, why: str = "", confirm: str = "") -> FilePage:
    """Build the page of a workbook; `why` says why a request was refused."""
    is_waiting, is_failed = workbook.state == WorkbookState.WAITING, workbook.state == WorkbookState.FAILED
    now, beat_at = timezone.now(), workbook.heartbeat_at
    return FilePage(
        file=workbook,
        filters=workbook.filters if workbook_jobs.has_rights_for(workbook, workbook.asker) else [],
        why=why,
        error=workbook_jobs.why_not_made(workbook, workbook.asker) if is_failed else workbook.error,
        before=workbook_jobs.before(workbook) if is_waiting else 0,
        is_stuck=is_waiting and now - workbook.created_at > SLOW and not workbook_jobs.is_worked_on(),
        is_silent=workbook.state == WorkbookState.WORKING and beat_at is not None and now - beat_at > SLOW,
        confirm=confirm,
    )


def _confirm(request: HttpRequest, workbook: Workbook) -> str:
    """Return where the person confirms who they are before they get a workbook; blank if they need not."""
    is_enough = not workbook.whole_callers or confirming.is_confirmed(request)
    return "" if is_enough else confirming.address(workbook.get_absolute_url())


def _ask(request: HttpRequest) -> HttpResponse:
    query = QueryDict(request.POST.get("query", ""), mutable=True)
    query["kind"] = request.POST.get("kind", "")
    book, why, status = _read(request, query)
    if book is None:
        return _new(request, query, None, why, status)
    try:
        return redirect(request_workbook(book, request.user))
    except TooManyWaiting:
        return _too_many(_new(request, query, book, says_too_many(), 429))


def request_workbook(book: Book, user: Any) -> Workbook:
    """Have a workbook made in the background, and note that; its download is noted when it happens.

    Raise TooManyWaiting."""
    workbook = workbook_jobs.ask(book, user)
    _note_asked(workbook)
    return workbook


def _note_asked(workbook: Workbook) -> None:
    about = Subject("download", str(workbook.pk), f"{workbook.kind}.xlsx")
    write(Action.EXPORT_ASKED, about, after=_noted(workbook), reason=workbook.reason)


def _noted(workbook: Workbook) -> dict[str, Any]:
    return downloads.noted_filters(workbook.query, workbook.search, whole_callers=workbook.whole_callers)


def _read(request: HttpRequest, query: QueryDict) -> tuple[Book | None, str, int]:
    """Return the workbook of a query, or None with the reason and the HTTP status."""
    try:
        return downloads.read(query.get("kind", ""), query, request.user, request.session), "", 200
    except BadQuery as error:
        return None, str(error), 400
    except Refused as error:
        return None, str(error), 403


def _new(request: HttpRequest, query: QueryDict, book: Book | None, why: str, status: int) -> HttpResponse:
    page = NewFilePage(kind=query.get("kind", ""), book=book, why=why, of_rows=book.most_rows() if book else 0)
    return _page(request, "reports/new_file.html", page, status)


def _shown(request: HttpRequest, workbook: Workbook, why: str = "", status: int = 200) -> HttpResponse:
    return _page(request, "reports/file.html", build_file_page(workbook, why, _confirm(request, workbook)), status)


def _page(request: HttpRequest, template: str, page: Page, status: int = 200) -> HttpResponse:
    choices = list(DestinationNumber.objects.visible_to(request.user))
    answer = page_of(request, template, page, choices, passed_on(request))
    answer.status_code = status
    return answer


def says_too_many() -> str:
    """Return why a person may not request another workbook now."""
    return gettext("%(n)d of your workbooks are not ready yet. Create another when one of them is ready.") % {
        "n": workbook_jobs.MOST_WAITING
    }


def _too_many(answer: HttpResponse) -> HttpResponse:
    answer["Retry-After"] = "60"
    return answer
