"""Named questions about numbers, keys, calls and events."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import connections, models
from django.db.models import Q

from calls import phones

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

    from calls.opening import Schedule

    User = AbstractBaseUser | AnonymousUser


class DestinationNumberQuerySet(models.QuerySet):
    def visible_to(self, user: Any) -> DestinationNumberQuerySet:
        """Keep the numbers this user manages; staff see all."""
        return self if user.is_staff else self.filter(managers=user)

    def schedules(self) -> dict[int, Schedule]:
        """Return the schedules of those numbers that have opening hours, by id; numbers of the same hours share one."""
        with_hours = self.order_by().exclude(opening_hours=None)
        numbers: list[Any] = list(with_hours.prefetch_related("opening_hours__weekly", "opening_hours__days"))
        schedules = {hours: hours.schedule() for hours in {number.opening_hours for number in numbers}}
        return {number.pk: schedules[number.opening_hours] for number in numbers}


class AccessKeyQuerySet(models.QuerySet):
    def live_at(self, moment: datetime) -> AccessKeyQuerySet:
        """Keep the keys that admit posts received at `moment`."""
        return self.filter(
            Q(expires_at=None) | Q(expires_at__gt=moment),
            Q(revoked_at=None) | Q(revoked_at__gt=moment),
            valid_from__lte=moment,
        )


class CallQuerySet(models.QuerySet):
    def visible_to(self, user: Any) -> CallQuerySet:
        """Keep the calls of the numbers this user manages; staff see all."""
        return self if user.is_staff else self.filter(destination_number__managers=user)

    def started_between(self, start: datetime, end: datetime) -> CallQuerySet:
        """Half-open, so that an index serves it and no call falls in two periods."""
        return self.filter(first_post_at__gte=start, first_post_at__lt=end)

    def of_caller(self, text: str) -> CallQuerySet:
        """Keep the calls of one caller, whatever the spelling of the number."""
        return self.filter(caller_id_number=phones.comparable(text))

    def contradicting(self) -> CallQuerySet:
        """Keep the calls whose posts named two callers, two customer numbers, or another than the number's own."""
        return self.filter(
            Q(customer_number_least__lt=models.F("customer_number_greatest"))
            | Q(caller_least__lt=models.F("caller_greatest"))
            | Q(caller_id_number="", caller_greatest__isnull=False)
            | Q(customer_number_greatest__isnull=False, destination_number__customer_number__gt="")
            & ~Q(customer_number_greatest=models.F("destination_number__customer_number"))
        )


class CallEventQuerySet(models.QuerySet):
    def in_order(self) -> CallEventQuerySet:
        """As they were received; posts of the same microsecond as they were taken."""
        return self.order_by("received_at", "ingest_id")


# Every quarter-hour that has a call of one of these numbers, once. Read from the index call_number_time alone. One
# statement, however long the history: what it logs never passes through this process.
LOG_HISTORY = """
INSERT INTO calls_changedquarterhour (destination_number_id, quarter_hour)
SELECT destination_number_id, date_bin('15 minutes', first_post_at, '1970-01-01 00:00:00+00') AS quarter_hour
FROM calls_call WHERE destination_number_id = ANY(%s) GROUP BY 1, 2
"""


class ChangedQuarterHourQuerySet(models.QuerySet):
    def log_history(self, numbers: Iterable[int]) -> int:
        """Log every quarter-hour that has a call of one of these numbers (ids); return how many were logged."""
        with connections[self.db].cursor() as cursor:
            cursor.execute(LOG_HISTORY, [list(numbers)])
            logged: int = cursor.rowcount
            return logged


class RefusedPostQuerySet(models.QuerySet):
    def waiting(self) -> RefusedPostQuerySet:
        """Keep those that are not counted yet."""
        return self.filter(replayed_at=None)

    def for_number(self, e164: str) -> RefusedPostQuerySet:
        """Keep those that named a number."""
        return self.filter(destination_number=e164)

    def summed_up(self) -> models.QuerySet[Any, Any]:
        """Return dicts of reason, destination_number, posts and last_at: one for each number and reason, most first."""
        return (
            self.order_by()
            .values("reason", "destination_number")
            .annotate(posts=models.Sum("count"), last_at=models.Max("last_received_at"))
            .order_by("-posts", "reason", "destination_number")
        )
