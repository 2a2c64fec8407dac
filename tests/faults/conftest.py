"""Fault tests with real processes under load: `make test-faults`; with CALLTALLY_TEST_FULL=1 all rounds."""

import os
import time

import pytest

from config.embedded import Server
from tests.faults.system import LEAST_INSIDE, Round, System, judge, prepare, under_load

FULL = bool(os.environ.get("CALLTALLY_TEST_FULL"))
REQUIRED = os.environ.get("CALLTALLY_REQUIRE_FAULTS") == "1"

_figures: list[str] = []


def rounds(full, short=1):
    """Return the numbers of the rounds of a fault, as parameters."""
    return pytest.mark.parametrize("number", range(full if FULL else short))


def full_or(full, short):
    return full if FULL else short


def demand(is_there, what):
    """Skip if this machine lacks something that a fault needs; fail if all faults are required."""
    if not is_there:
        if REQUIRED:
            pytest.fail(f"{what}, and CALLTALLY_REQUIRE_FAULTS=1 demands it", pytrace=False)
        pytest.skip(what)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """A home with tables and a number, of which each system begins with a copy."""
    folder = tmp_path_factory.mktemp("prepared")
    folder.chmod(0o711)
    home = folder / "var"
    try:
        yield prepare(home)
    finally:
        Server(home).remove()


@pytest.fixture(scope="session")
def running(prepared, tmp_path_factory):
    system = System(tmp_path_factory.mktemp("faults") / "var")
    try:
        system.start(prepared)
        yield system
    finally:
        system.stop()


@pytest.fixture
def note(request):
    """Record a line of figures that is printed at the end of the run."""
    return lambda figures: _figures.append(f"{request.node.name}: {figures}")


@pytest.fixture
def endure(note):
    """Return a function that subjects a system to a fault under load and checks the result."""

    def endured(system, fault, hold_s=1.0, allowed=(), until=None):
        with under_load(system, "round") as client:
            of = Round("round", client, allowed=set(allowed))
            of.began = time.monotonic()
            with fault(system):
                client.hold(hold_s, posts=LEAST_INSIDE + 20)
            if until:
                until(system)
            of.ended = time.monotonic()
        note(judge(system, of))
        assert of.inside() >= LEAST_INSIDE, of.figures()
        return of

    return endured


def pytest_terminal_summary(terminalreporter):
    if _figures:
        terminalreporter.section("what was endured")
        for line in _figures:
            terminalreporter.write_line(line)
