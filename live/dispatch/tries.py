"""Sends one delivery once, and says how that went. It reads and writes nothing in the database."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.encryption import NotReadable
from calls import outgoing
from calls.outgoing import Answer, NoAnswer
from live.dispatch import answers, formats
from live.dispatch.formats.base import Sending, Verdict
from live.models import Delivery

# Of an answer, in bytes: what is kept of it needs less, and reading an endless one would hold up others.
ANSWER_CUT_AT = 8 * 1024
# As outgoing.send; the dispatcher has one that keeps connections open.
Send = Callable[..., Answer]


@dataclass(frozen=True)
class Tried:
    """How a try went: what was answered, or in `error` why nothing was, in words."""

    verdict: Verdict
    took_ms: int = 0
    status: int | None = None
    answer: str = ""
    error: str = ""
    retry_after: str = ""
    follow_up: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_delivered(self) -> bool:
        return self.verdict is Verdict.DELIVERED


def new_uuid() -> uuid.UUID:
    """Return the id of a new delivery."""
    return uuid.uuid4()


def message_id(delivery: uuid.UUID) -> str:
    """Return what signed webhooks name a delivery by."""
    return f"msg_{delivery.hex}"


def try_once(
    delivery: Delivery, follow_up: Mapping[str, str], within_s: float, send: Send = outgoing.send
) -> Tried | None:
    """Send a delivery once; None if the system does not want a step of this kind. `follow_up` is what the newCall of
    its row was answered."""
    endpoint, kind = delivery.endpoint, delivery.kind
    endpoint_format = formats.of(endpoint.format)
    url = endpoint_format.address(endpoint.url, kind, follow_up)
    if not url:
        return None
    began = time.monotonic()

    def took_ms() -> int:
        return round((time.monotonic() - began) * 1000)

    try:
        secrets = endpoint.secrets()
        sending = Sending(message_id(delivery.uuid), kind, delivery.body.encode(), secrets, timezone.now())
        headers = {"Content-Type": endpoint_format.content_type, **endpoint_format.headers(sending)}
        answer = send("POST", url, headers=headers, body=sending.body, within_s=within_s, cut_at=ANSWER_CUT_AT)
    except NotReadable:
        error = _("The secret was encrypted with another ENCRYPTION_KEY. Create a new one.")
        return Tried(Verdict.RETRY, took_ms(), error=error)
    except NoAnswer as failure:
        return Tried(Verdict.RETRY, took_ms(), error=str(failure))
    return Tried(
        endpoint_format.judge(kind, answer),
        took_ms(),
        answer.status,
        answers.kept(answer.body, {endpoint.url, url}, secrets),
        retry_after=next((value for name, value in answer.headers.items() if name.lower() == "retry-after"), ""),
        follow_up=endpoint_format.follow_up(endpoint.url, kind, answer),
    )
