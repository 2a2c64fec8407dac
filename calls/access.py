"""The rights of a person for numbers, as pages ask for them many times: read by one query, then a lookup.

Where calls or numbers are read, `visible_to` of the querysets limits them; both rest on NumberAccess."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from calls.models import DestinationNumber, NumberAccess, Right

_EVERY_RIGHT = frozenset(Right)
_NO_RIGHT: frozenset[Right] = frozenset()
_FURTHER = [right for right in Right if right != Right.FIGURES]
# Rows are read as tuples: somebody may have one for each of hundreds of numbers, and every page reads them.
_COLUMNS = ("destination_number", *(right.value for right in _FURTHER))
_Row = tuple[Any, ...]


@cache
def _granted(*ticked: bool) -> frozenset[Right]:
    """Return the rights of a row by its columns."""
    return frozenset({Right.FIGURES, *(right for right, is_ticked in zip(_FURTHER, ticked, strict=True) if is_ticked)})


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
        return cls._granted_by(NumberAccess.objects.of(user).values_list(*_COLUMNS))

    @classmethod
    def of_each(cls, users: Iterable[Any]) -> dict[int, Rights]:
        """Return the rights of many users by their id, with one query."""
        users = list(users)
        rows: dict[int, list[_Row]] = {user.pk: [] for user in users}
        for pk, *row in NumberAccess.objects.in_force().filter(user__in=users).values_list("user", *_COLUMNS):
            rows[pk].append(tuple(row))
        return {
            user.pk: cls(_EVERY_RIGHT) if user.is_superuser else cls._granted_by(rows[user.pk])
            for user in users
            if user.is_active
        }

    @classmethod
    def _granted_by(cls, rows: Iterable[_Row]) -> Rights:
        by_number = {number: _granted(*ticked) for number, *ticked in rows}
        return cls(by_number.pop(None, _NO_RIGHT), by_number)

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
