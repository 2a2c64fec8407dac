"""A browser's side of the stream, for tests: asks the application of the process `live` as its server does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connection
from django.test import Client

from live.events import Live

WITHIN_S = 30.0


def run(test: Callable[[Live], Awaitable[None]]) -> None:
    """Run a test with an application, which is started before and stopped afterwards."""

    async def with_application() -> None:
        async with started() as application:
            await test(application)

    # In a thread of its own, because Playwright leaves a loop running in that of the tests.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, with_application()).result()


@asynccontextmanager
async def started() -> AsyncIterator[Live]:
    """Start an application, and stop it at the end."""
    application = Live()
    try:
        async with asyncio.timeout(WITHIN_S):
            while not application.watcher().is_well:  # streams that begin before its first look get two states
                await asyncio.sleep(0.01)
        yield application
    finally:
        await application.stop()


class Browser:
    """A stream as a browser reads it."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.left = asyncio.Event()
        self.status = 0
        self.headers: dict[str, str] = {}

    async def receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        await self.sent.put(message)

    async def piece(self) -> dict[str, Any]:
        return await asyncio.wait_for(self.sent.get(), WITHIN_S)

    async def begin(self) -> None:
        message = await self.piece()
        self.status = message["status"]
        self.headers = {name.decode(): value.decode() for name, value in message["headers"]}

    async def next(self) -> tuple[str, Any]:
        """Return the next event with its data; ("end", None) when the stream has ended."""
        message = await self.piece()
        while message.get("more_body") and message["body"].startswith(b":"):  # a heartbeat
            message = await self.piece()
        if not message.get("more_body"):
            return "end", None
        name, data = message["body"].decode().strip().split("\n")
        return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


@asynccontextmanager
async def stream(
    application: Live,
    session: str = "",
    *,
    host: str = "127.0.0.1:8001",
    origin: str = "",
    query: str = "",
    cookie: str = "",
) -> AsyncIterator[Browser]:
    """Ask for the stream with a session, or with another cookie, and leave it at the end."""
    cookie = cookie or f"{settings.SESSION_COOKIE_NAME}={session}"
    headers = [(b"host", host.encode()), (b"cookie", cookie.encode())]
    if origin:
        headers.append((b"origin", origin.encode()))
    browser = Browser()
    scope = {
        "type": "http",
        "path": "/live/events",
        "method": "GET",
        "headers": headers,
        "query_string": query.encode(),
    }
    answering = asyncio.ensure_future(application(scope, browser.receive, browser.send))
    try:
        await browser.begin()
        yield browser
    finally:
        browser.left.set()
        await asyncio.wait_for(answering, WITHIN_S)


def session_of(user: Any) -> str:
    """Sign a person in; return the key of the session."""
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value


async def until(is_so: Callable[[], Any]) -> None:
    """Wait until the database says so."""
    async with asyncio.timeout(WITHIN_S):
        while not await in_thread(is_so):
            await asyncio.sleep(0.01)


async def in_thread(call: Callable[..., Any], *args: Any) -> Any:
    """Call it in another thread, which keeps no connection to the test database."""

    def called() -> Any:
        try:
            return call(*args)
        finally:
            connection.close()

    return await sync_to_async(called)()
