"""Sends the deliveries that are due, in threads that wait for answers and touch no database.

Nothing is marked as being sent: a process that is killed has its deliveries sent again by the next one, with the same
message id. How tries went is stored by a thread of its own, soon also while the dispatcher adds deliveries of many
events, and kept in memory while the database is away."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable

from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone
from django.utils.translation import gettext as _

from calls.outgoing import OPEN_FOR_S, Connections
from live.dispatch import due as due_deliveries
from live.dispatch import outcomes, tries
from live.dispatch.due import Due
from live.dispatch.endpoint_health import EndpointHealth
from live.dispatch.formats.base import Verdict
from live.dispatch.lanes import Lanes
from live.dispatch.outcomes import Outcome
from live.dispatch.tries import Send, Tried

logger = logging.getLogger(__name__)

THREADS = 16
# Most systems answer at once, so a few threads suffice, and each one that is woken delays posts on a small machine.
# More are called while something waits for longer than this: one, then two, four and so on.
CALLS_MORE_AFTER_S = 0.02
# A try takes so long at most, with everything.
WITHIN_S = 20.0
EXPIRE_EVERY_S = 2.0
STORE_EVERY_S, STORE_AGAIN_AFTER_S = 0.1, 1.0


class Sender:
    """Sends what is due. `step` is called again and again by one thread; `wake` is called by others when a further step
    has something to do."""

    def __init__(self, wake: Callable[[], None], send: Send | None = None) -> None:
        self._wake = wake
        self._connections = Connections()
        self._send = send or self._connections.send
        self._lanes = Lanes(THREADS)
        # Guards lanes and outcomes.
        lock = threading.Lock()
        # Notified when there may be something to send.
        self._changed = threading.Condition(lock)
        # Notified when a thread begins to send while something else waits.
        self._has_left_some = threading.Condition(lock)
        self._is_calling = False
        self._outcomes: list[Outcome] = []
        # Deliveries that were sent since the last step looked what is due.
        self._sent_since: set[int] = set()
        self._to_store = threading.Event()
        self._storing = threading.Lock()
        # Endpoints for which more is due than was read.
        self._has_more: set[int] = set()
        # Whether the next step may find something although nothing was added: what waited for an outcome, or was left
        # out because its endpoint was busy.
        self.may_have_more = True
        self._is_stopping = False
        self._health = EndpointHealth()
        self._expire_at = 0.0
        self._threads = [
            threading.Thread(target=self._run, name=f"sender {n}", daemon=True) for n in range(1, THREADS + 1)
        ]
        self._threads.append(threading.Thread(target=self._keep_storing, name="storer", daemon=True))
        self._threads.append(threading.Thread(target=self._keep_calling, name="caller of senders", daemon=True))

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, within_s: float) -> None:
        """Begin nothing more, and wait for what is being sent, but not longer than this."""
        with self._changed:
            self._is_stopping = True
            self._lanes.fill([])
            self._changed.notify_all()
            self._has_left_some.notify_all()
        self._to_store.set()
        until = time.monotonic() + within_s
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        self._connections.close()

    def pause(self) -> None:
        """Begin nothing more until the next step, because the database is away or another process sends."""
        with self._changed:
            self._lanes.fill([])
            self.may_have_more = True

    def step(self) -> None:
        """Look what is due now, and have it sent."""
        self._expire()
        with self._changed:
            self.may_have_more = False
            self._sent_since.clear()
            busy = self._busy()
            full = self._lanes.full()
        found = due_deliveries.find(busy, full)
        now = timezone.now()
        unsent = {due.id: outcome for due in found if (outcome := outcomes.without_a_try(due, now))}
        with self._changed:
            if self._is_stopping:
                return
            # Meanwhile some that waited may have been sent, and that even stored.
            done = self._sent_since
            self._outcomes += [outcome for pk, outcome in unsent.items() if pk not in done]
            self._lanes.fill(due for due in found if due.id not in done and due.id not in unsent)
            read = Counter(due.endpoint for due in found)
            self._has_more = {endpoint for endpoint, count in read.items() if count >= due_deliveries.MOST_READ}
            if found:
                self._changed.notify()
        if unsent:
            self._to_store.set()

    def store(self, *, at_once: bool = False) -> None:
        """Store how tries went. What cannot be stored is kept."""
        with self._storing:
            with self._changed:
                kept = list(self._outcomes)
            if kept:
                outcomes.store(kept)
                with self._changed:
                    del self._outcomes[: len(kept)]
                    self.may_have_more = True
                self._health.note(kept)
            self._health.store(at_once=at_once)

    def _busy(self) -> set[int]:
        """Return the deliveries that are being sent, and those of which it is not stored how that went."""
        return self._lanes.busy() | {outcome.delivery for outcome in self._outcomes}

    def _expire(self) -> None:
        """Now and then: mark what is too late, and close connections that have been open for long."""
        if time.monotonic() < self._expire_at:
            return
        self._expire_at = time.monotonic() + EXPIRE_EVERY_S
        with self._changed:
            busy = self._busy()
        due_deliveries.expire(busy, outcomes.too_late())
        self._connections.close(older_than_s=OPEN_FOR_S)

    # --- In threads of its own ---

    def _keep_storing(self) -> None:
        while not self._is_stopping:
            self._to_store.wait(STORE_AGAIN_AFTER_S)
            self._to_store.clear()
            pause_s = STORE_EVERY_S
            try:
                self.store()
            except Exception as error:  # noqa: BLE001 (whatever the error, it is tried again)
                if isinstance(error, DatabaseError | InterfaceError):
                    connection.close()
                pause_s = STORE_AGAIN_AFTER_S
            time.sleep(pause_s)
        connection.close()

    def _run(self) -> None:
        while (due := self._next()) is not None:
            outcome = self._sent(due)
            with self._changed:
                has_failed = outcome.tried_at is not None and not outcome.is_delivered
                self._lanes.finish(due, has_failed=has_failed, is_gone=outcome.is_gone)
                self._outcomes.append(outcome)
                self._sent_since.add(due.id)
                self._to_store.set()
                wakes = due.endpoint in self._has_more and not self._lanes.waiting(due.endpoint)
                if wakes:
                    self._has_more.discard(due.endpoint)
                    self.may_have_more = True
            if wakes:
                self._wake()

    def _next(self) -> Due | None:
        """Return what is sent next, as soon as there is something; None when it is time to stop."""
        with self._changed:
            while not self._is_stopping:
                if (due := self._lanes.take()) is not None:
                    if not self._is_calling and self._lanes.has_next():
                        self._has_left_some.notify()
                    return due
                self._changed.wait()
        return None

    def _keep_calling(self) -> None:
        """Wake more threads while those at work leave something for longer than CALLS_MORE_AFTER_S."""
        with self._changed:
            while not self._is_stopping:
                self._is_calling = False
                self._has_left_some.wait()
                self._is_calling = True
                count = 1
                while not self._has_left_some.wait(CALLS_MORE_AFTER_S) and self._lanes.has_next():
                    self._changed.notify(count)
                    count = min(count * 2, THREADS)

    def _sent(self, due: Due) -> Outcome:
        if outcome := outcomes.without_a_try(due, timezone.now()):
            return outcome
        try:
            tried = tries.try_once(due.delivery, due.follow_up, WITHIN_S, self._send)
        except Exception as error:  # noqa: BLE001 (whatever the error, other deliveries are sent)
            logger.error("delivery %d could not be sent: %s", due.id, type(error).__name__)
            tried = Tried(Verdict.RETRY, error=_("Calltally could not send it. The log of the dispatcher says why."))
        return outcomes.not_wanted(due) if tried is None else outcomes.after_try(due, tried, timezone.now())
