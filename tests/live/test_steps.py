"""The rows of CTI formats: what an event means for other systems, whatever the order and whatever is missing."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from live.dispatch.steps import (
    ANSWER,
    CANCEL,
    FORWARDED,
    HANGUP,
    NEW_CALL,
    NO_ANSWER,
    NORMAL,
    Course,
    Event,
    steps_of_call,
    steps_of_rings,
)
from live.kinds import Kind

T = datetime(2026, 11, 30, 10, tzinfo=UTC)
LATER = T + timedelta(hours=5)
START, FORWARD, ANSWERED, BRIDGE_END, END = (
    Kind.START,
    Kind.FORWARD,
    Kind.ANSWER,
    Kind.BRIDGE_END,
    Kind.CALL_END,
)


def course(*events, **more):
    """`events` are (kind, seconds) or (kind, seconds, destination)."""
    return Course(
        [
            Event(place, T + timedelta(seconds=rest[0]), kind, *rest[1:], *(["SIP_USER"] if rest[1:] else []))
            for place, (kind, *rest) in enumerate(events, 1)
        ],
        **more,
    )


def told(steps):
    return [(step.kind, step.ring, step.destination, step.cause) for step in steps]


def test_a_call_is_one_row_that_is_answered_and_hung_up():
    of = course((START, 0), (FORWARD, 5, "1001"), (FORWARD, 9, "1002"), (ANSWERED, 12, "1002"), (END, 60))
    assert told(steps_of_call(of, LATER)) == [
        (NEW_CALL, 0, "", ""),
        (ANSWER, 0, "1002", ""),
        (HANGUP, 0, "1002", NORMAL),
    ]


def test_a_call_without_a_start_begins_with_its_first_forward():
    assert told(steps_of_call(course((FORWARD, 5, "1001"), (END, 9)), LATER)) == [
        (NEW_CALL, 0, "1001", ""),
        (HANGUP, 0, "", CANCEL),
    ]


def test_a_call_that_falls_silent_is_hung_up_and_one_that_rings_too_long_only_where_no_ends_arrive():
    events = ((START, 0), (FORWARD, 5, "1001"))
    rang = T + timedelta(seconds=65)
    assert told(steps_of_call(course(*events), LATER)) == [(NEW_CALL, 0, "", "")]
    silent = steps_of_call(course(*events, silent_at=LATER), LATER)
    assert told(silent)[1:] == [(HANGUP, 0, "", NO_ANSWER)]
    assert silent[1].happened_at == LATER
    without = course(*events, has_ends=False)
    assert told(steps_of_call(without, rang - timedelta(seconds=1))) == [(NEW_CALL, 0, "", "")]
    assert told(steps_of_call(without, rang))[1:] == [(HANGUP, 0, "", NO_ANSWER)]


def test_each_ring_is_a_row_of_which_one_is_answered_and_the_others_are_hung_up_as_forwarded():
    of = course((START, 0), (FORWARD, 5, "1001"), (FORWARD, 5, "1002"), (ANSWERED, 12, "1002"), (END, 60))
    assert told(steps_of_rings(of, LATER)) == [
        (NEW_CALL, 2, "1001", ""),
        (HANGUP, 2, "", FORWARDED),
        (NEW_CALL, 3, "1002", ""),
        (ANSWER, 3, "1002", ""),
        (HANGUP, 3, "1002", NORMAL),
    ]


def test_rings_one_after_another_at_the_same_destination_are_rows_of_their_own():
    of = course((FORWARD, 0, "1001"), (BRIDGE_END, 20), (FORWARD, 30, "1001"), (ANSWERED, 35, "1001"), (END, 60))
    assert told(steps_of_rings(of, LATER)) == [
        (NEW_CALL, 1, "1001", ""),
        (HANGUP, 1, "", NO_ANSWER),
        (NEW_CALL, 3, "1001", ""),
        (ANSWER, 3, "1001", ""),
        (HANGUP, 3, "1001", NORMAL),
    ]


def test_a_ring_ends_by_its_time_limit_or_with_the_call():
    of = course((FORWARD, 0, "1001"), (FORWARD, 50, "1002"), (END, 70), ring_timeout=timedelta(seconds=30))
    steps = steps_of_rings(of, LATER)
    assert [(step.ring, step.kind, step.cause) for step in steps] == [
        (1, NEW_CALL, ""),
        (1, HANGUP, NO_ANSWER),
        (2, NEW_CALL, ""),
        (2, HANGUP, CANCEL),
    ]
    assert steps[1].happened_at == T + timedelta(seconds=30)


@pytest.mark.parametrize("rule", [steps_of_call, steps_of_rings])
def test_no_order_in_which_events_are_stored_changes_what_is_told(rule):
    events = course((START, 0), (FORWARD, 5, "1001"), (ANSWERED, 8, "1001"), (BRIDGE_END, 40), (END, 41)).events
    expected = told(rule(Course(events), LATER))
    assert all(told(rule(Course(order), LATER)) == expected for order in permutations(events))


@pytest.mark.parametrize("rule", [steps_of_call, steps_of_rings])
def test_each_row_begins_once_is_answered_at_most_once_and_ends_at_most_once_whatever_happens(rule):
    random.seed(16)
    kinds = [START, FORWARD, FORWARD, ANSWERED, BRIDGE_END, END, None]
    for _round in range(2000):
        chosen = [random.choice(kinds) for _event in range(random.randrange(1, 9))]
        events = [
            (kind, random.randrange(200), random.choice(("1001", "1002")))
            if kind in (FORWARD, ANSWERED)
            else (kind, random.randrange(200))
            for kind in chosen
        ]
        of = course(*events, silent_at=random.choice([None, LATER]), has_ends=random.choice([True, False]))
        rows = {}
        for step in rule(of, T + timedelta(seconds=random.randrange(400))):
            rows.setdefault(step.ring, []).append(step.kind)
        for kinds_of_row in rows.values():
            assert kinds_of_row in ([NEW_CALL], [NEW_CALL, ANSWER], [NEW_CALL, HANGUP], [NEW_CALL, ANSWER, HANGUP])
