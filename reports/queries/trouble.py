"""Which numbers have trouble now: they are silent, or messages that are expected are missing or have stopped.

The navigation of every page says how many a person sees, so each process reads them at most once a minute."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from django.utils import timezone

from calls.models import DestinationNumber
from reports.queries import post_arrivals

KEPT_S = 60


class _Troubled(NamedTuple):
    ids: frozenset[int]
    read_at: float  # of the monotonic clock, which no one sets


_kept: _Troubled | None = None


def count_troubled(numbers: Sequence[DestinationNumber]) -> int:
    """Return how many of these numbers have trouble; what is known of them is up to KEPT_S seconds old."""
    if not numbers:
        return 0
    global _kept  # noqa: PLW0603 (a value that the threads of a process share)
    troubled = _kept
    if troubled is None or time.monotonic() - troubled.read_at > KEPT_S:
        troubled = _kept = _Troubled(_read(), time.monotonic())
    return sum(number.pk in troubled.ids for number in numbers)


def forget() -> None:
    """Have the next call of `count_troubled` read again."""
    global _kept  # noqa: PLW0603
    _kept = None


def _read() -> frozenset[int]:
    numbers = list(DestinationNumber.objects.order_by())
    silent = {silence.number.pk for silence in post_arrivals.silent(numbers, timezone.now())}
    return frozenset(silent | {arrival.number.pk for arrival in post_arrivals.needing_somebody(numbers)})
