"""What Calltally sends is received by libraries of others: sipgate's own, and three that verify signed webhooks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from standardwebhooks import Webhook

from calls import outgoing
from live.dispatch import formats
from live.dispatch.formats import webhooks
from live.dispatch.formats.base import Verdict
from live.dispatch.steps import Event, Step
from live.dispatch.tries import Tried, new_uuid, try_once
from live.kinds import Kind
from live.models import Delivery, Endpoint, EventType, Format, Rows
from tests.live.formats.receivers import receiver
from tests.live.formats.told import ANSWERED, AT, BRIDGE_END, END, FORWARD, NUMBER, START, facts, rows

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _may_send_to_this_machine(settings):
    settings.OUTGOING_LOOPBACK = True


def deliver(endpoint: Endpoint, step: Step, follow_up: Mapping[str, str] = {}, **sent: Any) -> Tried | None:
    """Send a step of a call once, as the dispatcher does. `sent` are facts, people, and how to send."""
    call, people = sent.pop("call", facts()), sent.pop("people", ())
    body = formats.of(endpoint.format).body(step, call, people, is_late=False)
    delivery = Delivery(uuid=new_uuid(), endpoint=endpoint, kind=step.kind, ring=step.ring, body=body)
    return try_once(delivery, follow_up, 10.0, **sent)


def endpoint_for(kind: str, url: str, secret: str = "") -> Endpoint:
    endpoint = Endpoint(name=kind, format=kind, url=url)
    endpoint.set_secret(secret)
    return endpoint


# --- sipgate.io -------------------------------------------------------------------------------------------------


def calls_that_overlap(count: int) -> list[tuple[int, Step]]:
    """Return the steps of calls as they happen: each has rung at two places, and every third one is not answered."""
    told = []
    for call in range(count):
        begins, first_id = call * 2, call * 10 + 1
        answer = () if call % 3 == 0 else ((ANSWERED, begins + 7, "1001"),)
        events = (
            *((START, begins), (FORWARD, begins + 3, "1001"), (FORWARD, begins + 4, "+492215550100")),
            *(*answer, (BRIDGE_END, begins + 20), (END, begins + 21)),
        )
        mode = Rows.CALL if call % 2 else Rows.RING
        told += [(call, step) for step in rows(mode, *events, first_id=first_id)]
    return sorted(told, key=lambda one: one[1].happened_at)


def test_sipgates_own_library_receives_200_calls_in_order():
    told = calls_that_overlap(200)
    received = []
    with receiver("sipgate.js") as program:
        endpoint = endpoint_for(Format.SIPGATE, program.url)
        asked: dict[tuple[int, int], Mapping[str, str]] = {}
        for call, step in told:
            row = call, step.ring
            tried = deliver(
                endpoint,
                step,
                asked.get(row, {}),
                call=facts(id=call, caller="" if call % 5 == 0 else f"+491701{call:06}"),
                people=("Anna Meyer", "Jörg Ähr") if step.destination == "1001" else (),
            )
            assert tried is not None
            assert tried.verdict is Verdict.DELIVERED
            if step.kind == "newCall":
                asked[row] = tried.follow_up
                assert {*tried.follow_up} == {"answer", "hangup"}
            received.append(json.loads(program.line()))

    assert len({call for call, _step in told}) == 200
    assert len(told) > 700
    for (call, step), event in zip(told, received, strict=True):
        assert event["event"] == step.kind
        assert event["direction"] == "in"
        assert event["from"] == ("anonymous" if call % 5 == 0 else f"+491701{call:06}")
        assert event["callId"] == (f"{step.row}-ring" if step.ring else f"{step.row}")
        assert event["originalCallId"] == event["xcid"] == (f"{call}" if step.ring else f"{step.row}")
        assert event["to"] == (f"+{step.rings_at.removeprefix('+')}" if step.ring else NUMBER)
        assert event.get("diversion") == (NUMBER if step.ring else None)
        if step.kind == "newCall":
            names = ["Anna Meyer", "Jörg Ähr"] if step.destination == "1001" else [step.destination or "Sales"]
            assert event["users"] == names
            assert len(event["userIds"]) == len(event["fullUserIds"]) == len(names)
        elif step.kind == "answer":
            assert event["user"] == "Anna Meyer, Jörg Ähr"
            assert event["answeringNumber"] == "+1001"
        else:
            assert event["cause"] == step.cause


def test_sipgates_own_library_gets_no_answer_and_no_end_that_it_did_not_ask_for():
    new, answered, over = rows(Rows.CALL, (START, 0), (FORWARD, 3, "1001"), (ANSWERED, 7, "1001"), (END, 21))
    with receiver("sipgate.js", "newCall") as program:
        endpoint = endpoint_for(Format.SIPGATE, program.url)
        tried = deliver(endpoint, new)
        assert tried is not None
        assert tried.follow_up == {}
        assert deliver(endpoint, answered, tried.follow_up) is None
        assert deliver(endpoint, over, tried.follow_up) is None


# --- Signed webhooks --------------------------------------------------------------------------------------------


def test_three_libraries_verify_1000_webhooks_through_a_rotation_of_the_secret():
    old, new = webhooks.new_secret(), webhooks.new_secret()
    sent: list[tuple[bytes, dict[str, str]]] = []

    def send(method: str, url: str, **request: Any) -> outgoing.Answer:
        sent.append((request["body"], request["headers"]))
        return outgoing.send(method, url, **request)

    with receiver("webhooks.js") as program:
        endpoint = endpoint_for(Format.WEBHOOK, program.url, old)

        def deliver_250() -> list[tuple[int | None, str]]:
            return [
                (tried.status, tried.answer)
                for place in range(250)
                if (tried := deliver(endpoint, webhook(place), call=facts(number_name="Vertrieb „Süd“ 📞"), send=send))
            ]

        program.say(old)
        answers = deliver_250()
        # A new secret is made here first; until it is entered there, both sign.
        endpoint.previous_secret_encrypted = endpoint.secret_encrypted
        endpoint.previous_until = timezone.now() + timedelta(hours=24)
        endpoint.set_secret(new)
        answers += deliver_250()
        program.say(new)
        answers += deliver_250()
        endpoint.previous_until = timezone.now()
        answers += deliver_250()
        program.say(old)
        [refused] = [deliver(endpoint, webhook(0))]

    assert answers == [(204, "")] * 1000
    assert refused is not None
    assert (refused.status, refused.verdict) == (400, Verdict.RETRY)
    assert len({headers["webhook-id"] for _body, headers in sent}) == 1000
    for place, (body, headers) in enumerate(sent):
        for secret in [old] * (place < 750) + [new] * (place >= 250):
            Webhook(secret).verify(body.decode(), headers)


def webhook(place: int) -> Step:
    event = Event(place, AT + timedelta(seconds=place), Kind.FORWARD, f"1{place:03}", "SIP_USER")
    return Step(EventType.values[place % 6], event, 0, event.destination, event.destination_type)


# --- Placetel ---------------------------------------------------------------------------------------------------


def test_placetels_signature_is_what_its_documentation_computes():
    steps = rows(
        Rows.RING, (START, 0), (FORWARD, 3, "1001"), (FORWARD, 4, "Büro & Co"), (ANSWERED, 7, "1001"), (END, 9)
    )
    with receiver("placetel.js", "geheim-ß") as program:
        for secret, verdict in (("geheim-ß", Verdict.DELIVERED), ("another", Verdict.RETRY)):
            endpoint = endpoint_for(Format.PLACETEL, program.url, secret)
            tries = [deliver(endpoint, step) for step in steps]
            assert len(tries) == 5
            assert {tried.verdict for tried in tries if tried} == {verdict}
