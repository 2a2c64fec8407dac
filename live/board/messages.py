"""The messages of the board for browsers: figures of the numbers that they may see, without any caller or person."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.utils import timezone

from live.board.figures import Snapshot, together
from reports import periods

Numbers = frozenset[int] | None  # None are all


def whole(snapshot: Snapshot, numbers: Numbers) -> dict[str, Any]:
    """Return all rows of these numbers."""
    return _message(snapshot, numbers, snapshot.of(numbers)) | {"is_whole": True}


def changes(snapshot: Snapshot, before: Snapshot, numbers: Numbers) -> dict[str, Any] | None:
    """Return the rows of these numbers whose figures changed, and that of all numbers; None if nothing changed.

    Whole if numbers were added, renamed or removed."""
    own = snapshot.of(numbers)
    if own != before.of(numbers) or any(snapshot.numbers[pk].name != before.numbers[pk].name for pk in own):
        return whole(snapshot, numbers)
    changed = [pk for pk in own if snapshot.figures[pk] != before.figures[pk]]
    if not changed and snapshot.counted_until == before.counted_until:
        return None
    return _message(snapshot, numbers, changed)


def still_live(snapshot: Snapshot) -> dict[str, Any]:
    """Return the message that nothing changed."""
    return {"rows": [], "at": snapshot.at.isoformat()}


def until_of(snapshot: Snapshot) -> str:
    """Return the local time until which the calls of today are counted; blank in the first quarter-hour of a day."""
    until = snapshot.counted_until
    return timezone.localtime(until, periods.zone()).strftime("%H:%M") if until else ""


def _message(snapshot: Snapshot, numbers: Numbers, shown: Collection[int]) -> dict[str, Any]:
    rows = [{"number": pk, "name": snapshot.numbers[pk].name, **snapshot.figures[pk]} for pk in shown]
    return {
        "rows": rows,
        "all": together(snapshot.figures[pk] for pk in snapshot.of(numbers)),
        "at": snapshot.at.isoformat(),
        "until": until_of(snapshot),
    }
