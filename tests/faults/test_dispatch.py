"""The dispatcher or the database is killed while events are sent, other systems are hostile, posts come late: each
event reaches every endpoint once, or twice with the same id, and nothing is sent where nothing may be sent."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import quantiles

import pytest

from tests.faults.conftest import demand, full_or
from tests.faults.streams import forward
from tests.faults.system import ACCESS_KEY, E164, System, frozen, is_alive, tree_of, under_load, wait_until
from tests.receiver import receiver

pytestmark = pytest.mark.faults

# The network of the test: tests/faults/names.c.
HOST = "10.77.0.1"
LATE_S = 10.0
# In the short form the machine may be busy; who waits for a silent system waits for 15 s.
P99_S = full_or(1.0, 10.0)
# What must never be reached, whatever a name says.
FORBIDDEN = ("127.0.0.1", "::1", "169.254.169.254", "::ffff:127.0.0.1", "0.0.0.0")
MAKE = """
import json
from django.utils import timezone
from live.dispatch.formats import webhooks
from live.models import Endpoint
for fields in json.loads({endpoints!r}):
    endpoint = Endpoint(is_on=True, on_since=timezone.now(), **fields)
    endpoint.set_secret(webhooks.new_secret())
    endpoint.save()
"""
# Calls that the client of the test has made, with each event that webhooks tell.
EVENTS = """
SELECT event.id FROM calls_callevent AS event JOIN calls_call AS call ON call.id = event.call_id
WHERE event.request_type IN ('CALL_START', 'INITIATE_FORWARD', 'FORWARD_ANSWER', 'CALL_END')
  AND call.call_uuid LIKE %s
"""
TOLD = """
SELECT endpoint.name, delivery.event_id, 'msg_' || replace(delivery.uuid::text, '-', ''), delivery.state,
  delivery.is_late
FROM live_delivery AS delivery JOIN live_endpoint AS endpoint ON endpoint.id = delivery.endpoint_id
JOIN calls_callevent AS event ON event.id = delivery.event_id JOIN calls_call AS call ON call.id = event.call_id
WHERE call.call_uuid LIKE %s
"""


@pytest.fixture(scope="module")
def sending(prepared, tmp_path_factory):
    """A system with a resolver and a network of the test; the file of its names, and that of its connections."""
    compiler = shutil.which("cc")
    demand(compiler, "no C compiler is here (Debian: apt-get install gcc libc6-dev)")
    folder = tmp_path_factory.mktemp("dispatch")
    library, names, connects = folder / "names.so", folder / "names", folder / "connects"
    names.write_text("")
    source = Path(__file__).with_name("names.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    system = System(
        folder / "var",
        LD_PRELOAD=str(library),
        NAMES=str(names),
        CONNECTS=str(connects),
        OUTGOING_PRIVATE_NETWORKS="10.77.0.0/24",
    )
    try:
        system.start(prepared)
        yield system, names, connects
    finally:
        system.stop()


# As the admin deletes, because the dispatcher may be adding deliveries.
DELETE = """
from accounts import deleting
from live.models import Endpoint
with deleting.locked(Endpoint.objects.all()):
    Endpoint.objects.all().delete()
"""


@contextlib.contextmanager
def endpoints(system, *fields):
    """Create endpoints that are on, and wait for a dispatcher that works; delete them in the end."""
    is_made, printed = system.run(MAKE.format(endpoints=json.dumps(fields)))
    assert is_made, printed
    try:
        wait_until(lambda: works(system), what="a dispatcher that works")
        yield
    finally:
        is_deleted, printed = system.run(DELETE)
        assert is_deleted, printed


def works(system):
    with contextlib.suppress(OSError, IndexError):
        return is_alive(system.pid("dispatch_events")) and rows(
            system, "SELECT name FROM live_dispatchprocess WHERE works AND seen_at > now() - interval '10 seconds'"
        )
    return False


def rows(system, statement, *parameters):
    with system.database() as connection:
        return connection.execute(statement, parameters).fetchall()


def webhook(other, name):
    return {"name": name, "format": "webhook", "url": f"http://{HOST}:{other.port}/{name}"}


def kill_before(system, _others):
    """Deliveries wait when it dies."""
    pid = system.pid("dispatch_events")
    os.kill(pid, signal.SIGSTOP)
    time.sleep(0.5)
    os.kill(pid, signal.SIGKILL)


def kill_during(system, others):
    """A system was just asked, and has not answered."""
    is_asked, has_died = threading.Event(), threading.Event()

    def hold(_handler, _one):
        is_asked.set()
        has_died.wait(5)

    others[0].before = hold
    assert is_asked.wait(30)
    os.kill(system.pid("dispatch_events"), signal.SIGKILL)
    others[0].before = None
    has_died.set()


def kill_after(system, others):
    """A system has just answered."""
    before = len(others[0].received)
    wait_until(lambda: len(others[0].received) > before, what="a delivery")
    os.kill(system.pid("dispatch_events"), signal.SIGKILL)


def kill_database(system, _others):
    for pid in tree_of(system.postmaster()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(system.has_database, what="the database")


KILLS = (kill_before, kill_during, kill_after)


@pytest.mark.parametrize("what", ["dispatcher", "database"])
def test_each_event_reaches_every_endpoint_once_or_twice_with_one_id(sending, note, what):
    system, *_files = sending
    faults = [kill_database] * full_or(5, 1) if what == "database" else [KILLS[n % 3] for n in range(full_or(20, 3))]
    with contextlib.ExitStack() as stack:
        others = [stack.enter_context(receiver()) for _n in range(3)]
        stack.enter_context(endpoints(system, *(webhook(one, f"{what} {n}") for n, one in enumerate(others))))
        with under_load(system, what) as client:
            wait_until(lambda: all(one.received for one in others), what="first deliveries")
            for fault in faults:
                died = system.pid("dispatch_events")
                fault(system, others)
                if fault is not kill_database:
                    wait_until(lambda died=died: system.pid("dispatch_events") != died, what="another dispatcher")
                arrived = [len(one.received) for one in others]
                wait_until(
                    lambda arrived=arrived: all(
                        len(one.received) > before + 20 for one, before in zip(others, arrived, strict=True)
                    ),
                    what="deliveries after the fault",
                )
                # One that ran for ten seconds is started again without a pause, so that no events gather.
                client.hold(random.uniform(*full_or((10.5, 12.0), (0.2, 1.0))))
        system.settle()
        like = f"{client.name}%"
        events = {pk for (pk,) in rows(system, EVENTS, like)}
        wait_for_delivered(system, like, len(events) * 3)
        told = rows(system, TOLD, like)
        times = Counter(one.headers["webhook-id"] for other in others for one in other.received)
    figures = (
        f"{len(faults)} times, {len(client.sent)} posts, {len(events)} events, {len(told)} deliveries, "
        f"{sum(times[pk] > 1 for _name, _event, pk, *_ in told)} of them sent twice"
    )
    note(figures)
    assert len(told) == len({(name, event) for name, event, *_ in told}) == len(events) * 3, figures
    assert {times[pk] for _name, _event, pk, *_ in told} <= {1, 2}, figures


def wait_for_delivered(system, like, deliveries):
    """Wait until so many deliveries were sent, as long as there is progress: in the full form it takes minutes."""
    while (before := delivered(system, like)) < deliveries:
        wait_until(
            lambda before=before: delivered(system, like) > before, what=f"more than {before} of {deliveries} sent"
        )


def delivered(system, like):
    ((count,),) = rows(system, f"SELECT count(*) FROM ({TOLD}) AS told WHERE state = 'delivered'", like)
    return count


def test_of_late_posts_no_call_rings_in_other_systems_and_each_webhook_says_that_it_is_late(sending, note):
    system, *_files = sending
    name = f"late-{time.monotonic_ns()}"
    calls = [f"{name}-{n}" for n in range(full_or(5000, 200))]
    with contextlib.ExitStack() as stack:
        json_receiver, cti = (stack.enter_context(receiver()) for _n in range(2))
        zammad = webhook(cti, "CTI") | {"format": "zammad"}
        stack.enter_context(endpoints(system, webhook(json_receiver, "JSON"), zammad))
        with frozen(tree_of(system.postmaster())), ThreadPoolExecutor(16) as senders:
            answered = list(senders.map(lambda call: forward(system, E164, ACCESS_KEY, call, within_s=30), calls))
            time.sleep(LATE_S + 1)
        system.settle()
        wait_for_delivered(system, f"{name}%", len(calls))
        told = rows(system, TOLD, f"{name}%")
        late = [json.loads(one.body)["data"]["late"] for one in json_receiver.received]
        note(f"{len(calls)} posts while the database was frozen, {sum(late)} told as late, {len(cti.received)} by CTI")
    assert all(answered)
    assert [name for name, *_ in told] == ["JSON"] * len(calls)
    assert all(is_late for *_more, is_late in told)
    assert (len(late), all(late), cti.received) == (len(calls), True, [])


# --- Hostile systems ---


def silent(handler, _one):
    time.sleep(30)
    return True


def endless(handler, _one):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    while True:
        handler.wfile.write(b"x" * 1000)
        handler.wfile.flush()


def dripping(handler, _one):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
    while True:
        handler.wfile.write(b"x")
        handler.wfile.flush()
        time.sleep(0.2)


def resets(handler, _one):
    handler.connection.setsockopt(1, 13, bytes([1, 0, 0, 0, 0, 0, 0, 0]))  # SO_LINGER: closes by a reset
    handler.close_connection = True
    return True


XML = (
    '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/passwd"><!ENTITY b "&e;&e;&e;&e;">]>'
    '<Response onAnswer="http://{trap}/a" onHangup="http://127.0.0.1:{port}/h">&b;</Response>'
)


def test_hostile_systems_hold_up_no_other_and_lead_nowhere(sending, note):
    system, names, connects = sending
    with contextlib.ExitStack() as stack:
        good, trap, *bad = (stack.enter_context(receiver()) for _n in range(10))
        answers = {302: {"Location": f"http://{HOST}:{trap.port}/"}, 410: {}, 429: {"Retry-After": "1"}, 500: {}}
        hostile = []
        for one, status in zip(bad, answers, strict=False):
            one.status, one.headers = status, answers[status]
            hostile.append(webhook(one, f"answers {status}"))
        for one, behaves in zip(bad[len(answers) :], (silent, endless, dripping, resets), strict=True):
            one.before = behaves
            hostile.append(webhook(one, behaves.__name__))
        names.write_text(
            "".join(f"changing{n}.example.com 10.77.0.2 {address}\n" for n, address in enumerate(FORBIDDEN[:3]))
        )
        for n in range(3):
            url = f"http://changing{n}.example.com:{trap.port}/changing"
            hostile.append({"name": f"changes {n}", "format": "webhook", "url": url})
        xml = stack.enter_context(receiver())
        xml.body = XML.format(trap=f"{HOST}:{trap.port}", port=trap.port).encode()
        xml.headers = {"Content-Type": "application/xml"}
        hostile.append(webhook(xml, "XML") | {"format": "sipgate"})
        stack.enter_context(endpoints(system, webhook(good, "good"), *hostile))
        with under_load(system, "hostile") as client:
            wait_until(lambda: len(good.received) > full_or(3000, 400), 120, "deliveries to the good one")
        system.settle()
        arrived = {one.headers["webhook-id"]: one.at for one in good.received}
        wait_until(lambda: len({one.headers["webhook-id"] for one in good.received}) >= told_to_good(system, client))
        took = rows(system, TOOK, f"{client.name}%")
    p99, p99_of_posts = (quantiles(delays, n=100)[98] for delays in zip(*took, strict=True))
    note(
        f"{len(arrived)} deliveries beside {len(hostile)} hostile systems: 99 % sent within {p99:.2f} s, "
        f"{p99_of_posts:.2f} s after their posts; "
        f"asked: {', '.join(f'{one.status} × {len(one.received)}' for one in bad)}"
    )
    reached = {line.split()[0] for line in connects.read_text().splitlines() if line.split()[1] == str(trap.port)}
    assert reached <= {"10.77.0.2"}, "only the address that is allowed"
    assert {one.path for one in trap.received} <= {"/changing"}, "no redirect, and no address of an answer"
    assert p99 <= P99_S
    assert len(bad[1].received) == 1, "the address that is gone is not asked again"


TOOK = """
SELECT extract(epoch FROM delivery.tried_at - delivery.created_at)::float8,
  extract(epoch FROM delivery.tried_at - event.received_at)::float8
FROM live_delivery AS delivery JOIN live_endpoint AS endpoint ON endpoint.id = delivery.endpoint_id
JOIN calls_callevent AS event ON event.id = delivery.event_id JOIN calls_call AS call ON call.id = event.call_id
WHERE endpoint.name = 'good' AND delivery.state = 'delivered' AND call.call_uuid LIKE %s
"""


def told_to_good(system, client):
    return len([name for name, *_ in rows(system, TOLD, f"{client.name}%") if name == "good"])
