"""The streams of the board in a `live` process: of people and of screens. Lives in the event loop, as live.hub does."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from live.board.messages import Numbers
from live.hub import Full, Stream

MOST_STREAMS = 2_000
MOST_OF_ONE = 50


@dataclass(eq=False, kw_only=True)
class BoardStream(Stream):
    """A stream of the board: of a person, or of a screen with a key; then `user` is 0."""

    key: int = 0
    # Which numbers it shows, and whether it waits for the whole board. The thread that feeds it sets both.
    numbers: Numbers
    is_fresh: bool = True

    @property
    def owner(self) -> tuple[int, int]:
        return self.user, self.key


class BoardStreams:
    """All streams of the board. To be changed in the event loop only."""

    def __init__(self) -> None:
        # Replaced, never changed, so that any thread may read it.
        self._streams: tuple[BoardStream, ...] = ()
        self._is_closed = False

    def add(self, stream: BoardStream) -> None:
        """Take a stream; raise Full if there are too many, of all or of this person or key."""
        own = sum(other.owner == stream.owner for other in self._streams)
        if self._is_closed or len(self._streams) >= MOST_STREAMS or own >= MOST_OF_ONE:
            raise Full
        self._streams = (*self._streams, stream)

    def remove(self, stream: BoardStream) -> None:
        self._streams = tuple(other for other in self._streams if other is not stream)

    def __len__(self) -> int:
        return len(self._streams)

    def streams(self) -> tuple[BoardStream, ...]:
        return self._streams

    def deliver(self, frames: Iterable[tuple[BoardStream, bytes]]) -> None:
        for stream, frame in frames:
            stream.put(frame)

    def end(self, streams: Collection[BoardStream]) -> None:
        for stream in streams:
            stream.end()

    def close(self) -> None:
        """End all streams and take no more."""
        self._is_closed = True
        self.end(self._streams)
