"""What counts.csv and blocks.csv must say of any posts: calculated from the posts by simple code, as docs/figures.md
defines the figures. Calls without an end must have been closed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from functools import cached_property
from typing import Any

from tests.reports import expected
from tests.reports.expected import LOST, OF_FORWARDS, OUTCOMES, RESTS_ON, Stretch
from tests.reports.scenario import ALWAYS, ANSWER, BERLIN, BLOCK, END, FORWARD, NEVER, START

Row = dict[str, str]
# The settings of a number that decide how its calls are counted, as they are at first.
SETTINGS: dict[str, Any] = {
    "expects_forward": True,
    "short_call_s": 5,
    "service_level_s": 20,
    "silent_after_h": 4,
    **dict.fromkeys(("call_start", "block_end", "initiate_forward", "forward_answer", "call_end"), "automatic"),
}


@dataclass(frozen=True)
class Post:
    """A post, and when it was received."""

    at: datetime
    e164: str
    call_uuid: str
    kind: str
    block: str = ""
    callback_id: str = ""


@dataclass(frozen=True)
class Call:
    """The posts of a call, in the order in which they were received."""

    posts: tuple[Post, ...]
    settings: Mapping[str, Any]

    @cached_property
    def began(self) -> datetime:
        return self.posts[0].at

    def at(self, kind: str, place: int = 0) -> datetime | None:
        """Return when the first post of a kind was received, or the last one with -1."""
        moments = [post.at for post in self.posts if post.kind == kind]
        return moments[place] if moments else None

    @cached_property
    def outcome(self) -> str:
        """The first line that applies in the table of docs/figures.md."""
        forward, ended = self.at(FORWARD), self.at(END)
        lasted = self.posts[-1].at - self.began
        if self.at(ANSWER):
            return "answered"
        if not ended:
            return "missed" if forward else "end_unknown"
        if not forward and not self.settings["expects_forward"]:
            return "served_in_plan"
        if self.at(START) and lasted < timedelta(seconds=self.settings["short_call_s"]):
            return "short"
        return "missed" if forward else "abandoned"

    @cached_property
    def blocks(self) -> list[str]:
        return [post.block for post in self.posts if post.kind == BLOCK]

    def seconds(self, key: str) -> Fraction | None:
        """Return the waiting, ringing or talk time; None if it is not known."""
        edges = {
            "time_to_answer": (self.began if self.at(START) else None, self.at(ANSWER)),
            "ring": (self.at(FORWARD), self.at(ANSWER)),
            "talk": (self.at(ANSWER), self.at(END, -1)),
        }
        start, end = edges[key]
        if start is None or end is None or start > end:
            return None
        is_too_long = key == "talk" and end - start > timedelta(hours=self.settings["silent_after_h"])
        return None if is_too_long else Fraction((end - start) // timedelta(microseconds=1), 10**6)

    @property
    def is_in_time(self) -> bool:
        waited = self.seconds("time_to_answer")
        return waited is not None and waited <= self.settings["service_level_s"]


class Number:
    """The calls of a number, and since when each of its figures is measured."""

    def __init__(self, posts: Iterable[Post], settings: Mapping[str, Any]) -> None:
        by_call: dict[str, list[Post]] = {}
        for post in sorted(posts, key=lambda post: post.at):
            by_call.setdefault(post.call_uuid, []).append(post)
        every_call = [Call(tuple(posts), settings) for posts in by_call.values()]
        self.calls = [call for call in every_call if not call.posts[0].callback_id]
        self._settings = settings
        # Of all posts of a kind, the one received first decides: its call's quarter-hour counts.
        self._first = {
            kind: min(
                (post.at, expected.quarter_hour(call.began))
                for call in every_call
                for post in call.posts
                if post.kind == kind
            )[1]
            for kind in {post.kind for call in every_call for post in call.posts}
        }

    def _arrives_from(self, kind: str) -> datetime:
        automatic = self._first.get(kind, NEVER)
        return {"on": ALWAYS, "off": NEVER, "automatic": automatic}[self._settings[kind.lower()]]

    def measured(self, key: str, stretch: Stretch) -> list[Call] | None:
        """Return the calls of an interval that a figure covers; None if it is not measured or does not apply."""
        if key in OF_FORWARDS and not self._settings["expects_forward"] and not {FORWARD, ANSWER} & self._first.keys():
            return None
        since = max(map(self._arrives_from, RESTS_ON[key]), default=ALWAYS)
        return [call for call in self.within(stretch) if call.began >= since] if since < stretch.end else None

    def within(self, stretch: Stretch) -> list[Call]:
        return [call for call in self.calls if call.began in stretch]


def counts_row(number: Number, piece: Stretch) -> Row:
    """Return the figures of counts.csv for a number in an interval."""
    cells, shown = {"offered": str(len(number.within(piece)))}, 0
    for outcome in OUTCOMES:
        calls = number.measured(outcome, piece)
        count = sum(call.outcome == outcome for call in calls or ())
        shown += count
        cells[outcome] = "" if calls is None else str(count)
    for key in ("time_to_answer", "ring", "talk"):
        known = [seconds for call in number.measured(key, piece) or () if (seconds := call.seconds(key)) is not None]
        cells[f"{key}_s"] = expected.rounded(sum(known, Fraction(0)) / len(known), "0.1") if known else ""
    calls = number.measured("service_level", piece) or ()
    answered = [call for call in calls if call.seconds("time_to_answer") is not None]
    whole = len(answered) + sum(call.outcome in LOST for call in calls)
    in_time = sum(call.is_in_time for call in answered)
    cells["service_level"] = expected.rounded(Fraction(in_time, whole), "0.0001") if whole else ""
    return cells | {"unclassified": str(len(number.within(piece)) - shown)}


def blocks_rows(number: Number, piece: Stretch) -> list[Row]:
    """Return the figures of blocks.csv for a number in an interval."""
    rows = []
    for block in sorted({block for call in number.within(piece) for block in call.blocks}):
        calls, ended = number.measured("blocks", piece), number.measured("last_in_call", piece)
        unanswered = [call for call in ended or () if call.at(END) and not call.at(ANSWER)]
        counts = {
            "blocks": None if calls is None else sum(Counter(call.blocks)[block] for call in calls),
            "calls": None if calls is None else sum(block in call.blocks for call in calls),
            "last_in_call": None if ended is None else sum(call.blocks[-1:] == [block] for call in unanswered),
        }
        rows.append({"block_type": block} | {name: "" if n is None else str(n) for name, n in counts.items()})
    return rows


def rows_of(
    kind: str, posts: Sequence[Post], settings: Mapping[str, Mapping[str, Any]], pieces: Iterable[Stretch]
) -> list[Row]:
    """Return the rows of counts.csv or blocks.csv for the numbers in `settings`."""
    numbers = {e164: Number((post for post in posts if post.e164 == e164), settings[e164]) for e164 in sorted(settings)}
    rows = []
    for piece in pieces:
        start = piece.start.astimezone(BERLIN).isoformat(timespec="seconds")
        for e164, number in numbers.items():
            if number.within(piece):
                figures = [counts_row(number, piece)] if kind == "counts" else blocks_rows(number, piece)
                rows += [{"start": start, "destination_number": e164} | row for row in figures]
    return rows
