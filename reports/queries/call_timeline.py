"""The timeline of a call: its posts in order, the length of each part, and what is unusual.

Callers and destinations are masked here for people who may not see them, so a page cannot show more by mistake."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from calls import posts
from calls.ingest.sender_policy import FOREIGN
from calls.masking import masked_as_received, masked_payload, variables_of_callers
from calls.models import Call, CallEvent, RequestType
from contacts.agents import NO_AGENTS, Agents, labelled
from reports import periods
from reports.figures.block_types import block_label
from reports.queries.forwards import type_label

# The most posts of a call that a page shows; it says if more are left out.
MOST_EVENTS = 500

# A shorter time between two posts is not shown.
LEAST_GAP = timedelta(seconds=1)

MARKS = {
    RequestType.CALL_START: "ring",
    RequestType.CALL_END: "ring",
    RequestType.INITIATE_FORWARD: "arrow",
    RequestType.FORWARD_ANSWER: "disc",
}


def flag_in_words(flag: str) -> str:
    """Return what a flag of a post means; an unknown flag keeps its own name."""
    known = {
        "unknown_request_type": _("TENIOS does not document this kind of message."),
        "no_destination_number": _("The message contained no number. The number was identified by the access key."),
        "no_block_type": _("The message contained no block type."),
        "no_destination": _("The message contained no destination."),
        "no_call_uuid": _("The message contained no call_uuid. It was matched to the call by other fields."),
    }
    if flag in known:
        return known[flag]
    if flag.startswith(FOREIGN):
        return _("The message came from %(address)s, which is not on the list of TENIOS addresses.") % {
            "address": flag.removeprefix(FOREIGN)
        }
    if flag.startswith("odd_"):
        return _("The field %(field)s had an unusual format, or was too long to be searched.") % {
            "field": flag.removeprefix("odd_")
        }
    return flag


@dataclass(frozen=True)
class Happening:
    """One line of the timeline: a post with its label and times. Texts are as the person may see them."""

    pk: int
    request_type: str
    received_at: datetime
    heading: str
    detail: str
    # TENIOS' own name of the kind of post or block, for staff.
    code: str
    offset: timedelta
    # The time since the previous post, if it is over LEAST_GAP.
    gap: timedelta | None
    mark: str
    oddities: Sequence[str]
    destination: str  # blank if it is hidden
    # Which destination of the call it is, counted from 1 in the order they were tried; 0 if it has none.
    destination_place: int
    people: Sequence[str]  # the names of who answers there
    caller: str
    customer_number: str
    payload: str


def events_of(call: Call, *, callers: bool, people: bool, agents: Agents = NO_AGENTS) -> list[Happening]:
    """Return the posts of a call in the order they arrived, each with the time since the previous one.

    Callers are masked unless `callers`; only the types of destinations are shown unless `people`. With `people` they
    are shown with the names in `agents`."""
    happenings: list[Happening] = []
    before = None
    forwards = 0
    events = list(call.events.in_order()[:MOST_EVENTS])
    day = periods.day_of(call.first_post_at)
    known_callers = {call.caller_id_number, call.caller_least or "", call.caller_greatest or ""}
    known_callers.update(event.caller_id_number for event in events)
    known_destinations = {event.destination for event in events}
    places: dict[tuple[str, str], int] = {}
    variables = frozenset() if callers else variables_of_callers(call.destination_number_id)
    for event in events:
        forwards += event.request_type == RequestType.INITIATE_FORWARD
        names = agents.on(event.destination, event.destination_type, day) if people else []
        place = 0
        if event.request_type in posts.FORWARDS:
            place = places.setdefault((event.destination, event.destination_type), len(places) + 1)
        heading, detail, code = _in_words(event, forwards, names, people=people)
        happenings.append(
            Happening(
                pk=event.pk,
                request_type=event.request_type,
                received_at=event.received_at,
                heading=heading,
                detail=detail,
                code=code,
                offset=event.received_at - call.first_post_at,
                gap=gap if before and (gap := event.received_at - before) > LEAST_GAP else None,
                mark=MARKS.get(event.request_type, "square"),
                oddities=[flag_in_words(flag) for flag in event.flags],
                destination=event.destination if people else "",
                destination_place=place,
                people=names,
                caller=event.caller_id_number if callers else masked_as_received(event.caller_id_number),
                customer_number=event.customer_number,
                payload=masked_payload(
                    event.payload,
                    callers=callers,
                    people=people,
                    known_callers=known_callers,
                    known_destinations=known_destinations,
                    variables=variables,
                ),
            )
        )
        before = event.received_at
    return happenings


def request_type_label(request_type: str) -> str:
    """Return a kind of post in words; an unknown one under its own name."""
    return str(RequestType(request_type).label) if request_type in RequestType.values else request_type


def _in_words(event: CallEvent, forwards: int, names: Sequence[str], *, people: bool) -> tuple[str, str, str]:
    """Return heading, detail and TENIOS' own name of an event; the destination and names only if `people` are shown."""
    kind = event.request_type
    destination = labelled(names, event.destination)
    if kind == RequestType.BLOCK_END:
        return _("%(block)s ended") % {"block": block_label(event.block_type)}, "", event.block_type
    type_of_destination = event.destination_type and type_label(event.destination_type)
    if kind in posts.FORWARDS:
        heading = _forward_in_words(kind, destination, forwards) if people else _forward_unnamed(kind, forwards)
        return heading, type_of_destination, event.destination_type
    if kind in RequestType.values:
        return request_type_label(kind), "", kind
    # What we do not know keeps its own name.
    return kind, event.block_type or (destination if people else type_of_destination), ""


def _forward_in_words(kind: str, destination: str, forwards: int) -> str:
    destination = destination or _("destination without a name")
    if kind == RequestType.INITIATE_FORWARD:
        return _("Forwarding %(n)d to %(destination)s") % {"n": forwards, "destination": destination}
    return _("%(destination)s answered") % {"destination": destination}


def _forward_unnamed(kind: str, forwards: int) -> str:
    """Return the heading of a forward or its answer for people who may not see the destination."""
    if kind == RequestType.INITIATE_FORWARD:
        return _("Forwarding %(n)d") % {"n": forwards}
    return _("A destination answered")


@dataclass(frozen=True)
class Part:
    """A part of the bar, with its start and width in thousandths of the bar."""

    kind: str
    x: float
    width: float


@dataclass(frozen=True)
class ScaleBar:
    parts: Sequence[Part]
    before: timedelta | None
    ring: timedelta | None
    talk: timedelta | None


def scale_bar(call: Any) -> ScaleBar | None:
    """Return the parts of an annotated call to scale: before a forward, ringing, talking. None without a length."""
    length = (call.last_post_at - call.first_post_at) / timedelta(seconds=1)
    if length <= 0:
        return None
    end = call.ended_at or call.last_post_at
    if call.answered_at and end < call.answered_at:
        end = call.last_post_at
    first_ring = call.forwarded_at
    if call.answered_at and first_ring and first_ring > call.answered_at:
        first_ring = None
    ring_end = call.answered_at or (end if first_ring else None)
    edges = [
        ("before", call.first_post_at, first_ring or ring_end or end),
        ("ring", first_ring, ring_end),
        ("talk", call.answered_at, end if call.answered_at else None),
        ("after", end, call.last_post_at),
    ]
    parts = []
    for kind, start, stop in edges:
        if start is None or stop is None or stop <= start:
            continue
        at = (start - call.first_post_at) / timedelta(seconds=1)
        parts.append(
            Part(kind, round(at / length * 1000, 2), round((stop - start) / timedelta(seconds=1) / length * 1000, 2))
        )
    return ScaleBar(
        parts,
        (first_ring or ring_end or end) - call.first_post_at,
        ring_end - first_ring if first_ring and ring_end and ring_end > first_ring else None,
        end - call.answered_at if call.answered_at else None,
    )


def variables_of(happenings: Iterable[Happening]) -> dict[str, list[str]]:
    """Return the variables beyond the documented fields, each with its values in order."""
    values: dict[str, list[str]] = {}
    for name, value in posts.extra_variables(happening.payload for happening in happenings):
        values.setdefault(name, []).append(value)
    return values


@dataclass(frozen=True)
class Remark:
    """A note on something unusual about a call."""

    heading: str
    text: str


def remarks_on(call: Call, happenings: Sequence[Happening]) -> list[Remark]:
    """Return notes on contradictions, uncertain matches and unknown posts. None of these changes a figure."""
    remarks = []
    if call.callback_id:
        remarks.append(
            Remark(
                _("Callback."),
                _("The call was started by callback %(id)s. It is listed but not counted.") % {"id": call.callback_id},
            )
        )
    if call.customer_number_differs:
        said = {
            "values": _who_said(happenings, lambda happening: happening.customer_number),
            "own": call.destination_number.customer_number,
        }
        if said["own"]:
            text = _("%(values)s. The number is set to %(own)s. The figures are not affected.")
        else:
            text = _("%(values)s. The figures are not affected.")
        remarks.append(Remark(_("Different customer numbers."), text % said))
    if call.caller_differs:
        values = _who_said(happenings, lambda happening: happening.caller)
        text = _("%(values)s. The value from the start of the call is used.")
        remarks.append(Remark(_("Different callers."), text % {"values": values}))
    if call.weakly_identified:
        remarks.append(
            Remark(
                _("Uncertain match."),
                _("A message contained no call_uuid. It was matched by correlation_id, or by number and caller."),
            )
        )
    unknown = {happening.request_type for happening in happenings} - set(RequestType.values)
    if unknown:
        remarks.append(
            Remark(
                _("Unknown kind of message."),
                _("TENIOS sent messages that are not documented. They are kept: %(kinds)s.")
                % {"kinds": ", ".join(sorted(unknown))},
            )
        )
    return remarks


def _who_said(happenings: Iterable[Happening], what: Callable[[Happening], str]) -> str:
    """List which value was in which kinds of post."""
    kinds: dict[str, dict[str, None]] = {}
    for happening in happenings:
        kind = request_type_label(happening.request_type)
        kinds.setdefault(what(happening) or _("no value"), {})[kind] = None
    return "; ".join(
        _("%(value)s in %(kinds)s") % {"kinds": ", ".join(names), "value": value} for value, names in kinds.items()
    )
