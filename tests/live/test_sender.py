"""Deliveries are sent once each when they are due, tried again by the rules, and end in a state that says how."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from live import endpoint_secrets
from live.dispatch import formats
from live.dispatch.endpoint_health import LEAST_FAILURES
from live.dispatch.sender import Sender
from live.models import Delivery, Endpoint, State, WhyOff
from tests.factories import make_number
from tests.live.dispatching import (
    is_decided,
    make_delivery,
    make_endpoint,
    make_event,
    sending,
    state_of,
    wait_until,
)
from tests.live.plain_format import HANGUP_ONLY, PAUSES, PlainFormat
from tests.receiver import receiver

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = "zammad"
ROW = ("newCall", "answer", "hangup")


@pytest.fixture(autouse=True)
def _formats(monkeypatch, settings):
    settings.OUTGOING_LOOPBACK = True
    monkeypatch.setitem(formats.FORMATS, "webhook", PlainFormat())
    monkeypatch.setitem(formats.FORMATS, ROWS, PlainFormat(has_rows=True, expires_after=timedelta(seconds=30)))


@pytest.fixture
def other():
    with receiver() as other:
        yield other


@pytest.fixture
def number():
    return make_number()


def make_row(endpoint, number, call="call-1", **fields):
    """Create the three deliveries of a call."""
    return [make_delivery(endpoint, make_event(number, call), kind, body=f"{call} {kind}", **fields) for kind in ROW]


def test_a_delivery_is_sent_once_and_what_was_answered_is_kept(number, other):
    other.body = b"thank \0 you"
    delivery = make_delivery(make_endpoint(other.url), make_event(number), body="{}")
    with sending() as until:
        until(lambda: state_of(delivery) is State.DELIVERED)
    (received,) = other.received
    assert (received.body, received.headers["webhook-id"]) == (b"{}", f"msg_{delivery.uuid.hex}")
    assert (delivery.tries, delivery.status, delivery.answer, delivery.error) == (1, 200, "thank \ufffd you", "")
    assert delivery.tried_at is not None
    assert delivery.took_ms is not None
    assert Endpoint.objects.get().delivered_at == delivery.tried_at


@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_that_repeats_address_and_secrets_is_kept_without_them(number, other, status):
    endpoint = make_endpoint(f"{other.url}/api/v1/cti/Zk9aQ%2Bx81token?key=k-4711&calls=all", is_on=False)
    for secret in ("whsec_Yesterdays+secret", "whsec_TodaysSecret/=="):
        endpoint_secrets.replace(endpoint, secret, overlaps=True)
    endpoint.is_on = True
    endpoint.save()
    said = "No calls at /api/v1/cti/{} (zk9aQ%2bx81TOKEN), key={}, signed by {} or whsec_{}, {}"
    given = said.format("Zk9aQ+x81token", "k-4711", "TodaysSecret/==", "Yesterdays+secret", "é" * 3000)
    hidden = said.format("•••", "•••", "•••", "•••", "é" * 3000).replace("zk9aQ%2bx81TOKEN", "•••")
    hidden = hidden.replace("whsec_•••", "•••")
    other.status, other.body = status, given.encode()
    delivery = make_delivery(endpoint, make_event(number))
    with sending() as until:
        until(is_first_tried(delivery))
    delivery.refresh_from_db()
    assert (delivery.status, delivery.answer) == (status, hidden[:2000])


def test_what_is_not_due_or_of_an_endpoint_that_is_off_is_not_sent(number, other):
    event = make_event(number)
    later = make_delivery(make_endpoint(other.url), event, next_at=timezone.now() + timedelta(hours=1))
    off = make_delivery(make_endpoint(other.url, is_on=False), event)
    sent = make_delivery(make_endpoint(other.url), event)
    with sending() as until:
        until(lambda: state_of(sent) is State.DELIVERED)
    assert (state_of(later), state_of(off)) == (State.WAITING, State.WAITING)
    assert len(other.received) == 1


def test_the_steps_of_a_row_are_sent_in_order_and_each_after_the_one_before_is_decided(number, other):
    calls = [f"call-{n}" for n in range(8)]
    endpoint = make_endpoint(other.url, ROWS)
    for call in calls:
        make_row(endpoint, number, call)
    with sending() as until:
        until(is_decided)
    for call in calls:
        assert [body for body in other.bodies() if body.split()[0] == call] == [f"{call} {kind}" for kind in ROW]


def test_a_row_waits_for_its_new_call_while_that_is_tried_again(number, other):
    other.status = 500
    first, *rest = make_row(make_endpoint(other.url, ROWS), number)
    with sending() as until:
        until(is_first_tried(first))
        assert state_of(first) is State.WAITING
        other.status = 200
        Delivery.objects.filter(pk=first.pk).update(next_at=timezone.now())
        until(lambda: state_of(rest[-1]) is State.DELIVERED)
    assert [body.split()[1] for body in other.bodies()] == ["newCall", *ROW]


def is_first_tried(delivery):
    return lambda: Delivery.objects.filter(pk=delivery.pk, tries__gt=0).exists()


def test_without_its_new_call_the_rest_of_a_row_is_not_sent_and_says_why(number, other):
    other.status = 400
    first, *rest = make_row(make_endpoint(other.url, ROWS), number)
    with sending() as until:
        until(is_decided)
    assert state_of(first) is State.FAILED
    assert [state_of(one) for one in rest] == [State.SKIPPED, State.SKIPPED]
    assert all("new call was not delivered" in one.error for one in rest)
    assert len(other.received) == 1


def test_what_a_system_has_not_asked_for_is_not_sent_and_the_rest_goes_where_it_said(number, other):
    other.body = HANGUP_ONLY
    _first, answer, hangup = make_row(make_endpoint(f"{other.url}/push", ROWS), number)
    with sending() as until:
        until(is_decided)
    assert (state_of(answer), state_of(hangup)) == (State.SKIPPED, State.DELIVERED)
    assert [one.path for one in other.received] == ["/push", "/push/hangup"]


def retried_after(number, other, **headers):
    """Return after how long a delivery is tried again."""
    other.status, other.headers = 503, headers
    delivery = make_delivery(make_endpoint(other.url), make_event(number))
    with sending() as until:
        until(is_first_tried(delivery))
    delivery.refresh_from_db()
    assert (delivery.state, delivery.tries, delivery.status) == (State.WAITING, 1, 503)
    return delivery.next_at - delivery.tried_at


def test_a_failed_try_is_repeated_after_the_pause_of_the_format(number, other):
    assert PAUSES[0] * 0.9 <= retried_after(number, other) <= PAUSES[0] * 1.1


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [
        ("1", PAUSES[0] * 0.9, PAUSES[0] * 1.1),
        ("120", timedelta(seconds=120), timedelta(seconds=120)),
        ("in ten minutes", timedelta(minutes=9), timedelta(minutes=10)),
        ("99999999999999", timedelta(days=1), timedelta(days=1)),
        ("soon", PAUSES[0] * 0.9, PAUSES[0] * 1.1),
        (f"Mon, 30 Nov 2026 10:00:00 +{'9' * 20}", PAUSES[0] * 0.9, PAUSES[0] * 1.1),
    ],
)
def test_retry_after_is_obeyed_for_a_day_at_most(number, other, asked, least, most):
    at = format_datetime(timezone.now() + timedelta(minutes=10))
    header = at if asked == "in ten minutes" else asked
    assert least <= retried_after(number, other, **{"Retry-After": header}) <= most


def test_after_the_last_try_a_delivery_has_failed_and_each_try_has_the_same_id(number, other):
    other.status = 500
    delivery = make_delivery(make_endpoint(other.url), make_event(number))
    with sending() as until:
        for tries in range(1, len(PAUSES) + 2):
            until(lambda tries=tries: Delivery.objects.filter(tries=tries).exists())
            Delivery.objects.filter(state=State.WAITING).update(next_at=timezone.now())
    assert state_of(delivery) is State.FAILED
    assert len({one.headers["webhook-id"] for one in other.received}) == 1
    endpoint = Endpoint.objects.get()
    assert (endpoint.is_on, endpoint.last_failure) == (True, "The system answered 500.")
    assert endpoint.failing_since is not None


def test_nothing_is_sent_too_late(number, other):
    now, endpoint = timezone.now(), make_endpoint(other.url, ROWS)
    late = make_row(endpoint, number, "late", expires_at=now)
    off = make_row(make_endpoint(other.url, ROWS, is_on=False), number, "off", expires_at=now)
    forgotten = make_delivery(make_endpoint(other.url), make_event(number), next_at=now - timedelta(days=4))
    with sending() as until:
        until(lambda: not Delivery.objects.filter(state=State.WAITING).exists())
    assert {state_of(one) for one in (*late, *off, forgotten)} == {State.EXPIRED}
    assert all(one.error for one in (*late, *off, forgotten))
    assert other.received == []


def test_a_try_that_could_only_be_repeated_too_late_is_the_last(number, other):
    other.status = 500
    soon = timezone.now() + PAUSES[0] * 0.8
    delivery = make_delivery(make_endpoint(other.url, ROWS), make_event(number), "newCall", expires_at=soon)
    with sending() as until:
        until(is_decided)
    assert state_of(delivery) is State.EXPIRED
    assert (delivery.tries, delivery.status) == (1, 500)


def test_an_address_that_is_gone_switches_the_endpoint_off_and_the_rest_waits(number, other):
    other.status = 410
    endpoint = make_endpoint(other.url)
    first = make_delivery(endpoint, make_event(number))
    rest = make_delivery(endpoint, make_event(number), next_at=timezone.now() + timedelta(hours=1))
    with sending() as until:
        until(lambda: not Endpoint.objects.get().is_on)
        Delivery.objects.update(next_at=timezone.now())
        until(lambda: state_of(first) is State.FAILED)
    endpoint.refresh_from_db()
    assert (endpoint.why_off, endpoint.off_at is None) == (WhyOff.GONE, False)
    assert state_of(rest) is State.WAITING
    assert len(other.received) == 1


@pytest.mark.parametrize(("days", "is_on"), [(4, True), (6, False)])
def test_an_endpoint_that_fails_for_five_days_is_switched_off(number, other, days, is_on):
    other.status = 500
    endpoint = make_endpoint(other.url, failing_since=timezone.now() - timedelta(days=days))
    for n in range(LEAST_FAILURES):
        make_delivery(endpoint, make_event(number, f"call-{n}"))
    with sending() as until:
        until(is_decided if is_on else lambda: not Endpoint.objects.get().is_on)
    endpoint.refresh_from_db()
    assert (endpoint.is_on, endpoint.why_off) == (is_on, "" if is_on else WhyOff.FAILING)


def test_a_success_ends_the_failing_of_an_endpoint(number, other):
    now = timezone.now()
    endpoint = make_endpoint(other.url, failing_since=now - timedelta(days=6), last_failure="500")
    make_delivery(endpoint, make_event(number))
    with sending() as until:
        until(is_decided)
    endpoint.refresh_from_db()
    assert (endpoint.is_on, endpoint.failing_since, endpoint.last_failure) == (True, None, "")
    assert endpoint.delivered_at > now


def test_systems_that_do_not_answer_hold_up_no_other(number, other):
    with receiver() as silent:
        _has_arrived, may_answer = silent.hold()
        events = [make_event(number, f"call-{n}") for n in range(8)]
        hostile = [make_endpoint(f"{silent.url}/{n}") for n in range(6)]
        good = make_endpoint(other.url)
        for event in events:
            for endpoint in (*hostile, good):
                make_delivery(endpoint, event)
        with sending() as until:
            until(lambda: not Delivery.objects.filter(endpoint=good, state=State.WAITING).exists())
            assert Delivery.objects.filter(endpoint=good, state=State.DELIVERED).count() == len(events)
            until(lambda: len(silent.received) == len(hostile))
            may_answer.set()


def test_one_look_suffices_for_all_that_is_due_although_some_do_not_answer(number, other):
    with receiver() as silent:
        _has_arrived, may_answer = silent.hold()
        hostile = [make_endpoint(f"{silent.url}/{n}") for n in range(6)]
        good = make_endpoint(other.url)
        events = [make_event(number, f"call-{n}") for n in range(3)]
        for endpoint in (*hostile, good):
            for event in events:
                make_delivery(endpoint, event)
        sender = Sender(lambda: None)
        sender.start()
        try:
            sender.step()
            wait_until(lambda: len(silent.received) == len(hostile) and len(other.received) == len(events))
        finally:
            may_answer.set()
            sender.stop(5)


def test_what_was_sent_while_the_database_was_away_is_kept_and_stored_when_it_is_back(number, other, monkeypatch):
    delivery = make_delivery(make_endpoint(other.url), make_event(number))
    is_asked, may_answer = other.hold()
    with sending() as until:
        until(is_asked.is_set)
        connection.close()
        with monkeypatch.context() as away:
            away.setitem(connection.settings_dict, "PORT", "1")
            may_answer.set()
            with pytest.raises(OperationalError):
                until(lambda: False)
        until(lambda: state_of(delivery) is State.DELIVERED)
    assert len(other.received) == 1


def test_a_replay_that_begins_during_a_try_is_not_lost(number, other):
    other.status = 500
    delivery = make_delivery(make_endpoint(other.url), make_event(number), tries=1)
    is_asked, may_answer = other.hold()
    with sending() as until:
        until(is_asked.is_set)
        Delivery.objects.update(state=State.WAITING, tries=0)
        other.status = 200
        other.before = None
        may_answer.set()
        until(lambda: state_of(delivery) is State.DELIVERED)
