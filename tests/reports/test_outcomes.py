"""Outcomes of calls: the decision table of docs/figures.md, as call histories."""

from datetime import UTC, datetime, timedelta

import pytest

from calls.models import Call
from reports.counting import rollups
from reports.counting.outcomes import OUTCOME, Outcome
from reports.models import QuarterHourCounts
from tests.factories import make_number, take

pytestmark = pytest.mark.django_db(transaction=True)

TEN = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
KINDS = {
    "S": "CALL_START",
    "B": "BLOCK_END ANNOUNCEMENT",
    "F": "INITIATE_FORWARD +492212345678",
    "A": "FORWARD_ANSWER +492212345678",
    "E": "CALL_END",
    "X": "CALL_TRANSFER",
}

# (history, outcome): each post as letter and second. Z at the end: the call has fallen silent. "-" at the start: the
# number expects no forward. "short=N" sets its short-call limit.
HISTORIES = """
S0 B5 F6 A12 E60            answered
S0 F6 A12                   answered
S0 F6 A12 Z                 answered
A0                          answered
A0 Z                        answered
S0 A1 E2                    answered
S0 F1 E2 A3                 answered
E0 A60                      answered
F5 A5 E5                    answered
S0 F1 F1 F1 A3 E20          answered
S0 F1 F9 A12 A14 E20        answered
S0 E5 S6 E9 F11 A12         answered
- S0 F1 A2 E9               answered
- S0 A2 E9                  answered
S0 F6 E60                   missed
S0 F6 E5                    missed
S0 F6 F9 F12 E60            missed
F6 E7                       missed
F6 E60                      missed
S0 F6 Z                     missed
F0 Z                        missed
S0 B5 F6 B9 Z               missed
- S0 F6 E60                 missed
- F6 Z                      missed
short=0 S0 F1 E2            missed
S0 B5 E60                   abandoned
S0 E5                       abandoned
S0 E6                       abandoned
E0                          abandoned
B0 E3                       abandoned
B0 E60                      abandoned
E0 E1                       abandoned
X0 E30                      abandoned
S0 B1 E3 X9                 abandoned
short=0 S0 E1               abandoned
S0 E4                       short
S0 B1 E4                    short
S0 F1 E4                    short
S0 E0                       short
E0 S4                       short
S0 F1 F2 E4                 short
short=30 S0 F6 E29          short
- S0 F1 E4                  short
- S0 E4                     served_in_plan
- S0 B5 E60                 served_in_plan
- E0                        served_in_plan
- B0 E9                     served_in_plan
- short=0 S0 E1             served_in_plan
- X0 E30                    served_in_plan
S0                          in_progress
S0 B5                       in_progress
S0 F6                       in_progress
F6                          in_progress
B0                          in_progress
X0                          in_progress
- S0 B5                     in_progress
S0 Z                        end_unknown
B0 B5 Z                     end_unknown
X0 Z                        end_unknown
- S0 Z                      end_unknown
- B0 Z                      end_unknown
"""
TABLE = [tuple(line.rsplit(None, 1)) for line in HISTORIES.strip().splitlines()]


def live_through(history, number, **more):
    """Receive the posts of a history; return the number."""
    steps = history.split()
    for step in steps:
        if step == "-":
            number.expects_forward = False
        elif step.startswith("short="):
            number.short_call_s = int(step[6:])
    number.save()
    for step in steps:
        if step[0] in KINDS:
            take(number, KINDS[step[0]], TEN + timedelta(seconds=int(step[1:])), **more)
    if "Z" in steps:
        number.calls.update(silent_at=TEN + timedelta(hours=4))


def test_the_table_is_large_enough_and_covers_every_outcome():
    assert len(TABLE) >= 40
    assert {outcome for _, outcome in TABLE} == set(Outcome.values)


def test_every_history_has_exactly_its_outcome():
    for index, (history, _) in enumerate(TABLE):
        live_through(history.strip(), make_number(f"+49221{index:07}"))

    rollups.recount_changed(wait=True)

    came_to = dict(Call.objects.annotate(outcome=OUTCOME).values_list("destination_number__e164", "outcome"))
    counted = {counts.destination_number.e164: counts for counts in QuarterHourCounts.objects.all()}
    wrong = []
    for index, (history, expected) in enumerate(TABLE):
        e164 = f"+49221{index:07}"
        counts = {outcome: getattr(counted[e164], outcome) for outcome in Outcome.values}
        if came_to[e164] != expected or counts != dict.fromkeys(Outcome.values, 0) | {expected: 1}:
            wrong.append((history, expected, came_to[e164], counts))
        assert counted[e164].offered == sum(counts.values()) == 1
    assert not wrong


def test_a_later_post_ends_the_silence_and_is_counted():
    number = make_number()
    live_through("S0 B5 Z", number)
    rollups.recount_changed(wait=True)
    assert QuarterHourCounts.objects.get().end_unknown == 1

    take(number, "CALL_END", TEN + timedelta(hours=9))
    rollups.recount_changed(wait=True)

    counts = QuarterHourCounts.objects.get()
    assert (counts.end_unknown, counts.abandoned) == (0, 1)


def test_an_answer_that_arrives_after_the_end_still_makes_the_call_answered():
    number = make_number()
    live_through("S0 F6 E60", number)
    rollups.recount_changed(wait=True)
    assert QuarterHourCounts.objects.get().missed == 1

    take(number, "FORWARD_ANSWER", TEN + timedelta(seconds=61))
    rollups.recount_changed(wait=True)

    counts = QuarterHourCounts.objects.get()
    assert (counts.offered, counts.answered, counts.missed) == (1, 1, 0)


def test_a_callback_is_stored_but_not_offered():
    live_through("S0 B1 F6 A12 E60", make_number(), callback_id="77")

    rollups.recount_changed(wait=True)

    assert Call.objects.get().callback_id == "77"
    assert not QuarterHourCounts.objects.exists()


@pytest.mark.parametrize(
    ("history", "figures"),
    [
        # time to answer (sum, calls), ring (sum, calls), talk (sum, calls), answered in time
        ("S0 F10 A22 E280", (22, 1, 12, 1, 258, 1, 0)),
        ("S0 F10 A20 E280", (20, 1, 10, 1, 260, 1, 1)),
        ("B0 F10 A22 E280", (0, 0, 12, 1, 258, 1, 0)),  # no start: no time to answer
        ("B0 S5 F10 A22 E280", (22, 1, 12, 1, 258, 1, 0)),  # from the first post on
        ("S0 A5 F10 E280", (5, 1, 0, 0, 275, 1, 1)),  # forward after the answer: no ring time
        ("S0 A5", (5, 1, 0, 0, 0, 0, 1)),  # no end: no talk time
        ("S0 E3 A5", (5, 1, 0, 0, 0, 0, 1)),  # end before the answer
        ("S0 A5 E14405", (5, 1, 0, 0, 14400, 1, 1)),
        ("S0 A5 E14406", (5, 1, 0, 0, 0, 0, 1)),  # further from the answer than the silence limit
    ],
)
def test_times_are_those_of_the_definitions(history, figures):
    live_through(history, make_number())

    rollups.recount_changed(wait=True)

    counts = QuarterHourCounts.objects.get()
    assert (
        counts.time_to_answer_s,
        counts.answered_after_start,
        counts.ring_s,
        counts.ring_calls,
        counts.talk_s,
        counts.talk_calls,
        counts.answered_in_time,
    ) == figures
