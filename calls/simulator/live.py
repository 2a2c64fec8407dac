"""Live made-up traffic: calls take place in real time and are posted to the real endpoint."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from random import Random

from django.utils import timezone

from calls.simulator import client, scenarios
from calls.simulator.profiles import NumberProfile, load_at

LONGEST_GAP_S = 15.0
# Times as many calls as in history, so that a viewer sees something happen.
LIVELINESS = 5
REPORT_EVERY_S = 60.0


class LiveTraffic:
    """Sends calls to numbers until it is stopped."""

    def __init__(
        self, url: str, number_profiles: Sequence[NumberProfile], access_keys: Mapping[str, str], seed: str
    ) -> None:
        """`access_keys` holds a key for each number. Raise ValueError if `url` is no http(s) address."""
        self.tally = client.Tally()
        self._endpoint = client.Endpoint(url)
        # Numbers that have fallen silent remain silent.
        self._number_profiles = [profile for profile in number_profiles if not profile.silent_for]
        self._access_keys = access_keys
        self._rng = Random(seed)  # noqa: S311 (made-up calls, not secrets)
        self._calls = 0
        # A heap of due time, order, number and post.
        self._due: list[tuple[float, int, str, scenarios.Post]] = []
        self._places = itertools.count()

    def run(self, stopped: threading.Event, report: Callable[[str], object], speed: float = 1.0) -> None:
        """Post until `stopped` is set; report one line per minute. At `speed` 2, calls take half the time."""
        while not stopped.is_set() and not self._endpoint.is_up():
            stopped.wait(0.5)
        next_call_at = time.monotonic()
        reported_at, sent, refused = next_call_at, 0, 0
        while not stopped.is_set():
            now = time.monotonic()
            if now >= next_call_at:
                self._call(now, speed)
                next_call_at = now + self._gap_s() / speed
            while self._due and self._due[0][0] <= now and not stopped.is_set():
                _, _, e164, post = heapq.heappop(self._due)
                self.tally.count(self._endpoint.post(post, self._access_keys[e164]))
            if now - reported_at >= REPORT_EVERY_S:
                line = f"demo: {self._calls} calls so far, {self.tally.sent - sent} posts in the last minute"
                if unwell := self.tally.refused - refused:
                    line += f"; {unwell} of them not answered 2xx: {dict(self.tally.codes)}"
                report(line)
                reported_at, sent, refused = now, self.tally.sent, self.tally.refused
            next_at = min(next_call_at, self._due[0][0]) if self._due else next_call_at
            stopped.wait(max(0.0, min(next_at - time.monotonic(), REPORT_EVERY_S)))
        self._endpoint.close()

    def _call(self, now: float, speed: float) -> None:
        """Start a call to one of the numbers, chosen by how often each is called at this time of day."""
        local = timezone.localtime()
        weights = [profile.calls_an_hour(local) + profile.calls_a_week / 2000 for profile in self._number_profiles]
        [profile] = self._rng.choices(self._number_profiles, weights)
        for offset_s, post in profile.play(self._rng, scenarios.draw_uuid(self._rng), load_at(local)):
            heapq.heappush(self._due, (now + offset_s / speed, next(self._places), profile.e164, post))
        self._calls += 1

    def _gap_s(self) -> float:
        local = timezone.localtime()
        calls_an_hour = LIVELINESS * sum(profile.calls_an_hour(local) for profile in self._number_profiles)
        gap_s = min(LONGEST_GAP_S, 3600 / calls_an_hour) if calls_an_hour else LONGEST_GAP_S
        return gap_s * self._rng.uniform(0.5, 1.3)
