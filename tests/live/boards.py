"""Calls for tests of the board: random ones, and how they stand by the pure rules."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from calls.models import Call
from live.board import rules
from live.board.rules import Event
from live.kinds import Kind

# Settings of a number whose messages all arrive.
ON = {"call_start": "on", "block_end": "on", "initiate_forward": "on", "forward_answer": "on", "call_end": "on"}
KINDS = {
    ("INITIATE_FORWARD", ""): Kind.FORWARD,
    ("FORWARD_ANSWER", ""): Kind.ANSWER,
    ("BLOCK_END", "BRIDGE"): Kind.BRIDGE_END,
}
POSTS = (
    *("INITIATE_FORWARD 1001", "INITIATE_FORWARD 1002", "FORWARD_ANSWER 1001", "BLOCK_END BRIDGE"),
    *("BLOCK_END BRIDGE", "BLOCK_END ANNOUNCEMENT"),
)
# Around the limits of the rules, and far from them.
STEPS_S = (0, 0, 1, 20, 90, 179, 180, 181, 600, 3599, 3601, 7200, 7300)


def history(random: random.Random) -> Iterator[tuple[str, timedelta]]:
    """Yield the posts of a call, each with the time since the one before. Its end may be missing, as its start may."""
    posts = [random.choice(POSTS) for _post in range(random.randrange(6))]
    if random.random() < 0.9 or not posts:
        posts.insert(0, "CALL_START")
    if random.random() < 0.2:
        posts.append("CALL_END")
    for kind in posts:
        yield kind, timedelta(seconds=random.choice(STEPS_S))


def standings(limits: Mapping[int, timedelta], now: datetime) -> Iterator[tuple[Call, rules.Standing]]:
    """Yield each open call with how it stands by the pure rules."""
    for call in Call.objects.filter(ended_at=None, silent_at=None, callback_id="").prefetch_related("events"):
        events = [
            Event(event.pk, event.received_at, kind)
            for event in call.events.all()
            if (kind := KINDS.get((event.request_type, event.block_type if event.request_type == "BLOCK_END" else "")))
        ]
        yield call, rules.standing(call.first_post_at, events, limits[call.destination_number_id], now)
