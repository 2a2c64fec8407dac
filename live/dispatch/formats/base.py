"""What a format is: how a step of a call is written, sent and judged. Formats read no database and no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Protocol

from calls.outgoing import Answer
from live.dispatch.steps import Step


@dataclass(frozen=True)
class Match:
    """A contact of the caller, as it is sent."""

    kind: str  # typed, exact or company
    source: str
    external_id: str
    name: str
    company: str
    customer_number: str
    url: str


@dataclass(frozen=True)
class Identifier:
    """A number that the caller typed."""

    kind: str
    label: str
    value: str


@dataclass(frozen=True)
class CallFacts:
    """What is known of a call, as one endpoint may have it: `caller` is whole, masked, or blank where it gets none or
    the caller is withheld. Without the whole caller there are no matches and identifiers."""

    id: int
    call_uuid: str
    correlation_id: str
    number: str  # E.164
    number_name: str  # its label; the number if it has none
    caller: str
    is_withheld: bool
    is_callback: bool = False
    started_at: datetime | None = None
    forwarded_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    matches: Sequence[Match] = ()
    identifiers: Sequence[Identifier] = ()


@dataclass(frozen=True)
class Sending:
    """A delivery as it is sent now."""

    message_id: str
    kind: str
    body: bytes
    secrets: Sequence[str]
    at: datetime


class Verdict(Enum):
    """What an answer means for a delivery."""

    DELIVERED = "delivered"
    RETRY = "retry"
    FAILED = "failed"  # trying again is useless
    GONE = "gone"  # the endpoint is to be switched off


class EndpointFormat(Protocol):
    """How steps of calls are written for a kind of system."""

    content_type: str
    # Whether the endpoint has rows (CTI), or gets each event by its type.
    has_rows: bool
    # Whether a delivery is signed, so that the endpoint needs a secret.
    is_signed: bool
    # The pause before each further try.
    pauses: Sequence[timedelta]
    # How long after its event a delivery may be sent; None: as long as there are tries.
    expires_after: timedelta | None

    def body(self, step: Step, call: CallFacts, people: Sequence[str], *, is_late: bool) -> str:
        """Return what is sent. `people` are the names of those who answer at the destination of the step."""
        ...

    def headers(self, sending: Sending) -> Mapping[str, str]:
        """Return the headers beside Content-Type."""
        ...

    def judge(self, kind: str, answer: Answer) -> Verdict:
        """Return what an answer means."""
        ...

    def follow_up(self, url: str, kind: str, answer: Answer) -> Mapping[str, str]:
        """Return the addresses for the further steps of a row, by kind, that an answer names; checked against the
        address of the endpoint."""
        ...

    def address(self, url: str, kind: str, follow_up: Mapping[str, str]) -> str:
        """Return where a delivery is sent; blank if the system does not want it."""
        ...
