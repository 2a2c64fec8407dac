"""Rings of made-up calls: what each person is shown, and when it ends, equals what an oracle in another shape says."""

from __future__ import annotations

import os
import random
from datetime import UTC, datetime, timedelta

from live.kinds import Kind
from live.rings import Decisions, Event, Settings, follow
from tests.live import ring_oracle as oracle

T = datetime(2026, 9, 9, 10, 0, tzinfo=UTC)
ANNA, BEN, CEM = 1, 2, 3
PEOPLE = (frozenset({ANNA}), frozenset({BEN}), frozenset({ANNA, CEM}), frozenset({BEN, CEM}), frozenset())
CALLS = 10_000 if os.environ.get("CALLTALLY_TEST_FULL") else 1_500


def at(seconds):
    return T + timedelta(seconds=seconds)


def made_up(chance):
    """Return the events of a call: forwards one after another, at once or nested; some posts missing."""
    events, second = [], 0.0

    def add(kind, people=frozenset(), after=0.0):
        events.append(Event(len(events) + 1, at(round(second + after, 1)), kind, people))

    if chance.random() < 0.3:
        add(Kind.START, chance.choice(PEOPLE))
    for _bridge in range(chance.randint(1, 3)):
        second += chance.choice((0, 1, 8, 40))
        forwards = chance.choices(PEOPLE, k=chance.randint(0, 4))
        is_parallel = chance.random() < 0.4
        for people in forwards:
            add(Kind.FORWARD, people, chance.choice((0, 0.5, 2.9)))
            if not is_parallel:
                second += chance.choice((2, 3, 3.1, 12, 25, 61))
        second += chance.choice((0, 4, 20))
        if chance.random() < 0.5:
            add(Kind.ANSWER, chance.choice([*forwards, *PEOPLE]))
            second += chance.choice((0, 5, 200))
        if chance.random() < 0.6:
            add(Kind.BRIDGE_END)
    if chance.random() < 0.7:
        add(Kind.CALL_END)
    return [event for event in events if chance.random() < 0.9]


def readings(chance, events):
    """Return in which pieces the events are read, and when: at once, in order, or in any order."""
    order = sorted(events, key=lambda event: event.at)
    if chance.random() < 0.5:
        chance.shuffle(order)
    now, read = T, []
    while order:
        piece = [order.pop(0) for _ in range(min(len(order), chance.choice((1, 1, 1, 2, 5))))]
        now = max(now, *(event.at for event in piece)) + timedelta(seconds=chance.choice((0.05, 0.05, 1, 11)))
        read.append((piece, now))
    return read


def test_pops_and_closings_of_made_up_calls_equal_those_of_the_oracle():
    chance = random.Random(20260909)
    seen = set()
    for _call in range(CALLS):
        events = made_up(chance)
        settings = Settings(is_callback=chance.random() < 0.03, is_number_off=chance.random() < 0.03)
        for user in (ANNA, BEN, CEM):
            ours, theirs, known = {}, {}, []
            for piece, now in readings(random.Random(chance.random()), events):
                known = known + piece
                otherwise = chance.choice(("", "", "", "not_connected", "switched_off"))
                rings = follow(known, user, now, settings, Decisions(ours, otherwise))
                # What rang and was over when it was read speaks against another ring only within the same reading.
                rang = {pk: why for pk, why in theirs.items() if why != "over"}
                for event in sorted(known, key=lambda event: (event.at, event.id)):
                    if event.kind in (Kind.START, Kind.FORWARD) and user in event.people and event.id not in theirs:
                        question = oracle.Question(known, rang, user, now, settings, otherwise)
                        theirs[event.id] = oracle.decide(event, question)
                        rang[event.id] = otherwise if theirs[event.id] == "over" else theirs[event.id]
                        seen.add(theirs[event.id])
                for ring in rings:
                    ours[ring.event.id] = ring.why_not
                assert ours == theirs, (events, user)
                seen |= check_course(rings, oracle.Question(known, theirs, user, now, settings))
    reasons = {"", "not_connected", "switched_off", "late", "ended", "over", "callback", "already_ringing"}
    assert seen >= reasons | {"number_off", "answered", "answered_elsewhere", "not_answered", "timed_out", "dimmed"}


def check_course(rings, asked):
    seen = set()
    for ring in [ring for ring in rings if ring.why_not in oracle.SHOWN_OR_WAITING]:
        end, why, answered = oracle.ends_of(ring.event, asked.known, asked.now, asked)
        assert (ring.closed_at, ring.why_closed, ring.answered_at) == (end, why, answered), (asked, ring)
        if ring.closed_at is None:
            assert bool(ring.dimmed_at) == oracle.dimmed(ring.event, asked.known, asked.user, answered), (asked, ring)
        seen |= {why, *(["dimmed"] if ring.dimmed_at and not end else [])}
    assert sum(ring.closed_at is None for ring in rings) <= 1
    return seen


def test_who_did_not_answer_is_told_at_once_and_who_did_keeps_the_call():
    events = [Event(1, at(0), Kind.FORWARD, frozenset({ANNA})), Event(2, at(1), Kind.FORWARD, frozenset({BEN}))]
    answered = [*events, Event(3, at(5), Kind.ANSWER, frozenset({BEN}))]
    stored = Decisions({1: "", 2: ""})
    (anna,) = follow(answered, ANNA, at(5), Settings(), stored)
    (ben,) = follow(answered, BEN, at(5), Settings(), stored)
    assert (anna.closed_at, anna.why_closed) == (at(5), "answered_elsewhere")
    assert (ben.closed_at, ben.answered_at) == (None, at(5))
    (ben,) = follow([*answered, Event(4, at(90), Kind.CALL_END)], BEN, at(90), Settings(), stored)
    assert (ben.closed_at, ben.why_closed) == (at(90), "answered")


def test_a_second_forward_pops_again_only_if_the_first_was_closed():
    first, second = (Event(n, at(n * 20), Kind.FORWARD, frozenset({ANNA})) for n in (1, 2))
    end = Event(3, at(30), Kind.BRIDGE_END)
    open_ring = follow([first, second], ANNA, second.at, Settings(), Decisions({1: ""}))
    assert [ring.why_not for ring in open_ring] == ["", "already_ringing"]
    closed = follow([first, end, second], ANNA, second.at, Settings(), Decisions({1: ""}))
    assert [ring.why_not for ring in closed] == ["", ""]
