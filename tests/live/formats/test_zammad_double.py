"""A double that raises as Zammad does sees no repeated newCall and no unknown callId, whatever the order of events."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from django.db.models import Q
from django.utils import timezone

from calls.ingest import writer
from calls.models import Call
from live.dispatch import outbox
from live.dispatch.formats.base import Verdict
from live.dispatch.tries import try_once
from live.models import Delivery, Endpoint, Format, Rows
from tests.factories import make_number, take
from tests.live.formats.receivers import zammad

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

EVENTS = (
    *("CALL_START", "INITIATE_FORWARD 1001", "INITIATE_FORWARD 1002", "INITIATE_FORWARD +492215550100"),
    *("FORWARD_ANSWER 1002", "BLOCK_END BRIDGE", "CALL_END"),
)


@pytest.fixture(autouse=True)
def _may_send_to_this_machine(settings):
    settings.OUTGOING_LOOPBACK = True


@pytest.fixture
def number():
    outbox.fill()
    return make_number(label="Sales")


def endpoints(url):
    for rows in Rows.values:
        on_since = timezone.now() - timedelta(days=1)
        Endpoint.objects.create(name=rows, format=Format.ZAMMAD, url=url, rows=rows, is_on=True, on_since=on_since)


def post(number, call, kind, ago_s, **ids):
    said = {"call_uuid": call, "correlation_id": call, "caller_id_number": "+4917012345678"} | ids
    more = {"destinationType": "SIP_USER"} if "FORWARD" in kind else {}
    take(number, kind, timezone.now() - timedelta(seconds=ago_s), **said, **more)


def send_new(after):
    """Send what was added after a delivery, once each, in order; return the last one's id."""
    for delivery in Delivery.objects.filter(pk__gt=after).select_related("endpoint").order_by("pk"):
        tried = try_once(delivery, {}, 10.0)
        assert tried.verdict is Verdict.DELIVERED
        after = delivery.pk
    return after


def test_calls_with_permuted_and_repeated_events_raise_nothing(number):
    chance = random.Random(16)
    last = 0
    with zammad() as double:
        endpoints(double.url)
        for place in range(30):
            arrive = [*EVENTS, *chance.choices(EVENTS, k=3)]
            chance.shuffle(arrive)
            for kind in arrive:
                post(number, f"call {place}", kind, chance.uniform(0, 3))
                if chance.random() < 0.4:
                    outbox.fill(sweeps=chance.random() < 0.3)
                    last = send_new(last)
        # Rings that began after the end of their call end when it falls silent.
        Call.objects.update(silent_at=timezone.now())
        outbox.fill(sweeps=True)
        send_new(last)

    assert double.raised == []
    assert {*double.rows.values()} == {"hangup"}
    assert len([row for row in double.rows if "-" not in row]) > 20
    assert len([row for row in double.rows if "-" in row]) > 50
    assert {said["event"] for said in double.told} == {"newCall", "answer", "hangup"}


@pytest.mark.parametrize("both_begin", [False, True])
@pytest.mark.parametrize("ends_before", [False, True])
def test_rows_of_calls_that_are_joined_end_under_the_ids_with_which_they_began(number, both_begin, ends_before):
    with zammad() as double:
        endpoints(double.url)
        post(number, "a", "CALL_START", 5, call_uuid=None)
        post(number, "a", "INITIATE_FORWARD 1001", 4, call_uuid=None)
        if ends_before:
            post(number, "a", "CALL_END", 3, call_uuid=None)
        post(number, "a", "CALL_START" if both_begin else "BLOCK_END MENU", 2)
        outbox.fill()
        last = send_new(0)
        assert writer.reunite_calls() == 1
        post(number, "a", "FORWARD_ANSWER 1001", 1)
        post(number, "a", "CALL_END", 0)
        outbox.fill()
        last = send_new(last)

    assert double.raised == []
    assert len(double.rows) == (3 if both_begin else 2)
    assert {*double.rows.values()} == {"hangup"}
    outbox.fill(sweeps=True)
    assert not Delivery.objects.filter(Q(is_open=True) | Q(pk__gt=last)).exists()


def test_a_new_call_whose_answer_was_lost_counts_as_delivered_and_what_zammad_does_not_know_as_not(number):
    with zammad() as double:
        endpoints(double.url)
        post(number, "a", "CALL_START", 1)
        post(number, "a", "CALL_END", 0)
        outbox.fill()
        new, over = Delivery.objects.filter(endpoint__rows=Rows.CALL).select_related("endpoint").order_by("pk")
        before = try_once(over, {}, 10.0)
        tries = [try_once(new, {}, 10.0) for _try in range(2)]

    assert before.verdict is Verdict.RETRY
    assert [tried.status for tried in tries] == [200, 500]
    assert [tried.verdict for tried in tries] == [Verdict.DELIVERED] * 2
    assert len(double.raised) == 2
