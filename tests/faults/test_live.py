"""The process `live` or the database is killed or frozen while calls ring: each ring is shown once, or listed. What
was received long before it is read, is listed as late."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.conftest import full_or
from tests.faults.streams import USER, Forwards, Listener, forward, make_listener
from tests.faults.system import ACCESS_KEY, E164, children_of, frozen, tree_of, under_load, wait_until

pytestmark = pytest.mark.faults

RINGS_A_SECOND = 10.0
# Older posts are late.
FRESH_S = 10.0
RINGING = ("", "not_connected")
# Each forward to the person, with the ring that was noted of it.
RINGS = """
SELECT call.call_uuid, call.id, pop.id, pop.why_not, pop.closed_at IS NOT NULL FROM calls_call AS call
JOIN calls_callevent AS event ON event.call_id = call.id AND event.request_type = 'INITIATE_FORWARD'
LEFT JOIN live_pop AS pop ON pop.event_id = event.id
  AND pop.user_id = (SELECT id FROM auth_user WHERE username = %s)
WHERE call.call_uuid = ANY(%s)
"""


def kill_live(system):
    """Kill the workers of `live` with their leader."""
    leader = system.pid("config.live_asgi:application")
    for pid in [*children_of(leader), leader]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def kill_database(system):
    for pid in tree_of(system.postmaster()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(system.has_database, what="the database")


def freeze_database(system):
    with frozen(tree_of(system.postmaster())):
        time.sleep(full_or(15, 4))


FAULTS = {"live killed": kill_live, "database killed": kill_database, "database frozen": freeze_database}
# How often in the full form.
ROUNDS = {"live killed": 20, "database killed": 5, "database frozen": 3}


@pytest.mark.parametrize(
    ("fault", "number"), [(fault, number) for fault, full in ROUNDS.items() for number in range(full_or(full, 1))]
)
def test_every_ring_is_shown_once_or_listed(running, note, fault, number):
    listener = Listener(running.port + 1, make_listener(running))
    forwards = Forwards(running, E164, ACCESS_KEY, rate=RINGS_A_SECOND, name=f"ring-{time.monotonic_ns()}")
    listener.start()
    wait_until(lambda: listener.states, what="a stream")
    rang_before = set(listener.shown)  # calls of the round before may still ring

    def shown_now():
        return len(listener.shown.keys() - rang_before)

    with under_load(running, "live", rate=100 - RINGS_A_SECOND) as client:
        forwards.start()
        wait_until(lambda: shown_now() >= 10, what="rings before the fault")
        FAULTS[fault](running)
        client.hold(1.0)
        shown_before = shown_now()
        wait_until(lambda: shown_now() >= shown_before + 20, what="rings after the fault")
        forwards.stop()
    running.settle()

    def rows():
        with running.database() as connection:
            return connection.execute(RINGS, [USER, forwards.answered]).fetchall()

    wait_until(lambda: all(pop for _uuid, _call, pop, _why, _closed in rows()), what="a ring noted of every forward")
    # What still rings was shown, at the latest by the state with which a new stream begins.
    wait_until(
        lambda: all(listener.shown[call] for _uuid, call, _pop, why, closed in rows() if why in RINGING and not closed),
        what="every open ring shown",
    )
    listener.stop()
    noted = rows()
    shown = [call for _uuid, call, _pop, _why, _closed in noted if listener.shown[call]]
    listed = [why for _uuid, call, _pop, why, _closed in noted if not listener.shown[call]]
    twice = [call for call, times in listener.shown.items() if times > 1]
    figures = f"{len(noted)} rings, {len(shown)} shown, {len(listed)} listed ({sorted(set(listed))})"
    note(figures)
    assert {uuid for uuid, *_row in noted} >= set(forwards.answered), figures
    assert len(noted) == len(set(forwards.answered)), "a ring was noted twice"
    assert not twice, f"shown twice: {twice[:3]} ({figures})"
    # Those that are only listed came late, or were over when the stream came back.
    assert len(shown) >= 30, figures


def test_posts_that_waited_in_the_spool_are_listed_as_late_and_never_shown(running, note):
    listener = Listener(running.port + 1, make_listener(running))
    listener.start()
    wait_until(lambda: listener.states, what="a stream")
    name = f"late-{time.monotonic_ns()}"
    calls = [f"{name}-{n}" for n in range(full_or(5000, 100))]
    # Only the posts in the very beginning wait for the database; then the intake knows that it is away.
    with frozen(tree_of(running.postmaster())), ThreadPoolExecutor(16) as senders:
        answered = list(senders.map(lambda call: forward(running, E164, ACCESS_KEY, call, within_s=30), calls))
        time.sleep(FRESH_S + 1)
    running.settle()

    def rows():
        with running.database() as connection:
            return connection.execute(RINGS, [USER, calls]).fetchall()

    wait_until(lambda: len(rows()) == len(calls) and all(pop for _u, _c, pop, *_ in rows()), what="all rings noted")
    listener.stop()
    noted = rows()
    late = sum(why == "late" for *_row, why, _closed in noted)
    shown = [call for _uuid, call, *_row in noted if listener.shown[call]]
    note(f"{len(calls)} posts while the database was frozen, {late} listed as late, {len(shown)} shown")
    assert all(answered)
    assert (late, shown) == (len(calls), [])
