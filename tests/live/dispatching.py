"""Endpoints, deliveries and formats for tests of what is sent, without the rules of any real format."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from calls.models import CallEvent, DestinationNumber
from calls.outgoing import Answer
from live.dispatch.formats.base import CallFacts, Sending, Verdict
from live.dispatch.sender import Sender
from live.dispatch.steps import Step
from live.models import Delivery, Endpoint, State
from tests.factories import take

PAUSES = (timedelta(seconds=5), timedelta(minutes=5))


@dataclass(frozen=True)
class PlainFormat:
    """Sends the kind of a step. Success is 2xx, 400 is final, 410 is gone, all else is tried again."""

    has_rows: bool = False
    pauses: Sequence[timedelta] = PAUSES
    expires_after: timedelta | None = None
    content_type: str = "application/json"
    is_signed: bool = False

    def body(self, step: Step, call: CallFacts, people: Sequence[str], *, is_late: bool) -> str:
        return f"{call.call_uuid} {step.kind}"

    def headers(self, sending: Sending) -> Mapping[str, str]:
        return {"webhook-id": sending.message_id}

    def judge(self, kind: str, answer: Answer) -> Verdict:
        if 200 <= answer.status < 300:
            return Verdict.DELIVERED
        return {400: Verdict.FAILED, 410: Verdict.GONE}.get(answer.status, Verdict.RETRY)

    def follow_up(self, url: str, kind: str, answer: Answer) -> Mapping[str, str]:
        return {"hangup": f"{url}/hangup"} if answer.body == b"hangup only" else {}

    def address(self, url: str, kind: str, follow_up: Mapping[str, str]) -> str:
        return follow_up.get(kind, "") if follow_up and kind != "newCall" else url


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
