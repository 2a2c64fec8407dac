"""Time limits for the database work of web requests, enforced on the client side.

A frozen server enforces no timeout and does not respond to cancel requests either. A watchdog thread therefore shuts
down the connection of a request that exceeds its limit, and the waiting call fails at once. Only web requests have
limits; migrations, workers and commands have none."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Protocol, cast

import psycopg
from django.db import connections
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse

PAGE_S = 10.0  # a page, in total
SAVE_S = 60.0  # saving in the admin
PIECE_S = 60.0  # each piece of a download, after its parameters were read
CLOSE_S = 2.0  # closing a response
CONNECT_S = 3  # PostgreSQL's client library takes whole seconds, at least 2
STATEMENT_SOONER_S = 1.0  # so that the server cancels a slow statement first, and the connection survives
LOOK_EVERY_S = 0.1

_of_thread = threading.local()


class TimeIsUp(psycopg.OperationalError):
    """A request has exceeded its limit for the database."""


class SocketHandle:
    """A duplicate descriptor of a connection's socket, so that another thread can shut it down.

    The connection's own descriptor may be closed and reused for another socket by then."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=os.dup(descriptor))
        self._using = threading.Lock()

    def cut(self) -> None:
        with self._using, contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with self._using:
            self._socket.close()


class LimitedConnection(Protocol):
    """The part of config.database's connections that a limit uses."""

    socket_handle: SocketHandle | None

    def hold(self) -> None: ...

    def close(self) -> None: ...


class Limit:
    """The deadline until which a thread's request may wait for the database."""

    def __init__(self, seconds: float) -> None:
        self.until = time.monotonic() + seconds
        self.statement_ms = int(max(seconds - STATEMENT_SOONER_S, 1) * 1000)
        self.was_cut = False
        self._database = cast("LimitedConnection", connections["default"])
        self._database.hold()

    def connect_within_s(self) -> int:
        """Return how long connecting may take. Raise TimeIsUp if that is too short to try."""
        left_s = self.until - time.monotonic()
        if self.was_cut or left_s < 1:
            raise TimeIsUp("the request has waited for the database for too long")
        return min(CONNECT_S, max(2, int(left_s)))

    def extend(self, seconds: float) -> None:
        self.until = max(self.until, time.monotonic() + seconds)

    def cut(self) -> None:
        """Shut down the connection that the request waits for. Called by the watchdog."""
        self.was_cut = True
        if (handle := self._database.socket_handle) is not None:
            handle.cut()

    def end(self) -> None:
        """Close a connection that was cut, so that a later request of this thread does not wait for it."""
        if self.was_cut:
            with contextlib.suppress(Exception):  # closing a connection that was cut may raise any error
                self._database.close()


class Watchdog:
    """A thread that cuts requests over their limit. It starts with the first limit and sleeps while there is none."""

    def __init__(self) -> None:
        self._limits: set[Limit] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def watch(self, limit: Limit) -> None:
        with self._changed:
            self._limits.add(limit)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="database watchdog", daemon=True)
                self._thread.start()
            self._changed.notify()

    def forget(self, limit: Limit) -> None:
        """Stop watching a limit: when this returns, its connection may serve another request."""
        with self._changed:
            self._limits.discard(limit)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._limits:
                    self._changed.wait()
                now = time.monotonic()
                for limit in self._limits:
                    if now >= limit.until:
                        limit.cut()
            time.sleep(LOOK_EVERY_S)


_watchdog = Watchdog()


@contextlib.contextmanager
def limited(limit: Limit) -> Iterator[Limit]:
    """Apply a limit to this thread."""
    _of_thread.limit = limit
    _watchdog.watch(limit)
    try:
        yield limit
    finally:
        _watchdog.forget(limit)
        _of_thread.limit = None
        limit.end()


def current() -> Limit | None:
    """Return the limit of the request that this thread handles; None outside of a request."""
    return getattr(_of_thread, "limit", None)


def streams_begin(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware that produces the first piece of a download before the status is sent, so that errors until then get
    the right status."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        answer = get_response(request)
        if isinstance(answer, StreamingHttpResponse) and not answer.is_async:
            if (limit := current()) is not None:
                limit.extend(PIECE_S)
            pieces = iter(cast("Iterator[bytes]", answer.streaming_content))
            first = next(pieces, b"")
            answer.streaming_content = chain([first], pieces)
        return answer

    return middleware
