"""The figures of the board, of all numbers at a moment: open calls, and today beside a usual day.

A process counts open calls at most once a second, however many people watch."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError
from django.utils import timezone

from calls.models import DestinationNumber, RequestType
from live.board import open_calls, rules
from live.board.open_calls import NO_CALLS, OpenCalls
from live.board.rules import State
from reports import periods
from reports.figures.cells import Row
from reports.figures.coverage import Coverage
from reports.periods import Period
from reports.queries import comparison, counts, durations

logger = logging.getLogger(__name__)

COUNTED_EVERY_S = 1.0
# Numbers with their settings and first posts; today's counts.
READ_EVERY_S = 15.0
LIMITS_EVERY_S = 600.0
LIMITS_OF_DAYS = 28

CALL_START, CALL_END = RequestType.CALL_START, RequestType.CALL_END
FORWARD, ANSWER = RequestType.INITIATE_FORWARD, RequestType.FORWARD_ANSWER
# The posts without which a figure is not measured. Those of forwards do not count for numbers that have none.
RESTS_ON: dict[str, tuple[RequestType, ...]] = {
    "in_plan": (CALL_START, FORWARD, CALL_END),
    "ringing": (FORWARD, ANSWER, CALL_END),
    "talking": (ANSWER, CALL_END),
    "no_end": (CALL_END,),
    "wait": (CALL_START, ANSWER, CALL_END),
}
# They do not apply to numbers without forwards: callers who hear an announcement do not wait.
OF_FORWARDS = frozenset({"ringing", "talking", "wait"})
COUNTED = ("today", "lost", "usual_today", "usual_lost")
SUMMED = ("in_plan", "ringing", "talking", "no_end", *COUNTED)
KEYS_TODAY = {"today": "offered", "lost": "lost"}

# A figure: a number, a moment for `wait` (blank: no caller waits), blank if it does not apply, None if not measured.
Figure = int | str | None
Figures = Mapping[str, Figure]
DOES_NOT_APPLY = ""


@dataclass(frozen=True)
class Snapshot:
    """The figures of all numbers at a moment, by the id of the number."""

    at: datetime
    numbers: Mapping[int, DestinationNumber]
    figures: Mapping[int, Figures]
    # The posts whose absence leaves a live figure of a number unmeasured; only of numbers that lack any.
    missing: Mapping[int, Sequence[RequestType]]
    # Until when the calls of today are counted; None in the first quarter-hour of a day.
    counted_until: datetime | None

    def of(self, numbers: Collection[int] | None) -> list[int]:
        """Return the ids of those of these numbers that exist, in the order of their names; None are all."""
        return [pk for pk in self.numbers if numbers is None or pk in numbers]


@dataclass(frozen=True)
class _Number:
    """A number, and which of its live figures are shown."""

    number: DestinationNumber
    missing: Sequence[RequestType]
    not_measured: frozenset[str]
    not_applying: frozenset[str]


@dataclass(frozen=True)
class _Today:
    until: datetime | None
    figures: Mapping[int, Figures]


def together(figures: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the figures of several numbers together, as far as they are measured. `of` has, for each figure that is
    measured for some of the numbers only, for how many of how many."""
    rows = list(figures)
    result: dict[str, Any] = {}
    partly: dict[str, list[int]] = {}
    for key in (*SUMMED, "wait"):
        applying = [row[key] for row in rows if key == "wait" or row[key] != DOES_NOT_APPLY]
        measured = [value for value in applying if value is not None]
        if key == "wait":
            moments = [value for value in measured if value]
            result[key] = min(moments) if moments else (DOES_NOT_APPLY if measured or not rows else None)
        elif measured:
            result[key] = sum(int(value) for value in measured)
        else:
            result[key] = None if applying else DOES_NOT_APPLY
        if measured and len(measured) < len(applying):
            partly[key] = [len(measured), len(applying)]
    return result | {"of": partly}


class BoardFigures:
    """Reads the figures of all numbers, with what is read less often kept meanwhile. For all threads of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._read_at: dict[str, float] = {}
        self._coverage = Coverage([], {})
        self._numbers: dict[int, _Number] = {}
        self._limits: dict[int, timedelta] = {}
        self._today = _Today(None, {})
        self._usual_for: tuple[datetime, frozenset[int]] | None = None
        self._usual: Mapping[int, Figures] = {}

    def read(self) -> Snapshot:
        """Return the figures as they were at most a second ago. Threads that ask meanwhile wait for the same answer."""
        with self._lock:
            if self._snapshot is None or self._is_time_for("count", COUNTED_EVERY_S):
                self._snapshot = self._count()
            return self._snapshot

    def _is_time_for(self, what: str, every_s: float) -> bool:
        """Return whether it was last done so long ago; it is done again next time if it fails."""
        return time.monotonic() - self._read_at.get(what, -every_s) >= every_s

    def _done(self, what: str) -> None:
        self._read_at[what] = time.monotonic()

    def _count(self) -> Snapshot:
        now = timezone.now()
        if self._is_time_for("numbers", READ_EVERY_S):
            self._coverage = Coverage.read(DestinationNumber.objects.all())
            self._numbers = {number.pk: _number(self._coverage, number, now) for number in self._coverage}
            self._today = self._read_today(now)
            self._done("numbers")
        if self._is_time_for("limits", LIMITS_EVERY_S) or not self._numbers.keys() <= self._limits.keys():
            self._limits = self._read_limits()
            self._done("limits")
        # Nothing is measured of numbers whose ends do not arrive, so their calls are not read.
        ending = {pk: self._limits[pk] for pk, one in self._numbers.items() if CALL_END not in one.missing}
        calls = open_calls.count(ending) if ending else {}
        self._done("count")
        return Snapshot(
            now,
            {pk: one.number for pk, one in self._numbers.items()},
            {
                pk: {**_figures(one, calls.get(pk, NO_CALLS)), **self._today.figures[pk]}
                for pk, one in self._numbers.items()
            },
            {pk: one.missing for pk, one in self._numbers.items() if one.missing},
            self._today.until,
        )

    def _read_limits(self) -> dict[int, timedelta]:
        try:
            return talk_limits(self._coverage)
        except DatabaseError as error:  # it may take too long under load: then the board goes on with what it knows
            logger.warning("how long talks take cannot be read now: %s", type(error).__name__)
            return {pk: self._limits.get(pk, rules.TALK_ALLOWED) for pk in self._numbers}

    def _read_today(self, now: datetime) -> _Today:
        """Return the counts of today up to the last full quarter-hour, beside usual ones, as the overview has them."""
        today = comparison.day_so_far(now)
        if today is None:
            return _Today(None, {number.pk: dict.fromkeys(COUNTED, DOES_NOT_APPLY) for number in self._coverage})
        # What is usual changes by the quarter-hour.
        usual_for = (today.end, frozenset(number.pk for number in self._coverage))
        if usual_for != self._usual_for:
            self._usual = _usual(self._coverage, today)
            self._usual_for = usual_for
        rows = counts.by_number(self._coverage, today, counts.OF_CALLS)
        return _Today(today.end, {_pk(row): {**_of_today(row), **self._usual[_pk(row)]} for row in rows})


def talk_limits(coverage: Coverage) -> dict[int, timedelta]:
    """Return how long a talk of each number may take, by what 99 % of its talks of the last weeks took."""
    yesterday = periods.today() - periods.DAY
    times = durations.by_number(coverage, Period(yesterday - (LIMITS_OF_DAYS - 1) * periods.DAY, yesterday))
    return {
        number.pk: rules.talk_limit(of_number["talk"].within(0.99) if of_number["talk"].calls else None)
        for number, of_number in zip(coverage, times, strict=True)
    }


def _number(coverage: Coverage, number: DestinationNumber, now: datetime) -> _Number:
    has_forwards = coverage.forwards(number)
    not_applying: frozenset[str] = frozenset() if has_forwards else OF_FORWARDS
    needed = {
        key: posts if has_forwards else tuple(post for post in posts if post not in {FORWARD, ANSWER})
        for key, posts in RESTS_ON.items()
        if key not in not_applying
    }
    every = dict.fromkeys(post for posts in needed.values() for post in posts)
    missing = [post for post in every if coverage.arrives_from(number, post) > now]
    not_measured = frozenset(key for key, posts in needed.items() if any(post in missing for post in posts))
    return _Number(number, missing, not_measured, not_applying)


def _figures(one: _Number, calls: OpenCalls) -> dict[str, Figure]:
    """Return the live figures of a number, each as far as it is measured."""
    values: dict[str, Figure] = {state.value: calls.calls[state] for state in State}
    values["wait"] = calls.waits_since.isoformat() if calls.waits_since else DOES_NOT_APPLY
    return values | dict.fromkeys(one.not_applying, DOES_NOT_APPLY) | dict.fromkeys(one.not_measured, None)


def _pk(row: Row) -> int:
    return row.number.pk if row.number else 0


def _of_today(row: Row) -> dict[str, Figure]:
    cells = {name: row[key] for name, key in KEYS_TODAY.items()}
    return {name: _whole(cell.value) if cell.applies else DOES_NOT_APPLY for name, cell in cells.items()}


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _usual(coverage: Coverage, today: Period) -> dict[int, Figures]:
    """Return what is usual of each number by this time of the day; blank before its first week is over."""
    weeks: Sequence[Sequence[Row]] = comparison.same_days_before_by_number(coverage, today, periods.USUAL_WEEKS)
    first: dict[int, datetime] = {}
    for (pk, _post), at in coverage.first_posts.items():
        first[pk] = min(at, first.get(pk, at))
    usual: dict[int, Figures] = {}
    for rows in zip(*weeks, strict=True) if weeks else ():
        pk = _pk(rows[0])
        # A day before the first call of the number says nothing about what is usual.
        known = [row for row in rows if pk in first and row.bucket and first[pk] < row.bucket.end]
        values = {name: comparison.usual_of(known, key) for name, key in KEYS_TODAY.items()}
        usual[pk] = {
            f"usual_{name}": DOES_NOT_APPLY if value is None else round(value) for name, value in values.items()
        }
    nothing = dict.fromkeys((f"usual_{name}" for name in KEYS_TODAY), DOES_NOT_APPLY)
    return {number.pk: usual.get(number.pk, nothing) for number in coverage}
