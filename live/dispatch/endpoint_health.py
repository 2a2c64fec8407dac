"""Keeps for each endpoint whether deliveries arrive, and switches off those that are gone or fail for days."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from live.dispatch.outcomes import Outcome
from live.models import Endpoint, WhyOff

logger = logging.getLogger(__name__)

# An endpoint is off after failing for so long. Two failures with days without calls in between are no reason, so there
# must have been some in a row, too.
FAILS_AT_MOST = timedelta(days=5)
LEAST_FAILURES = 5
# Not with each delivery: the row of an endpoint is one that others want.
STORE_EVERY_S = 1.0
LONGEST_FAILURE = 500

_STORE = """
UPDATE live_endpoint AS endpoint SET
  delivered_at = greatest(endpoint.delivered_at, new.delivered_at),
  failing_since = CASE WHEN new.failing_since IS NULL THEN NULL WHEN new.delivered_at IS NULL
    THEN coalesce(endpoint.failing_since, new.failing_since) ELSE new.failing_since END,
  last_failure = new.failure
FROM unnest(%(ids)s::bigint[], %(delivered_ats)s::timestamptz[], %(failing_sinces)s::timestamptz[],
  %(failures)s::text[]) AS new (id, delivered_at, failing_since, failure)
WHERE endpoint.id = new.id
RETURNING endpoint.id, endpoint.failing_since IS NOT NULL
  AND greatest(endpoint.failing_since, endpoint.on_since) < now() - %(at_most)s
"""


@dataclass
class _Health:
    """What has happened at an endpoint since that was stored."""

    delivered_at: datetime | None = None
    # The first failure since the last delivery.
    failing_since: datetime | None = None
    failure: str = ""
    in_a_row: int = 0
    is_gone: bool = False
    is_changed: bool = False
    stored_at: float = -STORE_EVERY_S

    def note(self, outcome: Outcome, tried_at: datetime) -> None:
        self.is_changed = True
        if outcome.is_delivered:
            self.delivered_at, self.failing_since, self.failure, self.in_a_row = tried_at, None, "", 0
        else:
            self.failing_since = self.failing_since or tried_at
            answered = _("The system answered %(status)s.") % {"status": outcome.status}
            self.failure = (outcome.error or answered)[:LONGEST_FAILURE]
            self.in_a_row += 1
            self.is_gone = self.is_gone or outcome.is_gone


class EndpointHealth:
    """The health of all endpoints. Used by one thread."""

    def __init__(self) -> None:
        self._of: dict[int, _Health] = {}

    def note(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            if outcome.tried_at is not None:
                self._of.setdefault(outcome.endpoint, _Health()).note(outcome, outcome.tried_at)

    def store(self, *, at_once: bool = False) -> None:
        """Store what has changed, at most once a second for each endpoint unless `at_once`."""
        until = time.monotonic() - STORE_EVERY_S
        due = {
            pk: one
            for pk, one in self._of.items()
            if one.is_changed and (at_once or one.is_gone or one.stored_at <= until)
        }
        if not due:
            return
        values: dict[str, Any] = {
            "ids": sorted(due),
            "delivered_ats": [due[pk].delivered_at for pk in sorted(due)],
            "failing_sinces": [due[pk].failing_since for pk in sorted(due)],
            "failures": [due[pk].failure for pk in sorted(due)],
            "at_most": FAILS_AT_MOST,
        }
        with connection.cursor() as cursor:
            cursor.execute(_STORE, values)
            fails_too_long = {pk for pk, is_too_long in cursor.fetchall() if is_too_long}
        for pk, health in due.items():
            if health.is_gone:
                _switch_off(pk, WhyOff.GONE)
            elif pk in fails_too_long and health.in_a_row >= LEAST_FAILURES:
                _switch_off(pk, WhyOff.FAILING)
                health.in_a_row = 0
            health.delivered_at, health.is_changed, health.is_gone = None, False, False
            health.stored_at = time.monotonic()


def _switch_off(endpoint: int, why: WhyOff) -> None:
    if Endpoint.objects.filter(pk=endpoint, is_on=True).update(is_on=False, off_at=Now(), why_off=why):
        logger.warning("endpoint %d was switched off: %s", endpoint, why.value)
