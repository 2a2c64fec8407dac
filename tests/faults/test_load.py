"""Posts at full speed, and at a steady rate while pages are loaded and a download runs.

Time limits are checked only in the full form, because a short run on a busy machine says little."""

import contextlib
import http.cookiejar
import statistics
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from tests.faults.client import Client, at_once
from tests.faults.conftest import FULL, full_or
from tests.faults.system import ACCESS_KEY, E164, Round, judge, tree_of, under_load

pytestmark = pytest.mark.faults

STEADY_S = full_or(1800, 10)
PAGES = ("/reports/", "/reports/calls/", "/reports/counts.csv?by=quarter-hour", "/reports/calls.csv")


def test_two_thousand_at_once_on_64_connections(running, note):
    client = Client(running.port, E164, ACCESS_KEY, rate=1, name=f"burst-{time.monotonic_ns()}")
    began = time.monotonic()
    took_s = at_once(client, 2000, 64)
    of = Round("burst", client, began, time.monotonic())
    note(f"all answered within {took_s:.2f} s; {judge(running, of)}")
    assert {line.answer for line in client.sent} == {"200"}
    assert not FULL or took_s < 4


def signed_in(system):
    """Return a function that requests pages as a staff user."""
    is_made, printed = system.run(
        "from django.contrib.auth.models import User; user, _ = User.objects.get_or_create(username='reader',"
        " is_staff=True, is_superuser=True); user.set_password('reading all day'); user.save()"
    )
    assert is_made, printed
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar := http.cookiejar.CookieJar()))
    address = f"http://127.0.0.1:{system.port}"
    opener.open(f"{address}/accounts/login/").read()
    token = next(cookie.value for cookie in jar if cookie.name == "csrftoken")
    form = {"username": "reader", "password": "reading all day", "csrfmiddlewaretoken": token}
    opener.open(f"{address}/accounts/login/?next=/reports/", urllib.parse.urlencode(form).encode()).read()
    return lambda path: opener.open(address + path, timeout=30).read()


def memory_of(system):
    """Return the proportional set size, in bytes, of each process of the system."""
    sizes = {}
    for leader in [system.process.pid, system.postmaster()]:
        for pid in tree_of(leader):
            with contextlib.suppress(OSError, StopIteration):
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                sizes[pid] = int(next(line for line in lines if line.startswith("Pss:")).split()[1]) * 1024
    return sizes


def test_200_a_second_while_pages_are_read_and_an_export_runs(running, note):
    open_page = signed_in(running)
    stopped, read, lags = threading.Event(), [], []

    def keep_reading():
        while not stopped.is_set():
            for path in PAGES:
                assert open_page(path)
                read.append(path)

    def keep_looking():
        with running.database() as connection:
            while not stopped.wait(1):
                oldest = "SELECT extract(epoch FROM now() - min(logged_at)) FROM calls_changedquarterhour"
                lags.append(float(connection.execute(oldest).fetchone()[0] or 0))

    threads = [threading.Thread(target=work) for work in (keep_reading, keep_looking)]
    with under_load(running, "steady", rate=200) as client:
        of = Round("steady", client, time.monotonic())
        for thread in threads:
            thread.start()
        client.hold(STEADY_S / 4)
        before = memory_of(running)
        client.hold(STEADY_S * 3 / 4)
        after = memory_of(running)
        of.ended = time.monotonic()
        stopped.set()
        for thread in threads:
            thread.join()
    took_ms = statistics.quantiles((line.took_s * 1000 for line in client.sent), n=100)
    grown = {pid: after[pid] - size for pid, size in before.items() if pid in after}
    note(
        f"99 % within {took_ms[98]:.0f} ms; {len(read)} pages and downloads read; counted {max(lags):.1f} s behind at "
        f"most; no process grew by more than {max(grown.values()) / 2**20:.1f} MB; {judge(running, of)}"
    )
    assert {line.answer for line in client.sent} == {"200"}
    assert len(read) >= len(PAGES)
    assert max(lags) < 60
    if FULL:
        assert took_ms[98] < 250
        assert max(grown.values()) < 20 * 2**20
