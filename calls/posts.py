"""Parses TENIOS' JSON into CallPost; the only module that knows TENIOS' field names.

docs/posts.md has facts, gaps and samples. Unknown values are kept and flagged; only unreadable posts are refused."""

from __future__ import annotations

import hashlib
import json
import os
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from calls import keys, phones
from calls.models import RequestType

MOST_BYTES = 64 * 1024
DEEPEST_NESTING = 16
MOST_DIGITS = 64
LONGEST_TEXT = 200  # of texts that are searched and indexed; the payload keeps the whole text

KNOWN_REQUEST_TYPES = frozenset(RequestType.values)
# Names in `variables` that TENIOS documents; all others are extra variables.
NAMED_VARIABLES = ("destination_number", "correlation_id", "call_uuid", "caller_id_number", "callback_id")
# Names beside `variables` that TENIOS documents, without that of the access key, which is never stored.
NAMED_FIELDS = ("requestType", "customerNumber", "blockType", "destination", "destinationType")
# The words that posts consist of, in one text: field names, and documented or usual values.
WORDS = " ".join(
    [
        *RequestType.values,
        *NAMED_VARIABLES,
        "requestType customerNumber variables blockType destination destinationType",
        "ANNOUNCEMENT ROUTINGPLAN COLLECT_DIGITS COLLECT_SPEECH CALL_SETTINGS",
        "EXTERNALNUMBER SIP_USER SIP_TRUNK anonymous unavailable restricted",
    ]
).casefold()
FORWARDS = (RequestType.INITIATE_FORWARD, RequestType.FORWARD_ANSWER)
EXTERNAL_NUMBER = "EXTERNALNUMBER"  # the type of a destination that is a phone number


class Refusal(Exception):  # noqa: N818 (an answer to the sender, not an error of ours)
    """A post cannot be read. Holds the error code of the answer, `bad_json` or `bad_post`, and what is known of it."""

    def __init__(self, code: str, fingerprint: str = "", payload: str = "", variables: Any = None) -> None:
        super().__init__(code)
        self.code = code
        self.fingerprint = fingerprint or keys.fingerprint("")
        self.payload = payload
        named = variables.get("destination_number") if isinstance(variables, dict) else None
        self.destination_number = number_of(bounded(named)) if isinstance(named, str) else ""


@dataclass(frozen=True, slots=True)
class CallPost:
    """A parsed post. Texts are bounded and without characters that PostgreSQL refuses; `payload` keeps everything."""

    ingest_id: uuid.UUID
    received_at: datetime
    fingerprint: str
    destination_number: str | None  # E.164; None if the post named none
    destination_number_received: str
    call_uuid: str
    correlation_id: str
    callback_id: str
    caller_id_number: str  # comparable form, blank if withheld
    caller_received: str
    customer_number: str
    request_type: str
    block_type: str
    destination: str  # comparable form if it is a phone number
    destination_type: str
    payload: str
    flags: list[str] = field(default_factory=list)


def sample(e164: str) -> dict[str, Any]:
    """Return a post to try the endpoint with, in which a person replaces the key."""
    variables = {"destination_number": e164, "call_uuid": "my-first-call", "caller_id_number": "+491713920042"}
    return {"requestType": "CALL_START", "customerNumber": 200000, "accessKey": "YOUR-KEY", "variables": variables}


def new_ingest_id(received_at: datetime) -> uuid.UUID:
    """Return a version-7 UUID (RFC 9562), which sorts by time of receipt to the microsecond."""
    milliseconds, microseconds = divmod(round(received_at.timestamp() * 1_000_000), 1000)
    # 48 bits of milliseconds, version, 12 bits of their fraction, variant, 62 random bits.
    number = milliseconds << 80 | 0x7 << 76 | (microseconds * 4096 // 1000) << 64 | 0b10 << 62
    return uuid.UUID(int=number | int.from_bytes(os.urandom(8)) >> 2)


def parse(body: bytes, received_at: datetime | None = None) -> CallPost:
    """Parse a post as TENIOS sends it. Raise Refusal if it cannot be read."""
    posted = read_json(body)
    access_key = posted.pop("accessKey", None)
    access_key = access_key.strip() if isinstance(access_key, str) else ""
    payload, posted = without_key(posted, access_key)
    received_at = received_at or datetime.now(UTC)
    return _read(posted, payload, keys.fingerprint(access_key), received_at, new_ingest_id(received_at))


def parse_again(payload: str, fingerprint: str, received_at: datetime, ingest_id: uuid.UUID) -> CallPost:
    """Parse a post that was stored without its key. Raise Refusal if it cannot be read."""
    return _read(read_json(payload.encode()), payload, fingerprint, received_at, ingest_id)


def named_in(payload: str) -> tuple[str, str]:
    """Return the request type of a stored post and the number it names; empty texts if they cannot be read."""
    try:
        post = parse_again(payload, "", datetime.fromtimestamp(0, UTC), uuid.UUID(int=0))
    except Refusal as refusal:
        return "", refusal.destination_number
    return post.request_type, post.destination_number or ""


def _read(
    posted: dict[str, Any], payload: str, fingerprint: str, received_at: datetime, ingest_id: uuid.UUID
) -> CallPost:
    request_type, variables = posted.get("requestType"), posted.get("variables")
    if not isinstance(request_type, str) or not request_type.strip() or not isinstance(variables, dict):
        raise Refusal("bad_post", fingerprint, payload, variables)

    flags: set[str] = set()

    def text(name: str, value: Any) -> str:
        """Return a field as text; flag it if it is neither text nor a number."""
        if value is None:
            return ""
        if isinstance(value, bool | dict | list):
            flags.add(f"odd_{name}")
            return ""
        if not isinstance(value, str):
            if name != "customer_number":
                flags.add(f"odd_{name}")
            value = str(value)
        kept = bounded(value)
        if kept != value.strip():
            flags.add(f"odd_{name}")
        return kept

    request_type = text("request_type", request_type)
    if request_type not in KNOWN_REQUEST_TYPES:
        flags.add("unknown_request_type")
    destination_number = text("destination_number", variables.get("destination_number"))
    if not destination_number:
        flags.add("no_destination_number")
    caller = text("caller_id_number", variables.get("caller_id_number"))
    block_type = text("block_type", posted.get("blockType"))
    if request_type == RequestType.BLOCK_END and not block_type:
        flags.add("no_block_type")
    destination = text("destination", posted.get("destination"))
    destination_type = text("destination_type", posted.get("destinationType"))
    if destination_type == EXTERNAL_NUMBER:
        destination = phones.comparable_number(destination)
    if request_type in FORWARDS and not destination:
        flags.add("no_destination")
    call_uuid = text("call_uuid", variables.get("call_uuid"))
    if not call_uuid:
        flags.add("no_call_uuid")

    return CallPost(
        ingest_id=ingest_id,
        received_at=received_at,
        fingerprint=fingerprint,
        destination_number=number_of(destination_number) or None,
        destination_number_received=destination_number,
        call_uuid=call_uuid,
        correlation_id=text("correlation_id", variables.get("correlation_id")),
        callback_id=text("callback_id", variables.get("callback_id")),
        caller_id_number=phones.comparable(caller),
        caller_received=caller,
        customer_number=text("customer_number", posted.get("customerNumber")),
        request_type=request_type,
        block_type=block_type,
        destination=destination,
        destination_type=destination_type,
        payload=payload,
        flags=sorted(flags),
    )


def number_of(text: str) -> str:
    """Return the number that a post names, as E.164 if it is valid, otherwise as received."""
    return phones.e164(text) or text


def as_row(post: CallPost) -> dict[str, Any]:
    """Return a post as a dict for JSON, which the writer's statement reads and the spool stores."""
    row = {name: getattr(post, name) for name in CallPost.__slots__}
    return row | {"ingest_id": str(post.ingest_id), "received_at": post.received_at.isoformat()}


def from_row(row: dict[str, Any]) -> CallPost:
    """Return the post of a row made by as_row. Raise ValueError if another version made it and it cannot be read."""
    try:
        return CallPost(
            **row
            | {
                "ingest_id": uuid.UUID(row["ingest_id"]),
                "received_at": datetime.fromisoformat(row["received_at"]),
            }
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("not a post of this version") from error


def read_json(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a body. Raise Refusal("bad_json") for anything a strict parser would not accept."""
    try:
        posted = _DECODER.decode(body.decode("utf-8-sig"))
        if isinstance(posted, dict) and _is_flat_enough(posted):
            return posted
    except (ValueError, RecursionError) as error:
        raise Refusal("bad_json") from error
    raise Refusal("bad_json")


def without_key(posted: dict[str, Any], access_key: str) -> tuple[str, dict[str, Any]]:
    """Return a post as ASCII JSON and as an object, with the access key removed everywhere."""
    payload = _ENCODER.encode(posted)
    if "access" in payload.casefold() or (access_key and json.dumps(access_key)[1:-1] in payload):
        posted = _cleared(posted, access_key)
        payload = _ENCODER.encode(posted)
    return payload, posted


# In a text that is not JSON: the name of the access key, and its value.
_KEY = re.compile(r"""(access_?key["']?\s*[:=]\s*)("(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s,;&}\]]*)""", re.IGNORECASE)


def text_without_key(body: bytes) -> str:
    """Return a body that is not JSON as printable ASCII without the key; blank if the key could be hidden in it."""
    if len(body) > MOST_BYTES or b"\\u" in body or b"\0" in body:  # escapes or wide characters could hide the key
        return ""
    text = body.decode("latin-1")
    for name, value in {match.groups() for match in _KEY.finditer(text)}:
        access_key = value.strip("\"'")
        text = text.replace(name + value, f"{name}[access key]")
        if len(access_key) >= keys.LEAST_LENGTH:
            text = text.replace(access_key, "[access key]")
    return text.encode("unicode_escape").decode()


def bounded(text: str) -> str:
    """Return a text as it is stored for search: without NUL and lone surrogates, stripped, with a maximum length.

    A longer text keeps its beginning and ends in its SHA-256, so that different texts stay different."""
    clean = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    clean = clean.encode("utf-16", "surrogatepass").decode("utf-16", "replace").strip()
    if len(clean) <= LONGEST_TEXT:
        return clean
    return f"{clean[:100]}… {hashlib.sha256(clean.encode()).hexdigest()}"


def printable(text: str) -> str:
    """Return a text for pages, with invisible, bidirectional and unassigned characters as escapes."""
    return "".join(
        sign if sign.isprintable() or sign == "\n" else sign.encode("unicode_escape").decode() for sign in text
    )


def pretty(payload: str) -> str:
    """Return a stored payload for people: indented and with umlauts if it is JSON; always printable."""
    try:
        return printable(json.dumps(json.loads(payload), indent=2, ensure_ascii=False))
    except ValueError:
        return printable(payload)


def extra_variables(payloads: Iterable[str]) -> list[tuple[str, str]]:
    """Return the variables in stored payloads that TENIOS does not document, such as digits that callers typed.

    Each name appears once with each of its values, in order of receipt and printable."""
    variables = (item for payload in payloads for item in _extra_variables(payload).items())
    return list(dict.fromkeys((printable(name), printable(str(value))) for name, value in variables))


def _extra_variables(payload: str) -> dict[str, Any]:
    try:
        variables = json.loads(payload).get("variables", {})
    except (ValueError, AttributeError):
        return {}
    return {name: value for name, value in variables.items() if name not in NAMED_VARIABLES}


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate key")
    return members


def _whole_number(literal: str) -> int:
    if len(literal.lstrip("-")) > MOST_DIGITS:
        raise ValueError("a number of too many digits")
    return int(literal)


def _number(literal: str) -> float | str:
    if sum(c.isdigit() for c in literal) > MOST_DIGITS:
        raise ValueError("a number of too many digits")
    number = float(literal)
    if number in (float("inf"), float("-inf")):
        raise ValueError("infinity")
    # A number that a float cannot represent exactly is kept as text.
    return number if repr(number) == literal else literal


def _refuse(constant: str) -> None:
    raise ValueError(constant)


# Created once: json.loads and json.dumps with options create one per call.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_whole_number, parse_float=_number, parse_constant=_refuse
)
_ENCODER = json.JSONEncoder(separators=(",", ":"))


def _is_flat_enough(posted: Any) -> bool:
    level, depth = [posted], 0
    while level:
        depth += 1
        if depth > DEEPEST_NESTING:
            return False
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
    return True


def _cleared(value: Any, access_key: str) -> Any:
    if isinstance(value, dict):
        return {
            _cleared(name, access_key): _cleared(member, access_key)
            for name, member in value.items()
            if name.strip().casefold().replace("_", "") != "accesskey"
        }
    if isinstance(value, list):
        return [_cleared(member, access_key) for member in value]
    # A key of digits only may occur inside phone numbers, so it is removed only if it is the whole value.
    if isinstance(value, str) and access_key and (value.strip() == access_key or not access_key.isdigit()):
        return value.replace(access_key, "[access key]")
    return value
