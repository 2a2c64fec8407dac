"""Endpoints and deliveries for tests of what people do with them."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.utils import timezone

from calls.models import CallEvent, DestinationNumber
from live.dispatch.tries import new_uuid
from live.models import Delivery, Endpoint, Format
from tests.factories import take

CALLER = "+4917012345678"


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
