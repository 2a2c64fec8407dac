"""Filters for the log: few lines a second, and one short line for each request that was refused."""

from __future__ import annotations

import logging
import threading
import time

LINES_PER_S = 20  # of each process: a flood fills no disk
LONGEST_LINE = 300


class LogRateLimit(logging.Filter):
    """Lets LINES_PER_S lines a second pass, and adds to the next line how many it held back."""

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
    """Makes one line, a warning without traceback, of what Django says of a request that was at fault.

    A wrong Host, for example: Django logs it as an error with a traceback, and the answer once more."""

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
