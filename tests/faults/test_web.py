"""Web processes are killed and restarted under load: answered posts are stored, and few posts are refused."""

import contextlib
import os
import signal

import pytest

from tests.faults.client import longest_refusal_s
from tests.faults.conftest import rounds
from tests.faults.system import is_alive, wait_until

pytestmark = pytest.mark.faults

BLINK_S = 0.5


@rounds(50)
def test_a_worker_is_killed(running, endure, number):
    @contextlib.contextmanager
    def fault(system):
        before = system.web_workers()
        assert len(before) == 2
        os.kill(before[number % 2], signal.SIGKILL)
        yield
        # Longer than granian's limit for a crash loop, then two of them again.
        wait_until(lambda: len(system.web_workers()) == 2 and system.web_workers() != before)

    of = endure(running, fault, 6.5)
    assert longest_refusal_s(of.client.connects) < BLINK_S


@rounds(20)
def test_its_first_process_is_killed(running, endure, number):
    """Its workers serve until those of the next main process do."""

    @contextlib.contextmanager
    def fault(system):
        before = system.pid("config.serve")
        workers = system.web_workers()
        os.kill(before, signal.SIGKILL)
        yield
        wait_until(lambda: system.pid("config.serve") != before)
        wait_until(lambda: len(system.web_workers()) == 2 and not any(map(is_alive, workers)))

    of = endure(running, fault, 2)
    assert longest_refusal_s(of.client.connects) < BLINK_S


@rounds(20)
def test_a_rolling_restart(running, endure, number):
    @contextlib.contextmanager
    def fault(system):
        before = set(system.web_workers())
        os.kill(system.pid("config.serve"), signal.SIGHUP)
        yield
        wait_until(lambda: len(workers := set(system.web_workers())) == 2 and not workers & before)

    of = endure(running, fault, 1)
    assert longest_refusal_s(of.client.connects) < BLINK_S
    others = [line for line in of.client.sent if line.answer != "200"]
    assert not others, others
    assert of.client.sent


@rounds(5)
def test_a_term_under_load_completes_running_requests(running, endure, number):
    """Connections are refused until the web server runs again; accepted posts are answered."""

    @contextlib.contextmanager
    def fault(system):
        before = system.pid("config.serve")
        os.kill(before, signal.SIGTERM)
        yield
        wait_until(lambda: system.pid("config.serve") != before)
        wait_until(lambda: _is_up(system))

    of = endure(running, fault, 1)
    assert {line.answer for line in of.client.sent} <= {"200", "not connected", "broken off"}


def _is_up(system) -> bool:
    with contextlib.suppress(OSError):
        return system.health()["status"] == "ok"
    return False
