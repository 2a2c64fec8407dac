"""Made-up history, written with the writer's own statement, so that it is stored as posts to the endpoint would be."""

from __future__ import annotations

import json
import queue
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from random import Random
from typing import NamedTuple
from uuid import UUID

import psycopg
from django.utils import timezone
from django.utils.crypto import salted_hmac

from calls import keys, posts
from calls.ingest import silent_calls, writer
from calls.models import AccessKey, DestinationNumber
from calls.posts import CallPost
from calls.simulator import profiles, scenarios
from calls.simulator.profiles import NumberProfile

CALLS_A_BATCH = 250  # about 1,400 posts
WRITERS = 2
HOUR = timedelta(hours=1)


class PlannedCall(NamedTuple):
    """A made-up call before it is played: everything in it is drawn from `seed`."""

    seed: str
    profile: NumberProfile
    start: datetime
    load: float


@dataclass(frozen=True)
class Progress:
    calls: int
    posts: int
    skipped: int  # calls that exist already


def plan(
    number_profiles: Sequence[NumberProfile], *, calls: int, start: datetime, until: datetime, seed: str
) -> Iterator[PlannedCall]:
    """Yield calls spread over the time and the numbers, by their weekly profiles; oldest first."""
    cells = list(_cells(number_profiles, start, until, seed))
    whole = sum(weight for *_, weight in cells)
    if not whole:
        raise ValueError("no profile is called in this time")
    reached, made = 0.0, 0
    for index, (hour, profile, room, load, weight) in enumerate(cells, start=1):
        reached += weight
        last = calls if index == len(cells) else min(round(calls * reached / whole), calls)
        if last > made:
            rng = _random(f"{seed} {hour.isoformat()} {profile.e164}")
            for moment in sorted(rng.random() for _ in range(last - made)):
                yield PlannedCall(f"{seed} {made}", profile, hour + moment * room, load)
                made += 1


def _cells(
    number_profiles: Sequence[NumberProfile], start: datetime, until: datetime, seed: str
) -> Iterator[tuple[datetime, NumberProfile, timedelta, float, float]]:
    """Yield start, profile, length, load and weight of each hour of each profile that has calls in it."""
    hour = start
    while hour < until:
        # Full hours in UTC, except for the first and the last; local hours start at the same moments.
        following = hour.replace(minute=0, second=0, microsecond=0) + HOUR
        local = timezone.localtime(hour)
        load = profiles.load_at(local)
        volume = _random(f"{seed} {local.date()}").uniform(0.88, 1.12)
        if load == profiles.SHORT_OF_PEOPLE:
            volume *= 1.25
        for profile in number_profiles:
            end = min(following, until - profile.silent_for)
            if end > hour and (weight := profile.calls_an_hour(local) * volume * ((end - hour) / HOUR)):
                yield hour, profile, end - hour, load, weight
        hour = following


def call_uuid_of(planned: PlannedCall) -> str:
    """Return the call_uuid of a planned call; it depends only on the seed."""
    return scenarios.draw_uuid(_random(f"uuid {planned.seed}"))


def enact(planned: PlannedCall, until: datetime) -> list[tuple[datetime, scenarios.Post, UUID]]:
    """Return the posts of a planned call with their receipt and ingest id, in the order of receipt.

    A call that would end after `until` is moved back so that it ends then: history has no posts in the future."""
    rng = _random(planned.seed)
    steps = planned.profile.play(rng, call_uuid_of(planned), planned.load)
    start = min(planned.start, until - timedelta(seconds=steps[-1].offset_s))
    enacted = []
    for offset_s, post in steps:
        received_at = start + timedelta(seconds=offset_s)
        # Sorts by receipt as every ingest id does, and is drawn from the seed.
        number = posts.new_ingest_id(received_at).int >> 62 << 62 | rng.getrandbits(62)
        enacted.append((received_at, post, UUID(int=number)))
    return enacted


def read(enacted: Sequence[tuple[datetime, scenarios.Post, UUID]], access_key: str) -> Iterator[CallPost]:
    """Yield posts as the endpoint would parse them from the bytes of their bodies."""
    for received_at, post, ingest_id in enacted:
        body = json.dumps(post | {"accessKey": access_key}).encode()
        yield replace(posts.parse(body, received_at), ingest_id=ingest_id)


def write(
    number_profiles: Sequence[NumberProfile], *, calls: int, start: datetime, until: datetime, seed: str
) -> Iterator[Progress]:
    """Write history and close silent calls; yield the progress. Calls that exist already are not changed."""
    numbers = profiles.ensure_numbers(number_profiles)
    planned = plan(number_profiles, calls=calls, start=start, until=until, seed=seed)
    done = Progress(0, 0, 0)
    pending: deque[tuple[int, int, Future[set[str]]]] = deque()
    key = _Key(numbers.values(), valid_from=start - timedelta(days=1))
    with _Pool() as pool, key:
        while chunk := list(islice(planned, CALLS_A_BATCH)):
            here = pool.which_are_here([call_uuid_of(call) for call in chunk], numbers.values())
            new = [call for call in chunk if call_uuid_of(call) not in here]
            done = replace(done, skipped=done.skipped + len(chunk) - len(new))
            if new:
                batch = [post for call in new for post in read(enact(call, until), key.opened())]
                pending.append((len(new), len(batch), pool.submit(batch)))
            while pending and (len(pending) > WRITERS or pending[0][2].done()):
                done = _settled(done, *pending.popleft())
            yield done
        while pending:
            done = _settled(done, *pending.popleft())
            yield done
    silent_calls.close_silent_calls()


def _settled(done: Progress, calls: int, sent: int, future: Future[set[str]]) -> Progress:
    taken = len(future.result())
    if taken != sent:
        raise RuntimeError(f"{sent - taken} posts of {sent} were refused")
    return replace(done, calls=done.calls + calls, posts=done.posts + taken)


class _Pool:
    """Threads that write batches, each on its own connection; while they wait, Python prepares the next batch."""

    def __enter__(self) -> _Pool:
        self._connections: queue.SimpleQueue[psycopg.Connection] = queue.SimpleQueue()
        for _ in range(WRITERS):
            self._connections.put(_patient_connection())
        self._looking = _patient_connection()
        self._threads = ThreadPoolExecutor(WRITERS, thread_name_prefix="history")
        return self

    def __exit__(self, *exception: object) -> None:
        self._threads.shutdown(cancel_futures=True)
        self._looking.close()
        for _ in range(WRITERS):
            self._connections.get().close()

    def submit(self, batch: list[CallPost]) -> Future[set[str]]:
        return self._threads.submit(self._write, batch)

    def _write(self, batch: list[CallPost]) -> set[str]:
        connection = self._connections.get()
        try:
            return writer.write(connection, batch)
        finally:
            self._connections.put(connection)

    def which_are_here(self, call_uuids: list[str], numbers: Iterable[DestinationNumber]) -> set[str]:
        """Return the call_uuids that are calls of these numbers already."""
        rows = self._looking.execute(
            "SELECT call_uuid FROM calls_call WHERE destination_number_id = ANY(%s) AND call_uuid = ANY(%s)",
            [[number.pk for number in numbers], call_uuids],
        )
        return {call_uuid for (call_uuid,) in rows}


def _patient_connection() -> psycopg.Connection:
    """Open a connection like the writer's, without timeouts, for large batches.

    If the database's machine crashes, the last batches may be lost; running the same command again completes them."""
    connection = writer.connect()
    for setting in ("statement_timeout = 0", "lock_timeout = 0", "synchronous_commit = off"):
        connection.execute(f"SET {setting}")
    return connection


class _Key:
    """The access key of history: the same for every number and every run, live only while history is written."""

    def __init__(self, numbers: Iterable[DestinationNumber], valid_from: datetime) -> None:
        self._numbers = list(numbers)
        self._valid_from = valid_from
        self._access_key = ""

    def __enter__(self) -> _Key:
        return self

    def opened(self) -> str:
        """Return the key; the first call makes it admit posts received since `valid_from`."""
        if not self._access_key:
            self._access_key = salted_hmac("calls.simulator.history", "access key", algorithm="sha256").hexdigest()
            ensure_key(self._numbers, self._access_key, self._valid_from)
        return self._access_key

    def __exit__(self, *_: object) -> None:
        if self._access_key:
            AccessKey.objects.filter(fingerprint=keys.fingerprint(self._access_key)).update(revoked_at=timezone.now())


def ensure_key(numbers: Iterable[DestinationNumber], access_key: str, valid_from: datetime) -> None:
    """Make a key admit posts of these numbers from a moment on, even if it was revoked before."""
    for number in numbers:
        AccessKey.objects.update_or_create(
            destination_number=number,
            fingerprint=keys.fingerprint(access_key),
            defaults={"last4": access_key[-4:], "valid_from": valid_from, "expires_at": None, "revoked_at": None},
        )


def _random(seed: str) -> Random:
    return Random(seed)  # noqa: S311 (made-up calls, not secrets)
