"""The rules of the board: how an open call stands, in Python and in SQL."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from live.board import open_calls, rules
from live.board.rules import Event, State
from live.kinds import Kind
from tests.conftest import and_in_full
from tests.factories import make_number, take
from tests.live import boards

NOW = datetime(2026, 11, 27, 10, 0, tzinfo=UTC)
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)


def standing(*events, began=10 * MINUTE, limit=HOUR):
    """Return how a call stands at NOW that began so long before; events are a kind and how long ago it was."""
    numbered = [Event(pk, NOW - ago, kind) for pk, (kind, ago) in enumerate(events)]
    return rules.standing(NOW - began, numbered, limit, NOW)


def test_a_call_is_in_plan_rings_and_is_talked_and_a_forward_that_ended_leaves_it_in_plan_again():
    rang, answered = (Kind.FORWARD, 2 * MINUTE), (Kind.ANSWER, MINUTE)
    start = NOW - 10 * MINUTE

    assert standing() == rules.Standing(State.IN_PLAN, start)
    assert standing(rang) == rules.Standing(State.RINGING, start)
    assert standing(rang, answered) == rules.Standing(State.TALKING)
    assert standing(rang, (Kind.BRIDGE_END, MINUTE)) == rules.Standing(State.IN_PLAN, start)
    assert standing(rang, (Kind.BRIDGE_END, MINUTE), (Kind.FORWARD, SECOND)).state == State.RINGING
    # Another destination that is told late changes nothing about a talk.
    assert standing(rang, answered, (Kind.FORWARD, SECOND)).state == State.TALKING


def test_who_talked_before_waits_from_the_end_of_that_talk():
    talked = [(Kind.FORWARD, 9 * MINUTE), (Kind.ANSWER, 8 * MINUTE), (Kind.BRIDGE_END, 2 * MINUTE)]

    assert standing(*talked).waits_since == NOW - 2 * MINUTE
    assert standing(*talked, (Kind.FORWARD, MINUTE)).waits_since == NOW - 2 * MINUTE


def test_a_call_that_stands_too_long_counts_as_without_an_end():
    for events, limit in (
        ([], HOUR),
        ([(Kind.FORWARD, None)], 3 * MINUTE),
        ([(Kind.ANSWER, None)], 2 * HOUR),
        ([(Kind.BRIDGE_END, None)], HOUR),
    ):
        for ago, is_over in ((limit, False), (limit + SECOND, True)):
            told = [(kind, ago) for kind, _ago in events]
            stands = standing(*told, began=ago, limit=2 * HOUR)
            assert (stands.state == State.NO_END) == is_over, (events, ago)
            assert stands.waits_since is None or not is_over


def test_a_talk_may_take_an_hour_and_twice_what_ninety_nine_of_a_hundred_take():
    assert rules.talk_limit(None) == rules.talk_limit(600) == HOUR
    assert rules.talk_limit(5400) == 3 * HOUR


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("calls", and_in_full([400], 1250))
def test_the_statement_counts_random_calls_as_the_rules_do(calls):
    """Most without an end; the order in which posts are stored is not that of their receipt."""
    chance = random.Random(16)
    numbers = [make_number(f"+4922155400{n}") for n in range(300, 303)]
    limits = {number.pk: rules.talk_limit(seconds) for number, seconds in zip(numbers, (None, 600, 3600), strict=True)}
    stored = []
    for n in range(calls):
        number, at = chance.choice(numbers), NOW - timedelta(seconds=chance.choice((1, 30, 170, 200, 3500, 4000, 9000)))
        for kind, later in boards.history(chance):
            at += later
            if at <= NOW:
                stored.append((number, f"call {n}", kind, at))
    chance.shuffle(stored)
    for number, name, kind, at in stored:
        take(number, kind, at, call_uuid=name, correlation_id=name)
    take(numbers[0], "CALL_START", NOW, call_uuid="callback", correlation_id="callback", callback_id="1")

    counted = open_calls.count(limits, NOW)
    standings = list(boards.standings(limits, NOW))

    assert len(standings) > 0.3 * calls
    for pk, of_number in counted.items():
        own = [standing for call, standing in standings if call.destination_number_id == pk]
        assert of_number.calls == {state: sum(one.state == state for one in own) for state in State}
        assert all(of_number.calls.values()), "the random calls leave a state out"
        assert of_number.waits_since == min(one.waits_since for one in own if one.waits_since)
