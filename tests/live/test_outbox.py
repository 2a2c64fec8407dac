"""Events become deliveries: each step for each endpoint once, of the numbers and the callers that it may have."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from urllib.parse import parse_qs

import pytest
from django.db import DatabaseError, connection
from django.utils import timezone

from calls.models import Call, CallEvent
from live.dispatch import outbox
from live.models import CallerShown, Delivery, DispatchCursor, Endpoint, EventType, Format, Rows
from tests.factories import make_contact, make_number, make_user, map_variable, take
from tests.live.rings import CALLER, map_to
from tests.transactions import calls_joined_before

pytestmark = pytest.mark.django_db(transaction=True)

FORWARD, ANSWER = "INITIATE_FORWARD 1001", "FORWARD_ANSWER 1001"
ALL_FIVE = ("CALL_START", FORWARD, ANSWER, "BLOCK_END BRIDGE", "CALL_END")


@pytest.fixture
def number():
    outbox.fill()
    return make_number()


def endpoint(kind=Format.WEBHOOK, name="ERP", **fields):
    url = f"https://{kind}.example.com/calls"
    on = {"is_on": True, "on_since": timezone.now() - timedelta(days=30)}
    return Endpoint.objects.create(name=name, format=kind, url=url, **(on | fields))


def post(number, *kinds, ago_s=1.0, call="a", **said):
    names = {"call_uuid": call, "correlation_id": call, "caller_id_number": CALLER} | said
    for place, kind in enumerate(kinds):
        at = timezone.now() - timedelta(seconds=ago_s - place / 1000)
        more = {"destinationType": "SIP_USER"} if kind.split()[0] in ("INITIATE_FORWARD", "FORWARD_ANSWER") else {}
        take(number, kind, at, **names, **more)


def added(**of):
    return list(Delivery.objects.filter(**of).order_by("pk").values_list("kind", flat=True))


def bodies(**of):
    return [json.loads(body) for body in Delivery.objects.filter(**of).order_by("pk").values_list("body", flat=True)]


def test_each_message_is_one_event_of_signed_webhooks_and_three_steps_of_a_row(number):
    webhook, zammad = endpoint(), endpoint(Format.ZAMMAD, "Zammad")
    post(number, *ALL_FIVE)
    assert outbox.fill().deliveries == 7
    assert added(endpoint=webhook) == ["call.started", "call.ringing", "call.answered", "call.ended"]
    assert added(endpoint=zammad) == ["newCall", "answer", "hangup"]
    assert outbox.fill().deliveries == 0
    assert not Delivery.objects.filter(is_open=True).exists()


def test_an_endpoint_that_is_off_gets_nothing_also_not_later_what_happened_meanwhile(number):
    silent = endpoint(is_on=False)
    post(number, "CALL_START")
    assert outbox.fill().deliveries == 0
    Endpoint.objects.filter(pk=silent.pk).update(is_on=True, on_since=timezone.now())
    post(number, FORWARD, ago_s=5)
    assert outbox.fill().deliveries == 0


def test_an_endpoint_gets_its_numbers_and_its_events(number):
    other = make_number("+4930123456")
    of_number = endpoint(all_numbers=False)
    of_number.numbers.set([number])
    ends = endpoint(name="Only ends", events=[EventType.ENDED])
    post(number, *ALL_FIVE)
    post(other, *ALL_FIVE, call="b")
    outbox.fill()
    assert {body["data"]["number"] for body in bodies(endpoint=of_number)} == {number.e164}
    assert added(endpoint=ends) == ["call.ended", "call.ended"]


def test_an_endpoint_without_numbers_gets_nothing(number):
    nothing = endpoint(all_numbers=False)
    post(number, *ALL_FIVE)
    outbox.fill()
    assert added(endpoint=nothing) == []


def test_the_caller_is_whole_with_contact_and_what_was_typed_or_masked_or_missing(number):
    make_contact("Anna Beispiel", CALLER, customer_number="4711")
    map_variable(number, "customer", variable="customer")
    for shown in CallerShown.values:
        endpoint(name=shown, caller=shown)
    post(number, "CALL_START", customer="4711")
    outbox.fill()
    whole = bodies(endpoint__name="whole")
    assert [body["type"] for body in whole] == ["call.started", "call.identified"]
    assert whole[0]["data"]["caller"] == CALLER
    assert "Anna Beispiel" in json.dumps(whole[0])
    assert "4711" in json.dumps(whole[1])
    for shown in ("masked", "none"):
        (body,) = bodies(endpoint__name=shown)
        said = json.dumps(body)
        assert CALLER not in said
        assert CALLER[-5:] not in said
        assert "Anna" not in said
        assert "4711" not in said


def test_what_was_typed_is_told_once_and_again_when_it_changes(number):
    map_variable(number, "ticket", variable="ticket")
    crm = endpoint(events=[EventType.IDENTIFIED])
    post(number, "CALL_START")
    post(number, "BLOCK_END ANNOUNCEMENT", ticket="1111")
    outbox.fill()
    post(number, FORWARD, ticket="1111")
    outbox.fill()
    assert added(endpoint=crm) == ["call.identified"]
    post(number, "BLOCK_END ANNOUNCEMENT", ago_s=0, ticket="2222")
    outbox.fill()
    assert [body["data"]["identifiers"][0]["value"] for body in bodies(endpoint=crm)] == ["1111", "2222"]


def test_late_messages_are_told_as_late_and_begin_no_row(number):
    webhook, zammad = endpoint(), endpoint(Format.ZAMMAD, "Zammad")
    post(number, *ALL_FIVE, ago_s=60)
    outbox.fill()
    assert added(endpoint=zammad) == []
    assert [body["data"]["late"] for body in bodies(endpoint=webhook)] == [True] * 4
    assert Delivery.objects.filter(is_late=False).count() == 0


def test_a_row_that_has_begun_is_ended_although_the_end_comes_late(number):
    zammad = endpoint(Format.ZAMMAD, "Zammad")
    post(number, "CALL_START", FORWARD, ago_s=1)
    outbox.fill()
    CallEvent.objects.update(received_at=timezone.now() - timedelta(seconds=120))
    post(number, ANSWER, "CALL_END", ago_s=30)
    outbox.fill()
    assert added(endpoint=zammad) == ["newCall", "hangup"]


def test_history_is_not_told(number):
    crm = endpoint()
    post(number, *ALL_FIVE, ago_s=8 * 24 * 3600)
    assert outbox.fill().deliveries == 0
    assert added(endpoint=crm) == []


def test_callbacks_begin_no_row_and_are_marked_in_signed_webhooks(number):
    webhook, zammad = endpoint(), endpoint(Format.ZAMMAD, "Zammad")
    post(number, *ALL_FIVE, callback_id="7")
    outbox.fill()
    assert added(endpoint=zammad) == []
    assert {body["data"]["callback"] for body in bodies(endpoint=webhook)} == {True}


def test_a_call_that_fell_silent_is_told_once_and_its_row_is_hung_up(number):
    webhook, zammad = endpoint(), endpoint(Format.ZAMMAD, "Zammad")
    post(number, "CALL_START", FORWARD)
    outbox.fill(sweeps=True)
    Call.objects.update(silent_at=timezone.now())
    assert outbox.fill(sweeps=True).deliveries == 2
    assert added(endpoint=webhook)[-1] == "call.silent"
    assert added(endpoint=zammad) == ["newCall", "hangup"]
    assert outbox.fill(sweeps=True).deliveries == 0


def test_a_ring_is_hung_up_after_its_time_limit_without_any_message(number):
    zammad = endpoint(Format.ZAMMAD, "Zammad", rows=Rows.RING)
    post(number, "CALL_START", FORWARD)
    outbox.fill(sweeps=True)
    long_ago = timezone.now() - timedelta(minutes=2)
    CallEvent.objects.update(received_at=long_ago)
    Delivery.objects.update(created_at=long_ago)
    outbox.fill(sweeps=True)
    assert added(endpoint=zammad) == ["newCall", "hangup"]
    assert "noAnswer" in Delivery.objects.latest("pk").body


def test_people_at_the_destination_are_named(number):
    map_to(make_user("anna", first_name="Anna", last_name="Beispiel"), "1001")
    zammad = endpoint(Format.ZAMMAD, "Zammad", rows=Rows.RING)
    post(number, "CALL_START", FORWARD)
    outbox.fill()
    assert "Anna Beispiel" in Delivery.objects.get(endpoint=zammad).body


def test_a_failure_adds_nothing_and_the_same_events_are_read_again(number, monkeypatch):
    crm = endpoint()
    post(number, "CALL_START")
    with pytest.raises(DatabaseError), connection.execute_wrapper(_refuse_cursor):
        outbox.fill()
    assert added(endpoint=crm) == []
    assert outbox.fill().deliveries == 1


def test_no_event_is_lost_of_a_call_that_is_joined_to_another_while_it_is_read(number):
    crm = endpoint()
    post(number, "CALL_START", call_uuid=None)
    post(number, "BLOCK_END MENU")
    with calls_joined_before("FROM calls_callevent WHERE call_id") as joined:
        outbox.fill()
    outbox.fill()
    assert joined == [1]
    assert added(endpoint=crm) == ["call.started"]


def _refuse_cursor(execute, sql, params, many, context):
    if 'UPDATE "live_dispatchcursor"' in sql:
        raise DatabaseError("refused by the test")
    return execute(sql, params, many, context)


def test_whatever_the_order_and_the_batches_rows_are_begun_once_before_they_go_on_and_end_once(number):
    random.seed(7)
    for kind in (Format.ZAMMAD, Format.SIPGATE, Format.PLACETEL):
        for rows in Rows.values:
            endpoint(kind, f"{kind} {rows}", rows=rows)
    for place in range(15):
        kinds = ["CALL_START", FORWARD, "INITIATE_FORWARD 1002", ANSWER, "BLOCK_END BRIDGE", "CALL_END"]
        random.shuffle(kinds)
        for kind in kinds:
            post(number, kind, call=f"call {place}", ago_s=random.uniform(0, 3))
            if random.random() < 0.5:
                outbox.fill(sweeps=random.random() < 0.3)
    outbox.fill(sweeps=True)
    rows = {}
    for one in Delivery.objects.order_by("pk").select_related("event"):
        rows.setdefault((one.endpoint_id, one.event.call_id, one.ring), []).append(one.kind)
    assert len(rows) > 30
    for kinds in rows.values():
        assert kinds[0] == "newCall"
        assert sorted(kinds, key=["newCall", "answer", "hangup"].index) == kinds
        assert len(kinds) == len({*kinds})


def test_a_restored_database_begins_at_its_end_and_tells_nothing_twice(number):
    crm = endpoint()
    post(number, "CALL_START")
    outbox.fill()
    DispatchCursor.objects.update(last_event_id=10**9)
    post(number, "CALL_END")
    outbox.fill()
    post(number, FORWARD, call="b")
    outbox.fill()
    assert added(endpoint=crm) == ["call.started", "call.ringing"]


def test_sipgate_is_told_the_number_called_and_who_answers(number):
    sipgate = endpoint(Format.SIPGATE, "PBX")
    post(number, "CALL_START", FORWARD, ANSWER)
    outbox.fill()
    first, answer = (
        parse_qs(body)
        for body in Delivery.objects.filter(endpoint=sipgate).order_by("pk").values_list("body", flat=True)
    )
    assert first["from"] == [CALLER.removeprefix("+")]
    assert first["to"] == [number.e164.removeprefix("+")]
    assert answer["answeringNumber"] == ["1001"]
