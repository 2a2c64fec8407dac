"""System and checks learn whether a dispatcher works, and how far it is behind."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from calls.models import CallEvent
from live.dispatch import dispatcher_state
from live.models import Delivery, DispatchCursor, DispatchProcess, Endpoint
from tests.factories import make_number, take

pytestmark = pytest.mark.django_db(transaction=True)


def warnings():
    return [warning.id for warning in dispatcher_state.check(databases=["default"])]


def test_only_endpoints_that_are_on_need_a_dispatcher_that_works():
    endpoint = Endpoint.objects.create(name="CRM", url="https://crm.example.com/", format="webhook")
    assert warnings() == []
    Endpoint.objects.update(is_on=True)
    assert warnings() == ["calltally.W040"]
    standby = DispatchProcess.objects.create(name="host 1")
    assert warnings() == ["calltally.W040"]
    working = DispatchProcess.objects.create(name="host 2", works=True)
    assert warnings() == []
    state = dispatcher_state.read()
    assert (state.processes, state.working, state.endpoints_on) == ([standby, working], working, 1)
    DispatchProcess.objects.update(seen_at=timezone.now() - timedelta(minutes=1))
    assert dispatcher_state.read().is_missing
    endpoint.delete()
    assert not dispatcher_state.read().is_missing


def test_what_has_not_been_read_and_what_is_due_says_how_far_it_is_behind():
    now = timezone.now()
    number = make_number()
    take(number, "CALL_START", now - timedelta(seconds=90), call_uuid="read")
    read = CallEvent.objects.get()
    DispatchCursor.objects.update_or_create(pk=DispatchCursor.ONLY, defaults={"last_event_id": read.pk})
    take(number, "CALL_START", now - timedelta(seconds=20), call_uuid="unread")
    endpoint = Endpoint.objects.create(name="CRM", url="https://crm.example.com/", format="webhook")
    due = {"endpoint": endpoint, "event": read, "body": "{}"}
    for kind, wait in (("call.started", -timedelta(seconds=30)), ("call.ended", timedelta(minutes=5))):
        Delivery.objects.create(uuid=uuid.uuid4(), kind=kind, next_at=now + wait, **due)
    assert dispatcher_state.read().behind_s == 0.0, "nothing is told anyone"

    Endpoint.objects.update(is_on=True)
    state = dispatcher_state.read()
    assert (state.unread, state.due) == (1, 1)
    assert 20 <= state.unread_s < 30 <= state.due_s < 90
    assert state.behind_s == state.due_s

    Endpoint.objects.update(failing_since=now)
    assert dispatcher_state.read().due == 0, "it waits for the endpoint"
