"""The five samples as TENIOS publishes them, except for the access key; they contradict each other."""

import json
from itertools import permutations

import pytest

from calls.models import Call, CallEvent
from tests.factories import ACCESS_KEY, make_key, make_number, post

pytestmark = pytest.mark.django_db(transaction=True)

SAMPLES = """
{"requestType": "CALL_START", "customerNumber": 200000, "accessKey": "XXXXXXXXX",
 "variables": {"destination_number": "+4922155400300", "correlation_id": "XXXXXXXXX",
               "call_uuid": "XXXXXXXXX", "caller_id_number": "+4917012345678"}}

{"requestType": "BLOCK_END", "customerNumber": 200000, "accessKey": "XXXXXXXXX",
 "variables": {"destination_number": "+4922155400300", "correlation_id": "XXXXXXXXX",
               "call_uuid": "XXXXXXXXX", "caller_id_number": "+49170123456"},
 "blockType": "ANNOUNCEMENT"}

{"requestType": "CALL_END", "customerNumber": 20000, "accessKey": "XXXXXXXXX",
 "variables": {"destination_number": "+4922155400300", "correlation_id": "XXXXXXXXX",
               "call_uuid": "XXXXXXXXX", "caller_id_number": "+49170123456"}}

{"requestType": "INITIATE_FORWARD", "customerNumber": 200000, "accessKey": "XXXXXXXXXX",
 "variables": {"destination_number": "+4922155400300", "correlation_id": "XXXXXXXXX",
               "call_uuid": "XXXXXXXXX", "caller_id_number": "+49170123456"},
 "destination": "+492212345678", "destinationType": "EXTERNALNUMBER"}

{"requestType": "FORWARD_ANSWER", "customerNumber": 200000, "accessKey": "XXXXXXXXXX",
 "variables": {"destination_number": "+4922155400300", "correlation_id": "XXXXXXXXX",
               "call_uuid": "XXXXXXXXX", "caller_id_number": "+49170123456"},
 "destination": "+492212345678", "destinationType": "EXTERNALNUMBER"}
"""


def samples():
    bodies = [json.loads(text) for text in SAMPLES.strip().split("\n\n")]
    return [body | {"accessKey": ACCESS_KEY} for body in bodies]


def test_the_five_samples_make_one_call(client):
    number = make_number("+4922155400300")
    make_key(number, ACCESS_KEY)

    answers = [post(client, body).status_code for body in samples()]

    assert answers == [200] * 5
    call = Call.objects.get()
    assert call.destination_number == number
    assert call.answered_at is not None
    assert call.ended_at is not None
    assert call.caller_id_number == "+4917012345678"
    assert (call.customer_number, call.customer_number_differs, call.caller_differs) == ("200000", True, True)
    assert (call.weakly_identified, call.has_odd_posts) == (False, False)
    assert list(call.events.in_order().values_list("request_type", "block_type")) == [
        ("CALL_START", ""),
        ("BLOCK_END", "ANNOUNCEMENT"),
        ("CALL_END", ""),
        ("INITIATE_FORWARD", ""),
        ("FORWARD_ANSWER", ""),
    ]
    assert Call.objects.contradicting().get() == call


def test_every_order_of_the_samples_makes_the_same_call(client):
    number = make_number("+4922155400300")
    make_key(number, ACCESS_KEY)

    for index, order in enumerate(permutations(samples())):
        for sample in order:
            body = sample | {"variables": sample["variables"] | {"call_uuid": f"order {index}"}}
            assert post(client, body).status_code == 200

    assert Call.objects.count() == 120
    assert CallEvent.objects.count() == 600
    stored = {
        (
            call.caller_id_number,
            call.customer_number,
            call.caller_differs,
            call.customer_number_differs,
            call.answered_at is not None,
            call.ended_at is not None,
            call.forwarded_at is not None,
            call.call_start_at is not None,
        )
        for call in Call.objects.all()
    }
    assert stored == {("+4917012345678", "200000", True, True, True, True, True, True)}
