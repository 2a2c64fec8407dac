"""What the formats of telephone systems (CTI) have in common: rows, short retries, numbers without a plus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from calls.outgoing import Answer
from live.dispatch.formats.base import CallFacts, Sending, Verdict
from live.dispatch.steps import Step

# For callers that are withheld, or that the endpoint does not get.
ANONYMOUS = "anonymous"
FORM = "application/x-www-form-urlencoded"


class CtiFormat:
    """A format with rows. A pop-up about a call that rang a minute ago is of no use, so tries end soon."""

    content_type = FORM
    has_rows = True
    is_signed = False
    pauses: Sequence[timedelta] = (timedelta(seconds=2), timedelta(seconds=5), timedelta(seconds=10))
    expires_after: timedelta | None = timedelta(seconds=30)

    def headers(self, sending: Sending) -> Mapping[str, str]:
        return {}

    def judge(self, kind: str, answer: Answer) -> Verdict:
        return Verdict.DELIVERED if is_success(answer) else Verdict.RETRY

    def follow_up(self, url: str, kind: str, answer: Answer) -> Mapping[str, str]:
        return {}

    def address(self, url: str, kind: str, follow_up: Mapping[str, str]) -> str:
        return url


def is_success(answer: Answer) -> bool:
    return 200 <= answer.status < 300


def row_id(step: Step) -> str:
    """Return the id of a row, the same in all its steps. It is not made of the call, which may be joined to another."""
    return f"{step.row}-ring" if step.ring else str(step.row)


def called(step: Step, call: CallFacts) -> str:
    """Return who is called in a row: the number, for a ring its destination."""
    return (step.rings_at or step.destination or call.number) if step.ring else call.number


def digits(text: str) -> str:
    """Return a number in E.164 without its plus; other texts, such as names of SIP users, unchanged."""
    return text.removeprefix("+")


def caller_digits(call: CallFacts) -> str:
    return digits(call.caller) or ANONYMOUS
