"""Endpoints and deliveries for tests of what is sent."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.utils import timezone

from calls.models import CallEvent, DestinationNumber
from live.dispatch.sender import Sender
from live.models import Delivery, Endpoint, State
from tests.factories import take


def make_endpoint(url: str, kind: str = "webhook", **fields: Any) -> Endpoint:
    """Create an endpoint that is on."""
    name = fields.pop("name", f"system {Endpoint.objects.count()}")
    on = {"is_on": True, "on_since": timezone.now() - timedelta(days=30)}
    return Endpoint.objects.create(name=name, url=url, format=kind, **(on | fields))


def make_event(number: DestinationNumber, call: str = "call-1", kind: str = "CALL_START") -> CallEvent:
    """Store an event of a call."""
    take(number, kind, timezone.now(), call_uuid=call, correlation_id=call)
    return CallEvent.objects.latest("pk")


def make_delivery(endpoint: Endpoint, event: CallEvent, kind: str = "call.started", **fields: Any) -> Delivery:
    """Create a delivery that is due now."""
    body = fields.pop("body", kind)
    return Delivery.objects.create(uuid=uuid.uuid4(), endpoint=endpoint, event=event, kind=kind, body=body, **fields)


def state_of(delivery: Delivery) -> State:
    delivery.refresh_from_db()
    return State(delivery.state)


def wait_until(is_so: Callable[[], Any]) -> None:
    """Wait until a condition is true."""
    give_up_at = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < give_up_at, "it did not come true"
        time.sleep(0.01)


@contextmanager
def sending() -> Iterator[Callable[..., None]]:
    """Run a sender; yield a function that has it look for due deliveries until a condition is true."""
    sender = Sender(lambda: None)
    sender.start()

    def until(is_so: Callable[[], Any]) -> None:
        def is_so_after_a_step() -> Any:
            sender.step()
            return is_so()

        wait_until(is_so_after_a_step)
        sender.store(at_once=True)

    try:
        yield until
    finally:
        sender.stop(5)


def is_decided() -> bool:
    """Return whether nothing is due any more."""
    return not Delivery.objects.filter(state=State.WAITING, next_at__lte=timezone.now()).exists()
