"""The rights of a person for numbers, as pages ask for them many times: read by one query, then a lookup.

Where calls or numbers are read, `visible_to` of the querysets limits them; both rest on NumberAccess."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from calls.models import DestinationNumber, NumberAccess, Right

_EVERY_RIGHT = frozenset(Right)
_NO_RIGHT: frozenset[Right] = frozenset()


@dataclass(frozen=True)
class Rights:
    """What one person may see on the day it was read. Read it anew for each request or job."""

    # Rights for all numbers, including those that are added later.
    for_all: frozenset[Right] = _NO_RIGHT
    # Further rights for single numbers, by the id of the number.
    by_number: Mapping[int, frozenset[Right]] = field(default_factory=dict)

    @classmethod
    def of(cls, user: Any) -> Rights:
        """Return the rights of a user; none if the user is not active or not signed in."""
        if user.is_active and user.is_superuser:
            return cls(_EVERY_RIGHT)
        return cls._granted_by(NumberAccess.objects.of(user))

    @classmethod
    def of_each(cls, users: Iterable[Any]) -> dict[int, Rights]:
        """Return the rights of many users by their id, with one query."""
        users = list(users)
        rows: dict[int, list[NumberAccess]] = {user.pk: [] for user in users}
        for row in NumberAccess.objects.in_force().filter(user__in=users):
            rows[row.user_id].append(row)
        return {
            user.pk: cls(_EVERY_RIGHT) if user.is_superuser else cls._granted_by(rows[user.pk])
            for user in users
            if user.is_active
        }

    @classmethod
    def _granted_by(cls, rows: Iterable[NumberAccess]) -> Rights:
        for_all: frozenset[Right] = _NO_RIGHT
        by_number: dict[int, frozenset[Right]] = {}
        for row in rows:
            if row.destination_number_id is None:
                for_all = row.rights
            else:
                by_number[row.destination_number_id] = row.rights
        return cls(for_all, by_number)

    def may(self, what: str, number: DestinationNumber | int) -> bool:
        """Return whether the person has a right (`Right`) for a number."""
        right = Right(what)
        pk = number if isinstance(number, int) else number.pk
        return right in self.for_all or right in self.by_number.get(pk, _NO_RIGHT)

    def may_each(self, what: str, numbers: Iterable[DestinationNumber]) -> bool:
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
