"""Bodies that may be sent to the endpoint, by name, with the expected answer: each rule of docs/posts.md and its edges.

Each is for the number E164 and its key ACCESS_KEY, unless the case is about another one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.factories import ACCESS_KEY, E164, TOP_LEVEL, post_body

BAD_JSON, BAD_POST, FORBIDDEN, TOO_LARGE = (400, "bad_json"), (400, "bad_post"), (403, "forbidden"), (413, "too_large")
TAKEN = (200, None)

FIELDS = (
    *("requestType", "customerNumber", "accessKey", "blockType", "destination", "destinationType"),
    *("destination_number", "correlation_id", "call_uuid", "caller_id_number", "callback_id", "collected_digits"),
)
WRONG_TYPES: dict[str, Any] = {
    "null": None,
    "true": True,
    "false": False,
    "zero": 0,
    "a negative number": -1,
    "a fraction": 1.5,
    "a number of 64 digits": 10**63,
    "an empty list": [],
    "a list": ["x"],
    "an empty object": {},
    "an object": {"x": {"y": [1]}},
    "an empty text": "",
    "spaces": " \t ",
}
TEXTS = {
    "a formula": "=cmd|' /C calc'!A0",
    "a formula with plus": "+1+1",
    "a formula with minus": "-1+1",
    "a formula with at": "@SUM(1)",
    "a full-width formula": "＝1+1",
    "a formula behind a tab": "\t=1+1",
    "markup": "<script>alert(1)</script>",
    "an attribute": '" onmouseover="alert(1)',
    "a closing script": "</script><svg onload=alert(1)>",
    "SQL": "'; DROP TABLE calls_call; --",
    "a template": "{{7*7}}{% debug %}",
    "a format": "%s%n%(x)s{0}",
    "a lookup": "${jndi:ldap://x/y}",
    "a line in a log": "x\r\n2026-01-01 CRITICAL forged",
    "NUL": "a\0b",
    "a lone surrogate": "a\ud800b",
    "right to left": "\u202eevil\u202c",
    "zero width": "a\u200bb\ufeffc",
    "an escape sequence": "\x1b[31mred",
    "an emoji": "📞" * 50,
    "combining marks": "a" + "\u0301" * 300,
    "a path": "../../../../etc/passwd",
    "many letters": "x" * 5_000,
}


@dataclass(frozen=True)
class Case:
    """A body and its answer: the status, and the error code if it is refused."""

    name: str
    body: bytes
    status: int
    code: str | None


def case(name: str, body: bytes | str | dict[str, Any], answer: tuple[int, str | None]) -> Case:
    if isinstance(body, dict):
        body = json.dumps(body)
    return Case(name, body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass"), *answer)


def start(**more: Any) -> dict[str, Any]:
    return post_body("CALL_START", E164, ACCESS_KEY, **more)


def with_field(field: str, value: Any) -> dict[str, Any]:
    """Return a post with this value in a field; the value may be None."""
    body = start()
    (body if field in TOP_LEVEL else body["variables"])[field] = value
    return body


def of_wrong_types() -> Iterator[Case]:
    for field in FIELDS:
        for name, value in WRONG_TYPES.items():
            yield case(f"{field} is {name}", with_field(field, value), _answer_to(field, value))
    for name, value in WRONG_TYPES.items():
        answer = TAKEN if isinstance(value, dict) else BAD_POST
        yield case(f"variables is {name}", start() | {"variables": value}, answer)


def _answer_to(field: str, value: Any) -> tuple[int, str | None]:
    if field == "accessKey":
        return FORBIDDEN
    if field == "requestType":
        return BAD_POST
    if field == "destination_number" and isinstance(value, int | float) and not isinstance(value, bool):
        return FORBIDDEN  # a number that is not ours; without a number, the key decides
    return TAKEN


def of_texts() -> Iterator[Case]:
    for field in FIELDS:
        for name, text in TEXTS.items():
            answer = FORBIDDEN if field in {"accessKey", "destination_number"} else TAKEN
            yield case(f"{field} holds {name}", with_field(field, text), answer)
    for name, text in TEXTS.items():
        yield case(f"a variable is called {name}", start(**{text: "x"}), TAKEN)


def of_json() -> Iterator[Case]:
    good = json.dumps(start())
    inner = good[1:-1]
    key = json.dumps(ACCESS_KEY)
    yield case("nothing at all", b"", BAD_JSON)
    yield case("spaces alone", b" \r\n\t", BAD_JSON)
    yield case("an empty object", "{}", FORBIDDEN)
    yield case("a key alone", f'{{"accessKey": {key}}}', BAD_POST)
    for name, text in {"null": "null", "true": "true", "a number": "7", "a text": '"x"', "a list": "[]"}.items():
        yield case(f"{name} instead of an object", text, BAD_JSON)
    yield case("a list around the post", f"[{good}]", BAD_JSON)
    yield case("two posts", good + good, BAD_JSON)
    yield case("something behind it", good + " x", BAD_JSON)
    yield case("a comma behind the last", f"{{{inner},}}", BAD_JSON)
    yield case("a comment", f"/* x */ {good}", BAD_JSON)
    yield case("single quotes", "{'a': 1}", BAD_JSON)
    yield case("cut off in the middle", good[: len(good) // 2], BAD_JSON)
    yield case("cut off before the end", good[:-1], BAD_JSON)
    yield case("odd white space", good.replace(" ", " \r\n\t "), TAKEN)
    yield case("white space of Unicode", good.replace(" ", "\u00a0"), BAD_JSON)
    yield case("a key twice", f'{{"requestType": "CALL_END", {inner}}}', BAD_JSON)
    yield case("the access key twice", f'{{"accessKey": "x", {inner}}}', BAD_JSON)
    yield case("a key twice, once spelled in escapes", f'{{"request\\u0054ype": "CALL_END", {inner}}}', BAD_JSON)
    yield case("a key twice further in", good.replace('"call_uuid"', '"call_uuid": "a", "call_uuid"'), BAD_JSON)
    yield case("a key in other letters", good.replace('"call_uuid"', '"CALL_UUID": "a", "call_uuid"'), TAKEN)
    yield case("the access key's name in escapes", good.replace("accessKey", "\\u0061ccessKey"), TAKEN)
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in ACCESS_KEY)
    yield case("the access key itself in escapes", good.replace(key, f'"{escaped}"'), TAKEN)
    yield case("the access key in spaces", good.replace(key, f'" {ACCESS_KEY} "'), TAKEN)
    yield case("the access key in capitals", good.replace(key, key.upper()), FORBIDDEN)
    yield case("the access key in a variable too", start(note=f"it is {ACCESS_KEY}", AccessKey=ACCESS_KEY), TAKEN)


def of_numbers() -> Iterator[Case]:
    def amount(text: str) -> str:
        return json.dumps(start(amount="X")).replace('"X"', text)

    for text, answer in {
        "1e400": BAD_JSON,
        "-1e400": BAD_JSON,
        "NaN": BAD_JSON,
        "Infinity": BAD_JSON,
        "-Infinity": BAD_JSON,
        "1" * 65: BAD_JSON,
        "0." + "1" * 64: BAD_JSON,
        "1" * 60_000: BAD_JSON,
        "007": BAD_JSON,
        "+7": BAD_JSON,
        ".5": BAD_JSON,
        "5.": BAD_JSON,
        "0x7": BAD_JSON,
        "1_000": BAD_JSON,
        "1e": BAD_JSON,
        "1" * 64: TAKEN,
        "-" + "1" * 64: TAKEN,
        "0." + "1" * 63: TAKEN,
        "-0": TAKEN,
        "-0.0": TAKEN,
        "1E+2": TAKEN,
        "1e-400": TAKEN,
        "12345678901234567890.5": TAKEN,
    }.items():
        name = text if len(text) < 30 else f"{text[:8]}… of {len(text)} signs"
        yield case(f"the number {name}", amount(text), answer)


def of_depth_and_size() -> Iterator[Case]:
    def deep(levels: int) -> str:
        return json.dumps(start(deep="X")).replace('"X"', "[" * levels + "]" * levels)

    yield case("nested as deep as may be", deep(14), TAKEN)
    yield case("nested one deeper", deep(15), BAD_JSON)
    yield case("nested 1,000 deep", deep(1_000), BAD_JSON)
    yield case("nested 30,000 deep", deep(30_000), BAD_JSON)
    yield case("lists that never close", "[" * 60_000, BAD_JSON)
    yield case("objects that never close", '{"a":' * 10_000, BAD_JSON)
    body = json.dumps(start(note="")).encode()
    full = body.replace(b'"note": ""', b'"note": "' + b"x" * (65_536 - len(body)) + b'"')
    yield case("64 KiB", full, TAKEN)
    yield case("64 KiB and a byte", full + b" ", TOO_LARGE)
    yield case("a text of 1 MB", start(note="x" * 1_000_000), TOO_LARGE)
    yield case("a text of 1 MB and no JSON", b"x" * 1_000_000, TOO_LARGE)
    yield case("2,000 variables", start(**{f"variable_{n}": n for n in range(2_000)}), TAKEN)
    yield case("a name of 30,000 letters", start(**{"x" * 30_000: 1}), TAKEN)
    yield case("a list of 20,000 numbers", start(many=[1] * 20_000), TAKEN)
    yield case("4,000 empty objects", start(many=[{}] * 4_000), TAKEN)
    yield case("an id of 30,000 letters", start(call_uuid="u" * 30_000), TAKEN)


def of_encodings() -> Iterator[Case]:
    good = json.dumps(start(note="Grüße 📞"), ensure_ascii=False)
    yield case("UTF-8", good.encode(), TAKEN)
    yield case("UTF-8 with a byte order mark", good.encode("utf-8-sig"), TAKEN)
    yield case("two byte order marks", b"\xef\xbb\xbf" + good.encode("utf-8-sig"), BAD_JSON)
    for encoding in ("utf-16", "utf-16-le", "utf-32", "utf-7", "latin-1", "cp1252"):
        text = good if encoding.startswith("utf") else json.dumps(start(note="Grüße"), ensure_ascii=False)
        answer = TAKEN if encoding == "utf-7" and text.encode(encoding).isascii() else BAD_JSON
        if encoding != "utf-7":  # it is ASCII, and valid JSON with odd texts
            yield case(encoding, text.encode(encoding), answer)
    for name, raw in {
        "an overlong slash": b"\xc0\xaf",
        "a sequence cut off": b"\xe2\x82",
        "a lone continuation": b"\x80",
        "a surrogate in UTF-8": b"\xed\xa0\x80",
        "beyond Unicode": b"\xf5\x80\x80\x80",
        "a control character": b"\x01",
        "a raw line break": b"\n",
        "a raw NUL": b"\0",
    }.items():
        yield case(
            f"{name} in a text", json.dumps(start(note="X")).encode().replace(b'"X"', b'"' + raw + b'"'), BAD_JSON
        )
    yield case("a lone surrogate in escapes", json.dumps(start(note="X")).replace('"X"', r'"\ud800"'), TAKEN)
    yield case("a surrogate pair in escapes", json.dumps(start(note="X")).replace('"X"', r'"\ud83d\udcde"'), TAKEN)
    yield case("an escape that is none", json.dumps(start(note="X")).replace('"X"', r'"\x41"'), BAD_JSON)
    yield case("an escape cut off", json.dumps(start(note="X")).replace('"X"', r'"\u12"'), BAD_JSON)


def of_missing_things() -> Iterator[Case]:
    for field in FIELDS:
        answer = {"accessKey": FORBIDDEN, "requestType": BAD_POST}.get(field, TAKEN)
        body = start()
        (body if field in TOP_LEVEL else body["variables"]).pop(field, None)
        yield case(f"without {field}", body, answer)
    yield case("without variables", {k: v for k, v in start().items() if k != "variables"}, BAD_POST)
    yield case("with nothing in variables", start() | {"variables": {}}, TAKEN)
    yield case("an unknown requestType", start(requestType="SOMETHING_NEW"), TAKEN)
    yield case("a requestType in small letters", start(requestType="call_start"), TAKEN)
    yield case("another number", post_body("CALL_START", "+4930999999", ACCESS_KEY), FORBIDDEN)
    yield case("no number of this world", post_body("CALL_START", "+0", ACCESS_KEY), FORBIDDEN)
    yield case("another key", post_body("CALL_START", E164, "another-key-altogether"), FORBIDDEN)


CASES = [
    *of_wrong_types(),
    *of_texts(),
    *of_json(),
    *of_numbers(),
    *of_depth_and_size(),
    *of_encodings(),
    *of_missing_things(),
]
