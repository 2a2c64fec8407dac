"""Limits of what is logged: of lines per second, of lines about one subject, and of those about refused requests."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Hashable

LINES_PER_S = 20  # per process, so that a flood cannot fill the disk
LONGEST_LINE = 300
SAY_AGAIN_AFTER_S = 60.0


class OnceAMinute:
    """Limits lines about the same subject: an outage should not log one for every post. For any number of threads."""

    def __init__(self) -> None:
        self._silent_until: dict[Hashable, float] = {}
        self._looking = threading.Lock()

    def is_due(self, subject: Hashable = None) -> bool:
        """Return whether a line about a subject is to be logged now. Then the next one is due in a minute."""
        with self._looking:
            now = time.monotonic()
            if now < self._silent_until.get(subject, now):
                return False
            silent = {other: until for other, until in self._silent_until.items() if now < until}
            self._silent_until = silent | {subject: now + SAY_AGAIN_AFTER_S}
            return True


class LogRateLimit(logging.Filter):
    """Passes LINES_PER_S lines per second, and adds the number of suppressed lines to the next one."""

    def __init__(self) -> None:
        super().__init__()
        self._second, self._lines, self._held_back = 0, 0, 0
        self._counting = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        with self._counting:
            now = int(time.monotonic())
            if now != self._second:
                self._second, self._lines = now, 0
            self._lines += 1
            if self._lines > LINES_PER_S:
                self._held_back += 1
                return False
            if self._held_back:
                record.held_back, self._held_back = self._held_back, 0
            return True


class ClientFaults(LogRateLimit):
    """Reduces what Django logs about a client error to one line, a warning without traceback.

    Django logs a wrong Host, for example, as an error with a traceback, and logs the answer as well."""

    def filter(self, record: logging.LogRecord) -> bool:
        status = getattr(record, "status_code", 0)
        if not record.name.startswith("django.") or not 400 <= status < 500:
            return True
        request = getattr(record, "request", None)
        if getattr(request, "_fault_is_logged", False):
            return False
        if request is not None:
            request._fault_is_logged = True
        message = record.getMessage()[:LONGEST_LINE]
        record.msg = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in message)
        record.args, record.exc_info, record.exc_text = (), None, None
        record.levelno, record.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
        return super().filter(record)
