"""Asks other systems who calls while it rings, in threads of its own, so that no ring waits for an answer.

One thread reads and writes the database; a few others do nothing but wait for answers."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from django.db import DatabaseError, InterfaceError, close_old_connections, connection

from contacts import lookups
from contacts.lookups import Asked
from contacts.models import Lookup, LookupAnswer
from live import queries
from live.models import Pop
from live.queries import Message

logger = logging.getLogger(__name__)

ASKERS = 8
# A question that had to wait so long for one of them is not asked any more.
WAITS_AT_MOST_S = 3.0
# Without any look-up, it is looked again after this time whether there is one.
LOOK_AGAIN_S = 1.0
# How often it is looked whether another process got the answer that it asked for.
LOOK_EVERY_S = 0.1


@dataclass(frozen=True)
class _Rang:
    """Rings that have begun, or that a page found when it was opened."""

    rings: Sequence[int]


@dataclass(frozen=True)
class _Answered:
    """A question that was asked by this process."""

    lookup: Lookup
    answer: int
    caller: str
    asked: Asked


class LookUps:
    """The look-ups of a `live` process. `deliver` is called with messages for the people of `users`."""

    def __init__(self, deliver: Callable[[Sequence[Message]], None], users: Callable[[], Collection[int]]) -> None:
        self._deliver, self._users = deliver, users
        self._todo: queue.SimpleQueue[_Rang | _Answered | None] = queue.SimpleQueue()
        self._askers = ThreadPoolExecutor(ASKERS, thread_name_prefix="look-up")
        self._thread = threading.Thread(target=self._run, name="look-ups", daemon=True)
        # What other processes are asking: the ids of answers, with the time after which they are given up.
        self._awaited: dict[int, float] = {}
        self._none_until = 0.0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._todo.put(None)

    def join(self, within_s: float) -> None:
        self._thread.join(within_s)

    def note(self, messages: Sequence[Message]) -> None:
        """Ask about the callers of what rings, soon. May be called by any thread."""
        if time.monotonic() < self._none_until:
            return
        new = [one.data for one in messages if one.name == "ring"]
        listed = [ring for one in messages if one.name == "state" for ring in one.data["rings"]]
        rings = [ring["ring"] for ring in (*new, *listed) if ring["state"] == "ringing"]
        if rings:
            self._todo.put(_Rang(rings))

    def _run(self) -> None:
        while True:
            try:
                item = self._todo.get(timeout=LOOK_EVERY_S if self._awaited else None)
            except queue.Empty:
                item = _Rang([])
            if item is None:
                break
            try:
                close_old_connections()
                self._take(item)
            except Exception as error:  # noqa: BLE001 (the next ring is asked about in any case)
                if isinstance(error, DatabaseError | InterfaceError):
                    connection.close()
                self._awaited.clear()  # or it would be looked for again at once
                logger.warning("a look-up was left out: %s", type(error).__name__)
        self._askers.shutdown(wait=False, cancel_futures=True)
        connection.close()

    def _take(self, item: _Rang | _Answered) -> None:
        if isinstance(item, _Answered):
            lookups.keep(item.lookup, item.answer, item.asked)
            if item.asked.found:
                self._send({item.caller})
            return
        if item.rings:
            self._ask_about(item.rings)
        self._look_for_awaited()

    def _ask_about(self, rings: Sequence[int]) -> None:
        on = lookups.asked_now()
        if not on:
            self._none_until = time.monotonic() + LOOK_AGAIN_S
            return
        calls = Pop.objects.filter(pk__in=rings, is_test=False, event__call__caller_id_number__startswith="+")
        asked = calls.values_list("event__call__caller_id_number", "event__call__destination_number__e164").distinct()
        for caller, number in asked:
            for lookup in on:
                answer = lookups.claim(lookup, caller, number)
                if answer is not None:
                    self._askers.submit(self._ask, lookup, answer, caller, number, time.monotonic())
                elif (asked_for := lookups.asked_just_now(lookup, caller, number)) is not None:
                    self._awaited[asked_for] = time.monotonic() + lookups.ASKED_FOR.total_seconds()

    def _ask(self, lookup: Lookup, answer: int, caller: str, number: str, since: float) -> None:
        if time.monotonic() - since > WAITS_AT_MOST_S:
            return
        try:
            asked = lookups.ask(lookup, caller, number, lookups.WHILE_IT_RINGS_S)
        except Exception as error:  # noqa: BLE001 (counted as a failure, so that it rests)
            asked = Asked(time.monotonic() - since, error=type(error).__name__)
        self._todo.put(_Answered(lookup, answer, caller, asked))

    def _look_for_awaited(self) -> None:
        """Send what other processes were answered."""
        if not self._awaited:
            return
        there = LookupAnswer.objects.filter(pk__in=self._awaited, is_pending=False).values_list("pk", "caller")
        answered = dict(there)
        now = time.monotonic()
        self._awaited = {pk: until for pk, until in self._awaited.items() if pk not in answered and until > now}
        if answered:
            self._send({*answered.values()})

    def _send(self, callers: Collection[str]) -> None:
        if messages := queries.messages_about(callers, self._users()):
            self._deliver(messages)
