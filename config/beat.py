"""Celery beat's scheduler: keeps its state in memory and continues when the clock is set back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from celery.beat import Scheduler


class SteadyScheduler(Scheduler):
    """Sends each task at its interval, starting at once.

    Beat uses the system clock: if it is set back by an hour, beat would send nothing for an hour. Here, a task that was
    last sent in the future is due now; sending one too many does no harm. No state is kept in a file that could be
    corrupted."""

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        now = self.app.now()
        for entry in self.schedule.values():
            if entry.last_run_at is not None and entry.last_run_at > now:
                entry.last_run_at = now - timedelta(days=1)
                self._heap = None  # has the order of due tasks calculated again
        return super().tick(*args, **kwargs)
