"""The thread of a `live` process that watches the database: feeds rings, sends what changed, checks who may listen."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Sequence, Sized
from datetime import UTC, datetime, timedelta
from statistics import quantiles

from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.models.functions import Now

from calls.log_limits import OnceAMinute
from live import feed, people, queries, rings, sessions
from live.asking import LookUps
from live.hub import Hub, Stream, frames
from live.models import Listener, LiveProcess
from live.queries import Message

logger = logging.getLogger(__name__)

# From one look to the next: with connected browsers, and without. Between them it rests at least as long as it looked,
# and under full load longer, so that posts come first: then a look finds more at once.
BUSY_S, IDLE_S = 0.05, 1.0
FULL_LOAD_EVENTS, FULL_LOAD_RESTS = 25, 3
SWEEP_EVERY_S = 1.0
RENEW_EVERY_S = 5.0
CHECK_EVERY_S = 10.0
# Without a look for this long, streams have no heartbeat, so that browsers ask the pages instead.
AWAY_AFTER_S = 10.0
GONE_AFTER = timedelta(minutes=1)
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 4.0
DELAYS_KEPT = 1000


class Watcher:
    """Watches the database for the streams of a hub, in a thread of its own, until it is stopped."""

    def __init__(self, hub: Hub, boards: Sized, loop: asyncio.AbstractEventLoop) -> None:
        """Of the `boards` it only notes how many there are."""
        self._hub, self._boards, self._loop = hub, boards, loop
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self._look_ups = LookUps(self._deliver, hub.users)
        self._revision: int | None = None
        self._process: LiveProcess | None = None
        self._listeners: frozenset[int] = frozenset()
        self._delays: deque[float] = deque(maxlen=DELAYS_KEPT)
        self._due: dict[str, float] = {}
        self._looked_at = 0.0
        self._log_limit = OnceAMinute()

    def start(self) -> None:
        self._look_ups.start()
        self._thread.start()

    def stop(self) -> None:
        self._look_ups.stop()
        self._stopping.set()
        self._woken.set()

    def join(self, within_s: float) -> None:
        self._thread.join(within_s)
        self._look_ups.join(within_s)

    def note_state(self, state: Message) -> None:
        """Ask who calls in a state that a new stream begins with; another process may be asking that already."""
        self._look_ups.note([state])

    def wake(self) -> None:
        """Look now, because a page has begun to listen."""
        self._woken.set()

    @property
    def is_well(self) -> bool:
        """Whether the database answered a moment ago."""
        return time.monotonic() - self._looked_at < AWAY_AFTER_S

    def _run(self) -> None:
        pause_s = 0.0
        while not self._stopping.is_set():
            began, events = time.monotonic(), 0
            try:
                events = self.look()
                pause_s = 0.0
            except Exception as error:  # noqa: BLE001 (whatever the error, streams get what comes after it)
                if isinstance(error, DatabaseError | InterfaceError):
                    connection.close()
                self._say(error)
                pause_s = min(max(SHORTEST_PAUSE_S, pause_s * 2), LONGEST_PAUSE_S)
            took_s = time.monotonic() - began
            rest_s = took_s * (FULL_LOAD_RESTS if events > FULL_LOAD_EVENTS else 1)
            self._woken.wait(pause_s or max((BUSY_S if len(self._hub) else IDLE_S) - took_s, rest_s))
            self._woken.clear()
        self._leave()

    def look(self) -> int:
        """Do once what there is to do. Return how many events were read."""
        events = 0
        self._note_listeners(self._hub.users())
        newest, has_events, has_open_rings = feed.peek()
        is_time_to_sweep = has_open_rings and self._is_time_for("sweep", SWEEP_EVERY_S)
        if has_events or is_time_to_sweep:
            fed = feed.feed(sweeps=is_time_to_sweep)
            if fed is not None:
                newest, events = fed.revision, fed.events
                self._delays.extend(delay for delay in fed.delays_s if delay < rings.FRESH.total_seconds())
        # Asked again: who began to listen meanwhile may have read a state without what was changed meanwhile.
        self._send(newest, self._hub.users())
        if self._hub and self._is_time_for("check", CHECK_EVERY_S):
            self._end_those_who_may_not_listen(self._hub.streams())
        self._looked_at = time.monotonic()
        return events

    def _is_time_for(self, what: str, every_s: float) -> bool:
        now = time.monotonic()
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + every_s
        return True

    def _send(self, newest: int, users: frozenset[int]) -> None:
        """Send what changed; whole states to streams that began before the first look, or if the database was restored
        to an earlier revision."""
        known = self._revision
        if known != newest and users:
            if known is None or newest < known:
                messages = queries.states_of(users)
            else:
                messages = queries.messages_after(known, newest, users)
            self._deliver(messages)
            self._look_ups.note(messages)
        self._revision = newest  # only now: after an error they are read again

    def _end_those_who_may_not_listen(self, streams: Sequence[Stream]) -> None:
        there = sessions.still_there(streams)
        connected = people.connected({stream.user for stream in streams})
        ended = [one for place, one in enumerate(streams) if place not in there or one.user not in connected]
        if ended:
            self._in_loop(self._hub.end, ended)

    def _deliver(self, messages: Sequence[Message]) -> None:
        self._in_loop(self._hub.deliver, frames(messages))

    def _in_loop(self, call: object, argument: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, argument)  # type: ignore[arg-type]

    # --- What others know of this process ---

    def _note_listeners(self, users: frozenset[int]) -> None:
        """Keep the row of this process and its listeners as they are."""
        is_time = self._is_time_for("renew", RENEW_EVERY_S)
        if self._process is None or (is_time and not self._renew(self._process)):
            self._process, self._listeners = self._register(), frozenset()
        if users != self._listeners:
            with transaction.atomic():
                own = Listener.objects.filter(process=self._process)
                own.filter(user__in=self._listeners - users).delete()
                new = [Listener(process=self._process, user_id=pk) for pk in people.existing(users - self._listeners)]
                Listener.objects.bulk_create(new, ignore_conflicts=True)
            self._listeners = users

    def _register(self) -> LiveProcess:
        name = f"{socket.gethostname()} {os.getpid()}"
        LiveProcess.objects.filter(name=name).delete()
        return LiveProcess.objects.create(name=name)

    def _renew(self, process: LiveProcess) -> bool:
        """Renew the row of this process, and delete those of processes that are gone. Return whether it was there."""
        began = datetime.now(UTC)
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            ((database_time,),) = cursor.fetchall()
        here = began + (datetime.now(UTC) - began) / 2
        p50, p99 = _p50_p99(self._delays)
        LiveProcess.objects.filter(seen_at__lt=database_time - GONE_AFTER).delete()
        return bool(
            LiveProcess.objects.filter(pk=process.pk).update(
                seen_at=Now(),
                streams=len(self._hub),
                boards=len(self._boards),
                delay_p50_ms=p50,
                delay_p99_ms=p99,
                clock_offset_s=(here - database_time).total_seconds(),
            )
        )

    def _leave(self) -> None:
        """Remove the row of this process, so that its people no longer count as listening."""
        try:
            if self._process is not None:
                self._process.delete()
        except (DatabaseError, InterfaceError):
            logger.info("the database is away; the row of this process expires by itself")
        finally:
            connection.close()

    def _say(self, error: Exception) -> None:
        if self._log_limit.is_due():
            logger.error("rings cannot be read now: %s", type(error).__name__)


def _p50_p99(delays_s: Sequence[float]) -> tuple[float | None, float | None]:
    if len(delays_s) < 2:
        return None, None
    cuts = quantiles(delays_s, n=100)
    return cuts[49] * 1000, cuts[98] * 1000
