"""Which delivery is sent next: in the order of each call, and with threads left for systems that answer."""

from __future__ import annotations

import itertools

import pytest

from live.dispatch.due import Due
from live.dispatch.lanes import LONGEST_REST_S, MOST_FAILURES, SHORTEST_REST_S, SLOW_S, Lanes
from live.models import Delivery

ids = itertools.count(1)


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def due(endpoint=1, call=1):
    return Due(Delivery(pk=next(ids), endpoint_id=endpoint), call, None, {})


def proven(clock, *endpoints, threads=16):
    """Return lanes in which these endpoints have answered at once."""
    lanes = Lanes(threads, clock)
    for endpoint in endpoints:
        lanes.fill([due(endpoint)])
        lanes.finish(lanes.take())
    return lanes


def take_all(lanes):
    taken = []
    while lanes.has_next():
        taken.append(lanes.take())
    assert lanes.take() is None
    return taken


def test_of_a_call_one_delivery_is_sent_at_a_time_in_the_order_of_ids(clock):
    lanes = proven(clock, 1)
    first, second, other = due(call=1), due(call=1), due(call=2)
    lanes.fill([other, second, first])
    assert take_all(lanes) == [first, other]
    lanes.finish(first)
    assert take_all(lanes) == [second]


def test_an_endpoint_has_two_threads_and_all_have_their_turn(clock):
    lanes = proven(clock, 1, 2)
    lanes.fill([*(due(1, call) for call in range(9)), *(due(2, call) for call in range(9))])
    assert [one.endpoint for one in take_all(lanes)] in ([1, 2, 1, 2], [2, 1, 2, 1])
    assert lanes.full() == set(), "they are about to answer"


def test_slow_endpoints_and_new_ones_have_one_thread_each_and_half_of_all_together(clock):
    quick = range(100, 103)
    lanes = proven(clock, *quick, threads=8)
    unknown = range(10)
    lanes.fill([due(endpoint, call) for endpoint in (*unknown, *quick) for call in range(3)])
    taken = take_all(lanes)
    assert sum(one.endpoint in unknown for one in taken) == 4
    assert sum(one.endpoint in quick for one in taken) == 6
    clock.now += SLOW_S
    for one in taken:
        lanes.finish(one)
    lanes.fill([due(endpoint, call) for endpoint in (*unknown, *quick) for call in range(3)])
    assert len(take_all(lanes)) == 4, "all are slow now"


def test_an_endpoint_that_does_not_answer_is_slow_as_soon_as_that_takes_long(clock):
    lanes = proven(clock, 1)
    lanes.fill([due(1, call) for call in range(3)])
    first = lanes.take()
    clock.now += SLOW_S * 2
    assert (lanes.take(), lanes.full()) == (None, {1})
    lanes.finish(first)
    last = lanes.take()
    lanes.finish(last)
    assert len(take_all(lanes)) == 1


def test_what_is_being_sent_is_not_sent_again_if_it_is_found_again(clock):
    lanes = proven(clock, 1)
    one = due()
    lanes.fill([one])
    assert lanes.take() is one
    assert lanes.busy() == {one.id}
    lanes.fill([one])
    assert (lanes.waiting(1), lanes.take()) == (0, None)


def test_an_endpoint_that_only_fails_rests_longer_each_time_until_one_try_succeeds(clock):
    lanes = proven(clock, 1)

    def fail():
        lanes.fill([due(1, call) for call in range(3)])
        lanes.finish(lanes.take(), has_failed=True)

    for _failure in range(MOST_FAILURES):
        fail()
    rest_s = SHORTEST_REST_S
    while rest_s < LONGEST_REST_S * 4:
        lanes.fill([due(1, call) for call in range(3)])
        assert (lanes.take(), lanes.full()) == (None, {1})
        clock.now += min(rest_s, LONGEST_REST_S)
        assert lanes.full() == set()
        first = lanes.take()
        assert (take_all(lanes), lanes.full()) == ([], {1}), "one is tried"
        lanes.finish(first, has_failed=True)
        rest_s *= 2
    clock.now += LONGEST_REST_S
    lanes.finish(lanes.take())
    lanes.fill([due(1, call) for call in range(3)])
    assert len(take_all(lanes)) == 2
