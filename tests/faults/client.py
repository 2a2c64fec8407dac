"""Sends posts at a steady rate, each exactly once, and records the answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count

HOST = "127.0.0.1"
PATH = "/tenios/posts"
GIVES_UP_AFTER_S = 5.0
KEEPS_IDLE_S = 1.0
# The share of posts that are sent on a new connection; the others use connections that are kept open.
FRESH = 0.2
KINDS = ("CALL_START", "BLOCK_END", "INITIATE_FORWARD", "FORWARD_ANSWER", "CALL_END")

NOT_CONNECTED = "not connected"  # it was not sent
BROKEN_OFF = "broken off"  # it was sent completely or partly, and the connection broke
TIMED_OUT = "timed out"
UNKNOWN = {BROKEN_OFF, TIMED_OUT}

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True)
class Sent:
    """A record of a sent post."""

    post_id: str
    at: float  # by the monotonic clock
    took_s: float
    answer: str  # the status, or the reason if there is none
    connection: str  # "kept" from an earlier post, or "fresh" (new)
    retry_after: str = ""


class Client:
    """Sends posts from its own thread until it is stopped. The id of each post begins with `name`."""

    def __init__(
        self,
        port: int,
        e164: str,
        access_key: str,
        *,
        rate: float,
        name: str,
        sender: Callable[[int], str] | None = None,  # the client's address that a proxy would report for a post
    ) -> None:
        self.port = port
        self.name = name
        self.sent: list[Sent] = []
        self.started = 0  # posts whose sending has started
        self.connects: list[tuple[float, bool]] = []  # when a connection was requested, and whether it was accepted
        self._e164 = e164
        self._access_key = access_key
        self._rate = rate
        self._sender = sender
        self._idle: list[tuple[float, asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._random = random.Random(name)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="client", daemon=True)

    # --- Called from the test's thread ---

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop sending, and wait until every sent post is answered or has timed out."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join(GIVES_UP_AFTER_S + 5)
            assert not self._thread.is_alive()

    def hold(self, seconds: float, posts: int = 60) -> None:
        """Wait at least this long, and until this many more posts were started."""
        began, before = time.monotonic(), self.started
        while time.monotonic() < began + seconds or self.started < before + posts:
            assert self._thread.is_alive(), "the client has ended"
            time.sleep(0.02)

    def answered_since(self, moment: float) -> int:
        return sum(line.at >= moment and line.answer == "200" for line in list(self.sent))

    # --- Called from its own thread ---

    async def _run(self) -> None:
        began = time.monotonic()
        async with asyncio.TaskGroup() as under_way:
            for index in count():
                # Late after a pause of this process: posts that are due are sent now, then the rate is as before.
                due = began + index / self._rate
                if (early := due - time.monotonic()) > 0:
                    await asyncio.sleep(early)
                elif early < -0.5:
                    began -= early
                if self._stopped.is_set():
                    break
                under_way.create_task(self._post(index))
        for _, _, writer in self._idle:
            await _close(writer)

    async def _post(self, index: int) -> None:
        self.started += 1
        post_id = f"{self.name}-{index}"
        at = time.monotonic()
        fresh = self._random.random() < FRESH
        sender = self._sender(index) if self._sender else ""
        kept = None if fresh else self._take_kept()
        answer, retry_after = await self._exchange(self._body(index, post_id), kept, fresh=fresh, sender=sender)
        connection = "kept" if kept else "fresh"
        self.sent.append(Sent(post_id, at, time.monotonic() - at, answer, connection, retry_after))

    def _body(self, index: int, post_id: str) -> bytes:
        call, kind = divmod(index, len(KINDS))
        post = {"requestType": KINDS[kind], "customerNumber": 200000, "accessKey": self._access_key}
        if KINDS[kind] == "BLOCK_END":
            post["blockType"] = "ANNOUNCEMENT"
        elif "FORWARD" in KINDS[kind]:
            post |= {"destination": "+492212345678", "destinationType": "EXTERNALNUMBER"}
        call_id = f"{self.name}-call-{call}"
        post["variables"] = {
            "destination_number": self._e164,
            "call_uuid": call_id,
            "correlation_id": call_id,
            "caller_id_number": f"+49170{call % 10**7:07}",
            "post_id": post_id,
        }
        return json.dumps(post).encode()

    async def _exchange(self, body: bytes, kept: Streams | None, *, fresh: bool, sender: str) -> tuple[str, str]:
        writer = None
        try:
            async with asyncio.timeout(GIVES_UP_AFTER_S):
                if kept is None:
                    try:
                        reader, writer = await self._connect()
                    except OSError:
                        return NOT_CONNECTED, ""
                else:
                    reader, writer = kept
                head = f"POST {PATH} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
                head += f"X-Forwarded-For: {sender}\r\n" if sender else ""
                head += "Connection: close\r\n" if fresh else ""
                head += f"Content-Length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
                status, headers = await _read_answer(reader)
        except TimeoutError:
            answer = TIMED_OUT, ""
        except (OSError, asyncio.IncompleteReadError):
            answer = BROKEN_OFF, ""
        else:
            if not fresh and headers.get("connection", "").lower() != "close":
                self._idle.append((time.monotonic(), reader, writer))
                writer = None
            answer = status, headers.get("retry-after", "")
        if writer is not None:
            await _close(writer)
        return answer

    async def _connect(self) -> Streams:
        at = time.monotonic()
        try:
            streams = await asyncio.open_connection(HOST, self.port)
        except OSError:
            self.connects.append((at, False))
            raise
        self.connects.append((at, True))
        return streams

    def _take_kept(self) -> Streams | None:
        """Return a kept connection that the other side has not closed."""
        while self._idle:
            since, reader, writer = self._idle.pop()
            if not reader.at_eof() and not writer.is_closing() and time.monotonic() - since < KEEPS_IDLE_S:
                return reader, writer
            writer.close()
        return None


async def _read_answer(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    status = head[0].split(" ")[1]
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while size := int((await reader.readuntil(b"\r\n")).strip() or b"0", 16):
            await reader.readexactly(size + 2)
        await reader.readexactly(2)
    else:
        await reader.readexactly(int(headers.get("content-length", 0)))
    return status, headers


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(1):
            await writer.wait_closed()


def longest_refusal_s(connects: list[tuple[float, bool]]) -> float:
    """Return the longest time in seconds without an accepted connection, from the first refused one on."""
    longest, since = 0.0, None
    for at, is_accepted in sorted(connects):
        if not is_accepted and since is None:
            since = at
        if since is not None:
            longest = max(longest, at - since)
        if is_accepted:
            since = None
    return longest


def at_once(client: Client, posts: int, connections: int) -> float:
    """Send posts over several connections as fast as they are answered; return the total time in seconds."""

    async def run() -> None:
        indexes = iter(range(posts))

        async def one_after_the_other() -> None:
            for index in indexes:
                await client._post(index)

        lanes: list[Callable[[], Awaitable[None]]] = [one_after_the_other] * connections
        async with asyncio.TaskGroup() as under_way:
            for lane in lanes:
                under_way.create_task(lane())  # type: ignore[arg-type]
        for _, _, writer in client._idle:
            await _close(writer)

    began = time.monotonic()
    asyncio.run(run())
    return time.monotonic() - began
