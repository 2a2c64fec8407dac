"""Zammad's generic CTI: each field of each step, and what its answers mean."""

import json

import pytest

from live.dispatch import formats
from live.dispatch.formats.base import Verdict
from live.dispatch.steps import ANSWER, CANCEL, FORWARDED, HANGUP, NEW_CALL, NO_ANSWER, NORMAL, Step
from live.models import Format, Rows
from tests.live.formats.told import ANSWERED, END, FORWARD, START, answer, bodies, rows

ZAMMAD = formats.of(Format.ZAMMAD)
SAME = {"from": "4917012345678", "direction": "in", "queue": "Sales"}
TWO_RINGS = ((START, 0), (FORWARD, 5, "1001"), (FORWARD, 6, "+492215550100"), (ANSWERED, 9, "1001"), (END, 60))


def told(steps, people=(), **fields):
    return [json.loads(body) for body in bodies(Format.ZAMMAD, steps, people, **fields)]


def test_a_call_is_one_row():
    new, answered, over = told(rows(Rows.CALL, *TWO_RINGS), ("Anna Meyer", "Ben Schulz"))
    of_call = SAME | {"to": "4922155400300", "callId": "1"}

    assert new == of_call | {"event": "newCall", "user": ["Anna Meyer", "Ben Schulz"]}
    assert answered == of_call | {"event": "answer", "user": "Anna Meyer, Ben Schulz", "answeringNumber": "1001"}
    assert over == of_call | {"event": "hangup", "cause": NORMAL, "answeringNumber": "1001"}


def test_each_ring_is_a_row_to_its_destination():
    steps = rows(Rows.RING, *TWO_RINGS)
    new, answered, over = told([step for step in steps if step.ring == 2])
    first = SAME | {"to": "1001", "callId": "2-ring"}
    assert new == first | {"event": "newCall"}
    assert answered == first | {"event": "answer", "answeringNumber": "1001"}
    assert over == first | {"event": "hangup", "cause": NORMAL, "answeringNumber": "1001"}

    new, over = told([step for step in steps if step.ring == 3])
    second = SAME | {"to": "492215550100", "callId": "3-ring"}
    assert new == second | {"event": "newCall"}
    assert over == second | {"event": "hangup", "cause": FORWARDED}


def test_a_caller_who_is_withheld_or_not_passed_on_is_anonymous():
    (new, over) = told(rows(Rows.CALL, (START, 0), (END, 9)), caller="")
    assert new["from"] == over["from"] == "anonymous"
    assert over["cause"] == CANCEL


def test_the_cause_of_a_time_limit_is_that_nobody_answered():
    assert told(rows(Rows.RING, (FORWARD, 5, "1001")))[-1]["cause"] == NO_ANSWER


@pytest.mark.parametrize(
    ("kind", "status", "said", "verdict"),
    [
        (NEW_CALL, 200, "{}", Verdict.DELIVERED),
        (NEW_CALL, 200, '{"action":"reject","reason":"busy"}', Verdict.DELIVERED),
        (NEW_CALL, 500, '{"error":"Object already exists!","error_human":"Object already exists!"}', Verdict.DELIVERED),
        (NEW_CALL, 500, '{"error":"call_id 48211 already exists!"}', Verdict.DELIVERED),
        (NEW_CALL, 500, '{"error":"No such call_id 48211"}', Verdict.RETRY),
        (NEW_CALL, 502, "", Verdict.RETRY),
        (NEW_CALL, 302, "", Verdict.RETRY),
        (ANSWER, 200, "{}", Verdict.DELIVERED),
        (ANSWER, 500, '{"error":"No such call_id 48211"}', Verdict.FAILED),
        (HANGUP, 500, '{"error":"No such call_id 48211"}', Verdict.FAILED),
        (HANGUP, 500, '{"error":"Error ID a1b2: Please contact your administrator."}', Verdict.RETRY),
        (HANGUP, 500, '{"error":"Object already exists!"}', Verdict.RETRY),
        (HANGUP, 401, '{"error":"Invalid token, please contact your admin!"}', Verdict.RETRY),
    ],
)
def test_what_answers_mean(kind, status, said, verdict):
    assert ZAMMAD.judge(kind, answer(status, said)) is verdict


def test_tries_end_before_the_row_expires():
    pauses = [pause.total_seconds() for pause in ZAMMAD.pauses]
    assert pauses == [2, 5, 10]
    assert ZAMMAD.expires_after.total_seconds() == 30


def test_a_step_that_does_not_know_its_ring_names_the_destination_it_has():
    made_up = Step(NEW_CALL, rows(Rows.CALL, (FORWARD, 0, "1001"))[0].event, 1, "1001", "SIP_USER")
    assert told([made_up])[0]["to"] == "1001"
