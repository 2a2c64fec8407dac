"""A flood of refused posts does not affect TENIOS' posts, and the database stays small."""

import statistics
import threading
import time

import pytest

from tests.faults.client import Client, at_once
from tests.faults.conftest import FULL, full_or
from tests.faults.system import ACCESS_KEY, E164, Round, System, judge

pytestmark = pytest.mark.faults

FLOOD = full_or(100_000, 6_000)
TENIOS = "80.239.139.193"


@pytest.fixture(scope="module")
def behind_proxy(prepared, tmp_path_factory):
    """A system that trusts a proxy on this machine to name the client's address."""
    system = System(tmp_path_factory.mktemp("flood") / "var", TRUSTED_PROXIES="127.0.0.1")
    try:
        system.start(prepared)
        yield system
    finally:
        system.stop()


def stranger(index):
    """Return the address of a post: half of the posts share a few addresses; each of the others has a new one."""
    return f"198.18.0.{index % 10}" if index % 2 else f"45.{index >> 16 & 255}.{index >> 8 & 255}.{index & 255}"


def size_of(system):
    with system.database() as connection:
        return connection.execute("SELECT pg_database_size(current_database())").fetchone()[0]


def test_a_flood_of_refused_posts(behind_proxy, note):
    system = behind_proxy
    flood = Client(system.port, E164, "a-key-that-opens-nothing", rate=1, name="flood", sender=stranger)
    good = Client(system.port, E164, ACCESS_KEY, rate=50, name=f"good-{time.monotonic_ns()}", sender=lambda _: TENIOS)
    before = size_of(system)
    good.start()
    try:
        good.hold(full_or(60, 5))
        began = time.monotonic()
        flooding = threading.Thread(target=at_once, args=(flood, FLOOD, 16))
        flooding.start()
        flooding.join()
        of = Round("flood", good, began, time.monotonic())
        good.hold(1)
    finally:
        good.stop()
    grown = size_of(system) - before
    answers = {line.answer for line in flood.sent}
    p99 = {
        when: statistics.quantiles([line.took_s * 1000 for line in lines], n=100)[98]
        for when, lines in {
            "before": [line for line in good.sent if line.at < of.began],
            "in it": [line for line in good.sent if of.began <= line.at <= of.ended],
        }.items()
    }
    slowed = sum(line.answer == "429" for line in flood.sent) / len(flood.sent)
    note(
        f"{len(flood.sent) / (of.ended - of.began):.0f} posts/s of strangers, {slowed:.0%} of them answered 429; "
        f"99 % of the good within {p99['in it']:.0f} ms, {p99['before']:.0f} ms before; "
        f"the database grew by {grown / 2**20:.1f} MB; {judge(system, of)}"
    )
    assert {line.answer for line in good.sent} == {"200"}
    assert answers == {"403", "429"}
    with system.database() as connection:
        assert connection.execute("SELECT count(*) FROM calls_refusedpost").fetchone() == (0,)
    assert grown < 16 * 2**20
    assert not FULL or p99["in it"] < 250


def test_a_flood_of_what_is_kept_for_replay_stays_within_its_bounds(behind_proxy, note):
    """A wrong setting at TENIOS: its refused posts are stored, at most the newest 2,000."""
    system = behind_proxy
    before = size_of(system)
    flood = Client(system.port, "+4940999999", ACCESS_KEY, rate=1, name="wrong", sender=lambda _: TENIOS)
    took_s = at_once(flood, full_or(20_000, 4_000), 16)
    grown = size_of(system) - before
    note(f"{len(flood.sent) / took_s:.0f} posts/s, the database grew by {grown / 2**20:.1f} MB")

    assert {line.answer for line in flood.sent} == {"403"}
    with system.database() as connection:
        kept = connection.execute("SELECT count(*), min(reason), max(reason) FROM calls_refusedpost").fetchone()
    assert kept == (2_000, "unknown_number", "unknown_number")
    assert grown < 64 * 2**20
