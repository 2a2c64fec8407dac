"""Counts the open calls of numbers by the rules of the board, with one statement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from calls.models import RequestType
from live.board import rules
from live.board.rules import State

# Open calls are found by the index call_open, and their events by call. Of a call without a message for longer than
# any state lasts, no event is read: so calls whose end never arrives cost little.
COUNT_OPEN_CALLS = """
WITH moment AS MATERIALIZED (SELECT coalesce(%(now)s::timestamptz, now()) AS now),
number AS MATERIALIZED (
  SELECT id, make_interval(secs => seconds) AS talk_limit
  FROM unnest(%(numbers)s::bigint[], %(limits_s)s::float[]) AS number (id, seconds)
), standing AS (
  SELECT call.destination_number_id, now, talk_limit, last_post_at, answer_at, forward_at,
    greatest(first_post_at, bridge_end_at) AS in_plan_since,
    CASE WHEN has_talked THEN bridge_end_at ELSE first_post_at END AS waits_since
  FROM moment CROSS JOIN number JOIN calls_call AS call ON call.destination_number_id = number.id
  LEFT JOIN LATERAL (
    SELECT min(received_at) FILTER (WHERE request_type = %(answer)s AND ends = 0) AS answer_at,
      max(received_at) FILTER (WHERE request_type = %(forward)s AND ends = 0) AS forward_at,
      max(received_at) FILTER (WHERE request_type = %(block_end)s) AS bridge_end_at,
      bool_or(request_type = %(answer)s AND ends > 0) AS has_talked
    FROM (
      SELECT request_type, received_at, count(*) FILTER (WHERE request_type = %(block_end)s)
        OVER (ORDER BY received_at DESC, id DESC ROWS UNBOUNDED PRECEDING) AS ends
      FROM calls_callevent WHERE call_id = call.id
        AND (request_type IN (%(forward)s, %(answer)s) OR request_type = %(block_end)s AND block_type = 'BRIDGE')
    ) AS event
  ) AS course ON now - last_post_at <= talk_limit
  WHERE call.ended_at IS NULL AND call.silent_at IS NULL AND call.callback_id = ''
), judged AS (
  SELECT destination_number_id, waits_since, CASE
    WHEN now - last_post_at > talk_limit THEN 'no_end'
    WHEN answer_at IS NOT NULL THEN CASE WHEN now - answer_at > talk_limit THEN 'no_end' ELSE 'talking' END
    WHEN forward_at IS NOT NULL THEN CASE WHEN now - forward_at > %(rings_at_most)s THEN 'no_end' ELSE 'ringing' END
    WHEN now - in_plan_since > %(in_plan_at_most)s THEN 'no_end' ELSE 'in_plan' END AS state
  FROM standing
)
SELECT destination_number_id, count(*) FILTER (WHERE state = 'in_plan'), count(*) FILTER (WHERE state = 'ringing'),
  count(*) FILTER (WHERE state = 'talking'), count(*) FILTER (WHERE state = 'no_end'),
  min(waits_since) FILTER (WHERE state IN ('in_plan', 'ringing'))
FROM judged GROUP BY destination_number_id
"""


@dataclass(frozen=True)
class OpenCalls:
    """The open calls of a number by state, and since when the caller waits who waits longest."""

    calls: Mapping[State, int]
    waits_since: datetime | None = None


NO_CALLS = OpenCalls(dict.fromkeys(State, 0))


def count(limits: Mapping[int, timedelta], now: datetime | None = None) -> dict[int, OpenCalls]:
    """Return the open calls of these numbers, without those that have none. `limits` is how long a talk may take, by
    the id of the number; `now` is that of the database unless given."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT_OPEN_CALLS, parameters(limits, now))
        return {
            number: OpenCalls(dict(zip(State, calls, strict=True)), waits_since)
            for number, *calls, waits_since in cursor.fetchall()
        }


def parameters(limits: Mapping[int, timedelta], now: datetime | None = None) -> dict[str, Any]:
    """Return the parameters of COUNT_OPEN_CALLS."""
    return {
        "now": now,
        "numbers": list(limits),
        "limits_s": [limit.total_seconds() for limit in limits.values()],
        "forward": RequestType.INITIATE_FORWARD.value,
        "answer": RequestType.FORWARD_ANSWER.value,
        "block_end": RequestType.BLOCK_END.value,
        "rings_at_most": rules.RINGS_AT_MOST,
        "in_plan_at_most": rules.IN_PLAN_AT_MOST,
    }
