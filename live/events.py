"""The ASGI application of the process `live`: GET /live/events is a stream of Server-Sent Events, /healthz its health.

It uses sessions, passwords and rights as pages do, but none of their middleware, which would take a thread for each
stream. Only signed-in people who can be shown calls get a stream: 403 and 204 mean to others not to come back. With
`board=1` it is the stream of the live board instead, for people who see figures, or with `kiosk=1` for screens."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, connection
from django.http.cookie import parse_cookie
from django.http.request import split_domain_port, validate_host

from calls.access import Rights
from calls.models import Right
from calls.monitoring_access import headers_for_machines
from live import queries
from live.board import keys
from live.board.caster import Caster
from live.board.streams import BoardStream, BoardStreams
from live.hub import Full, Hub, Stream, frame
from live.people import is_connected
from live.queries import Message
from live.sessions import signed_in
from live.watcher import Watcher

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

HEARTBEAT_S = 15.0
HEARTBEAT = b": still here\n\n"
READS_WITHIN_S = 30.0
STOPS_WITHIN_S = 1.0
# Threads that read sessions and states of new streams; each has a connection to the database.
READERS = 2
EVENTS = b"text/event-stream; charset=utf-8"


class Refused(Exception):  # noqa: N818 (named for what happens to the request)
    """The request gets no stream, but this status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Live:
    """The streams of this process with their threads; it begins with the server and ends with it."""

    def __init__(self) -> None:
        self._hub, self._boards = Hub(), BoardStreams()
        self._watcher: Watcher | None = None
        self._caster: Caster | None = None
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="reader")

    def watcher(self) -> Watcher:
        """Return the watcher, which is started in the loop that serves."""
        if self._watcher is None:
            self._watcher = Watcher(self._hub, self._boards, asyncio.get_running_loop())
            self._watcher.start()
        return self._watcher

    def caster(self) -> Caster:
        """Return what feeds boards, which is started with the first of them."""
        if self._caster is None:
            self._caster = Caster(self._boards, asyncio.get_running_loop())
            self._caster.start()
        return self._caster

    async def stop(self) -> None:
        """End all streams, so that browsers go to another process at once."""
        self._hub.close()
        self._boards.close()
        threads: list[Watcher | Caster] = [self._watcher] if self._watcher else []
        threads += [self._caster] if self._caster else []
        for thread in threads:
            thread.stop()
        await asyncio.gather(*(asyncio.to_thread(thread.join, STOPS_WITHIN_S) for thread in threads))
        together = threading.Barrier(READERS)
        closed = [self._readers.submit(_close_connection, together) for _reader in range(READERS)]
        await asyncio.to_thread(wait, closed, STOPS_WITHIN_S)
        self._readers.shutdown(wait=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live_and_die(receive, send)
        elif scope["type"] == "http":
            try:
                await self._answer(scope, receive, send)
            except Refused as refusal:
                await _respond(send, refusal.status, _allowed(scope))

    async def _live_and_die(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.watcher()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/healthz":
            is_well = self.watcher().is_well
            await _respond(send, 200 if is_well else 503, [], b'{"status": "%s"}' % (b"ok" if is_well else b"away"))
            return
        if scope["path"] != "/live/events":
            raise Refused(404)
        if scope["method"] != "GET":
            raise Refused(405)
        if not validate_host(_host(scope), settings.ALLOWED_HOSTS):
            raise Refused(400)
        cookies = parse_cookie(_header(scope, b"cookie"))
        session_key = cookies.get(settings.SESSION_COOKIE_NAME, "")
        asked = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        if "board" in asked:
            by_key = "kiosk" in asked
            opening = (_open_screen, keys.cookie_of(cookies)) if by_key else (_open_board, session_key)
            await self._answer_board(await self._read(*opening), scope, receive, send)
            return
        stream = await self._read(_open_stream, session_key)
        try:
            self._hub.add(stream)
        except Full:
            raise Refused(503) from None
        try:
            if len(self._hub) == 1:  # with others it looks often anyway
                self.watcher().wake()
            # Read once the stream is in the hub: what changes from now on waits in its queue.
            state: Message = await self._read(_state, stream.user)
            self.watcher().note_state(state)
            await self._stream(stream, frame(state.name, state.data), scope, receive, send)
        finally:
            self._hub.remove(stream)

    async def _answer_board(self, stream: BoardStream, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._boards.add(stream)
        except Full:
            raise Refused(503) from None
        try:
            self.caster().wake()
            await self._stream(stream, HEARTBEAT, scope, receive, send)
        finally:
            self._boards.remove(stream)

    async def _read(self, ask: Callable[[Any], Any], about: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._readers, _asked, ask, about)

    async def _stream(self, stream: Stream, state: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        # X-Accel-Buffering: nginx passes each event on at once.
        headers = [(b"content-type", EVENTS), (b"x-accel-buffering", b"no"), *_common(), *_allowed(scope)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send(_body(state))
        leaving = asyncio.ensure_future(_until_left(receive, stream))
        try:
            while True:
                try:
                    waiting = await asyncio.wait_for(stream.queue.get(), HEARTBEAT_S)
                except TimeoutError:
                    # Nothing while the database is away: then the browser asks the pages.
                    waiting = HEARTBEAT if self.watcher().is_well else b""
                if waiting is None:
                    break
                if waiting:
                    async with asyncio.timeout(READS_WITHIN_S):
                        await send(_body(waiting))
            if not leaving.done():
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            return  # the browser has stopped reading
        finally:
            leaving.cancel()


async def _until_left(receive: Receive, stream: Stream) -> None:
    """End a stream when its browser has left."""
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.end()


def _asked(ask: Callable[[Any], Any], about: Any) -> Any:
    """Ask the database in a thread of readers; 503 if it is away."""
    close_old_connections()
    try:
        return ask(about)
    except (DatabaseError, InterfaceError):
        connection.close()
        raise Refused(503) from None


def _close_connection(together: threading.Barrier) -> None:
    """Close the connection of this thread; each thread of readers runs it once, because they wait for each other."""
    with suppress(threading.BrokenBarrierError):
        together.wait(STOPS_WITHIN_S)
    connection.close()


def _open_stream(session_key: str) -> Stream:
    """Return a stream for the person of a session; 403 without one, 204 if no calls can ring for them."""
    if (found := signed_in(session_key)) is None:
        raise Refused(403)
    user, has_passed = found
    if not is_connected(user):
        raise Refused(204)
    return Stream(user.pk, session_key, user.password, has_passed=has_passed)


def _open_board(session_key: str) -> BoardStream:
    """Return a stream of the board for the person of a session; 403 without one, 204 if they see no figures."""
    if (found := signed_in(session_key)) is None:
        raise Refused(403)
    user, has_passed = found
    rights = Rights.of(user)
    if not rights.anywhere(Right.FIGURES):
        raise Refused(204)
    return BoardStream(
        user.pk,
        session_key,
        user.password,
        has_passed=has_passed,
        numbers=rights.numbers(Right.FIGURES),
    )


def _open_screen(cookie: str) -> BoardStream:
    """Return a stream of the board for a screen; 403 if its key is none, or has ended."""
    board_key = keys.remembered(cookie)
    if board_key is None:
        raise Refused(403)
    keys.note_use([board_key.pk])
    return BoardStream(0, "", "", key=board_key.pk, numbers=keys.shown_by(board_key))


def _state(user: int) -> Message:
    (message,) = queries.states_of([user])
    return message


def _common() -> Headers:
    """Return the headers of all answers."""
    names = headers_for_machines() | {"Vary": "Cookie, Origin"}
    return [(name.lower().encode(), value.encode()) for name, value in names.items()]


def _allowed(scope: Scope) -> Headers:
    """Return the headers that let our page read the answer at another port of the same host, as under `make run`."""
    origin = _header(scope, b"origin")
    if not settings.LIVE_PORT or not origin:
        return []
    page, own = urlsplit(origin), split_domain_port(_header(scope, b"host"))[0]
    if page.scheme != "http" or page.port != settings.LIVE_PORT - 1 or page.hostname != own.strip("[]"):
        return []
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-allow-credentials", b"true"),
    ]


def _host(scope: Scope) -> str:
    return split_domain_port(_header(scope, b"host"))[0]


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def _body(piece: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": piece, "more_body": True}


async def _respond(send: Send, status: int, headers: Headers, body: bytes = b"") -> None:
    content = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*content, *_common(), *headers]})
    await send({"type": "http.response.body", "body": body})
