"""The room for calls: loops need no more memory at one depth of the stack than at another."""

import resource
import sys
import threading

import pytest

from config.call_stack import with_room

CALLS = 2_000
DEPTHS = range(0, 400, 4)


def faults_of_loops(depth):
    """Return how many pages of memory a loop of calls took at a depth of the stack."""

    def call():
        pass

    # As large as several levels together, so that it crosses the end of a piece at one of the depths.
    call.__code__ = call.__code__.replace(co_stacksize=200)

    def loop():
        before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
        for _ in range(CALLS):
            call()
        return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before

    def down(levels):
        return loop() if levels == 0 else down(levels - 1)

    return down(depth)


def most_faults(measure):
    """Return the most that a loop takes at any depth, in a thread of its own."""
    found = []
    thread = threading.Thread(target=lambda: found.append(max(measure(depth) for depth in DEPTHS)))
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.skipif(sys.platform != "linux", reason="counts faults of a thread as Linux does")
def test_no_loop_maps_memory_at_each_call():
    assert most_faults(with_room(faults_of_loops)) < CALLS / 4


@pytest.mark.skipif(sys.platform != "linux" or sys.version_info >= (3, 15), reason="Python 3.15 keeps one piece")
def test_without_room_some_loop_does():
    assert most_faults(faults_of_loops) >= CALLS


def test_answers_and_errors_pass():
    def fail(asked):
        raise ValueError(asked)

    assert with_room(str)(1) == "1"
    with pytest.raises(ValueError, match="broken"):
        with_room(fail)("broken")
