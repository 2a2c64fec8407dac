"""Workbooks as jobs: requested by a person, made by the files worker one at a time, kept for a day.

The table holds everything that must be done. A Celery message only says that there may be a job; it may be lost, late
or duplicate. A worker holds a job by its number of attempts and a heartbeat; a job without heartbeats is taken away."""

from __future__ import annotations

import errno
import logging
import threading
from datetime import timedelta
from typing import Any

import psycopg
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.sessions.backends.base import SessionBase
from django.db import Error, connection, transaction
from django.db.models import F, Max, OuterRef, Q, QuerySet, Subquery
from django.http import Http404, QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _

from calls.access import Rights
from calls.models import DestinationNumber, Right
from reports.exports import downloads, file_store, workbooks
from reports.exports.downloads import BadQuery, Book, Refused, WholeCallers
from reports.models import Workbook, WorkbookState

logger = logging.getLogger(__name__)

# The most workbooks a person may wait for at a time.
MOST_WAITING = 5
# The same request within this time gets the same file; after it, later posts may have changed the rows.
FRESH = timedelta(minutes=5)
HEARTBEAT_S = 2.0
STALE = timedelta(seconds=30)
MOST_ATTEMPTS = 2
# For how long workbooks that failed or whose file was removed are listed.
LISTED = timedelta(days=7)
# Placeholder for a search in stored filters; its text has a field of its own.
KEPT_SEARCH = "kept"

UNFINISHED = Q(state__in=[WorkbookState.WAITING, WorkbookState.WORKING])


class TooManyWaiting(Exception):  # noqa: N818 (a state of the request)
    """A person already waits for the highest number of workbooks."""


class _Stopped(Exception):  # noqa: N818 (requested, not an error)
    """The worker is stopping; the job waits for the next worker."""


class _Lost(Exception):  # noqa: N818 (a state of the job)
    """The job was taken from this worker."""


class _NoRoom(Exception):  # noqa: N818 (a state of the disk)
    """Files would take more space than allowed."""


_stopping = threading.Event()


def stop() -> None:
    """Stop making workbooks; the current one waits for the next worker."""
    _stopping.set()


# --- Requests ----------------------------------------------------------------------------------


def workbooks_of(user: Any) -> QuerySet[Workbook]:
    """Return the workbooks that a person requested, newest first."""
    return Workbook.objects.filter(asker=user)


@transaction.atomic
def ask(book: Book, user: Any) -> Workbook:
    """Return the job of this workbook for a person: a new one, or the same one if it is unfinished or fresh.

    Raise TooManyWaiting."""
    # Locks the user, so that the second of two simultaneous requests finds the job of the first.
    get_user_model().objects.select_for_update(no_key=True).get(pk=user.pk)
    query = QueryDict(book.query, mutable=True)
    if book.search:
        query["search"] = KEPT_SEARCH
    fields = {
        "kind": book.kind,
        "query": query.urlencode(),
        "search": book.search,
        "numbers": sorted(number.pk for number in book.numbers),
        "rights": book.rights,
        "whole_callers": book.whole is not None,
        "reason": book.reason,
    }
    own = workbooks_of(user)
    fresh = Q(state=WorkbookState.READY, started_at__gt=timezone.now() - FRESH)
    if existing := own.filter(UNFINISHED | fresh, **fields).first():
        return existing
    if own.filter(UNFINISHED).count() >= MOST_WAITING:
        raise TooManyWaiting
    new = Workbook.objects.create(asker=user, name=book.name, filters=list(book.filters), **fields)
    transaction.on_commit(file_store.want_worker)
    return new


def ask_again(workbook: Workbook, user: Any) -> Workbook:
    """Request the same filters again, for the numbers that the person may still see. Callers are masked.

    Raise Http404, BadQuery, Refused, TooManyWaiting."""
    query = filters_still_visible(workbook, user)
    return ask(downloads.read(workbook.kind, query, user, session_of(workbook)), user)


def filters_still_visible(workbook: Workbook, user: Any) -> QueryDict:
    """Return the filters of a workbook, of its numbers only those that the person may still see. Raise Refused."""
    query = QueryDict(workbook.query, mutable=True)
    if numbers := query.getlist("number"):
        what = Right.EXPORT if workbook.kind == "calls" else Right.FIGURES
        visible = set(DestinationNumber.objects.visible_to(user, what).values_list("e164", flat=True))
        still = [e164 for e164 in numbers if e164 in visible]
        if not still:
            raise Refused(_("You no longer have access to any number in this workbook."))
        query.setlist("number", still)
    return query


def session_of(workbook: Workbook) -> SessionBase:
    """Return a session that holds the search of a workbook."""
    session = SessionBase()
    if workbook.search:
        session["searches"] = [[KEPT_SEARCH, workbook.search]]
    return session


def read(workbook: Workbook, user: Any) -> Book:
    """Return what a person gets for the filters of a workbook now, with whole callers if it has them.

    Raise Http404, BadQuery, Refused."""
    whole = WholeCallers.asked_by(user, workbook.reason, workbook.created_at) if workbook.whole_callers else None
    return downloads.read(workbook.kind, QueryDict(workbook.query), user, session_of(workbook), whole)


def has_rights_for(workbook: Workbook, user: Any) -> bool:
    """Return whether a person still has every right by which a workbook was made."""
    rights = Rights.of(user)
    # Files that were made before rights were recorded may show more than anybody may see now.
    return bool(workbook.rights) and all(
        rights.may(what, number) for what, numbers in workbook.rights.items() for number in numbers
    )


def why_withheld(workbook: Workbook, user: Any) -> str:
    """Return why a person may no longer have their file; blank if they may see all that it holds."""
    text = _("You no longer have access to everything in this file. Create it again with what you can see now.")
    if not has_rights_for(workbook, user):
        return text
    try:
        read(workbook, user)
    except Refused as error:
        return str(error)
    except (BadQuery, Http404):
        return text
    return ""


def why_not_made(workbook: Workbook, user: Any) -> str:
    """Return why a workbook failed, without numbers that a person may not see any more."""
    if workbook.error:
        return workbook.error
    try:
        read(workbook, user)
    except (Refused, BadQuery) as error:
        return str(error)
    except Http404:
        return _("You no longer have access to a number in this workbook.")
    return _("You did not have access to everything in this workbook. Now you have: create it again.")


def before(workbook: Workbook) -> int:
    """Return how many unfinished jobs were requested earlier. People take turns, so fewer may be ahead."""
    return Workbook.objects.filter(UNFINISHED, created_at__lt=workbook.created_at).count()


def is_worked_on() -> bool:
    """Return whether a worker is making a workbook."""
    recent = timezone.now() - STALE
    return Workbook.objects.filter(state=WorkbookState.WORKING, heartbeat_at__gt=recent).exists()


# --- Making ------------------------------------------------------------------------------------


def start() -> bool:
    """Take jobs away from lost workers; return whether any job is waiting."""
    now = timezone.now()
    # A heartbeat in the future was written before the clock was set back.
    silent = Q(heartbeat_at__lt=now - STALE) | Q(heartbeat_at__gt=now + STALE)
    lost = Workbook.objects.filter(silent, state=WorkbookState.WORKING)
    again = lost.filter(attempts__lt=MOST_ATTEMPTS).update(state=WorkbookState.WAITING, rows=0, file_name="")
    failed = lost.filter(attempts__gte=MOST_ATTEMPTS).update(
        state=WorkbookState.FAILED,
        file_name="",
        finished_at=now,
        error=_("The workbook failed twice because the worker stopped. Create it again, or choose a shorter period."),
    )
    if again or failed:
        logger.warning("The files worker was lost: %d workbooks are begun again, %d failed.", again, failed)
    is_waiting = Workbook.objects.filter(state=WorkbookState.WAITING).exists()
    if is_waiting or Workbook.objects.filter(state=WorkbookState.WORKING).exists():
        file_store.want_worker()
    return is_waiting


def make_waiting() -> int:
    """Make all waiting workbooks, one after the other. Return how many jobs were started."""
    start()
    begun = 0
    while not _stopping.is_set() and (workbook := _take()):
        begun += 1
        _make(workbook)
    return begun


@transaction.atomic
def _take() -> Workbook | None:
    """Take the next job, of the person whose last one is longest ago. Return None while another worker makes one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('calltally workbooks'))")
    if is_worked_on():
        return None
    served = Workbook.objects.filter(asker=OuterRef("asker")).order_by().values("asker").annotate(at=Max("started_at"))
    waiting = Workbook.objects.filter(state=WorkbookState.WAITING).annotate(served_at=Subquery(served.values("at")))
    workbook = waiting.order_by(F("served_at").asc(nulls_first=True), "created_at").first()
    if workbook is None:
        return None
    workbook.state = WorkbookState.WORKING
    workbook.attempts += 1
    workbook.rows = 0
    workbook.started_at = workbook.heartbeat_at = timezone.now()
    workbook.file_name = file_store.new_name()
    workbook.save()
    return workbook


def _held(workbook: Workbook) -> QuerySet[Workbook]:
    """Return a queryset of the row of a job, empty once the job was taken from this worker."""
    return Workbook.objects.filter(
        pk=workbook.pk, state=WorkbookState.WORKING, attempts=workbook.attempts, file_name=workbook.file_name
    )


class _Pulse(threading.Thread):
    """Writes heartbeats and progress on its own connection, because the other one is busy with COPY."""

    def __init__(self, workbook: Workbook) -> None:
        super().__init__(name="pulse", daemon=True)
        self.rows = 0
        self._workbook = workbook
        self._over = threading.Event()
        self._why: Exception | None = None

    def at(self, rows: int) -> None:
        """Record the number of rows written; raise if writing must stop."""
        self.rows = rows
        if _stopping.is_set():
            raise _Stopped
        if self._why:
            raise self._why

    def run(self) -> None:
        try:
            while not self._over.wait(HEARTBEAT_S):
                self._why = self._why or self._beat()
        finally:
            connection.close()

    def stop(self) -> None:
        self._over.set()
        self.join(HEARTBEAT_S)  # with a time limit, because a frozen database may block it

    def _beat(self) -> Exception | None:
        """Write a heartbeat; return why writing must stop, or None."""
        try:
            if not _held(self._workbook).update(rows=self.rows, heartbeat_at=timezone.now()):
                return _Lost()
            file_store.want_worker()
            return None if make_room() else _NoRoom()
        except Error:
            connection.close()  # the next heartbeat uses a new connection; until then the job grows stale
        except OSError:
            pass  # writing the file raises it too
        return None


def _make(workbook: Workbook) -> None:
    """Make the workbook of a job and record the result."""
    name, pulse = workbook.file_name, _Pulse(workbook)
    pulse.start()
    try:
        size = _write(workbook, pulse)
    except _Lost:
        file_store.remove(name)
        return
    except _Stopped:
        _note(workbook, state=WorkbookState.WAITING, attempts=workbook.attempts - 1, rows=0, file_name="")
        return
    except Exception as error:  # noqa: BLE001 (any error is recorded, and the next job is made)
        _give_up(workbook, error)
        return
    finally:
        pulse.stop()
    ready = {"state": WorkbookState.READY, "finished_at": timezone.now(), "rows": pulse.rows, "of_rows": pulse.rows}
    made = {"numbers": workbook.numbers, "rights": workbook.rights, "name": workbook.name, "filters": workbook.filters}
    if not _note(workbook, **ready, **made, size=size):
        file_store.remove(name)


def _write(workbook: Workbook, pulse: _Pulse) -> int:
    """Write the file of a job; return its size in bytes."""
    if not make_room():
        raise _NoRoom
    if not workbook.asker.is_active:
        raise Http404
    book = read(workbook, workbook.asker)
    workbook.name, workbook.filters = book.name, list(book.filters)
    workbook.numbers, workbook.rights = sorted(number.pk for number in book.numbers), book.rights
    _note(workbook, of_rows=book.count())
    with file_store.draft(workbook.file_name) as (file, parts):
        workbooks.write(file, book.pieces(), book.filters, parts, pulse.at)
        pulse.at(pulse.rows)
    return file_store.path_of(workbook.file_name).stat().st_size


def _give_up(workbook: Workbook, error: Exception) -> None:
    """Record that a job failed, or let it be retried if that may help."""
    file_store.remove(workbook.file_name)
    connection.close_if_unusable_or_obsolete()
    is_passing = isinstance(error, Error | psycopg.Error) and workbook.attempts < MOST_ATTEMPTS
    logger.warning("The workbook %s %s: %s", workbook.pk, "is begun again" if is_passing else "failed", _kind_of(error))
    if is_passing:
        _note(workbook, state=WorkbookState.WAITING, rows=0, file_name="")
    else:
        failure = {"finished_at": timezone.now(), "error": why_failed(error), "file_name": ""}
        _note(workbook, state=WorkbookState.FAILED, **failure)


def _kind_of(error: Exception) -> str:
    """Return the part of an error that may be logged; its text may contain callers."""
    return (
        f"{type(error).__name__} {errno.errorcode.get(error.errno or 0, '')}"
        if isinstance(error, OSError)
        else (type(error).__name__)
    )


def why_failed(error: Exception) -> str:
    """Return why there is no workbook and what to do, for the person who requested it; blank if it was refused."""
    match error:
        case workbooks.TooLong():
            why = str(workbooks.TOO_LONG)
        case Refused() | BadQuery() | Http404():
            why = ""  # It may name numbers, so the page says it by the access of that moment.
        case _NoRoom() | OSError(errno=errno.ENOSPC | errno.EDQUOT):
            why = _("The server has no disk space for it. Download the CSV, or choose a shorter period.")
        case OSError():
            why = _("The file could not be saved on the server. Your administrator can find the reason in the log.")
        case Error() | psycopg.Error():
            why = _("The database connection was lost twice. Create the workbook again.")
        case _:
            why = _("An error occurred on the server. Your administrator can find the reason in the log.")
    return why


def _note(workbook: Workbook, **fields: Any) -> bool:
    """Update the row of a job; return False if it was taken from this worker or the database is down."""
    try:
        return bool(_held(workbook).update(**fields))
    except Error:
        connection.close()
        return False  # the job becomes stale, and is then retried or fails


# --- Keeping -----------------------------------------------------------------------------------


def make_room() -> bool:
    """Remove the oldest files until there is enough space; return False if there still is not. Raise OSError."""
    while file_store.used_bytes() > settings.FILES_MOST_MB * 1_000_000 or not file_store.has_room():
        oldest = Workbook.objects.filter(state=WorkbookState.READY).order_by("finished_at").first()
        if oldest is None:
            return False
        _expire(oldest, _("The file was removed early to free disk space for newer files."))
    return True


def clear() -> None:
    """Remove expired files, files without a row, and mark rows without a file. Raise OSError."""
    now = timezone.now()
    # Files before rows: a row is written before its file and removed after it.
    stored = file_store.names()
    rows = Workbook.objects.filter(state__in=[WorkbookState.WORKING, WorkbookState.READY])
    known = set(rows.values_list("file_name", flat=True))
    for name in stored - known:
        file_store.remove(name)
    file_store.remove_left_at_once()
    for workbook in Workbook.objects.filter(state=WorkbookState.READY):
        if workbook.finished_at is None or workbook.finished_at < now - Workbook.KEPT:
            _expire(workbook)
        elif workbook.file_name in known and not file_store.path_of(workbook.file_name).exists():
            _expire(workbook, _("The file is no longer on the server. Create it again."))
    Workbook.objects.filter(state=WorkbookState.WAITING, created_at__lt=now - Workbook.KEPT).update(
        state=WorkbookState.FAILED,
        finished_at=now,
        error=_("The workbook was not created within a day. Your administrator should check the files worker."),
    )
    Workbook.objects.exclude(UNFINISHED).filter(created_at__lt=now - LISTED).exclude(state=WorkbookState.READY).delete()
    Workbook.objects.filter(state=WorkbookState.FAILED, finished_at__lt=now - Workbook.KEPT).update(search="")
    make_room()


def _expire(workbook: Workbook, error: str = "") -> None:
    ready = Workbook.objects.filter(pk=workbook.pk, state=WorkbookState.READY)
    if ready.update(state=WorkbookState.EXPIRED, error=error, search="", file_name=""):
        file_store.remove(workbook.file_name)
