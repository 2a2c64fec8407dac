"""The posts for every contender: calls with five posts, all of the same size, for a few numbers."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

PATH = "/tenios/posts"
NUMBERS = {f"+4922155400{last:03d}": f"bench{last:03d}0123456789abcdefghijkl" for last in range(300, 308)}  # their keys

# The parts that differ per call: two groups of digits in its ids, and the end of the caller's number.
FIRST, SECOND, CALLER = (10_000_000, 99_999_999), (100_000_000_000, 999_999_999_999), (10_000_000, 99_999_999)

FORWARD = {"destination": "+492212345678", "destinationType": "EXTERNALNUMBER"}
POSTS: tuple[dict[str, Any], ...] = (
    {"requestType": "CALL_START"},
    {"requestType": "BLOCK_END", "blockType": "ANNOUNCEMENT"},
    {"requestType": "INITIATE_FORWARD", **FORWARD},
    {"requestType": "FORWARD_ANSWER", **FORWARD},
    {"requestType": "CALL_END"},
)


def body(post: dict[str, Any], e164: str, *, first: str, second: str, caller: str) -> str:
    """Return a post of a call as TENIOS sends it."""
    return json.dumps(
        {
            **post,
            "customerNumber": 200000,
            "accessKey": NUMBERS[e164],
            "variables": {
                "destination_number": e164,
                "correlation_id": f"{first}-7c1d-4b52-9d6e-{second}",
                "call_uuid": f"{first}-e29b-41d4-a716-{second}",
                "caller_id_number": f"+4917{caller}",
            },
        }
    )


def requests() -> Iterator[bytes]:
    """Yield HTTP requests endlessly, calls in sequence, each post after the previous one was answered.

    Texts are prepared in advance, because the sender must leave the CPU to the contender."""
    calls = [[_request(body(post, e164, **HOLES)) for post in POSTS] for e164 in NUMBERS]
    draw = random.Random()
    while True:
        of_this_call = {
            b"first": draw.randint(*FIRST),
            b"second": draw.randint(*SECOND),
            b"caller": draw.randint(*CALLER),
        }
        for template in draw.choice(calls):
            yield template % of_this_call


HOLES = {"first": "%(first)d", "second": "%(second)d", "caller": "%(caller)d"}


def _request(template: str) -> bytes:
    length = len(template % {"first": FIRST[0], "second": SECOND[0], "caller": CALLER[0]})
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
    return (head + template).encode()
