"""Finds the deliveries that are to be sent now."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection

from live.dispatch import formats
from live.dispatch.steps import ANSWER, HANGUP, NEW_CALL
from live.models import Delivery, Endpoint, State

# Of an endpoint at once. They are sent within a fraction of a second, or read again.
MOST_READ = 100

_COLUMNS = ("id", "uuid", "endpoint_id", "event_id", "kind", "ring", "body", "next_at", "expires_at", "tries")
# Formats with rows: a step waits until those before it in its row are decided. What is being sent is still waiting.
_FIND = f"""
SELECT {", ".join(f"due.{column}" for column in _COLUMNS)}, due.call_id, first.state, first.follow_up
FROM live_endpoint AS endpoint
CROSS JOIN LATERAL (
  SELECT delivery.*, event.call_id FROM live_delivery AS delivery
  JOIN calls_callevent AS event ON event.id = delivery.event_id
  WHERE delivery.endpoint_id = endpoint.id AND delivery.state = 'waiting' AND delivery.next_at <= now()
    AND delivery.id <> ALL(%(busy)s)
    AND NOT (endpoint.format = ANY(%(with_rows)s) AND EXISTS (
      SELECT FROM calls_callevent AS earlier JOIN live_delivery AS before ON before.event_id = earlier.id
      WHERE earlier.call_id = event.call_id AND before.endpoint_id = endpoint.id AND before.ring = delivery.ring
        AND before.state = 'waiting' AND before.id < delivery.id))
  ORDER BY delivery.next_at, delivery.id LIMIT {MOST_READ}
) AS due
LEFT JOIN LATERAL (
  SELECT begun.state, begun.follow_up FROM calls_callevent AS beginning
  JOIN live_delivery AS begun ON begun.event_id = beginning.id
  WHERE beginning.call_id = due.call_id AND begun.endpoint_id = endpoint.id AND begun.ring = due.ring
    AND begun.kind = '{NEW_CALL}'
  ORDER BY begun.state = 'delivered' DESC, begun.id DESC LIMIT 1
) AS first ON due.kind IN ('{ANSWER}', '{HANGUP}')
WHERE endpoint.is_on AND endpoint.id <> ALL(%(full)s)
"""
# Also of endpoints that are off, and of rows whose first step is still tried.
_EXPIRE = """
UPDATE live_delivery AS delivery SET state = 'expired',
  error = CASE WHEN delivery.error = '' THEN %(error)s ELSE delivery.error END
FROM live_endpoint AS endpoint
WHERE endpoint.id = delivery.endpoint_id AND endpoint.format = ANY(%(with_rows)s) AND delivery.state = 'waiting'
  AND delivery.expires_at <= now() AND delivery.id <> ALL(%(busy)s)
"""


@dataclass(frozen=True)
class Due:
    """A delivery that is to be sent now. Of an answer or hangup: how the newCall of its row ended, if there is one, and
    the addresses that its answer named."""

    delivery: Delivery
    call: int
    first_state: str | None
    follow_up: Mapping[str, str]

    @property
    def id(self) -> int:
        return self.delivery.pk

    @property
    def endpoint(self) -> int:
        return self.delivery.endpoint_id

    @property
    def lacks_first(self) -> bool:
        """Whether the system does not know the row."""
        return self.delivery.kind in (ANSWER, HANGUP) and self.first_state != State.DELIVERED


def find(busy: Collection[int], full: Collection[int]) -> list[Due]:
    """Return what is due, at most MOST_READ of an endpoint; not the deliveries `busy`, and none of endpoints `full`."""
    with connection.cursor() as cursor:
        cursor.execute(_FIND, {"busy": list(busy), "full": list(full), "with_rows": _with_rows()})
        rows = cursor.fetchall()
    if not rows:
        return []
    endpoints = Endpoint.objects.in_bulk({row[2] for row in rows})
    found = []
    for *columns, call, first_state, follow_up in rows:
        values: dict[str, Any] = dict(zip(_COLUMNS, columns, strict=True))
        if endpoint := endpoints.get(values.pop("endpoint_id")):
            delivery = Delivery(endpoint=endpoint, **values)
            found.append(Due(delivery, call, first_state, _addresses(follow_up)))
    return found


def expire(busy: Collection[int], error: str) -> int:
    """Mark deliveries of formats with rows as expired whose time is over. Return how many."""
    with connection.cursor() as cursor:
        cursor.execute(_EXPIRE, {"busy": list(busy), "error": error, "with_rows": _with_rows()})
        expired: int = cursor.rowcount
    return expired


def _with_rows() -> list[str]:
    return [str(name) for name, endpoint_format in formats.FORMATS.items() if endpoint_format.has_rows]


def _addresses(follow_up: str | None) -> Mapping[str, str]:
    return json.loads(follow_up) if follow_up else {}
