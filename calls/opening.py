"""Opening hours of a number: whether it is open at a moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, eq=False)
class Schedule:
    zone: str
    weekly: Mapping[int, tuple[tuple[int, int], ...]]
    days: Mapping[date, tuple[tuple[int, int], ...]]
    state: str

    def is_open(self, moment: datetime) -> bool:
        raise NotImplementedError

    def holidays(self, first: date, last: date) -> set[date]:
        raise NotImplementedError
