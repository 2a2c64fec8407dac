"""Celery beat's timetable: kept in memory, and not stopped by a clock that is set back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from celery.beat import Scheduler


class SteadyScheduler(Scheduler):
    """Sends every task at its interval, from the start on.

    Beat reckons by the clock on the wall: where that is set back by an hour, it would send nothing for an hour. A task
    that was last sent in the future is due now; sending one too many does no harm. Nothing is kept in a file, so that
    no file can be broken."""

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        now = self.app.now()
        for entry in self.schedule.values():
            if entry.last_run_at is not None and entry.last_run_at > now:
                entry.last_run_at = now - timedelta(days=1)
                self._heap = None  # the order of what is due is made anew
        return super().tick(*args, **kwargs)
