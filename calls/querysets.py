"""QuerySets of numbers, access, keys, calls, events and refused posts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from django.db import connections, models
from django.db.models import Q
from django.db.models.functions import Reverse
from django.utils import timezone

from calls import keys, phones, search_keys
from calls.access import Rights
from calls.quarter_hours import quarter_hour_sql

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

    from calls.opening_hours import Schedule

    User = AbstractBaseUser | AnonymousUser

# Fewer digits, without an area code, are the end of too many numbers.
FEWEST_DIGITS_OF_AN_END = 6


class SearchKeyQuerySet(models.QuerySet):
    """Updates the search key of rows that are written in bulk. The model's SEARCHED names the text it is made of."""

    def bulk_create(self, objs: Any, *args: Any, **kwargs: Any) -> Any:
        rows = list(objs)
        self._set_search_keys(rows)
        if kwargs.get("update_fields"):
            kwargs["update_fields"] = self._with_search_key(kwargs["update_fields"])
        return super().bulk_create(rows, *args, **kwargs)

    def bulk_update(self, objs: Any, fields: Any, *args: Any, **kwargs: Any) -> int:
        rows = list(objs)
        self._set_search_keys(rows)
        return super().bulk_update(rows, self._with_search_key(fields), *args, **kwargs)

    def update(self, **values: Any) -> int:
        """Update rows and their search keys. Raise TypeError if the text is set to an expression."""
        searched = self.model.SEARCHED  # type: ignore[attr-defined]
        if searched in values and "search_key" not in values:
            if not isinstance(values[searched], str):
                raise TypeError(f"Set search_key too where {searched} is set to an expression.")
            values["search_key"] = search_keys.search_key(values[searched])
        return super().update(**values)

    update.alters_data = True  # type: ignore[attr-defined]

    def matching(self, term: str) -> Self:
        """Keep the rows whose text contains every word of a term, regardless of case and diacritics."""
        return self.filter(search_keys.contains("search_key", term))

    def _with_search_key(self, fields: Iterable[str]) -> list[str]:
        searched = self.model.SEARCHED  # type: ignore[attr-defined]
        return list(dict.fromkeys([*fields, *(["search_key"] if searched in fields else [])]))

    def _set_search_keys(self, rows: Iterable[Any]) -> None:
        for row in rows:
            row.set_search_key()


class NumberAccessQuerySet(models.QuerySet):
    def of(self, user: Any) -> NumberAccessQuerySet:
        """Keep the rows of a user that are in force today; none if the user is not active or not signed in.

        Superusers need no rows: ask `visible_to` or `calls.access.Rights` what a user may see."""
        return self.in_force().filter(user=user.pk) if user.is_active else self.none()

    def in_force(self) -> NumberAccessQuerySet:
        """Keep the rows whose last day, in the zone of the reports, is not over."""
        return self.filter(Q(until=None) | Q(until__gte=timezone.localdate()))


class DestinationNumberQuerySet(SearchKeyQuerySet):
    def visible_to(self, user: Any, what: str = "figures") -> DestinationNumberQuerySet:
        """Keep the numbers for which this user has a right (`Right`) today. Active superusers have every right.

        Raise ValueError if there is no such right."""
        numbers = Rights.of(user).numbers(what)
        return self if numbers is None else self.filter(pk__any_of=numbers)

    def schedules(self) -> dict[int, Schedule]:
        """Return the schedules of numbers with opening hours, by number id; numbers with the same hours share one."""
        with_hours = self.order_by().exclude(opening_hours=None)
        numbers: list[Any] = list(with_hours.prefetch_related("opening_hours__weekly", "opening_hours__days"))
        schedules = {hours: hours.schedule() for hours in {number.opening_hours for number in numbers}}
        return {number.pk: schedules[number.opening_hours] for number in numbers}

    def meant_by(self, text: str) -> list[Any]:
        """Return the numbers that a misread text may mean, most likely first; none if it is one of them exactly."""
        numbers: list[Any] = list(self)
        by_e164 = {number.e164: number for number in numbers}
        digits = re.sub(r"\D", "", text)
        if text in by_e164 or not digits:
            return []
        meant = dict.fromkeys(reading for reading in phones.misreadings(text) if reading in by_e164)
        if not meant and len(digits) >= FEWEST_DIGITS_OF_AN_END and not text.startswith("+"):
            meant = dict.fromkeys(e164 for e164 in by_e164 if e164.endswith(digits.lstrip("0")))
        return [by_e164[e164] for e164 in meant]


class AccessKeyQuerySet(models.QuerySet):
    def live_at(self, moment: datetime) -> AccessKeyQuerySet:
        """Keep the keys that admit posts received at `moment`."""
        return self.filter(keys.live_at(moment))


class CallQuerySet(models.QuerySet):
    def visible_to(self, user: Any, what: str = "calls") -> CallQuerySet:
        """Keep the calls of the numbers for which this user has a right (`Right`) today."""
        numbers = Rights.of(user).numbers(what)
        return self if numbers is None else self.filter(destination_number__any_of=numbers)

    def with_caller_reversed(self) -> CallQuerySet:
        """Add `caller_reversed` for filters: the caller's number in reverse order, as it is indexed."""
        return self.alias(caller_reversed=Reverse("caller_id_number"))

    def contradicting(self) -> CallQuerySet:
        """Keep the calls whose posts named two callers, two customer numbers, or another customer number than the
        number has."""
        return self.filter(
            Q(customer_number_least__lt=models.F("customer_number_greatest"))
            | Q(caller_least__lt=models.F("caller_greatest"))
            | Q(caller_id_number="", caller_greatest__isnull=False)
            | Q(customer_number_greatest__isnull=False, destination_number__customer_number__gt="")
            & ~Q(customer_number_greatest=models.F("destination_number__customer_number"))
        )


class CallEventQuerySet(models.QuerySet):
    def in_order(self) -> CallEventQuerySet:
        """Order by receipt; posts of the same microsecond in the order of their ids."""
        return self.order_by("received_at", "ingest_id")


# Logs every quarter-hour that has a call of one of these numbers, once. Reads only the index call_number_time. A single
# statement, so that the rows of a long history never pass through this process.
LOG_HISTORY = f"""
INSERT INTO calls_changedquarterhour (destination_number_id, quarter_hour)
SELECT destination_number_id, {quarter_hour_sql("first_post_at")} AS quarter_hour
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
    def visible_to(self, user: Any) -> RefusedPostQuerySet:
        """Keep the posts for numbers whose figures this user sees, and those for no number that is known here."""
        visible = Rights.of(user).numbers("figures")
        if visible is None:
            return self
        numbers: Any = self.model._meta.apps.get_model("calls", "DestinationNumber").objects.order_by()
        hidden = numbers.exclude(pk__in=visible)
        return self.exclude(destination_number__in=hidden.values("e164"))

    def waiting(self) -> RefusedPostQuerySet:
        """Keep the posts that are not counted yet."""
        return self.filter(replayed_at=None)

    def for_number(self, e164: str) -> RefusedPostQuerySet:
        """Keep the posts that name this number."""
        return self.filter(destination_number=e164)

    def summed_up(self) -> models.QuerySet[Any, Any]:
        """Return dicts of reason, destination_number, posts and last_at per number and reason, most posts first."""
        return (
            self.order_by()
            .values("reason", "destination_number")
            .annotate(posts=models.Sum("count"), last_at=models.Max("last_received_at"))
            .order_by("-posts", "reason", "destination_number")
        )
