"""The format of Placetel's Notify API: each field of each step, and its signature."""

import re
from urllib.parse import parse_qs

import pytest

from live.dispatch import formats
from live.dispatch.formats.base import Sending, Verdict
from live.dispatch.steps import NEW_CALL
from live.models import Format, Rows
from tests.live.formats.told import ANSWERED, AT, END, FORWARD, START, answer, bodies, rows

PLACETEL = formats.of(Format.PLACETEL)
SAME = {"from": "017012345678", "direction": "in"}
TWO_RINGS = ((START, 0), (FORWARD, 5, "1001"), (FORWARD, 6, "+492215550100"), (ANSWERED, 9, "1001"), (END, 60))
# The example of Placetel's own documentation.
EXAMPLE = (
    b"call_id=4a4cbb39578170aed9a2761a7bec8c7e704a541f52291ef603d6f5f152980c3c&event=CallAccepted&from=0123456789"
    b"&to=0987654321"
)
EXAMPLE_SIGNATURE = "c4f823c5b8806432fe2b83b1fc2ee714422e0cdfb4b5129152a7d0bbcd7792d0"


def told(steps, **fields):
    said = [
        {name: value for name, [value] in parse_qs(body).items()} for body in bodies(Format.PLACETEL, steps, **fields)
    ]
    ids = [one.pop("call_id") for one in said]
    return said, ids


def test_a_call_is_one_row():
    (new, answered, over), ids = told(rows(Rows.CALL, *TWO_RINGS))
    of_call = SAME | {"to": "022155400300"}
    assert new == of_call | {"event": "IncomingCall"}
    assert answered == of_call | {"event": "CallAccepted", "peer": "1001"}
    assert over == of_call | {"event": "HungUp", "type": "accepted", "duration": "51"}
    assert len({*ids}) == 1


def test_each_ring_is_a_row_to_its_destination():
    (new, over), ids = told([step for step in rows(Rows.RING, *TWO_RINGS) if step.ring == 3])
    assert new == SAME | {"to": "02215550100", "event": "IncomingCall"}
    assert over == SAME | {"to": "02215550100", "event": "HungUp", "type": "canceled", "duration": "0"}
    assert len({*ids}) == 1


def test_the_id_is_64_hex_digits_the_same_each_time_and_another_for_each_row():
    steps = rows(Rows.RING, *TWO_RINGS) + rows(Rows.CALL, *TWO_RINGS)
    _said, ids = told(steps)
    _said, of_another = told([*rows(Rows.RING, *TWO_RINGS, first_id=6), *rows(Rows.CALL, *TWO_RINGS, first_id=6)])
    assert all(re.fullmatch(r"[0-9a-f]{64}", one) for one in ids)
    assert len({*ids}) == 3
    assert told(steps)[1] == ids
    assert not {*ids} & {*of_another}


@pytest.mark.parametrize(
    ("caller", "shown"),
    [("+492215550100", "02215550100"), ("+33142685300", "0033142685300"), ("", "anonymous"), ("1001", "1001")],
)
def test_numbers_are_as_they_are_dialled(caller, shown):
    ((new, *_rest), _ids) = told(rows(Rows.CALL, (START, 0)), caller=caller)
    assert new["from"] == shown


def test_calls_that_nobody_took_are_missed_and_last_no_time():
    for events in (((START, 0), (END, 9)), ((START, 0), (FORWARD, 1, "1001"), (END, 9))):
        said, _ids = told(rows(Rows.CALL, *events))
        assert (said[-1]["type"], said[-1]["duration"]) == ("missed", "0")
    said, _ids = told(rows(Rows.RING, (FORWARD, 1, "1001")))
    assert said[-1]["type"] == "missed"


def test_the_signature_is_that_of_the_documentation_and_of_the_newest_secret():
    headers = PLACETEL.headers(Sending("msg_1", NEW_CALL, EXAMPLE, ["12345", "of yesterday"], AT))
    assert headers == {"X-PLACETEL-SIGNATURE": EXAMPLE_SIGNATURE}
    assert PLACETEL.headers(Sending("msg_1", NEW_CALL, EXAMPLE, [], AT)) == {}


def test_what_answers_mean():
    for status, verdict in ((200, "DELIVERED"), (204, "DELIVERED"), (301, "RETRY"), (403, "RETRY"), (500, "RETRY")):
        assert PLACETEL.judge(NEW_CALL, answer(status)) is Verdict[verdict]
