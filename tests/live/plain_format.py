"""A format for tests of what is sent, without the rules of any real one."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from calls.outgoing import Answer
from live.dispatch.formats.base import CallFacts, Sending, Verdict
from live.dispatch.steps import Step
from live.models import Format

PAUSES = (timedelta(seconds=5), timedelta(minutes=5))
# The answer of a system that wants the hangups of rows, and no answers.
HANGUP_ONLY = b"hangup only"


@dataclass(frozen=True)
class PlainFormat:
    """Sends the facts of a step as JSON. Success is 2xx, 400 is final, 410 is gone, all else is tried again."""

    has_rows: bool = False
    is_signed: bool = False
    content_type: str = "application/json"
    pauses: Sequence[timedelta] = PAUSES
    expires_after: timedelta | None = None

    def body(self, step: Step, call: CallFacts, people: Sequence[str], *, is_late: bool) -> str:
        who = [match.name for match in call.matches]
        said = {"kind": step.kind, "call": call.call_uuid, "caller": call.caller, "who": who, "late": is_late}
        return json.dumps(said)

    def headers(self, sending: Sending) -> Mapping[str, str]:
        signatures = [signature(secret, sending.body) for secret in sending.secrets]
        return {"webhook-id": sending.message_id, "X-Signatures": " ".join(signatures)}

    def judge(self, kind: str, answer: Answer) -> Verdict:
        if 200 <= answer.status < 300:
            return Verdict.DELIVERED
        return {400: Verdict.FAILED, 410: Verdict.GONE}.get(answer.status, Verdict.RETRY)

    def follow_up(self, url: str, kind: str, answer: Answer) -> Mapping[str, str]:
        return {"answer": "", "hangup": f"{url}/hangup"} if answer.body == HANGUP_ONLY else {}

    def address(self, url: str, kind: str, follow_up: Mapping[str, str]) -> str:
        return follow_up.get(kind, url)


PLAIN_FORMATS = {
    Format.WEBHOOK.value: PlainFormat(is_signed=True),
    Format.ZAMMAD.value: PlainFormat(has_rows=True),
    Format.SIPGATE.value: PlainFormat(has_rows=True),
    Format.PLACETEL.value: PlainFormat(has_rows=True, is_signed=True),
}


def signature(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
