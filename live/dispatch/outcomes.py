"""What becomes of a delivery after a try: delivered, tried again after a pause, failed or expired. And stores that."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from django.db import DataError, connection, transaction
from django.utils.translation import gettext as _

from live.dispatch import formats
from live.dispatch.due import Due
from live.dispatch.formats.base import Verdict
from live.dispatch.tries import Tried
from live.models import State

# Each pause is longer or shorter by at most this share, so that not all are tried again at once.
SPREAD = 0.1
LONGEST_RETRY_AFTER = timedelta(days=1)
# What was due for longer than this is not sent unasked any more: the endpoint was off, or no dispatcher ran.
DUE_FOR_AT_MOST = timedelta(days=3)

# A result of a try that is to be repeated counts only if no replay was begun in between.
_STORE = """
UPDATE live_delivery AS delivery SET
  state = new.state,
  next_at = coalesce(new.next_at, delivery.next_at),
  tries = new.tries,
  tried_at = coalesce(new.tried_at, delivery.tried_at),
  took_ms = CASE WHEN new.tried_at IS NULL THEN delivery.took_ms ELSE new.took_ms END,
  status = CASE WHEN new.tried_at IS NULL THEN delivery.status ELSE new.status END,
  answer = CASE WHEN new.tried_at IS NULL THEN delivery.answer ELSE new.answer END,
  error = CASE WHEN new.tried_at IS NULL AND new.error = '' THEN delivery.error ELSE new.error END,
  follow_up = coalesce(new.follow_up::jsonb, delivery.follow_up)
FROM unnest(%(ids)s::bigint[], %(states)s::text[], %(next_ats)s::timestamptz[], %(tries)s::int[],
  %(tried_ats)s::timestamptz[], %(took_ms)s::int[], %(statuses)s::int[], %(answers)s::text[], %(errors)s::text[],
  %(follow_ups)s::text[])
  AS new (id, state, next_at, tries, tried_at, took_ms, status, answer, error, follow_up)
WHERE delivery.id = new.id AND delivery.state = 'waiting'
  AND (new.state <> 'waiting' OR delivery.tries = new.tries - 1)
"""


@dataclass(frozen=True)
class Outcome:
    """What is stored of a delivery. Without `tried_at` nothing was sent."""

    delivery: int
    endpoint: int
    state: State
    tries: int
    next_at: datetime | None = None
    tried_at: datetime | None = None
    took_ms: int | None = None
    status: int | None = None
    answer: str = ""
    error: str = ""
    follow_up: Mapping[str, str] = field(default_factory=dict)
    # The system said that its address is gone.
    is_gone: bool = False

    @property
    def is_delivered(self) -> bool:
        return self.state is State.DELIVERED


def without_a_try(due: Due, now: datetime) -> Outcome | None:
    """Return what becomes of a delivery that must not be sent; None if it may be."""
    delivery = due.delivery
    if due.lacks_first:
        return _not_sent(due, State.SKIPPED, _("The new call was not delivered, so the system does not know the call."))
    if delivery.expires_at is not None and delivery.expires_at <= now:
        # After a try, what was answered says more.
        return _not_sent(due, State.EXPIRED, "" if delivery.tries else too_late())
    if delivery.next_at <= now - DUE_FOR_AT_MOST:
        said = _("It had waited for %(n)d days. Send it again if it is still needed.")
        return _not_sent(due, State.EXPIRED, said % {"n": DUE_FOR_AT_MOST.days})
    return None


def too_late() -> str:
    return _("It could not be sent in time.")


def not_wanted(due: Due) -> Outcome:
    """Return what becomes of a delivery that the system has not asked for."""
    return _not_sent(due, State.SKIPPED, _("The system has not asked for this event of the call."))


def _not_sent(due: Due, state: State, error: str) -> Outcome:
    return Outcome(due.id, due.endpoint, state, due.delivery.tries, error=error)


def after_try(due: Due, tried: Tried, now: datetime) -> Outcome:
    """Return what becomes of a delivery after a try that ended now."""
    tries = due.delivery.tries + 1
    state, next_at = _judged(due, tried, tries, now)
    return Outcome(
        due.id,
        due.endpoint,
        state,
        tries,
        next_at,
        now,
        tried.took_ms,
        tried.status,
        tried.answer,
        tried.error,
        tried.follow_up,
        is_gone=tried.verdict is Verdict.GONE,
    )


def _judged(due: Due, tried: Tried, tries: int, now: datetime) -> tuple[State, datetime | None]:
    """Return the state, and when it is tried again."""
    if tried.verdict is Verdict.DELIVERED:
        return State.DELIVERED, None
    endpoint_format = formats.FORMATS.get(due.delivery.endpoint.format)
    pauses: Sequence[timedelta] = endpoint_format.pauses if endpoint_format else ()
    if tried.verdict is not Verdict.RETRY or tries > len(pauses):
        return State.FAILED, None
    pause = pauses[tries - 1] * random.uniform(1 - SPREAD, 1 + SPREAD)  # noqa: S311 (no secret)
    next_at = now + max(pause, min(retry_after(tried.retry_after, now), LONGEST_RETRY_AFTER))
    if due.delivery.expires_at is not None and next_at >= due.delivery.expires_at:
        return State.EXPIRED, None
    return State.WAITING, next_at


def retry_after(header: str, now: datetime) -> timedelta:
    """Return how long the header Retry-After asks to wait: seconds, or a date of HTTP. None at all if it is neither."""
    text = header.strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:12]), LONGEST_RETRY_AFTER.total_seconds()))
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return timedelta()
    return max(timedelta(), at.replace(tzinfo=at.tzinfo or UTC) - now)


def store(outcomes: Sequence[Outcome]) -> None:
    """Store outcomes with one statement. If the database refuses what was answered, the rest is stored without it."""
    try:
        _store(outcomes)
    except DataError:
        for outcome in outcomes:
            try:
                _store([outcome])
            except DataError:
                _store([replace(outcome, answer="", error=_("The answer cannot be stored."), follow_up={})])


def _store(outcomes: Sequence[Outcome]) -> None:
    ordered = sorted(outcomes, key=lambda outcome: outcome.delivery)
    values: dict[str, Any] = {
        "ids": [one.delivery for one in ordered],
        "states": [one.state.value for one in ordered],
        "next_ats": [one.next_at for one in ordered],
        "tries": [one.tries for one in ordered],
        "tried_ats": [one.tried_at for one in ordered],
        "took_ms": [one.took_ms for one in ordered],
        "statuses": [one.status for one in ordered],
        "answers": [one.answer for one in ordered],
        "errors": [one.error for one in ordered],
        "follow_ups": [json.dumps(dict(one.follow_up)) if one.follow_up else None for one in ordered],
    }
    with transaction.atomic(), connection.cursor() as cursor:
        # After a crash of the database what was sent in the last second is sent once more, with the same id, as after a
        # crash of this process. So the disk is not waited for.
        cursor.execute("SET LOCAL synchronous_commit = off")
        cursor.execute(_STORE, values)
