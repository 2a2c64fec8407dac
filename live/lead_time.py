"""Lead time: how long before the answer a ring was on the screen of a person who answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from calls.access import Rights
from calls.models import DestinationNumber, Right
from contacts.models import name_of
from reports.views.readable import Readable

# Every page of a number asks for it, and rings are found by their time.
LOOKED_BACK = timedelta(days=7)

# Rings that were answered at their own destination, as the rows of one person or of all (user_id null). Those that
# were on no screen before the answer count in `answered` alone.
_SQL = """
SELECT pop.user_id,
       count(*) AS answered,
       count(*) FILTER (WHERE pop.shown_at <= pop.answered_at) AS shown,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM pop.answered_at - pop.shown_at))
           FILTER (WHERE pop.shown_at <= pop.answered_at) AS median_s
FROM live_pop AS pop
JOIN calls_callevent AS event ON event.id = pop.event_id
JOIN calls_call AS call ON call.id = event.call_id
WHERE pop.rang_at >= %(since)s AND pop.answered_at IS NOT NULL AND NOT pop.is_test
  AND call.destination_number_id = %(number)s
GROUP BY GROUPING SETS ((), (pop.user_id))
"""


@dataclass(frozen=True)
class Lead(Readable):
    """The lead time of the answered rings of one person, or of all."""

    name: str
    answered: int
    shown: int
    median_s: float | None

    @property
    def share(self) -> float | None:
        """The part of the answered rings that was on a screen before the answer."""
        return self.shown / self.answered if self.answered else None


@dataclass(frozen=True)
class LeadTime(Readable):
    """The lead time of a number; of single people if the reader may see them and they are enough."""

    whole: Lead
    people: Sequence[Lead]


def of_number(number: DestinationNumber, reader: Any) -> LeadTime:
    """Return the lead time of a number in the days looked back."""
    with connection.cursor() as cursor:
        cursor.execute(_SQL, {"since": timezone.now() - LOOKED_BACK, "number": number.pk})
        by_user = {user_id: figures for user_id, *figures in cursor.fetchall()}
    whole = Lead("", *by_user.pop(None, (0, 0, None)))
    if not Rights.of(reader).may(Right.PEOPLE, number) or len(by_user) < settings.FORWARDS_LEAST_DESTINATIONS:
        return LeadTime(whole, [])
    people = [Lead(name_of(user), *by_user[user.pk]) for user in User.objects.filter(pk__in=by_user)]
    return LeadTime(whole, sorted(people, key=lambda lead: lead.name.casefold()))
