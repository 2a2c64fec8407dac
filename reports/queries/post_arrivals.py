"""Which of the five posts arrive for a number, which are missing although others imply them, and silent numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from calls.models import BOXES, Arrives, DestinationNumber, RequestType
from reports import periods

# A kind of post has stopped when none came for this long while others did.
STOPPED_AFTER = timedelta(days=3)
# A number is silent if this many calls were expected since its last post, judged by its own last weeks. When 8 are
# expected, none come by chance only once in 3,000 times.
LEAST_USUAL = 8.0
WEEKS = 4
LONGEST_SILENCE = timedelta(days=7)

LAST_POSTS = """
SELECT destination_number_id, request_type, received_at, last_received_at FROM reports_firstpost
WHERE destination_number_id = ANY(%s)
"""
# Numbers to which all five posts come, none of them long before the newest.
COMPLETE = """
SELECT destination_number_id FROM reports_firstpost
WHERE destination_number_id = ANY(%s) AND request_type = ANY(%s)
GROUP BY 1 HAVING count(last_received_at) = %s AND max(last_received_at) - min(last_received_at) <= %s
"""
# Numbers whose routing plan forwards, according to its blocks.
BRIDGES = """
SELECT DISTINCT destination_number_id FROM reports_monthblockcounts
WHERE destination_number_id = ANY(%s) AND block_type = 'BRIDGE'
"""
# For each number, the average number of calls in the four weeks before, in the same hours as since its last post.
USUAL = """
WITH last AS (
  SELECT destination_number_id, max(last_received_at) AS at FROM reports_firstpost
  WHERE destination_number_id = ANY(%(ids)s) GROUP BY 1
)
SELECT last.destination_number_id, last.at, coalesce(sum(counts.offered), 0)::float / %(weeks)s AS usual
FROM last CROSS JOIN generate_series(1, %(weeks)s) AS week
LEFT JOIN LATERAL (
  SELECT offered FROM reports_quarterhourcounts
  WHERE destination_number_id = last.destination_number_id
    AND quarter_hour >= greatest(last.at, %(earliest)s) - week * interval '7 days'
    AND quarter_hour < %(now)s - week * interval '7 days'
  OFFSET 0  -- by the index, number by number and week by week
) AS counts ON true
WHERE last.at IS NOT NULL
GROUP BY 1, 2
"""

# For each span of a number, the average number of calls in the same hours some weeks before (0: the span itself).
BETWEEN = """
SELECT coalesce(sum(counts.offered), 0)::float / cardinality(%(weeks)s::int[])
FROM unnest(%(ids)s::bigint[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
  WITH ORDINALITY AS span (id, starts_at, ends_at, place)
CROSS JOIN unnest(%(weeks)s::int[]) AS week
LEFT JOIN LATERAL (
  SELECT offered FROM reports_quarterhourcounts
  WHERE destination_number_id = span.id
    AND quarter_hour >= span.starts_at - week * interval '7 days'
    AND quarter_hour < span.ends_at - week * interval '7 days'
  OFFSET 0  -- by the index, span by span and week by week
) AS counts ON true
GROUP BY span.place ORDER BY span.place
"""


class State(Enum):
    """Whether a kind of post arrives for a number."""

    ARRIVES = "arrives"
    OFF = "off"  # set to off
    NEVER = "never"  # and no other post implies it
    MISSING = "missing"  # although other posts imply it
    STOPPED = "stopped"

    do_not_call_in_templates = True


@dataclass(frozen=True)
class Arrival:
    """One of the five posts of one number."""

    number: DestinationNumber
    post: RequestType
    state: State
    first_at: datetime | None
    last_at: datetime | None
    why: str = ""  # why it is expected, if missing

    @property
    def setting(self) -> str:
        return str(self.number.arrives(self.post))

    @property
    def box(self) -> str:
        return str(BOXES[self.post])

    @property
    def needs_somebody(self) -> bool:
        return self.state in (State.MISSING, State.STOPPED)

    @property
    def advice(self) -> str:
        """Which box to tick, and where."""
        if not self.needs_somebody:
            return ""
        return _("Tick the box “%(box)s” in the routing plan of %(number)s in TENIOS.") % {
            "box": self.box,
            "number": self.number.readable,
        }

    @property
    def says(self) -> str:
        """The whole as a sentence."""
        about = {"number": self.number.name, "post": str(self.post.label), "why": self.why}
        if self.state is State.STOPPED and self.last_at:
            about["moment"] = periods.moment_label(self.last_at)
            return (
                _("%(number)s: no message “%(post)s” from TENIOS since %(moment)s, although other messages arrived.")
                % about
            )
        return _("%(number)s: the message “%(post)s” from TENIOS never arrives. %(why)s") % about


@dataclass(frozen=True)
class Silence:
    """A number that sends no posts, although calls are expected by now."""

    number: DestinationNumber
    since: datetime
    usual: float  # calls expected by now

    @property
    def says(self) -> str:
        # At least LEAST_USUAL, so never one call.
        return _("%(number)s: no calls received since %(moment)s; about %(calls)d were expected.") % {
            "number": self.number.name,
            "moment": periods.moment_label(self.since),
            "calls": round(self.usual),
        }


def of_numbers(numbers: Sequence[DestinationNumber]) -> dict[DestinationNumber, list[Arrival]]:
    """Return the state of each of the five posts for each number. Reads only counts."""
    ids = [number.pk for number in numbers]
    with connection.cursor() as cursor:
        cursor.execute(LAST_POSTS, [ids])
        seen = {(number_id, post): (first, last) for number_id, post, first, last in cursor.fetchall()}
        cursor.execute(BRIDGES, [ids])
        bridged = {number_id for (number_id,) in cursor.fetchall()}
    posts = [(post, post.value) for post in RequestType]
    return {
        number: _arrivals(
            number,
            {post: seen.get((number.pk, value), (None, None)) for post, value in posts},
            has_bridge=number.pk in bridged,
        )
        for number in numbers
    }


def needing_somebody(numbers: Sequence[DestinationNumber]) -> list[Arrival]:
    """Return the posts that are missing or have stopped, number by number."""
    parameters: list[Any] = [[number.pk for number in numbers], RequestType.values, len(RequestType), STOPPED_AFTER]
    with connection.cursor() as cursor:
        cursor.execute(COMPLETE, parameters)
        complete = {number_id for (number_id,) in cursor.fetchall()}
    arrivals = of_numbers([number for number in numbers if number.pk not in complete])
    return [arrival for of_number in arrivals.values() for arrival in of_number if arrival.needs_somebody]


def _arrivals(
    number: DestinationNumber,
    seen: dict[RequestType, tuple[datetime | None, datetime | None]],
    *,
    has_bridge: bool,
) -> list[Arrival]:
    """Return the state of each of the five posts of a number. `seen` holds when each came first and last."""
    newest = max((at for _first, at in seen.values() if at), default=None)
    came = {post for post, (at, _last) in seen.items() if at}

    def arrival(post: RequestType, first: datetime | None, last: datetime | None) -> Arrival:
        if number.arrives(post) == Arrives.OFF:
            return Arrival(number, post, State.OFF, first, last)
        if first is not None:
            has_stopped = last is not None and newest is not None and newest - last > STOPPED_AFTER
            # Other posts may be absent for days, because no call was forwarded or answered.
            is_certain = post in (RequestType.CALL_START, RequestType.CALL_END, RequestType.BLOCK_END)
            return Arrival(number, post, State.STOPPED if has_stopped and is_certain else State.ARRIVES, first, last)
        why = _why_missing(post, came, has_bridge=has_bridge)
        return Arrival(number, post, State.MISSING if why else State.NEVER, None, None, why)

    return [arrival(post, first, last) for post, (first, last) in seen.items()]


def _why_missing(post: RequestType, came: set[RequestType], *, has_bridge: bool) -> str:
    """Return why a post that never came is expected; blank if it is not."""
    if post == RequestType.CALL_START and came:
        return _("Every call has a start, and other messages about calls arrived.")
    if post == RequestType.BLOCK_END and came:
        return _("Every routing plan has blocks, and other messages about its calls arrived.")
    if post == RequestType.CALL_END and came & {RequestType.CALL_START, RequestType.BLOCK_END}:
        return _("Every call ends, and other messages about calls arrived.")
    if post == RequestType.INITIATE_FORWARD and (has_bridge or RequestType.FORWARD_ANSWER in came):
        return _("Forwarding blocks ended or calls were answered, so calls were forwarded.")
    return ""


def silent(numbers: Sequence[DestinationNumber], now: datetime) -> list[Silence]:
    """Return the numbers that are silent, judged by their own last weeks; most expected calls first."""
    by_id = {number.pk: number for number in numbers}
    with connection.cursor() as cursor:
        parameters: dict[str, Any] = {"ids": list(by_id), "weeks": WEEKS, "now": now, "earliest": now - LONGEST_SILENCE}
        cursor.execute(USUAL, parameters)
        silences = [Silence(by_id[number_id], at, usual) for number_id, at, usual in cursor.fetchall()]
    silences = [silence for silence in silences if silence.usual >= LEAST_USUAL]
    return sorted(silences, key=lambda silence: -silence.usual)


def calls_between(spans: Sequence[tuple[int, datetime, datetime]], weeks: Sequence[int] = (0,)) -> list[float]:
    """Return, for spans of numbers (id, start, end), the average number of calls in the same hours `weeks` before.

    Spans begin and end with quarter-hours; one that begins within one leaves it out."""
    if not spans:
        return []
    ids, starts, ends = zip(*spans, strict=True)
    with connection.cursor() as cursor:
        parameters: dict[str, Any] = {
            "ids": list(ids),
            "starts": list(starts),
            "ends": list(ends),
            "weeks": list(weeks),
        }
        cursor.execute(BETWEEN, parameters)
        return [average for (average,) in cursor.fetchall()]
