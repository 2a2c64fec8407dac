"""Posts of calls at a planned rate, and browsers that listen to the streams of calls that ring."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tests.benchmarks import made_up

E164 = next(iter(made_up.NUMBERS))
# The posts of a call that rings at two people at once, with the seconds from its start. The first of them answers.
COURSE = (
    ("CALL_START", 0, 0.0),
    ("INITIATE_FORWARD", 0, 0.5),
    ("INITIATE_FORWARD", 1, 0.5),
    ("FORWARD_ANSWER", 0, 3.0),
    ("CALL_END", 0, 6.0),
)
CONNECTS_AT_ONCE = 50
SENDERS = 8


def desk_of(person: int) -> int:
    return 100_000 + person


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


# A caller and the person at whom the call rings.
Where = tuple[str, int]


class Browsers:
    """Streams of many people in one loop, which note when which call rang where, and when it stopped."""

    def __init__(self, port: int, cookies: Sequence[str]) -> None:
        self._port, self._cookies = port, cookies
        self._tasks: list[asyncio.Task[None]] = []
        self.rang_at: dict[Where, float] = {}
        self.closed_at: dict[Where, float] = {}
        self.connected = 0

    async def __aenter__(self) -> Browsers:
        some = asyncio.Semaphore(CONNECTS_AT_ONCE)
        self._tasks = [asyncio.create_task(self._listen(*numbered, some)) for numbered in enumerate(self._cookies)]
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

    async def _listen(self, person: int, cookie: str, some: asyncio.Semaphore) -> None:
        async with some:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            writer.write(f"GET /live/events HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in head.split(b"\r\n", 1)[0]:
                raise SystemExit(f"a stream was answered {head[:200]!r}")
            while not (await reader.readline()).startswith(b"data: "):
                pass
        self.connected += 1
        name, callers = b"", {}
        try:
            while line := await reader.readline():
                if line.startswith(b"event: "):
                    name = line.removeprefix(b"event: ").strip()
                elif name == b"ring" and line.startswith(b"data: "):
                    ring = json.loads(line.removeprefix(b"data: "))
                    caller = callers[ring["ring"]] = ring["caller"]["text"].replace(" ", "")
                    self.rang_at.setdefault((caller, person), time.perf_counter())
                elif name == b"closed" and line.startswith(b"data: "):
                    caller = callers.get(json.loads(line.removeprefix(b"data: "))["ring"], "")
                    self.closed_at[caller, person] = time.perf_counter()
        finally:
            writer.close()


@dataclass(frozen=True, order=True)
class Planned:
    """A post to be sent, seconds after the beginning of a turn."""

    at_s: float
    call: int
    kind: str
    place: int = 0  # of the person among those at whom the call rings

    def person(self, people: int) -> int:
        return (self.call + self.place * people // 2) % people


def forwards(rate: float, seconds: float) -> list[Planned]:
    """Return a post for each call: it rings and never ends."""
    return [Planned(n / rate, n, "INITIATE_FORWARD") for n in range(round(rate * seconds))]


def whole_calls(rate: float, seconds: float) -> list[Planned]:
    """Return the posts of calls from start to end."""
    calls = range(round(rate * seconds / len(COURSE)))
    return sorted(
        Planned(n * len(COURSE) / rate + after_s, n, kind, place) for n in calls for kind, place, after_s in COURSE
    )


@dataclass
class Turn:
    """What was measured in a turn, in milliseconds."""

    posts_ms: list[float] = field(default_factory=list)
    # From the moment a post is sent until its ring is with the browser.
    frames_ms: list[float] = field(default_factory=list)
    # The same from an answer until the other person's ring is closed.
    closings_ms: list[float] = field(default_factory=list)
    missing: int = 0


async def send(port: int, plan: Sequence[Planned], people: int, browsers: Browsers | None) -> Turn:
    """Send posts as planned, each call to other people; return what posts and rings took."""
    turn, sent_at, answered_at = Turn(), {}, {}
    waiting: asyncio.Queue[Planned | None] = asyncio.Queue()
    base = int(time.time()) % 100_000 * 10_000

    async def sender() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while planned := await waiting.get():
            number = base + planned.call
            caller = f"+4917{number:09}"
            began = time.perf_counter()
            if planned.kind == "INITIATE_FORWARD":
                sent_at[caller, planned.person(people)] = began
            elif planned.kind == "FORWARD_ANSWER":
                answered_at[caller, replace(planned, place=1).person(people)] = began
            desk = desk_of(planned.person(people))
            await post(reader, writer, planned.kind, call=f"bench-{number}", desk=desk, caller=caller)
            turn.posts_ms.append((time.perf_counter() - began) * 1000)
        writer.close()

    async with asyncio.TaskGroup() as senders:
        for _ in range(SENDERS):
            senders.create_task(sender())
        began = time.perf_counter()
        for planned in plan:
            await asyncio.sleep(max(0.0, began + planned.at_s - time.perf_counter()))
            waiting.put_nowait(planned)
        for _ in range(SENDERS):
            waiting.put_nowait(None)
    if browsers is not None:
        await asyncio.sleep(1.5)  # the last rings arrive
        turn.frames_ms = _took_ms(sent_at, browsers.rang_at)
        turn.closings_ms = _took_ms(answered_at, browsers.closed_at)
        turn.missing = len(sent_at) + len(answered_at) - len(turn.frames_ms) - len(turn.closings_ms)
    return turn


def _took_ms(began: Mapping[Where, float], ended: Mapping[Where, float]) -> list[float]:
    return [(ended[where] - at) * 1000 for where, at in began.items() if where in ended]


def p99(values: Sequence[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)] if values else float("nan")
