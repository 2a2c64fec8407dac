"""The dispatcher from an event to another system: one process works, and the next one goes on where it ended."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.utils import timezone

from live.dispatch import formats, outbox
from live.dispatch.dispatcher import Dispatcher
from live.dispatch.wanted import mark
from live.models import Delivery, DispatchProcess, Endpoint, EventType, State
from tests.factories import make_number, take
from tests.live.dispatching import make_delivery, make_endpoint, make_event, wait_until
from tests.live.plain_format import PlainFormat
from tests.receiver import receiver

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _formats(monkeypatch, settings):
    settings.OUTGOING_LOOPBACK = True
    monkeypatch.setitem(formats.FORMATS, "webhook", PlainFormat())


@pytest.fixture
def other():
    with receiver() as other:
        yield other


@pytest.fixture
def number():
    outbox.fill()
    return make_number()


@contextmanager
def running():
    """Run a dispatcher in a thread, which has a connection of its own; stop it in the end."""
    dispatcher = Dispatcher()
    thread = threading.Thread(target=dispatcher.run, daemon=True)
    thread.start()
    try:
        yield dispatcher
    finally:
        dispatcher.stop()
        thread.join(30)
        assert not thread.is_alive()


def post(number, call):
    take(number, "CALL_START", timezone.now(), call_uuid=call, correlation_id=call)


def end_sessions():
    """End the sessions of dispatchers, as a database does that is stopped."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND pid IN"
            " (SELECT pid FROM pg_locks WHERE locktype = 'advisory')"
        )


def test_each_event_is_sent_once_while_one_dispatcher_follows_the_other(number, other):
    make_endpoint(other.url, events=[EventType.STARTED])
    calls = [f"call-{n}" for n in range(30)]
    with running() as first, running():
        wait_until(lambda: DispatchProcess.objects.filter(works=True).exists())
        for place, call in enumerate(calls):
            post(number, call)
            if place == 10:
                end_sessions()
            if place == 20:
                first.stop()
        wait_until(lambda: len(other.received) >= len(calls))
        wait_until(lambda: Delivery.objects.filter(state=State.DELIVERED).count() == len(calls))
        wait_until(lambda: DispatchProcess.objects.filter(works=True).count() == 1)
    assert {json.loads(body)["call"] for body in other.bodies()} == set(calls)
    assert len({one.headers["webhook-id"] for one in other.received}) == len(calls)
    assert not DispatchProcess.objects.exists(), "each has removed its row"


def test_a_dispatcher_that_is_stopped_stores_what_was_being_sent(number, other):
    is_asked, may_answer = other.hold()
    endpoint = make_endpoint(other.url)
    begun = make_delivery(endpoint, make_event(number))
    later = make_delivery(endpoint, make_event(number, "call-2"), next_at=timezone.now() + timedelta(minutes=1))
    with running() as dispatcher:
        assert is_asked.wait(60)
        dispatcher.stop()
        may_answer.set()
    begun.refresh_from_db()
    later.refresh_from_db()
    assert (begun.state, later.state) == (State.DELIVERED, State.WAITING)


def test_a_file_of_the_home_says_whether_there_is_an_endpoint(other):
    wanted = django_settings.DISPATCHER_WANTED
    mark()
    assert not wanted.exists()
    endpoint = make_endpoint(other.url, is_on=False)
    assert wanted.exists()
    wanted.unlink()
    mark()
    assert wanted.exists(), "also after a restart"
    endpoint.save()
    make_endpoint(other.url)
    endpoint.delete()
    assert wanted.exists()
    Endpoint.objects.all().delete()
    assert not wanted.exists()
