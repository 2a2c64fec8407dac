"""Our own format: signed webhooks by Standard Webhooks 1.0.0. docs/endpoints/webhooks.md has every field."""

from __future__ import annotations

import binascii
import hashlib
import hmac
import json
import secrets
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from calls.outgoing import Answer
from live.dispatch.formats.base import CallFacts, Identifier, Match, Sending, Verdict
from live.dispatch.steps import Step

SECRET_PREFIX = "whsec_"  # noqa: S105 (what each secret begins with)
SECRET_BYTES = 32
# Bytes of a secret, by the specification.
SHORTEST_SECRET, LONGEST_SECRET = 24, 64
GONE = 410


def new_secret() -> str:
    """Return a new secret, in the spelling of the specification."""
    return SECRET_PREFIX + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def key_of(secret: str) -> bytes:
    """Return the bytes of a secret; raise ValueError if it is not one of Standard Webhooks."""
    try:
        key = b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("not a secret of Standard Webhooks: not base64") from None
    if not SHORTEST_SECRET <= len(key) <= LONGEST_SECRET:
        raise ValueError("not a secret of Standard Webhooks: not 24 to 64 bytes")
    return key


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the signature of a delivery as the header has it."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + b64encode(hmac.new(key_of(secret), signed, hashlib.sha256).digest()).decode()


class Webhooks:
    """Signed webhooks: one for each event, kept for days until it is delivered."""

    content_type = "application/json"
    has_rows = False
    is_signed = True
    # As the specification proposes. The first try is at once.
    pauses: Sequence[timedelta] = (
        timedelta(seconds=5),
        timedelta(minutes=5),
        timedelta(minutes=30),
        timedelta(hours=2),
        timedelta(hours=5),
        timedelta(hours=10),
        timedelta(hours=14),
        timedelta(hours=20),
        timedelta(hours=24),
    )
    expires_after: timedelta | None = None

    def body(self, step: Step, call: CallFacts, people: Sequence[str], *, is_late: bool) -> str:
        data = _data(step, call, people) | {"late": is_late}
        if step.cause:
            data["cause"] = step.cause
        message = {"type": step.kind, "timestamp": _time(step.happened_at), "data": data}
        return json.dumps(message, ensure_ascii=False, separators=(",", ":"))

    def headers(self, sending: Sending) -> Mapping[str, str]:
        timestamp = int(sending.at.timestamp())
        signatures = [signature(secret, sending.message_id, timestamp, sending.body) for secret in sending.secrets]
        return {
            "webhook-id": sending.message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(signatures),
        }

    def judge(self, kind: str, answer: Answer) -> Verdict:
        if 200 <= answer.status < 300:
            return Verdict.DELIVERED
        return Verdict.GONE if answer.status == GONE else Verdict.RETRY

    def follow_up(self, url: str, kind: str, answer: Answer) -> Mapping[str, str]:
        return {}

    def address(self, url: str, kind: str, follow_up: Mapping[str, str]) -> str:
        return url


def _data(step: Step, call: CallFacts, people: Sequence[str]) -> dict[str, Any]:
    """Return the data of a call; what is missing is null, so that each message has the same fields."""
    return {
        "call_id": call.id,
        "call_uuid": call.call_uuid or None,
        "correlation_id": call.correlation_id or None,
        "number": call.number,
        "number_name": call.number_name,
        "caller": call.caller or None,
        "withheld": call.is_withheld,
        "destination": step.destination or None,
        "destination_type": step.destination_type or None,
        "people": list(people),
        "matches": [_match(match) for match in call.matches],
        "identifiers": [_identifier(identifier) for identifier in call.identifiers],
        "started_at": _time(call.started_at),
        "forwarded_at": _time(call.forwarded_at),
        "answered_at": _time(call.answered_at),
        "ended_at": _time(call.ended_at),
        "callback": call.is_callback,
    }


def _match(match: Match) -> dict[str, str | None]:
    return {
        "kind": match.kind,
        "source": match.source or None,
        "external_id": match.external_id or None,
        "name": match.name or None,
        "company": match.company or None,
        "customer_number": match.customer_number or None,
        "url": match.url or None,
    }


def _identifier(identifier: Identifier) -> dict[str, str]:
    return {"kind": identifier.kind, "label": identifier.label, "value": identifier.value}


def _time(at: datetime | None) -> str | None:
    """Return a time in UTC: `2026-03-02T09:15:04.120000Z`."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z") if at else None
