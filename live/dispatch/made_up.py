"""A made-up call, sent to an endpoint step by step, right now: it shows whether the other system understands it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from calls import masking
from contacts import links
from live.dispatch import formats
from live.dispatch.formats.base import CallFacts, Identifier, Match
from live.dispatch.steps import ANSWER, HANGUP, NEW_CALL, NORMAL, Event, Step
from live.dispatch.tries import Tried, new_uuid, try_once
from live.kinds import Kind
from live.models import CallerShown, Delivery, Endpoint, EventType, Format, Rows

# Each step is waited for as long as this.
WITHIN_S = 5.0
# Nothing is stored of the call. Its ids are others each time, because systems remember calls by them.
_EVENTS: dict[str, Kind | None] = {
    EventType.STARTED: Kind.START,
    EventType.RINGING: Kind.FORWARD,
    EventType.IDENTIFIED: None,
    EventType.ANSWERED: Kind.ANSWER,
    EventType.ENDED: Kind.CALL_END,
    EventType.SILENT: None,
}
DESTINATION, DESTINATION_TYPE = "+492215540099", "EXTERNALNUMBER"


@dataclass(frozen=True)
class SentStep:
    """A step as it was sent, and how that went; `tried` is None if the system does not want it, or it was not sent
    because the one before got no answer."""

    kind: str
    body: str
    tried: Tried | None
    advice: str = ""
    is_left_out: bool = False


def send_call(endpoint: Endpoint) -> list[SentStep]:
    """Send a made-up call to an endpoint as it is stored, whether it is on or not. It writes nothing."""
    return list(_sent(endpoint))


def _sent(endpoint: Endpoint) -> Iterator[SentStep]:
    endpoint_format, now = formats.of(endpoint.format), timezone.now()
    call, people = _call(endpoint, now), ["Ben Schulz"]
    follow_up: dict[str, str] = {}
    is_reached = True
    for step in _steps(endpoint, now):
        body = endpoint_format.body(step, call, people, is_late=False)
        if not is_reached:
            yield SentStep(step.kind, body, None, is_left_out=True)
            continue
        delivery = Delivery(uuid=new_uuid(), endpoint=endpoint, kind=step.kind, ring=step.ring, body=body)
        tried = try_once(delivery, follow_up, WITHIN_S)
        if tried is None:
            yield SentStep(step.kind, body, None)
            continue
        follow_up |= tried.follow_up
        is_reached = tried.status is not None
        yield SentStep(step.kind, body, tried, "" if tried.is_delivered else advice(endpoint, tried))


def _steps(endpoint: Endpoint, now: datetime) -> list[Step]:
    ring = 1 if endpoint.rows == Rows.RING else 0
    kinds: Sequence[Any] = list(_EVENTS) if endpoint.format == Format.WEBHOOK else [NEW_CALL, ANSWER, HANGUP]
    events = {NEW_CALL: Kind.FORWARD, ANSWER: Kind.ANSWER, HANGUP: Kind.CALL_END, **_EVENTS}
    steps = []
    for place, kind in enumerate(kinds):
        if endpoint.format == Format.WEBHOOK and kind not in endpoint.events:
            continue
        at = now - timedelta(seconds=len(kinds) - place)
        event = Event(place + 1, at, events[kind], DESTINATION, DESTINATION_TYPE)
        cause = NORMAL if kind == HANGUP else ""
        steps.append(Step(str(kind), event, ring, DESTINATION, DESTINATION_TYPE, cause, row=_made_up_id(now)))
    return steps


def _made_up_id(now: datetime) -> int:
    """Return an id far above real ones, so that it is no other call for the system."""
    return int(now.timestamp() * 1000)


def _call(endpoint: Endpoint, now: datetime) -> CallFacts:
    caller, is_whole = links.EXAMPLES["caller"], endpoint.caller == CallerShown.WHOLE
    shown = {CallerShown.WHOLE: caller, CallerShown.MASKED: masking.masked_in_files(caller)}
    contact = Match(
        kind="exact",
        source="",
        external_id="",
        name=links.EXAMPLES["name"],
        company="",
        customer_number=links.EXAMPLES["customer_number"],
        url="",
    )
    return CallFacts(
        id=_made_up_id(now),
        call_uuid=str(uuid.uuid4()),
        correlation_id="",
        number=links.EXAMPLES["number"],
        number_name=_("Test call"),
        caller=shown.get(CallerShown(endpoint.caller), ""),
        is_withheld=False,
        started_at=now,
        forwarded_at=now,
        matches=[contact] if is_whole else [],
        identifiers=[Identifier("ticket", _("Ticket"), links.EXAMPLES["ticket"])] if is_whole else [],
    )


def advice(endpoint: Endpoint, tried: Tried) -> str:
    """Return what to do about a try that was not delivered."""
    status = tried.status
    if status is None:
        return _no_answer_advice()
    if status in _REFUSED and formats.of(endpoint.format).is_signed:
        return _("The system refuses access. Enter the secret there again, or create a new one.")
    if status in _TO_DO:
        return str(_TO_DO[status])
    return str(_TO_DO_BY_CLASS.get(status // 100, _TO_DO_BY_CLASS[4]))


def _no_answer_advice() -> str:
    if settings.OUTGOING_PRIVATE_NETWORKS:
        return _("Check the address, and that this server may connect to the other one.")
    return _(
        "Check the address, and that this server may connect to the other one. A system in your own network has to be "
        "allowed by OUTGOING_PRIVATE_NETWORKS."
    )


_REFUSED = {401, 403}
_KEY_IN_ADDRESS = gettext_lazy("The system refuses access. Copy its address again: the key is part of it.")
_TO_DO = {
    401: _KEY_IN_ADDRESS,
    403: _KEY_IN_ADDRESS,
    404: gettext_lazy(
        "The system has nothing at this address. Copy it again, and check that the function is switched on there."
    ),
    405: gettext_lazy("The system takes no POST at this address. It is probably not the address for events."),
    410: gettext_lazy("The system says that this address is no longer used. Get a new one there."),
    429: gettext_lazy("The system gets too many requests. Try again later."),
}
_TO_DO_BY_CLASS = {
    2: gettext_lazy(
        "The system answered, but not as this format demands. Check that the address belongs to this format."
    ),
    3: gettext_lazy("The system redirects to another address. Enter the address that it leads to."),
    4: gettext_lazy(
        "The system does not accept this. Check that the address belongs to this format. Its answer says more."
    ),
    5: gettext_lazy("The system has an error of its own. Its log shows the reason."),
}
