"""`make bench-dispatch`: what three endpoints and 500 streams together cost posts, and how soon other systems are told.

In turns, the same posts arrive with neither, with the streams alone, and with both. The other systems are one small
server on this machine."""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.benchmarks.__main__ import database_for_pages, say
from tests.benchmarks.contenders import Web
from tests.benchmarks.live import flood, make_people, memory_of, serving
from tests.benchmarks.streams import Browsers, p99, send, whole_calls

POSTS_P99_RATIO, BEHIND_S = 1.2, 2.0
FLOOD_RATIO, CAUGHT_UP_S = 0.75, 60.0
# From a message until the answer of the other system to what it was told.
_BEHIND = """
SELECT extract(epoch FROM delivery.tried_at - event.received_at)::float
FROM live_delivery AS delivery JOIN calls_callevent AS event ON event.id = delivery.event_id
WHERE delivery.state = 'delivered' AND delivery.created_at > now() - %s::interval
"""
_STATES = "SELECT state, count(*) FROM live_delivery WHERE created_at > now() - %s::interval GROUP BY 1 ORDER BY 1"


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-dispatch", description=__doc__)
    parser.add_argument("--streams", type=int, default=500, help="browsers that listen (%(default)s)")
    parser.add_argument("--rate", type=float, default=100.0, help="posts a second (%(default)s)")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each turn (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="turns with and without (%(default)s)")
    parser.add_argument("--folder", default="/var/tmp", help="where the database lies while it runs (%(default)s)")
    arguments = parser.parse_args()
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # between turns, when nothing else runs in the loop
    with database_for_pages(arguments.folder) as server:
        cookies = make_people(arguments.streams)
        with receiving(server.home) as port, serving(server.home) as (web, live):
            make_endpoints(port)
            is_well = asyncio.run(measure(web, live, cookies, arguments, server.home))
    return 0 if is_well else 1


@contextmanager
def receiving(home: Path) -> Iterator[int]:
    """Yield the port of the other systems."""
    server = Web(
        "receivers", lambda port: [sys.executable, "-m", "tests.benchmarks.receivers", str(port)], home / "logs"
    )
    server.child.start()
    try:
        yield server.port
    finally:
        server.stop()


def make_endpoints(port: int) -> None:
    """Create an endpoint with signed webhooks, one in Zammad's and one in sipgate.io's format, all on."""
    from django.utils import timezone

    from live.models import Endpoint, Format, Rows

    for endpoint_format, rows in ((Format.WEBHOOK, Rows.CALL), (Format.ZAMMAD, Rows.CALL), (Format.SIPGATE, Rows.RING)):
        endpoint = Endpoint(
            name=endpoint_format,
            format=endpoint_format,
            url=f"http://127.0.0.1:{port}/{endpoint_format}",
            rows=rows,
            is_on=True,
            on_since=timezone.now() - timedelta(days=1),
        )
        endpoint.set_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        endpoint.save()


@contextmanager
def dispatching(home: Path) -> Iterator[Web]:
    """Run the dispatcher, which begins with the events that come next."""
    from config.services import dispatcher_service
    from live.models import DispatchCursor

    DispatchCursor.objects.all().delete()
    command = [*dispatcher_service()[:-1], "--settings=tests.benchmarks.dispatch_settings"]
    process = Web("dispatcher", lambda _port: command, home / "logs")
    process.child.start()
    try:
        until = time.monotonic() + 30
        while not DispatchCursor.objects.exists():
            if time.monotonic() > until:
                raise SystemExit("the dispatcher did not begin")
            time.sleep(0.05)
        yield process
    finally:
        process.stop()


async def measure(web: Web, live: Web, cookies: Sequence[str], arguments: Any, home: Path) -> bool:
    """Print the figures; return whether the targets were reached."""
    plan = whole_calls(arguments.rate, arguments.seconds)
    await send(web.port, whole_calls(arguments.rate, 3), len(cookies), None)  # warms up
    say(f"{arguments.rate:.0f} posts/s of calls from start to end, {len(cookies)} streams, three endpoints")
    with_ms, streams_ms, without_ms, behind_s, memory_mb = [], [], [], [], 0.0
    for _round in range(arguments.rounds):
        alone = await send(web.port, plan, len(cookies), None)
        async with Browsers(live.port, cookies) as browsers:
            streams = await send(web.port, plan, len(cookies), browsers)
        with dispatching(home) as process:
            async with Browsers(live.port, cookies) as browsers:
                both = await send(web.port, plan, len(cookies), browsers)
            await until_caught_up()
            memory_mb = max(memory_mb, memory_of(process))
            behind_s += rows(_BEHIND, arguments.seconds + 10)
            counted = rows(_STATES, arguments.seconds + 10, whole=True)
        with_ms.append(p99(both.posts_ms))
        streams_ms.append(p99(streams.posts_ms))
        without_ms.append(p99(alone.posts_ms))
    ratio = say_ratio("with both ÷ without", with_ms, without_ms)
    say_ratio("with streams alone ÷ without", streams_ms, without_ms)
    say_ratio("with both ÷ with streams alone", with_ms, streams_ms)
    say(
        f"  received → answered by the other system: median {statistics.median(behind_s) * 1000:.0f} ms, "
        f"p99 {p99(behind_s) * 1000:.0f} ms; {memory_mb:.0f} MB; in the last turn {dict(counted)}"
    )
    shares, floods_s, caught_up_s = [], [], []
    for _round in range(arguments.rounds):
        alone_flood = await flood(web.port, arguments.seconds / 2, len(cookies), is_watched=False)
        with dispatching(home):
            async with Browsers(live.port, cookies):
                both_flood = await flood(web.port, arguments.seconds / 2, len(cookies), is_watched=False)
                began = time.perf_counter()
                await until_caught_up()
                caught_up_s.append(time.perf_counter() - began)
        shares.append(both_flood.posts_s / alone_flood.posts_s)
        floods_s.append(both_flood.posts_s)
    share = statistics.median(shares)
    say(f"as many posts as are answered: {statistics.median(floods_s):.0f}/s, {share:.2f} of those without")
    say(f"  everything was sent {statistics.median(caught_up_s):.1f} s after the last post")
    reached = {
        f"posts' p99 with ÷ without ≤ {POSTS_P99_RATIO}": ratio <= POSTS_P99_RATIO,
        f"p99 of what other systems are told ≤ {BEHIND_S:.0f} s": p99(behind_s) <= BEHIND_S,
        f"posts with ÷ without ≥ {FLOOD_RATIO}": share >= FLOOD_RATIO,
        f"caught up within {CAUGHT_UP_S:.0f} s": max(caught_up_s) <= CAUGHT_UP_S,
    }
    for what, is_reached in reached.items():
        say(f"{what}: {'reached' if is_reached else 'NOT REACHED'}")
    return all(reached.values())


def say_ratio(what: str, above_ms: Sequence[float], below_ms: Sequence[float]) -> float:
    """Print the ratio of the posts' p99 of two sides, and return it: the median of the turns."""
    ratios = [above / below for above, below in zip(above_ms, below_ms, strict=True)]
    ratio = statistics.median(ratios)
    say(
        f"  posts' p99 {what}: {statistics.median(above_ms):.1f} ÷ {statistics.median(below_ms):.1f} ms = {ratio:.2f} "
        f"({', '.join(f'{one:.2f}' for one in sorted(ratios))})"
    )
    return ratio


def rows(statement: str, seconds: float, *, whole: bool = False) -> list[Any]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement, [f"{seconds} seconds"])
        return [row if whole else row[0] for row in cursor.fetchall()]


async def until_caught_up() -> None:
    """Wait until every event was read and nothing waits to be sent."""
    until = time.monotonic() + 300
    while not await asyncio.to_thread(_has_caught_up):
        if time.monotonic() > until:
            raise SystemExit("the dispatcher does not catch up")
        await asyncio.sleep(0.1)


def _has_caught_up() -> bool:
    from live.dispatch import outbox
    from live.models import Delivery, State

    return not outbox.has_events() and not Delivery.objects.filter(state=State.WAITING).exists()


if __name__ == "__main__":
    sys.exit(main())
