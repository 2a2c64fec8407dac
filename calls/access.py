"""The rights of a person for numbers: read by one query for each request, then looked up.

Where calls or numbers are read, `visible_to` of the querysets limits them by these rights."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import TextChoices
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Right(TextChoices):
    """What a person may see of a number. Except for figures, the value is the name of a field of NumberAccess."""

    FIGURES = "figures", _("Figures")
    CALLS = "calls", _("Single calls")
    CALLERS = "callers", _("Callers, shown one by one, and their contacts")
    PEOPLE = "people", _("Destinations and figures of single people")
    EXPORT = "export", _("Downloads of single calls")


_EVERY_RIGHT = frozenset(Right)
_NO_RIGHT: frozenset[Right] = frozenset()
_FURTHER = [right for right in Right if right != Right.FIGURES]
_COLUMNS = ", ".join(_FURTHER)
# The numbers that a user has the same rights for, in one row, and None among them for all numbers. Every page reads
# this: the ORM takes three times as long, and longer for each number. NumberAccessQuerySet.of says the same.
_GRANTED = f"""
SELECT user_id, array_agg(destination_number_id), {_COLUMNS} FROM calls_numberaccess
WHERE user_id = ANY(%s) AND (until IS NULL OR until >= %s) GROUP BY user_id, {_COLUMNS}
"""
_Row = tuple[Any, ...]
# The attribute of a user in which their rights are kept.
_KEPT = "_rights_for_numbers"


@cache
def _granted(*ticked: bool) -> frozenset[Right]:
    """Return the rights of a row by its columns."""
    return frozenset({Right.FIGURES, *(right for right, is_ticked in zip(_FURTHER, ticked, strict=True) if is_ticked)})


@dataclass(frozen=True)
class Rights:
    """What one person may see on the day it was read."""

    # Rights for all numbers, including those that are added later.
    for_all: frozenset[Right] = _NO_RIGHT
    # Further rights for single numbers, by the id of the number.
    by_number: Mapping[int, frozenset[Right]] = field(default_factory=dict)

    @classmethod
    def of(cls, user: Any) -> Rights:
        """Return the rights of a user; none if the user is not active or not signed in.

        They are read once and kept on the user object, as Django keeps permissions. Each request and job has its own
        object; to read changed rights within one, fetch the user again."""
        if getattr(user, _KEPT, None) is None:
            cls.read_for([user])
        kept: Rights = getattr(user, _KEPT)
        return kept

    @classmethod
    def read_for(cls, users: Iterable[Any]) -> None:
        """Read the rights of many users with one query, and keep them for `of`."""
        unread = [user for user in users if not hasattr(user, _KEPT)]
        rights = cls.of_each(unread)
        for user in unread:
            setattr(user, _KEPT, rights.get(user.pk, cls()))

    @classmethod
    def of_each(cls, users: Iterable[Any]) -> dict[int, Rights]:
        """Return the rights of many users by their id, with one query; users who are not active are missing."""
        active = [user for user in users if user.is_active]
        rows: dict[int, list[_Row]] = {user.pk: [] for user in active}
        if asked := [user.pk for user in active if not user.is_superuser]:
            with connection.cursor() as cursor:
                cursor.execute(_GRANTED, [asked, timezone.localdate()])
                for pk, numbers, *ticked in cursor:
                    rows[pk] += [(number, *ticked) for number in numbers]
        return {user.pk: cls(_EVERY_RIGHT) if user.is_superuser else cls._granted_by(rows[user.pk]) for user in active}

    @classmethod
    def _granted_by(cls, rows: Iterable[_Row]) -> Rights:
        by_number = {number: _granted(*ticked) for number, *ticked in rows}
        return cls(by_number.pop(None, _NO_RIGHT), by_number)

    def may(self, what: str, number: Any) -> bool:
        """Return whether the person has a right (`Right`) for a DestinationNumber or the id of one."""
        right = Right(what)
        pk = number if isinstance(number, int) else number.pk
        return right in self.for_all or right in self.by_number.get(pk, _NO_RIGHT)

    def may_each(self, what: str, numbers: Iterable[Any]) -> bool:
        """Return whether the person has a right for each of these numbers."""
        return all(self.may(what, number) for number in numbers)

    def anywhere(self, what: str) -> bool:
        """Return whether the person has a right for at least one number, or for all."""
        right = Right(what)
        return right in self.for_all or any(right in rights for rights in self.by_number.values())

    def everywhere(self, what: str) -> bool:
        """Return whether the person has a right for all numbers, including those that are added later."""
        return Right(what) in self.for_all

    def numbers(self, what: str) -> frozenset[int] | None:
        """Return the ids of the numbers for which the person has a right; None for all numbers."""
        right = Right(what)
        if right in self.for_all:
            return None
        return frozenset(pk for pk, rights in self.by_number.items() if right in rights)


def who_sees_single_calls(people: Collection[Any]) -> set[int]:
    """Return the ids of those among some people who have the right to single calls of any number."""
    Rights.read_for(people)
    return {user.pk for user in people if Rights.of(user).anywhere(Right.CALLS)}
