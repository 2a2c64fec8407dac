"""`make bench-live`: how soon calls that ring are on their way to browsers, what streams cost posts, and how many fit.

Posts arrive at a steady rate at the web processes, with and without streams in turns, so that the machine's other work
slows both alike. Each stream is of another person, who answers at a destination of their own."""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

from tests.benchmarks import made_up
from tests.benchmarks.__main__ import database_for_pages, say
from tests.benchmarks.contenders import Web

E164 = next(iter(made_up.NUMBERS))
# Promised for 50 posts a second and 500 streams.
FRAME_P50_MS, FRAME_P99_MS = 60.0, 200.0
POSTS_P99_RATIO = 1.2
MANY_P99_MS = 400.0
# Promised for as many posts as are answered, with 500 streams.
FLOOD_RATIO, CAUGHT_UP_S = 0.85, 60.0
FLOOD_CONNECTIONS = 16
MOST_MB = 450.0
MANY_STREAMS = 5000
CONNECTS_AT_ONCE = 50


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-live", description=__doc__)
    parser.add_argument("--streams", type=int, default=500, help="browsers that listen (%(default)s)")
    parser.add_argument("--many", type=int, default=MANY_STREAMS, help="browsers in the last part (%(default)s)")
    parser.add_argument("--rate", type=float, default=50.0, help="posts a second (%(default)s)")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each turn (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="turns with and without streams (%(default)s)")
    parser.add_argument("--folder", default="/var/tmp", help="where the database lies while it runs (%(default)s)")
    arguments = parser.parse_args()
    with database_for_pages(arguments.folder) as server:
        cookies = make_people(max(arguments.streams, arguments.many))
        with serving(server.home) as (web, live):
            is_well = asyncio.run(measure(web, live, cookies, arguments))
    return 0 if is_well else 1


def make_people(people: int) -> list[str]:
    """Create a number, and people who answer at a destination of their own; return the cookies of their sessions."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.auth.models import User
    from django.contrib.sessions.backends.db import SessionStore
    from django.contrib.sessions.models import Session
    from django.utils import timezone

    from calls.models import AccessKey, DestinationNumber
    from contacts.models import AgentDestination

    number = DestinationNumber.objects.get_or_create(e164=E164)[0]
    if not AccessKey.objects.filter(destination_number=number).exists():
        from calls.simulator import history

        history.ensure_key([number], made_up.NUMBERS[E164], timezone.now())
    users = User.objects.bulk_create(User(username=f"agent {n}", password=f"!{n}") for n in range(people))
    AgentDestination.objects.bulk_create(
        AgentDestination(user=user, destination_type="SIP_USER", destination=str(desk_of(n)))
        for n, user in enumerate(users)
    )
    store, sessions = SessionStore(), []
    for n, user in enumerate(users):
        signed_in = {
            SESSION_KEY: str(user.pk),
            BACKEND_SESSION_KEY: "django.contrib.auth.backends.ModelBackend",
            HASH_SESSION_KEY: user.get_session_auth_hash(),
        }
        expires = timezone.now() + timedelta(days=1)
        sessions.append(
            Session(session_key=f"{'b' * 24}{n:08}", session_data=store.encode(signed_in), expire_date=expires)
        )
    Session.objects.bulk_create(sessions)
    return [f"{settings.SESSION_COOKIE_NAME}={session.session_key}" for session in sessions]


def desk_of(person: int) -> int:
    return 100_000 + person


@contextmanager
def serving(home: Path) -> Iterator[tuple[Web, Web]]:
    """Yield the web processes and the process `live`."""
    from config.services import live_service, services

    servers = [
        Web("web", lambda port: services(port)["web"], home / "logs"),
        Web("live", live_service, home / "logs"),
    ]
    started: list[Web] = []
    try:
        for server in servers:
            server.start()
            started.append(server)
        yield servers[0], servers[1]
    finally:
        for server in started:
            server.stop()


@dataclass
class Turn:
    """What was measured in a turn, in milliseconds."""

    posts_ms: list[float] = field(default_factory=list)
    # From the moment a post is sent until its ring is with the browser.
    frames_ms: list[float] = field(default_factory=list)
    missing: int = 0


class Browsers:
    """Streams of many people in one loop, which note when which call rang."""

    def __init__(self, port: int, cookies: Sequence[str]) -> None:
        self._port, self._cookies = port, cookies
        self._tasks: list[asyncio.Task[None]] = []
        self.rang_at: dict[str, float] = {}
        self.connected = 0

    async def __aenter__(self) -> Browsers:
        some = asyncio.Semaphore(CONNECTS_AT_ONCE)
        self._tasks = [asyncio.create_task(self._listen(cookie, some)) for cookie in self._cookies]
        while self.connected < len(self._cookies):
            await asyncio.sleep(0.05)
            for task in self._tasks:
                if task.done():
                    task.result()
        return self

    async def __aexit__(self, *_error: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _listen(self, cookie: str, some: asyncio.Semaphore) -> None:
        async with some:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            writer.write(f"GET /live/events HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in head.split(b"\r\n", 1)[0]:
                raise SystemExit(f"a stream was answered {head[:200]!r}")
            while not (await reader.readline()).startswith(b"data: "):
                pass
        self.connected += 1
        try:
            while line := await reader.readline():
                if line.startswith(b'data: {"ring"') and b'"state": "ringing"' in line:
                    ring = json.loads(line.removeprefix(b"data: "))
                    self.rang_at.setdefault(ring["caller"]["text"].replace(" ", ""), time.perf_counter())
        finally:
            writer.close()


async def post(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    kind: str,
    *,
    call: str,
    desk: int,
    caller: str = "+4917012345678",
) -> None:
    """Send a post on an open connection and read the answer."""
    named = {"destination_number": E164, "call_uuid": call, "correlation_id": call, "caller_id_number": caller}
    content = json.dumps(
        {
            "requestType": kind,
            "customerNumber": 200000,
            "accessKey": made_up.NUMBERS[E164],
            "destination": str(desk),
            "destinationType": "SIP_USER",
            "variables": named,
        }
    )
    head = f"POST {made_up.PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n{content}".encode())
    answer = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in answer.split(b"\r\n", 1)[0]:
        raise SystemExit(f"a post was answered {answer[:200]!r}")
    length = answer.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    await (reader.readexactly(int(length)) if length else reader.readuntil(b"0\r\n\r\n"))


async def send(port: int, rate: float, seconds: float, people: int, browsers: Browsers | None) -> Turn:
    """Send forwards at a steady rate, each to another person; return what posts and rings took."""
    turn, sent_at = Turn(), {}
    waiting: asyncio.Queue[int] = asyncio.Queue()
    base = int(time.time()) % 100_000 * 10_000

    async def sender() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (index := await waiting.get()) >= 0:
            caller = f"+4917{base + index:09}"
            began = sent_at[caller] = time.perf_counter()
            call, desk = f"bench-{base + index}", desk_of(index % people)
            await post(reader, writer, "INITIATE_FORWARD", call=call, desk=desk, caller=caller)
            turn.posts_ms.append((time.perf_counter() - began) * 1000)
        writer.close()

    senders = [asyncio.create_task(sender()) for _ in range(8)]
    began = time.perf_counter()
    for index in range(round(rate * seconds)):
        await asyncio.sleep(max(0.0, began + index / rate - time.perf_counter()))
        waiting.put_nowait(index)
    for _sender in senders:
        waiting.put_nowait(-1)
    await asyncio.gather(*senders)
    if browsers is not None:
        await asyncio.sleep(1.5)  # the last rings arrive
        took = {caller: browsers.rang_at.get(caller) for caller in sent_at}
        turn.missing = sum(at is None for at in took.values())
        turn.frames_ms = [(at - sent_at[caller]) * 1000 for caller, at in took.items() if at is not None]
    return turn


async def measure(web: Web, live: Web, cookies: Sequence[str], arguments: Any) -> bool:
    """Print the figures; return whether the targets were reached."""
    rate, seconds, streams = arguments.rate, arguments.seconds, arguments.streams
    await send(web.port, rate, 3, streams, None)  # warms up
    with_ms, without_ms, frames, ratios, connects_s, missing = [], [], [], [], [], 0
    for _round in range(arguments.rounds):
        unwatched = await send(web.port, rate, seconds, streams, None)
        began = time.perf_counter()
        async with Browsers(live.port, cookies[:streams]) as browsers:
            connects_s.append(time.perf_counter() - began)
            turn = await send(web.port, rate, seconds, streams, browsers)
        with_ms.append(p99(turn.posts_ms))
        without_ms.append(p99(unwatched.posts_ms))
        ratios.append(with_ms[-1] / without_ms[-1])
        frames += turn.frames_ms
        missing += turn.missing
    say(f"{rate:.0f} posts/s, {streams} streams, {len(frames)} rings, {missing} missing")
    say(f"  connected in {statistics.median(connects_s):.1f} s")
    say(f"  sent → frame at the browser:  median {statistics.median(frames):.0f} ms, p99 {p99(frames):.0f} ms")
    say(f"  posts' p99: {statistics.median(without_ms):.1f} ms without, {statistics.median(with_ms):.1f} ms with")
    shares, floods_s, behind_s = [], [], []
    for _round in range(arguments.rounds):
        alone = await flood(web.port, arguments.seconds / 2, streams, is_watched=False)
        async with Browsers(live.port, cookies[:streams]):
            watched = await flood(web.port, arguments.seconds / 2, streams, is_watched=True)
        shares.append(watched.posts_s / alone.posts_s)
        floods_s.append(watched.posts_s)
        behind_s.append(watched.behind_s)
    share = statistics.median(shares)
    say(f"as many posts as are answered: {statistics.median(floods_s):.0f}/s, {share:.2f} of those without streams")
    say(f"  rings caught up {statistics.median(behind_s):.1f} s after the last post")
    began = time.perf_counter()
    async with Browsers(live.port, cookies[: arguments.many]) as browsers:
        connected_s = time.perf_counter() - began
        many = await send(web.port, rate, seconds, arguments.many, browsers)
        memory_mb = memory_of(live)
    say(f"{arguments.many} streams: connected in {connected_s:.1f} s, {memory_mb:.0f} MB, {many.missing} missing")
    say(f"  sent → frame at the browser:  p99 {p99(many.frames_ms):.0f} ms")
    reached = {
        f"median ≤ {FRAME_P50_MS:.0f} ms": statistics.median(frames) <= FRAME_P50_MS,
        f"p99 ≤ {FRAME_P99_MS:.0f} ms": p99(frames) <= FRAME_P99_MS,
        f"posts' p99 with ÷ without ≤ {POSTS_P99_RATIO}": statistics.median(ratios) <= POSTS_P99_RATIO,
        f"posts with streams ÷ without ≥ {FLOOD_RATIO}": share >= FLOOD_RATIO,
        f"caught up within {CAUGHT_UP_S:.0f} s": max(behind_s) <= CAUGHT_UP_S,
        f"p99 of {arguments.many} streams ≤ {MANY_P99_MS:.0f} ms": p99(many.frames_ms) <= MANY_P99_MS,
        f"memory ≤ {MOST_MB:.0f} MB": memory_mb <= MOST_MB,
        "no ring missing": missing + many.missing == 0,
    }
    for what, is_reached in reached.items():
        say(f"{what}: {'reached' if is_reached else 'NOT REACHED'}")
    return all(reached.values())


@dataclass
class Flood:
    """Posts as fast as they are answered: how many a second, and how long rings were behind afterwards."""

    posts_s: float
    behind_s: float


async def flood(port: int, seconds: float, people: int, *, is_watched: bool) -> Flood:
    """Send calls with their start, forward, answer and end, each at another person, as fast as they are answered."""
    kinds = ("CALL_START", "INITIATE_FORWARD", "FORWARD_ANSWER", "CALL_END")
    numbers = count()
    base = f"flood-{time.time_ns()}"
    until = time.perf_counter() + seconds
    sent = 0

    async def sender() -> None:
        nonlocal sent
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < until:
            index = next(numbers)
            call = index // len(kinds)
            await post(reader, writer, kinds[index % len(kinds)], call=f"{base}-{call}", desk=desk_of(call % people))
            sent += 1
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(sender() for _sender in range(FLOOD_CONNECTIONS)))
    ended = time.perf_counter()
    while is_watched and not await asyncio.to_thread(has_caught_up):
        await asyncio.sleep(0.1)
    return Flood(sent / (ended - began), time.perf_counter() - ended)


def has_caught_up() -> bool:
    """Return whether every stored event was read."""
    from live import feed

    return not feed.peek()[1]


def p99(values: Sequence[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)] if values else float("nan")


def memory_of(server: Web) -> float:
    """Return the memory of a server and its children in MB: what only they use, and their share of the rest (Linux)."""
    assert server.child.pid
    total = 0.0
    for pid in [server.child.pid, *_children(server.child.pid)]:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return total


def _children(parent: int) -> list[int]:
    text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return [int(pid) for pid in text.split()]


if __name__ == "__main__":
    sys.exit(main())
