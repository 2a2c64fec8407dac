"""The streams of a `live` process, and what waits to be sent on them. Lives in the event loop; one thread feeds it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from live.queries import Message

# A stream that has not read this many messages is closed; its browser comes back and gets the whole state.
LONGEST_QUEUE = 64
MOST_STREAMS = 10_000
MOST_OF_A_PERSON = 20


class Full(Exception):  # noqa: N818 (named for what the process is)
    """There are as many streams as there may be."""


@dataclass(eq=False)
class Stream:
    """A stream of a browser: whose it is, by which session, and what waits to be sent. None ends it."""

    user: int
    session_key: str
    # As it was when the stream began: a changed password ends it.
    password: str = field(repr=False)
    # Whether its session had passed a second factor when it began: without one it ends once the person must have one.
    has_passed: bool = False
    queue: asyncio.Queue[bytes | None] = field(default_factory=lambda: asyncio.Queue(LONGEST_QUEUE))
    is_ended: bool = False

    def put(self, frame: bytes) -> None:
        if self.is_ended:
            return
        try:
            self.queue.put_nowait(frame)
        except asyncio.QueueFull:
            self.end()

    def end(self) -> None:
        """End the stream now; what waits is not sent."""
        if not self.is_ended:
            self.is_ended = True
            while not self.queue.empty():
                self.queue.get_nowait()
            self.queue.put_nowait(None)


class Hub:
    """All streams of this process by person. To be changed in the event loop only."""

    def __init__(self) -> None:
        self._by_user: dict[int, list[Stream]] = {}
        self._streams = 0
        self._is_closed = False

    def add(self, stream: Stream) -> None:
        """Take a stream; raise Full if there are too many, of all people or of this one."""
        own = self._by_user.get(stream.user, [])
        if self._is_closed or self._streams >= MOST_STREAMS or len(own) >= MOST_OF_A_PERSON:
            raise Full
        self._by_user[stream.user] = [*own, stream]
        self._streams += 1

    def remove(self, stream: Stream) -> None:
        own = self._by_user.get(stream.user, [])
        if stream not in own:
            return
        self._streams -= 1
        rest = [other for other in own if other is not stream]
        if rest:
            self._by_user[stream.user] = rest
        else:
            del self._by_user[stream.user]

    def __len__(self) -> int:
        return self._streams

    def users(self) -> frozenset[int]:
        """Return who has streams. May be called by any thread."""
        return frozenset(list(self._by_user))

    def streams(self) -> list[Stream]:
        """Return all streams. May be called by any thread: lists of streams are replaced, never changed."""
        return [stream for own in list(self._by_user.values()) for stream in own]

    def deliver(self, frames: Iterable[tuple[int, bytes]]) -> None:
        for user, frame in frames:
            for stream in self._by_user.get(user, ()):
                stream.put(frame)

    def end(self, streams: Collection[Stream]) -> None:
        for stream in streams:
            stream.end()

    def close(self) -> None:
        """End all streams and take no more."""
        self._is_closed = True
        self.end(self.streams())


def frames(messages: Sequence[Message]) -> list[tuple[int, bytes]]:
    """Return messages as they are sent, each with the person."""
    return [(message.user, frame(message.name, message.data)) for message in messages]


def frame(name: str, data: dict[str, Any]) -> bytes:
    """Return an event of the stream."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()
