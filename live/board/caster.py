"""The thread of a `live` process that feeds streams of the board: at most once a second, and only while there are any.

It is not the thread of rings, which must not wait for counts of calls."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

from django.contrib.auth.models import User
from django.db import DatabaseError, InterfaceError, connection

from calls.access import Rights
from calls.log_limits import OnceAMinute
from calls.models import Right
from live import sessions
from live.board import keys, messages
from live.board.figures import BoardFigures, Snapshot
from live.board.messages import Numbers
from live.board.streams import BoardStream, BoardStreams
from live.hub import frame

logger = logging.getLogger(__name__)

EVERY_S = 1.0
# It rests at least this many times as long as it looked, so that posts come first under load.
RESTS = 2
# How often a stream without changes gets the message that its figures are live.
SAY_STILL_LIVE_EVERY_S = 5.0
CHECK_EVERY_S = 10.0
LONGEST_PAUSE_S = 4.0


class Caster:
    """Feeds the streams of the board, until it is stopped."""

    def __init__(self, streams: BoardStreams, loop: asyncio.AbstractEventLoop) -> None:
        self._streams, self._loop = streams, loop
        self._figures = BoardFigures()
        self._before: Snapshot | None = None
        self._stopping, self._woken = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="board", daemon=True)
        self._sent_at: dict[Numbers, float] = {}
        self._checked_at = -CHECK_EVERY_S
        self._log_limit = OnceAMinute()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._woken.set()

    def join(self, within_s: float) -> None:
        self._thread.join(within_s)

    def wake(self) -> None:
        """Look now, because a stream has begun."""
        self._woken.set()

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                if self._streams:
                    self.look()
                failures = 0
            except Exception as error:  # noqa: BLE001 (whatever the error, streams get what comes after it)
                failures += 1
                if isinstance(error, DatabaseError | InterfaceError):
                    connection.close()
                self._say(error)
            self._rest(time.monotonic() - began, failures)
            # After the rest: cleared before it, a stop at that moment would be missed, and the rest never end.
            self._woken.clear()
        connection.close()

    def _rest(self, took_s: float, failures: int) -> None:
        if not self._streams and not failures:
            connection.close()  # there may be no watchers for hours
            self._before = None
            self._woken.wait()
        elif failures:
            self._stopping.wait(min(EVERY_S * failures, LONGEST_PAUSE_S))
        else:
            # A new stream waits for this, too, so that no number of streams makes it look more often.
            self._stopping.wait(max(EVERY_S - took_s, RESTS * took_s))

    def look(self) -> None:
        """Read the figures once and send to each stream what has changed; to new ones all."""
        now = time.monotonic()
        streams: Sequence[BoardStream] = self._streams.streams()
        if now - self._checked_at >= CHECK_EVERY_S:
            streams = self._check(streams)
            self._checked_at = now
        snapshot = self._figures.read()
        frames = self._frames(streams, snapshot, now)
        self._in_loop(self._streams.deliver, frames)
        self._before = snapshot

    def _frames(
        self, streams: Sequence[BoardStream], snapshot: Snapshot, now: float
    ) -> list[tuple[BoardStream, bytes]]:
        """Return what each stream is sent. Streams of the same numbers share one frame."""
        whole: dict[Numbers, bytes] = {}
        changed: dict[Numbers, bytes] = {}
        frames: list[tuple[BoardStream, bytes]] = []
        for stream in streams:
            numbers = stream.numbers
            if stream.is_fresh or self._before is None:
                if numbers not in whole:
                    whole[numbers] = frame("board", messages.whole(snapshot, numbers))
                stream.is_fresh = False
                frames.append((stream, whole[numbers]))
                continue
            if numbers not in changed:
                changed[numbers] = self._changes(snapshot, self._before, numbers, now)
            if changed[numbers]:
                frames.append((stream, changed[numbers]))
        watched = {stream.numbers for stream in streams}
        self._sent_at = {numbers: at for numbers, at in self._sent_at.items() if numbers in watched}
        return frames

    def _changes(self, snapshot: Snapshot, before: Snapshot, numbers: Numbers, now: float) -> bytes:
        message: dict[str, Any] | None = messages.changes(snapshot, before, numbers)
        if message is None:
            if now - self._sent_at.get(numbers, 0.0) < SAY_STILL_LIVE_EVERY_S:
                return b""
            message = messages.still_live(snapshot)
        self._sent_at[numbers] = now
        return frame("board", message)

    def _check(self, streams: Sequence[BoardStream]) -> list[BoardStream]:
        """End the streams that may not go on, and give the others the numbers that they may show now."""
        of_people = [stream for stream in streams if stream.user]
        there = {of_people[place] for place in sessions.still_there(of_people)} if of_people else set()
        rights = Rights.of_each(User.objects.filter(pk__in={stream.user for stream in there}))
        of_keys = {stream.key for stream in streams if stream.key}
        numbers_of_keys = keys.numbers_of(of_keys) if of_keys else {}
        if numbers_of_keys:
            keys.note_use(numbers_of_keys)
        ended: list[BoardStream] = []
        for stream in streams:
            if stream.key:
                goes_on, numbers = stream.key in numbers_of_keys, numbers_of_keys.get(stream.key)
            else:
                own = rights.get(stream.user, Rights()) if stream in there else Rights()
                goes_on, numbers = own.anywhere(Right.FIGURES), own.numbers(Right.FIGURES)
            if not goes_on:
                ended.append(stream)
            elif numbers != stream.numbers:
                stream.numbers, stream.is_fresh = numbers, True
        if ended:
            self._in_loop(self._streams.end, ended)
        return [stream for stream in streams if stream not in ended]

    def _in_loop(self, call: object, argument: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, argument)  # type: ignore[arg-type]

    def _say(self, error: Exception) -> None:
        if self._log_limit.is_due():
            logger.error("the board cannot be read now: %s", type(error).__name__)
