"""The format of sipgate.io's webhooks, which many systems read. docs/endpoints/sipgate.md says what was read of it.

As sipgate does, answer and hangup are sent only where the answer to newCall asks for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode, urlsplit
from xml.parsers import expat

from calls.outgoing import Answer
from contacts import links
from live.dispatch.formats.base import CallFacts
from live.dispatch.formats.cti import CtiFormat, called, caller_digits, digits, is_success, row_id
from live.dispatch.steps import ANSWER, HANGUP, NEW_CALL, Step

LONGEST_XML = 16 * 1024
DEFAULT_PORTS = {"http": 80, "https": 443}
# The attributes of the answer to newCall, by the kind of step whose address they name.
ATTRIBUTES = {ANSWER: "onAnswer", HANGUP: "onHangup"}


class Sipgate(CtiFormat):
    """A form for each step of a row, as sipgate.io posts it."""

    def body(self, step: Step, call: CallFacts, people: Sequence[str], *, is_late: bool) -> str:
        of_call = str(call.id) if step.ring else row_id(step)
        said = [
            ("event", step.kind),
            ("from", caller_digits(call)),
            ("to", digits(called(step, call))),
            ("direction", "in"),
            ("callId", row_id(step)),
            ("origCallId", of_call),
            ("xcid", of_call),
        ]
        place = digits(step.destination or called(step, call))
        if step.kind == NEW_CALL:
            names = people or [step.destination or call.number_name]
            said += [("user[]", name) for name in names]
            said += [(name, place) for name in ("userId[]", "fullUserId[]") for _name in names]
        elif step.kind == ANSWER:
            said += [("user", ", ".join(people) or place), ("userId", place), ("fullUserId", place)]
        if step.kind == HANGUP:
            said.append(("cause", step.cause))
        if step.destination and step.kind != NEW_CALL:
            said.append(("answeringNumber", digits(step.destination)))
        if step.ring:
            said.append(("diversion", digits(call.number)))
        return urlencode(said)

    def follow_up(self, url: str, kind: str, answer: Answer) -> Mapping[str, str]:
        if kind != NEW_CALL or not is_success(answer):
            return {}
        asked = response_attributes(answer.body)
        named = {kind: asked.get(attribute, "") for kind, attribute in ATTRIBUTES.items()}
        return {kind: address for kind, address in named.items() if _is_of_origin(address, url)}

    def address(self, url: str, kind: str, follow_up: Mapping[str, str]) -> str:
        return url if kind == NEW_CALL else follow_up.get(kind, "")


def response_attributes(xml: bytes) -> Mapping[str, str]:
    """Return the attributes of `<Response>`, the root of an XML document; none if it is anything else, is too long, or
    has a document type, by which XML names entities and other files."""
    if len(xml) > LONGEST_XML:
        return {}
    root: list[tuple[str, dict[str, str]]] = []
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse

    def start(name: str, attributes: dict[str, str]) -> None:
        root.append((name, attributes))
        parser.StartElementHandler = None

    parser.StartElementHandler = start
    try:
        parser.Parse(xml, True)
    except (expat.ExpatError, _HasDocumentType, ValueError, LookupError):
        return {}
    return root[0][1] if root and root[0][0] == "Response" else {}


class _HasDocumentType(Exception):  # noqa: N818 (named for what was found)
    pass


def _refuse(*_what: object) -> None:
    raise _HasDocumentType


def _is_of_origin(address: str, url: str) -> bool:
    """Return whether an address leads to the same host and port, by the same scheme, as that of the endpoint. Anything
    else would be a way to have requests sent to addresses that no person has entered."""
    is_clean = all(sign.isprintable() and not sign.isspace() for sign in address) and "\\" not in address
    origin = _origin(address) if is_clean and len(address) <= links.LONGEST_ADDRESS else None
    return origin is not None and origin == _origin(url)


def _origin(url: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port of an address of the web; None if it is none, or names a user."""
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname and "@" not in parts.netloc else None
