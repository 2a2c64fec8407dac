"""Endpoints and deliveries for tests of what people do with them, and formats as plain as formats can be."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from calls.models import CallEvent, DestinationNumber
from calls.outgoing import Answer
from live.dispatch.formats.base import CallFacts, Sending, Verdict
from live.dispatch.steps import Step
from live.dispatch.tries import new_uuid
from live.models import Delivery, Endpoint, Format
from tests.factories import take

CALLER = "+4917012345678"


@dataclass(frozen=True)
class PlainFormat:
    """Sends kind, caller and matches as JSON; any 2xx is success, and an answer may name where the rest goes."""

    has_rows: bool
    is_signed: bool
    content_type: str = "application/json"
    pauses: Sequence[timedelta] = (timedelta(seconds=5),)
    expires_after: timedelta | None = None

    def body(self, step: Step, call: CallFacts, people: Sequence[str], *, is_late: bool) -> str:
        return json.dumps(
            {"kind": step.kind, "caller": call.caller, "who": [match.name for match in call.matches], "late": is_late}
        )

    def headers(self, sending: Sending) -> Mapping[str, str]:
        signed = [hmac.new(secret.encode(), sending.body, hashlib.sha256).hexdigest() for secret in sending.secrets]
        return {"X-Id": sending.message_id, "X-Signatures": " ".join(signed)}

    def judge(self, kind: str, answer: Answer) -> Verdict:
        return Verdict.DELIVERED if 200 <= answer.status < 300 else Verdict.RETRY

    def follow_up(self, url: str, kind: str, answer: Answer) -> Mapping[str, str]:
        return {"answer": "", "hangup": f"{url}/over"} if b"only the end" in answer.body else {}

    def address(self, url: str, kind: str, follow_up: Mapping[str, str]) -> str:
        return follow_up.get(kind, url)


PLAIN_FORMATS = {
    Format.WEBHOOK.value: PlainFormat(has_rows=False, is_signed=True),
    Format.ZAMMAD.value: PlainFormat(has_rows=True, is_signed=False),
    Format.SIPGATE.value: PlainFormat(has_rows=True, is_signed=False),
    Format.PLACETEL.value: PlainFormat(has_rows=True, is_signed=True),
}


def signature(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def make_endpoint(name: str = "ERP", *numbers: DestinationNumber, **fields: Any) -> Endpoint:
    """Create an endpoint of signed webhooks that is off; of these numbers, or of all."""
    defaults = {"format": Format.WEBHOOK, "url": "https://erp.example.com/hook/token-4711", "all_numbers": not numbers}
    endpoint = Endpoint(name=name, **(defaults | fields))
    endpoint.set_secret("whsec_first")
    endpoint.save()
    endpoint.numbers.set(numbers)
    return endpoint


def make_delivery(
    endpoint: Endpoint, number: DestinationNumber, kind: str = "call.started", at: datetime | None = None, **fields: Any
) -> Delivery:
    """Create a waiting delivery about a call of its own, unless `event` is the event of another one."""
    delivery_uuid = new_uuid()
    at = at or timezone.now()
    if "event" not in fields:
        take(number, "CALL_START", at, call_uuid=str(delivery_uuid), caller_id_number=CALLER)
        fields["event"] = CallEvent.objects.get(call__call_uuid=str(delivery_uuid))
    defaults = {"body": json.dumps({"kind": kind, "caller": CALLER}), "created_at": at}
    return Delivery.objects.create(uuid=delivery_uuid, endpoint=endpoint, kind=kind, **(defaults | fields))
