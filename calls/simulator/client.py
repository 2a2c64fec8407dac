"""Sends made-up posts to an endpoint over HTTP, as TENIOS does: JSON bodies with the access key, without retries."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple
from urllib.parse import urlsplit

from django.conf import settings

from calls.simulator import profiles, scenarios
from calls.simulator.profiles import NumberProfile

TIMEOUT_S = 10.0
NO_ANSWER = "no answer"
MOST_UNANSWERED = 10  # posts in a row without any answer, after which sending stops
KEEP_ALIVE_S = 2.0  # a connection that was idle for longer is opened again


class Endpoint:
    """A connection to the endpoint, kept alive. To be used by one thread at a time."""

    def __init__(self, url: str) -> None:
        """Take the address of the endpoint or of the site. Raise ValueError if it is no http(s) address."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"not an http(s) address: {url}")
        self.path = parts.path if parts.path not in {"", "/"} else settings.POSTS_PATH
        if parts.scheme == "https":
            self._connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=TIMEOUT_S, context=ssl.create_default_context()
            )
        else:
            self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT_S)
        self._used_at = 0.0

    def post(self, post: scenarios.Post, access_key: str) -> str:
        """Send one post; return the code of the answer, or NO_ANSWER."""
        body = json.dumps(post | {"accessKey": access_key}, ensure_ascii=False).encode()
        if time.monotonic() - self._used_at > KEEP_ALIVE_S:
            self._connection.close()
        try:
            self._connection.request("POST", self.path, body, {"Content-Type": "application/json"})
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return NO_ANSWER
        self._used_at = time.monotonic()
        return str(answer.status)

    def is_up(self) -> bool:
        """Return whether the server answers at all."""
        with suppress(OSError, http.client.HTTPException):
            self._connection.request("GET", "/healthz")
            self._connection.getresponse().read()
            return True
        self._connection.close()
        return False

    def close(self) -> None:
        self._connection.close()


class Due(NamedTuple):
    """A post and when it is sent, in seconds after the first post."""

    at_s: float
    post: scenarios.Post


@dataclass
class Tally:
    """The answers so far. May be read while threads are counting."""

    codes: Counter[str] = field(default_factory=Counter)
    unanswered: int = 0  # in a row, up to now
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, code: str) -> None:
        with self.lock:
            self.codes[code] += 1
            self.unanswered = self.unanswered + 1 if code == NO_ANSWER else 0

    @property
    def is_hopeless(self) -> bool:
        """Whether the last MOST_UNANSWERED posts had no answer."""
        with self.lock:
            return self.unanswered >= MOST_UNANSWERED

    @property
    def sent(self) -> int:
        with self.lock:
            return self.codes.total()

    @property
    def refused(self) -> int:
        """The number of posts that were not answered 2xx."""
        with self.lock:
            return sum(count for code, count in self.codes.items() if not code.startswith("2"))


def make_calls(e164: str, calls: int, seed: str) -> Iterator[list[scenarios.Step]]:
    """Yield made-up calls of a number: by its own plan if it has a profile, otherwise by all plans in turn."""
    own = profiles.profile_of(e164)
    for index in range(calls):
        rng = Random(f"{seed} {index}")  # noqa: S311 (made-up calls, not secrets)
        profile: NumberProfile = own or profiles.PROFILES[index % len(profiles.PROFILES)]
        sends = profile.sends if own else scenarios.ALL_BOXES
        load = profiles.SHORT_OF_PEOPLE if rng.random() < 0.15 else 1.0
        yield scenarios.play(rng, profile.plan, e164, call_uuid=scenarios.draw_uuid(rng), sends=sends, load=load)


def compress(calls: Sequence[list[scenarios.Step]], rate: float) -> list[list[Due]]:
    """Space the posts of overlapping calls so that `rate` posts are due per second; all at once if it is 0.

    Posts keep the order within their call, and calls overlap as they do in a busy hour."""
    if not calls:
        return []
    # The interval between the starts of calls in real time, so that seven calls are ongoing at the same time.
    gap_s = sum(steps[-1].offset_s for steps in calls) / len(calls) / 7
    timeline = sorted(
        (index * gap_s + step.offset_s, index, position)
        for index, steps in enumerate(calls)
        for position, step in enumerate(steps)
    )
    due: list[list[Due]] = [[] for _ in calls]
    for place, (_, index, position) in enumerate(timeline):
        due[index].append(Due(place / rate if rate else 0.0, calls[index][position].post))
    return due


class Sending:
    """Sends calls from several threads, each call from one thread, so that its posts keep their order.

    Gives up if the server does not answer."""

    def __init__(self, url: str, access_key: str, calls: Sequence[list[Due]], threads: int) -> None:
        self.tally = Tally()
        self.gave_up = False
        self._access_key = access_key
        self._stopped = threading.Event()
        self._threads = []
        for first in range(min(threads, len(calls))):
            share = sorted((due for call in calls[first::threads] for due in call), key=lambda due: due.at_s)
            self._threads.append(threading.Thread(target=self._run, args=(Endpoint(url), share), daemon=True))

    def start(self) -> None:
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait at most `seconds`; return whether everything is sent."""
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """Stop sending."""
        self._stopped.set()
        self.wait(TIMEOUT_S)

    def _run(self, endpoint: Endpoint, share: list[Due]) -> None:
        for at_s, post in share:
            if self._stopped.wait(max(0.0, self._began + at_s - time.monotonic())):
                break
            self.tally.count(endpoint.post(post, self._access_key))
            if self.tally.is_hopeless:
                self.gave_up = True
                self._stopped.set()
        endpoint.close()
