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
# An endpoint rests after this many failures in a row, each time twice as long, until a try succeeds.
MOST_FAILURES, SHORTEST_REST_S, LONGEST_REST_S = 5, 1.0, 60.0


@dataclass(frozen=True)
class _Flight:
    """A delivery that is being sent."""

    due: Due
    since: float


class Lanes:
    """The deliveries that wait in memory, a lane for each endpoint, and those that are being sent.

    An endpoint that is slow has one thread, and all of them together have half. So has one that was not tried yet:
    otherwise those that never answer could hold all threads after a start.

    An endpoint that only fails rests, because to try all that waits for it would cost the others time. After its rest
    one delivery is tried."""

    def __init__(self, threads: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most_slow = max(1, threads // 2)
        self._clock = clock
        self._waiting: dict[int, list[Due]] = {}
        self._flights: dict[int, dict[int, _Flight]] = defaultdict(dict)
        self._took_s: dict[int, float] = {}
        self._failures: dict[int, int] = {}
        self._rests_until: dict[int, float] = {}
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
        if (found := self._find()) is None:
            return None
        endpoint, place = found
        due = self._waiting[endpoint].pop(place)
        self._flights[endpoint][due.id] = _Flight(due, self._clock())
        self._turns.remove(endpoint)
        self._turns.append(endpoint)
        return due

    def has_next(self) -> bool:
        """Return whether there is a delivery that may be sent now."""
        return self._find() is not None

    def finish(self, due: Due, *, has_failed: bool = False, is_gone: bool = False) -> None:
        """Note that a delivery is no longer being sent, whether the system failed, and whether it said that its address
        is gone: then it rests until that is stored, at least."""
        endpoint, now = due.endpoint, self._clock()
        self._took_s[endpoint] = now - self._flights[endpoint].pop(due.id).since
        failures = self._failures[endpoint] = self._failures.get(endpoint, 0) + 1 if has_failed else 0
        if is_gone:
            self._rests_until[endpoint] = now + LONGEST_REST_S
        elif failures >= MOST_FAILURES:
            doubled = min(failures - MOST_FAILURES, 10)
            self._rests_until[endpoint] = now + min(SHORTEST_REST_S * 2**doubled, LONGEST_REST_S)

    def busy(self) -> set[int]:
        """Return the ids of deliveries that are being sent."""
        return {pk for flights in self._flights.values() for pk in flights}

    def full(self) -> set[int]:
        """Return the endpoints to which nothing more is sent now: those that rest, and slow ones to which something is
        being sent."""
        busy = {endpoint for endpoint, flights in self._flights.items() if flights and self._most_of(endpoint) == 1}
        return busy | {endpoint for endpoint in self._rests_until if self._most_of(endpoint) == 0}

    def waiting(self, endpoint: int) -> int:
        """Return how many deliveries to an endpoint wait, without those that are being sent."""
        return len(self._waiting.get(endpoint, ()))

    def _find(self) -> tuple[int, int] | None:
        """Return the endpoint to which something is sent next, and the place in its lane."""
        slow = {endpoint for endpoint in self._turns if self._is_slow(endpoint)}
        has_room = sum(len(self._flights[endpoint]) for endpoint in slow) < self._most_slow
        for endpoint in self._turns:
            most = 0 if endpoint in slow and not has_room else self._most_of(endpoint)
            if len(self._flights[endpoint]) < most and (place := self._first_of(endpoint)) is not None:
                return endpoint, place
        return None

    def _most_of(self, endpoint: int) -> int:
        """Return how many deliveries of an endpoint may be sent at once now."""
        if self._clock() < self._rests_until.get(endpoint, 0.0):
            return 0
        has_rested = self._failures.get(endpoint, 0) >= MOST_FAILURES
        return 1 if has_rested or self._is_slow(endpoint) else MOST_OF_ENDPOINT

    def _is_slow(self, endpoint: int) -> bool:
        now = self._clock()
        if any(now - flight.since > SLOW_S for flight in self._flights[endpoint].values()):
            return True
        return self._took_s.get(endpoint, SLOW_S) >= SLOW_S

    def _first_of(self, endpoint: int) -> int | None:
        """Return the place of the first delivery of a lane of whose call nothing is being sent at this moment."""
        calls = {flight.due.call for flight in self._flights[endpoint].values()}
        places = (place for place, due in enumerate(self._waiting.get(endpoint, ())) if due.call not in calls)
        return next(places, None)
