"""Rings for tests of pages, stored as the process `live` would."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from calls.models import CallEvent, DestinationNumber
from contacts.models import AgentDestination
from live.models import Pop
from tests.factories import take

CALLER = "+4917012345678"


def map_to(user: User, destination: str, kind: str = "SIP_USER") -> None:
    """Say that a person answers at a destination."""
    AgentDestination.objects.create(user=user, destination=destination, destination_type=kind)


def ring(
    user: User, number: DestinationNumber, destination: str = "1001", *, at: datetime | None = None, **fields: Any
) -> Pop:
    """Store a call that rings at a destination, and a ring of a person for it. `variables` are those of its post."""
    at = at or timezone.now() - timedelta(minutes=1)
    caller = fields.pop("caller", CALLER)
    name = f"call {Pop.objects.count()}"
    kind = f"INITIATE_FORWARD {destination}"
    said = {"call_uuid": name, "correlation_id": name, "caller_id_number": caller} | fields.pop("variables", {})
    take(number, kind, at, destinationType="SIP_USER", **said)
    event = CallEvent.objects.get(call__call_uuid=name)
    stored = {"destination": destination, "destination_type": "SIP_USER", "rang_at": at, "revision": event.pk}
    return Pop.objects.create(user=user, event=event, **(stored | fields))
