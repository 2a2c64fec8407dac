"""Limits how many threads of a web process pages and downloads may hold, so that posts always get one.

Posts and pages share the threads of a process, and granian has a single queue for them. A request beyond its share is
refused at once, which takes a millisecond and no database. A share is held from the request until its response is
closed."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from enum import Enum
from functools import cache
from typing import Any

import psycopg
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpResponseBase
from django.http.cookie import parse_cookie

from config.time_limits import CLOSE_S, PAGE_S, PIECE_S, SAVE_S, Limit, limited

logger = logging.getLogger(__name__)

DOWNLOADS_OF_A_PERSON = 2
# A response up to this size is passed to the server as a whole, so that its thread is free even if it is read slowly.
WHOLE_BYTES = 1024 * 1024
SAY_AGAIN_AFTER_S = 60.0
DATABASE_IS_AWAY = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)
# The variable in a request's environment with the reason for a refusal, for the middleware that answers it.
REFUSED = "calltally.refused"
PROBES = frozenset({"/healthz", "/metrics"})
DOWNLOADS = (".csv", ".xlsx")
API = "/api/"
BUSY = [
    ("Content-Type", "application/json"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("Retry-After", "1"),
]

Environ = dict[str, Any]


class Kind(Enum):
    """The kind of a request."""

    POST = "post"  # from TENIOS: never refused here
    STATIC = "static"  # served from a small file, without the database: needs no share
    PROBE = "probe"
    PAGE = "page"
    DOWNLOAD = "download"
    API = "api"  # from other systems, which write what they have


class ShareRefusal(Enum):
    """Why a request is refused."""

    PROBES = "probes"
    PAGES = "pages"
    DOWNLOADS = "downloads"
    PERSON = "person"
    API = "api"


class BrokenOff(Exception):  # noqa: N818 (named for its effect on the connection)
    """Raised to have the server break off a download, so that its reader notices that it is incomplete."""


@cache
def _posts() -> frozenset[str]:
    """Return the paths that posts are sent to. Not read at import, because the intake chooses its settings later."""
    return frozenset({settings.POSTS_PATH, f"{settings.POSTS_PATH}/"})


def kind_of(path: str) -> Kind:
    """Return the kind of a request by its path. tests/test_shares.py checks it for every address."""
    if path in _posts():
        return Kind.POST
    if path in PROBES:
        return Kind.PROBE
    if path.startswith(settings.STATIC_URL):
        return Kind.STATIC
    if path.startswith(API):
        return Kind.API
    return Kind.DOWNLOAD if path.endswith(DOWNLOADS) else Kind.PAGE


def person_of(environ: Environ) -> str:
    """Return the session cookie, which identifies a person without a query. Blank if there is none: such a request is
    redirected to the sign-in page and does not hold a thread for long."""
    return str(parse_cookie(environ.get("HTTP_COOKIE", "")).get(settings.SESSION_COOKIE_NAME, ""))


class Shares:
    """Counts the requests that hold a thread of this process, by kind."""

    def __init__(self, threads: int) -> None:
        self.pages = max(1, threads // 2)  # including downloads and the API
        self.downloads = max(1, threads // 4)
        self.api = max(1, threads // 8)
        self.probes = max(1, threads // 8)
        self._held: Counter[Kind] = Counter()
        self._people: Counter[str] = Counter()
        self._counting = threading.Lock()

    def take(self, kind: Kind, person: str = "") -> ShareRefusal | None:
        """Take a share; return None, or the reason if there is none left."""
        with self._counting:
            if refusal := self._refusal(kind, person):
                return refusal
            self._held[kind] += 1
            if kind is Kind.DOWNLOAD and person:
                self._people[person] += 1
        return None

    def give_back(self, kind: Kind, person: str = "") -> None:
        with self._counting:
            self._held[kind] -= 1
            if kind is Kind.DOWNLOAD and person:
                self._people[person] -= 1
                if not self._people[person]:
                    del self._people[person]

    def held(self) -> dict[Kind, int]:
        """Return the number of requests of each kind that hold a thread now."""
        with self._counting:
            return {kind: count for kind, count in self._held.items() if count}

    def _refusal(self, kind: Kind, person: str) -> ShareRefusal | None:
        if kind is Kind.PROBE:
            return ShareRefusal.PROBES if self._held[kind] >= self.probes else None
        if kind is Kind.DOWNLOAD and person and self._people[person] >= DOWNLOADS_OF_A_PERSON:
            return ShareRefusal.PERSON
        is_full = sum(self._held[one] for one in (Kind.PAGE, Kind.DOWNLOAD, Kind.API)) >= self.pages
        if kind is Kind.API:
            return ShareRefusal.API if is_full or self._held[kind] >= self.api else None
        if kind is Kind.DOWNLOAD:
            return ShareRefusal.DOWNLOADS if is_full or self._held[kind] >= self.downloads else None
        return ShareRefusal.PAGES if is_full else None


class Guard:
    """A WSGI application in front of Django. Posts pass; other requests need a share and have a database time limit."""

    def __init__(self, application: Any, shares: Shares) -> None:
        self._application = application
        self.shares = shares

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        kind = kind_of(path)
        if kind is Kind.POST:
            answer: Iterable[bytes] = self._application(environ, start_response)
            return answer
        if kind is Kind.STATIC:
            return self._whole(self._application(environ, start_response))
        person = person_of(environ) if kind is Kind.DOWNLOAD else ""
        if refusal := self.shares.take(kind, person):
            return self._refuse(refusal, environ, start_response)
        release = Release(self.shares, kind, person)
        try:
            is_save = environ["REQUEST_METHOD"] == "POST" and path.startswith("/admin/")
            with limited(Limit(SAVE_S if is_save else PAGE_S)):
                answer = self._application(environ, start_response)
                if _is_short(answer):
                    answer = self._whole(answer)
                    release()
                    return answer
            return Stream(answer, release)
        except BaseException:
            release()
            raise

    def _refuse(self, refusal: ShareRefusal, environ: Environ, start_response: Any) -> Iterable[bytes]:
        if refusal is ShareRefusal.PROBES:
            return refuse_probe(start_response)
        environ[REFUSED] = refusal.value
        return self._whole(self._application(environ, start_response))

    def _whole(self, answer: Any) -> Iterable[bytes]:
        """Return a response as a list, which the server takes over at once, and close the response."""
        try:
            return [b"".join(answer)]
        finally:
            if close := getattr(answer, "close", None):
                close()


def refuse_probe(start_response: Any) -> list[bytes]:
    """Answer that the maximum number of probes is running."""
    start_response("503 Service Unavailable", BUSY)
    return [b'{"status": "busy"}']


class Release:
    """Gives a share back; calling it again has no effect."""

    def __init__(self, shares: Shares, kind: Kind, person: str) -> None:
        self._shares, self._kind, self._person = shares, kind, person
        self._is_done = False

    def __call__(self) -> None:
        if not self._is_done:
            self._is_done = True
            self._shares.give_back(self._kind, self._person)


class Stream:
    """A response that is sent piece by piece. The server closes it in every case."""

    _said_at = 0.0

    def __init__(self, answer: Any, release: Release) -> None:
        self._answer, self._release = answer, release
        self._pieces = iter(answer)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with limited(Limit(PIECE_S)):
            try:
                return bytes(next(self._pieces))
            except DATABASE_IS_AWAY as error:
                self._say(f"a download was broken off: {type(error).__name__}")
                raise BrokenOff from None

    def close(self) -> None:
        try:
            with limited(Limit(CLOSE_S)):
                self._answer.close()
        finally:
            self._release()

    def _say(self, what: str) -> None:
        now = time.monotonic()
        if now >= Stream._said_at:
            Stream._said_at = now + SAY_AGAIN_AFTER_S
            logger.error("%s", what)


def _is_short(answer: Any) -> bool:
    """Return whether a response is in memory already, or is a file of at most WHOLE_BYTES."""
    if not isinstance(answer, HttpResponseBase) or not answer.streaming:
        return True
    length = answer.get("Content-Length", "")
    return length.isdigit() and int(length) <= WHOLE_BYTES


def quiet(record: logging.LogRecord) -> bool:
    """Log filter: return False for the server's traceback of BrokenOff, which was logged here already."""
    return BrokenOff.__qualname__ not in record.getMessage()
