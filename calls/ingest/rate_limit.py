"""Rate limit for senders of refused posts. Accepted posts are not limited."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Hashable

REFUSED_AT_ONCE = 60  # posts that may be refused before a sender is slowed down
REFUSED_PER_S = 1.0  # and after that per second, in each process
MOST_SENDERS = 10_000  # the sender whose last refusal is oldest is forgotten first


class RateLimit:
    """Keeps count of the refused posts of each sender. May be used from any thread."""

    def __init__(self) -> None:
        self._spent: dict[Hashable, tuple[float, float]] = {}  # refused posts, and when that was calculated
        self._changing = threading.Lock()

    def wait_s(self, sender: Hashable) -> int:
        """Return the seconds until a sender may post again; 0 if it may now."""
        over = self._now_spent(sender) - (REFUSED_AT_ONCE - 1)
        return math.ceil(over / REFUSED_PER_S) if over > 0 else 0

    def refused(self, sender: Hashable) -> None:
        """Note that a post of a sender was refused."""
        with self._changing:
            spent = self._now_spent(sender) + 1
            self._spent.pop(sender, None)
            self._spent[sender] = spent, time.monotonic()
            if len(self._spent) > MOST_SENDERS:
                del self._spent[next(iter(self._spent))]

    def taken(self, sender: Hashable) -> None:
        """Note that a post of a sender was accepted, which resets its count: the sender has a valid key."""
        if sender in self._spent:
            with self._changing:
                self._spent.pop(sender, None)

    def _now_spent(self, sender: Hashable) -> float:
        spent, at = self._spent.get(sender, (0.0, 0.0))
        return max(0.0, spent - (time.monotonic() - at) * REFUSED_PER_S) if spent else 0.0
