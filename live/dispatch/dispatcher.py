"""The dispatcher: turns events into deliveries and sends them, in a loop. One process works, the others wait."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from datetime import timedelta

from django.db import DatabaseError, InterfaceError, connection
from django.db.models.functions import Now

from calls.log_limits import OnceAMinute
from live.dispatch import outbox
from live.dispatch.outbox import NOTHING, Filled
from live.dispatch.sender import Sender
from live.dispatch.tries import Send
from live.models import DispatchProcess

logger = logging.getLogger(__name__)

# From one look to the next. Looks cost posts their time, whatever is found, so it looks at once only where more waits
# than one look reads. Between looks it rests at least half as long as it looked: with many endpoints on a busy machine
# a look takes so long that with longer rests it would fall behind.
LOOKS_EVERY_S, RESTS_OF_A_LOOK = 0.2, 0.5
# How often it looks at least for what is to be tried again, or was asked for in the admin.
LOOKS_FOR_DUE_EVERY_S = 1.0
# How often rows and calls are looked for that are over by time alone.
SWEEP_EVERY_S = 2.0
STANDBY_S = 1.0
RENEW_EVERY_S = 5.0
GONE_AFTER = timedelta(minutes=1)
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 2.0
# When it is stopped, what is being sent has this long to be answered.
ENDS_WITHIN_S = 3.0
# Of the session of the process that works; a process that dies loses it with its session.
LOCK = 0x43545F4453504348


class Dispatcher:
    """Works in the thread that calls `run`, until `stop` is called, by a signal or another thread."""

    def __init__(self, send: Send | None = None) -> None:
        # No event: a signal may come while this thread holds the lock of one.
        self._is_stopping = False
        self._woken = threading.Event()
        self._sender = Sender(self._woken.set, send)
        self._works = False
        self._process: DispatchProcess | None = None
        self._due: dict[str, float] = {}
        self._log_limit = OnceAMinute()

    def stop(self) -> None:
        self._is_stopping = True

    def run(self) -> None:
        self._sender.start()
        pause_s = 0.0
        while not self._is_stopping:
            began = time.monotonic()
            self._woken.clear()
            try:
                self._note_process()
                rest_s = self._work() if self._take_lock() else STANDBY_S
                pause_s = 0.0
            except Exception as error:  # noqa: BLE001 (whatever the error, it goes on after a pause)
                self._sender.pause()
                if isinstance(error, DatabaseError | InterfaceError):
                    self._lose_connection()
                self._say(error)
                rest_s = pause_s = min(max(SHORTEST_PAUSE_S, pause_s * 2), LONGEST_PAUSE_S)
            took_s = time.monotonic() - began
            self._woken.wait(max(rest_s - took_s, min(took_s * RESTS_OF_A_LOOK, LONGEST_PAUSE_S)))
        self._leave()

    def _work(self) -> float:
        """Do once what there is to do. Return how long to rest."""
        filled = self._fill()
        is_time_for_due = self._is_time_for("due", LOOKS_FOR_DUE_EVERY_S)
        if filled.deliveries or self._sender.may_have_more or is_time_for_due:
            self._sender.step()
        return 0.0 if filled.events >= outbox.MOST_EVENTS else LOOKS_EVERY_S

    def _fill(self) -> Filled:
        """Turn new events into deliveries. If that fails, what was added before is sent all the same."""
        is_time_to_sweep = self._is_time_for("sweep", SWEEP_EVERY_S)
        if not is_time_to_sweep and not outbox.has_events():
            return NOTHING
        try:
            return outbox.fill(sweeps=is_time_to_sweep) or NOTHING
        except (DatabaseError, InterfaceError):
            raise
        except Exception as error:  # noqa: BLE001 (the events are read again with the next look)
            self._say(error)
            return NOTHING

    def _take_lock(self) -> bool:
        """Return whether this process works: it holds the lock, or gets it now."""
        if not self._works:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
                ((self._works,),) = cursor.fetchall()
            if self._works:
                logger.info("this dispatcher works now")
                self._renew()
        return self._works

    def _lose_connection(self) -> None:
        """Close the connection, which may be broken, and with it the lock."""
        connection.close()
        self._works = False

    # --- What others know of this process ---

    def _note_process(self) -> None:
        if self._is_time_for("renew", RENEW_EVERY_S):
            self._renew()

    def _renew(self) -> None:
        """Renew the row of this process, and delete those of processes that are gone."""
        name = f"{socket.gethostname()} {os.getpid()}"
        if self._process is None:
            DispatchProcess.objects.filter(name=name).delete()
        DispatchProcess.objects.filter(seen_at__lt=Now() - GONE_AFTER).delete()
        if self._works:
            DispatchProcess.objects.filter(works=True).exclude(name=name).update(works=False)
        values = {"seen_at": Now(), "works": self._works}
        self._process, _is_new = DispatchProcess.objects.update_or_create(name=name, defaults=values)

    def _is_time_for(self, what: str, every_s: float) -> bool:
        now = time.monotonic()
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + every_s
        return True

    def _leave(self) -> None:
        """Let what is being sent end, store how that went, and remove the row of this process."""
        self._sender.stop(ENDS_WITHIN_S)
        try:
            self._sender.store(at_once=True)
            if self._process is not None:
                self._process.delete()
        except (DatabaseError, InterfaceError):
            logger.warning("the database is away: what was sent last may be sent once more")
        finally:
            connection.close()

    def _say(self, error: Exception) -> None:
        if self._log_limit.is_due():
            logger.error("events cannot be sent to other systems now: %s", type(error).__name__)
