"""Error pages while the database is down or too many pages are running.

They need no database, session or user, and reload by themselves."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterator

import psycopg
from django.contrib.sessions.exceptions import SessionInterrupted
from django.db import InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext, ngettext
from django.views import defaults
from prometheus_client import Counter

from calls.ingest.spool import SpoolError, open_spool
from calls.log_limits import OnceAMinute

logger = logging.getLogger(__name__)

REFUSED = Counter("calltally_pages_refused", "Pages and downloads refused, so that posts find a thread.", ["why"])
UNAVAILABLE = Counter("calltally_pages_unavailable", "Pages and downloads that the database did not answer in time.")

AWAY_RETRY_S, BUSY_RETRY_S, API_RETRY_S = 15, 5, 1
LOOK_AGAIN_AFTER_S = 1.0  # for posts waiting in the spool
# Classes of SQLSTATE: connection lost, resources exhausted, operator intervention or time-out, system error.
AWAY_CLASSES = frozenset({"08", "53", "57", "58"})
AWAY_STATES = frozenset({"55P03", "25006"})  # lock not available; read-only standby

_log_limit = OnceAMinute()
_waiting: tuple[float, int | None] = (0.0, None)


# --- The database is down ---


def server_error(request: HttpRequest) -> HttpResponse:
    """handler500: 503 while the database is down, 500 for our own errors."""
    error = sys.exc_info()[1]
    return away(request, error) if error and is_away(error) else defaults.server_error(request)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler400. If the database could not save a session, Django reports it as deleted meanwhile; answer 503."""
    if isinstance(exception, SessionInterrupted) and any(map(is_away, _contexts(exception))):
        return away(request, exception)
    return defaults.bad_request(request, exception)


def is_away(error: BaseException) -> bool:
    """Return whether an error means that the database is down, locked or too slow, rather than our own error."""
    if isinstance(error, OperationalError | InterfaceError):
        cause = error.__cause__
        return cause is None or is_away(cause)
    if isinstance(error, psycopg.Error) and error.sqlstate:
        return error.sqlstate[:2] in AWAY_CLASSES or error.sqlstate in AWAY_STATES
    if isinstance(error, psycopg.InterfaceError):
        # Our own error, unless the connection was lost.
        return connection.connection is None or connection.connection.closed
    return isinstance(error, psycopg.OperationalError)


def away(request: HttpRequest, error: BaseException) -> HttpResponse:
    """Return a 503 page: the database is down, and posts are kept meanwhile."""
    UNAVAILABLE.inc()
    _say("away", f"pages are answered 503: the database does not answer ({_name(error)})")
    words = [
        gettext("No call is lost. Calltally keeps all messages from TENIOS on this server until the database is back.")
    ]
    if waiting := _posts_waiting():
        words.append(ngettext("%(n)d message is waiting.", "%(n)d messages are waiting.", waiting) % {"n": waiting})
    if not _is_safe(request):
        words.append(gettext("Your changes may not have been saved. Go back and check before you send them again."))
    return _answer(request, 503, AWAY_RETRY_S, gettext("The database does not answer"), " ".join(words))


def _contexts(error: BaseException) -> Iterator[BaseException]:
    """Yield the exceptions that were being handled when an error was raised."""
    context = error.__context__
    while context is not None:
        yield context
        context = context.__context__


def _name(error: BaseException) -> str:
    cause = error.__cause__ or error
    state = cause.sqlstate if isinstance(cause, psycopg.Error) and cause.sqlstate else ""
    return f"{type(cause).__name__} {state}".strip()


def _posts_waiting() -> int | None:
    """Return how many posts wait in this host's spool, at most a second old; None if it cannot be read."""
    global _waiting  # noqa: PLW0603 (cached for a second: an outage causes many of these pages)
    until, posts = _waiting
    if time.monotonic() >= until:
        posts = None
        with contextlib.suppress(SpoolError), contextlib.closing(open_spool()) as spool:
            posts = spool.held().waiting
        _waiting = time.monotonic() + LOOK_AGAIN_AFTER_S, posts
    return posts


# --- Too many are running ---


def refusals(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware that answers requests refused by config.shares: 503 for a page, 429 for a download or the API."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        why = request.META.get("calltally.refused")
        return busy(request, why) if why else get_response(request)

    return middleware


def busy(request: HttpRequest, why: str) -> HttpResponse:
    """Return the page for too many pages or downloads at once; `why` is the value of a ShareRefusal."""
    REFUSED.labels(why).inc()
    what = why if why in {"pages", "api"} else "downloads"
    _say(what, f"{what} are refused: their share of the threads is in use ({why})")
    if why == "api":
        answer = JsonResponse({"error": "too_many"}, status=429, headers={"Retry-After": str(API_RETRY_S)})
        answer._has_been_logged = True  # type: ignore[attr-defined]  # logged here, at most once a minute
        return answer
    if why == "pages":
        heading = gettext("The server is busy")
        words = gettext("Too many pages are being loaded. Incoming calls are recorded first.")
        if not _is_safe(request):
            words = gettext("Your changes were not saved. Go back and send them again in a few seconds.")
        return _answer(request, 503, BUSY_RETRY_S, heading, words)
    if why == "person":
        heading = gettext("Two of your downloads are still running")
    else:
        heading = gettext("Too many downloads are running")
    return _answer(request, 429, BUSY_RETRY_S, heading, gettext("Try again when one of them has finished."), once=True)


# --- Both ---


def _answer(
    request: HttpRequest, status: int, retry_after_s: int, heading: str, words: str, *, once: bool = False
) -> HttpResponse:
    """Return the error page. It reloads by itself unless `once` is set or the request was a POST."""
    page = {
        "heading": heading,
        "words": words,
        "retry_after_s": retry_after_s,
        "tries_again": _is_safe(request) and not once,
        "again": request.get_full_path() if _is_safe(request) else "",
    }
    answer = render(None, "503.html", page, status=status)
    answer["Retry-After"] = str(retry_after_s)
    answer["Cache-Control"] = "private, no-store"
    answer._has_been_logged = True  # type: ignore[attr-defined]  # logged here, at most once a minute
    return answer


def _is_safe(request: HttpRequest) -> bool:
    return request.method in {"GET", "HEAD"}


def _say(what: str, line: str) -> None:
    """Log a line, at most once a minute for each `what`."""
    if _log_limit.is_due(what):
        logger.error("%s", line)
