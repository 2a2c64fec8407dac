"""The format of Placetel's Notify API. docs/endpoints/placetel.md says what was read of it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from calls import phones
from contacts import links
from live.dispatch.formats.base import CallFacts, Sending
from live.dispatch.formats.cti import ANONYMOUS, CtiFormat, called, row_id
from live.dispatch.steps import ANSWER, CANCEL, FORWARDED, HANGUP, NEW_CALL, NO_ANSWER, NORMAL, Step

EVENTS = {NEW_CALL: "IncomingCall", ANSWER: "CallAccepted", HANGUP: "HungUp"}
# `missed` is what Placetel says of unanswered incoming calls, whether caller or callee gave up.
TYPES = {NORMAL: "accepted", CANCEL: "missed", NO_ANSWER: "missed", FORWARDED: "canceled"}
SIGNATURE = "X-PLACETEL-SIGNATURE"


class Placetel(CtiFormat):
    """A form for each step of a row, as Placetel posts it."""

    is_signed = True

    def body(self, step: Step, call: CallFacts, people: Sequence[str], *, is_late: bool) -> str:
        said = {
            "event": EVENTS[step.kind],
            "from": national(call.caller) or ANONYMOUS,
            "to": national(called(step, call)),
            "call_id": hashlib.sha256(f"Calltally {row_id(step)}".encode()).hexdigest(),
            "direction": "in",
        }
        if step.kind == ANSWER:
            said["peer"] = national(step.destination)
        elif step.kind == HANGUP:
            said |= {"type": TYPES[step.cause], "duration": str(_duration_s(step, call))}
        return urlencode(said)

    def headers(self, sending: Sending) -> Mapping[str, str]:
        if not sending.secrets:
            return {}
        # The format has one signature, so the newest secret signs.
        return {SIGNATURE: hmac.new(sending.secrets[0].encode(), sending.body, hashlib.sha256).hexdigest()}


def national(text: str) -> str:
    """Return a number in E.164 as it is dialled in our country: `0221…`, abroad `0033…`; other texts unchanged."""
    if not text.startswith("+"):
        return text
    return links.national(text) if text.startswith(phones.country_code()) else f"00{text[1:]}"


def _duration_s(step: Step, call: CallFacts) -> int:
    """Return for how long there was talk; 0 for a row that was not answered."""
    answered_at = step.answered_at or call.answered_at
    if step.cause != NORMAL or answered_at is None:
        return 0
    return max(0, round((step.happened_at - answered_at).total_seconds()))
