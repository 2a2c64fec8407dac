"""Celery beat, `celery -A config.beat beat`: its settings, and its scheduler, which keeps its state in memory and
continues when the clock is set back."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from celery.beat import Scheduler
from django.conf import settings

from config.celery import app

__all__ = ["SteadyScheduler", "app"]

if not settings.configured:  # in tests they are configured already
    # Not only as a default: importing `config.celery` has set it to config.settings already, for workers.
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.beat_settings"


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
