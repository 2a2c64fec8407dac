"""The state of the dispatcher, for System status, metrics and checks: whether one works, and how far it is behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core.checks import CheckMessage
from django.core.checks import Warning as Caution
from django.db import DatabaseError, connection
from django.db.models.functions import Now

from live.models import DispatchProcess, Endpoint

# A process that has not renewed its row for this long does not run.
RUNS_WITHIN = timedelta(seconds=30)
# More is not counted: the figure only has to say that it is a lot.
MOST_COUNTED = 10_000

# Not of endpoints that fail: their deliveries wait for them, not for us.
_DUE = f"""
SELECT count(*), extract(epoch FROM now() - min(due.next_at))
FROM live_endpoint AS endpoint CROSS JOIN LATERAL (
  SELECT delivery.next_at FROM live_delivery AS delivery
  WHERE delivery.endpoint_id = endpoint.id AND delivery.state = 'waiting' AND delivery.next_at <= now()
  ORDER BY delivery.next_at LIMIT {MOST_COUNTED}
) AS due
WHERE endpoint.is_on AND endpoint.failing_since IS NULL
"""
_UNREAD = f"""
SELECT count(*), extract(epoch FROM now() - min(unread.received_at))
FROM live_dispatchcursor AS read CROSS JOIN LATERAL (
  SELECT event.received_at FROM calls_callevent AS event WHERE event.id > read.last_event_id
  ORDER BY event.id LIMIT {MOST_COUNTED}
) AS unread
"""


@dataclass(frozen=True)
class DispatcherState:
    """What runs, and what it has not done yet. Figures are 0 where nothing waits."""

    processes: Sequence[DispatchProcess]
    endpoints_on: int
    # Messages from TENIOS that have not been read, at most MOST_COUNTED, and how long ago the first was received.
    unread: int = 0
    unread_s: float = 0.0
    # Deliveries that should have been sent, without those of endpoints that fail, and how long the first has been due.
    due: int = 0
    due_s: float = 0.0

    @property
    def working(self) -> DispatchProcess | None:
        """The process that works."""
        return next((process for process in self.processes if process.works), None)

    @property
    def is_missing(self) -> bool:
        """Whether endpoints are on, but nothing is sent to them."""
        return bool(self.endpoints_on) and self.working is None

    @property
    def behind_s(self) -> float:
        return max(self.unread_s, self.due_s)


def read() -> DispatcherState:
    """Return the state of the dispatcher. While no endpoint is on, nothing counts as waiting."""
    running = DispatchProcess.objects.filter(seen_at__gt=Now() - RUNS_WITHIN).order_by("name")
    endpoints_on = Endpoint.objects.filter(is_on=True).count()
    if not endpoints_on:
        return DispatcherState(list(running), 0)
    with connection.cursor() as cursor:
        cursor.execute(_UNREAD)
        ((unread, unread_s),) = cursor.fetchall()
        cursor.execute(_DUE)
        ((due, due_s),) = cursor.fetchall()
    return DispatcherState(list(running), endpoints_on, unread, _seconds(unread_s), due, _seconds(due_s))


def _seconds(value: Any) -> float:
    return max(0.0, float(value or 0.0))


def check(app_configs: Any = None, databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Warn if endpoints are on and no dispatcher works."""
    if not databases:
        return []
    try:
        is_missing = read().is_missing
    except DatabaseError:  # the database is away, or not migrated: other checks say so
        return []
    finally:
        connection.close()
    if not is_missing:
        return []
    text = "Endpoints are on, but no `dispatcher` is running: nothing is sent to other systems."
    return [Caution(text, hint="Run systemctl start calltally-dispatcher", id="calltally.W040")]
