"""Which delivery is sent next: a fair share of the threads for each endpoint, in the order of its calls. No thread of
its own, no database; `clock` is the monotonic one."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from live.dispatch.due import Due

MOST_OF_ENDPOINT = 2
# An endpoint is slow while a try takes longer than this, and until one was faster.
SLOW_S = 1.0


@dataclass(frozen=True)
class _Flight:
    """A delivery that is being sent."""

    due: Due
    since: float


class Lanes:
    """The deliveries that wait in memory, a lane for each endpoint, and those that are being sent.

    An endpoint that is slow has one thread, and all of them together have half. So has one that was not tried yet:
    otherwise those that never answer could hold all threads after a start."""

    def __init__(self, threads: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most_slow = max(1, threads // 2)
        self._clock = clock
        self._waiting: dict[int, list[Due]] = {}
        self._flights: dict[int, dict[int, _Flight]] = defaultdict(dict)
        self._took_s: dict[int, float] = {}
        # Endpoints, the one that was served longest ago first.
        self._turns: list[int] = []

    def fill(self, found: Iterable[Due]) -> None:
        """Wait with these instead of what waited before. What is being sent goes on."""
        self._waiting = {}
        for due in sorted(found, key=lambda due: due.id):
            if due.id not in self._flights[due.endpoint]:
                self._waiting.setdefault(due.endpoint, []).append(due)
        self._turns = [one for one in self._turns if one in self._waiting or self._flights[one]]
        self._turns += [one for one in self._waiting if one not in self._turns]

    def take(self) -> Due | None:
        """Return the delivery that is sent next, which counts as being sent from now on; None if none may be."""
        slow = {endpoint for endpoint in self._turns if self._is_slow(endpoint)}
        has_room = sum(len(self._flights[endpoint]) for endpoint in slow) < self._most_slow
        for place, endpoint in enumerate(self._turns):
            most = (1 if has_room else 0) if endpoint in slow else MOST_OF_ENDPOINT
            if len(self._flights[endpoint]) >= most:
                continue
            if (due := self._first_of(endpoint)) is not None:
                self._flights[endpoint][due.id] = _Flight(due, self._clock())
                self._turns.append(self._turns.pop(place))
                return due
        return None

    def finish(self, due: Due) -> None:
        """Note that a delivery is no longer being sent."""
        flight = self._flights[due.endpoint].pop(due.id)
        self._took_s[due.endpoint] = self._clock() - flight.since

    def busy(self) -> set[int]:
        """Return the ids of deliveries that are being sent."""
        return {pk for flights in self._flights.values() for pk in flights}

    def full(self) -> set[int]:
        """Return the slow endpoints to which something is being sent: nothing more is sent to them now."""
        return {endpoint for endpoint, flights in self._flights.items() if flights and self._is_slow(endpoint)}

    def waiting(self, endpoint: int) -> int:
        """Return how many deliveries to an endpoint wait, without those that are being sent."""
        return len(self._waiting.get(endpoint, ()))

    def _is_slow(self, endpoint: int) -> bool:
        now = self._clock()
        if any(now - flight.since > SLOW_S for flight in self._flights[endpoint].values()):
            return True
        return self._took_s.get(endpoint, SLOW_S) >= SLOW_S

    def _first_of(self, endpoint: int) -> Due | None:
        """Take the first delivery of a lane whose call is not being told at this moment."""
        calls = {flight.due.call for flight in self._flights[endpoint].values()}
        lane = self._waiting.get(endpoint, [])
        for place, due in enumerate(lane):
            if due.call not in calls:
                return lane.pop(place)
        return None
