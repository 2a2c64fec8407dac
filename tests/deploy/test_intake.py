"""The intake as a separate process: posts go to it, web processes report its metrics, and either may stop."""

import contextlib
import os
import re
import signal
import socketserver
import threading

import pytest

from tests.deploy.intake import scrape
from tests.deploy.proxy import Nginx
from tests.deploy.wire import Wire
from tests.faults.system import ROOT, tree_of, wait_until
from tests.ports import free_port

TAKEN = "calltally_posts_total", "200"
RULES = ROOT / "deploy/prometheus/calltally.rules.yml"


def taken(system):
    """Return the number of posts that intake and web have answered 200 since their start."""
    metrics = scrape(system)
    return {process: metrics.get((*TAKEN, process), 0) for process in ("web", "intake")}


def grown(system, before):
    return {process: count - before[process] for process, count in taken(system).items()}


@pytest.fixture
def stopped(intake):
    """Stop the intake process, and start it again afterwards."""
    intake.stop()
    yield intake
    if intake.process.poll() is not None:
        intake.start()


def test_posts_go_only_to_the_intake_and_web_processes_report_its_counters(wire, system):
    before = taken(system)
    statuses = [wire.post().status for _ in range(20)]
    wire.post(path="/tenios/posts/")

    assert set(statuses) == {200}
    assert grown(system, before) == {"web": 0, "intake": 21}
    metrics = scrape(system)
    assert metrics["calltally_intake_up",] == 1
    assert metrics["calltally_post_seconds_count", "intake"] >= 21
    assert metrics["calltally_batch_posts_sum", "intake"] >= 21


def test_health_is_answered_only_for_the_host_name(wire):
    assert wire.ask("/healthz").status == 200
    assert wire.ask("/healthz", host="another.example").status == 421


@pytest.mark.parametrize("path", ["/", "/reports/", "/admin/", "/metrics", "/accounts/login/", "/static/x.css", "/x"])
def test_the_intake_serves_nothing_else(intake, path):
    assert intake.status(path) == 404


def test_each_alert_reads_the_counters_of_both_processes(wire, system):
    """Every series that a rule names exists for the intake too, or is one of the whole installation."""
    wire.post()
    metrics = scrape(system)
    rules = RULES.read_text()
    counters = set(re.findall(r"calltally_(?:post|spooled|batch)\w+", rules))

    assert {"calltally_posts_total", "calltally_post_seconds_bucket"} <= counters
    for name in counters:
        assert {key[-1] for key in metrics if key[0] == name} == {"web", "intake"}, name
    assert ("calltally_posts_total", "503", "intake") in metrics  # the first 503 must be an increase


# --- One of them stopped ---


def test_while_the_intake_is_stopped_the_web_processes_take_posts_and_say_so(wire, system, stopped):
    before = taken(system)
    statuses = [wire.post().status for _ in range(20)]

    assert set(statuses) == {200}
    assert taken(system)["web"] == before["web"] + 20
    assert scrape(system)["calltally_intake_up",] == 0

    stopped.start()
    assert scrape(system)["calltally_intake_up",] == 1
    wait_until(lambda: wire.post().status == 200 and taken(system)["intake"], what="posts at the intake again")


def test_a_hanging_intake_is_reported(wire, system, intake):
    frozen = tree_of(intake.process.pid)
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        # A thread may answer once more before the signal has reached it.
        wait_until(lambda: scrape(system)["calltally_intake_up",] == 0, what="an intake that hangs")
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)

    wait_until(lambda: scrape(system)["calltally_intake_up",] == 1, what="an intake that goes on")


@pytest.mark.slow
def test_the_restart_of_one_leaves_the_counters_of_the_other(wire, system, intake):
    wire.post()
    before = taken(system)
    old = system.pid("config.serve")
    os.kill(old, signal.SIGTERM)
    wait_until(lambda: system.pid("config.serve") != old and _serves(system), what="another web server")

    assert taken(system)["intake"] == before["intake"]
    assert wire.post().status == 200
    assert taken(system)["intake"] == before["intake"] + 1


def _serves(system):
    with contextlib.suppress(OSError):
        return system.health()["status"] == "ok"
    return False


@pytest.mark.slow
def test_no_post_is_refused_while_the_intake_reloads(wire, intake):
    before = set(intake.workers())
    intake.process.send_signal(signal.SIGHUP)
    answers = []

    def is_renewed():
        answers.extend(wire.post().status for _ in range(10))
        return not before & set(intake.workers())

    wait_until(is_renewed, what="new processes")
    assert set(answers) == {200}


class Silent(socketserver.StreamRequestHandler):
    """Reads a post and closes the connection without an answer."""

    def handle(self):
        head = b"".join(iter(self.rfile.readline, b"\r\n"))
        self.rfile.read(int(re.search(rb"content-length: (\d+)", head.lower())[1]))
        self.server.taken += 1


@contextlib.contextmanager
def silent():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Silent) as server:
        server.taken = 0
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_a_post_that_was_sent_is_not_passed_to_another_server(tmp_path, certificate):
    with silent() as intake, silent() as web:
        nginx = Nginx(tmp_path / "nginx", certificate, intake.server_address[1], web.server_address[1])
        try:
            nginx.start()
            assert Wire(nginx, certificate).post().status == 502
            assert (intake.taken, web.taken) == (1, 0)
        finally:
            nginx.stop()


def test_a_post_that_no_server_accepts_is_passed_to_each_once(tmp_path, certificate):
    with silent() as web:
        nginx = Nginx(tmp_path / "nginx", certificate, free_port(), web.server_address[1])
        try:
            nginx.start()
            assert Wire(nginx, certificate).post().status == 502
            assert web.taken == 1
        finally:
            nginx.stop()
