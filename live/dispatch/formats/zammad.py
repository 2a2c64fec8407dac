"""Zammad's generic CTI. docs/endpoints/zammad.md says what was read of it, and what to set there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from calls.outgoing import Answer
from live.dispatch.formats.base import CallFacts, Verdict
from live.dispatch.formats.cti import CtiFormat, called, caller_digits, digits, is_success, row_id
from live.dispatch.steps import ANSWER, HANGUP, NEW_CALL, Step

# What Zammad says to a newCall that it has: an earlier try arrived, although its answer did not.
HAS_IT = b"already exists"
# What it says of a row that it does not have. Newer versions hide this text from those who are not signed in.
HAS_NOT = b"no such call_id"


class Zammad(CtiFormat):
    """JSON to Zammad's generic CTI."""

    content_type = "application/json"

    def body(self, step: Step, call: CallFacts, people: Sequence[str], *, is_late: bool) -> str:
        said: dict[str, Any] = {
            "event": step.kind,
            "from": caller_digits(call),
            "to": digits(called(step, call)),
            "direction": "in",
            "callId": row_id(step),
            "queue": call.number_name,
        }
        if people and step.kind == NEW_CALL:
            said["user"] = list(people)
        elif people and step.kind == ANSWER:
            said["user"] = ", ".join(people)  # Zammad reads a text here, and fails at a list
        if step.destination and step.kind != NEW_CALL:
            said["answeringNumber"] = digits(step.destination)
        if step.kind == HANGUP:
            said["cause"] = step.cause
        return json.dumps(said, ensure_ascii=False, separators=(",", ":"))

    def judge(self, kind: str, answer: Answer) -> Verdict:
        if is_success(answer):
            return Verdict.DELIVERED
        said = answer.body.lower()
        if kind == NEW_CALL and HAS_IT in said:
            return Verdict.DELIVERED
        if kind != NEW_CALL and HAS_NOT in said:
            return Verdict.FAILED
        return Verdict.RETRY
