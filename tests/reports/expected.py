"""What pages and files must show of the scripted month: sums, shares and averages, calculated by simple code.

The definitions of docs/figures.md are written here a second time, independent of the code that counts. A new figure
needs its posts in RESTS_ON and its sum in `_figure`."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import cache
from itertools import pairwise

from tests.reports import scenario
from tests.reports.scenario import (
    ALWAYS,
    ANSWER,
    BERLIN,
    BLOCK,
    CALLS,
    DAY,
    END,
    FORWARD,
    NEVER,
    QUARTER_HOUR,
    START,
    Line,
    Scripted,
    local,
)

OUTCOMES = ("answered", "served_in_plan", "missed", "abandoned", "short", "in_progress", "end_unknown")
LABELS = {
    "answered": "Answered",
    "served_in_plan": "Handled automatically",
    "missed": "Not answered",
    "abandoned": "Hung up before ringing",
    "short": "Short call",
    "in_progress": "Ongoing",
    "end_unknown": "Outcome unknown",
    "callback": "Callback",
}
LOST = ("missed", "abandoned")
_RIVALS = (FORWARD, ANSWER, END)
RESTS_ON: dict[str, tuple[str, ...]] = {
    "offered": (),
    "answered": (ANSWER,),
    "missed": (FORWARD, ANSWER),
    "abandoned": (END, FORWARD),
    "short": (END, START),
    "served_in_plan": (END,),
    "in_progress": (END,),
    "end_unknown": (END,),
    "lost": _RIVALS,
    "reached": _RIVALS,
    "service_level": (*_RIVALS, START),
    "time_to_answer": (ANSWER, START),
    "ring": (ANSWER, FORWARD),
    "talk": (ANSWER, END),
    "blocks": (BLOCK,),
    "block_calls": (BLOCK,),
    "last_in_call": (BLOCK, END),
    "block_lost": (BLOCK, *_RIVALS),
    "attempts": (FORWARD,),
    "tried": (FORWARD,),
    "forward_answers": (ANSWER,),
    "answer_rate": (FORWARD, ANSWER),
    "forward_ring": (FORWARD, ANSWER),
    "handovers": (FORWARD, ANSWER),
    "at_once": (),
}
OF_FORWARDS = {
    *("answered", "missed", "abandoned", "lost", "reached", "service_level", "time_to_answer", "ring", "talk"),
    *("block_lost", "attempts", "tried", "forward_answers", "answer_rate", "forward_ring", "handovers"),
}
SERVICE_LEVEL_S = 20
SHARES, TIMES = {"reached", "service_level"}, {"time_to_answer", "ring", "talk"}


# --- Measured or not ---------------------------------------------------------------------------


@cache
def arrives_from(line: Line, kind: str) -> datetime:
    """Return since when a kind of post counts as arriving: the quarter-hour of the first call that brought one."""
    if line.settings.get(kind.lower()) == "off":
        return NEVER
    return min((quarter_hour(call.began) for call in CALLS if call.line is line and call.has(kind)), default=NEVER)


@cache
def measured_from(line: Line, key: str) -> datetime | None:
    """Return since when a figure is measured for a number; None if it does not apply."""
    if key in OF_FORWARDS and not line.expects_forward:
        return None
    return max((arrives_from(line, kind) for kind in RESTS_ON[key]), default=ALWAYS)


def is_measured(call: Scripted, key: str) -> bool:
    since = measured_from(call.line, key)
    return since is not None and call.began >= since


def quarter_hour(moment: datetime) -> datetime:
    return moment - (moment - datetime(1970, 1, 1, tzinfo=UTC)) % QUARTER_HOUR


# --- Intervals ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stretch:
    """A half-open interval in UTC: all of it, or the part inside or outside opening hours."""

    start: datetime
    end: datetime
    opening: str = "all"

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    @property
    def clock(self) -> str:
        """The start in Berlin time, with the UTC offset if the clock time is ambiguous."""
        at = self.start.astimezone(BERLIN)
        twice = at.replace(fold=0).utcoffset() != at.replace(fold=1).utcoffset()
        return f"{at:%H:%M} ({at.isoformat()[-6:]})" if twice else f"{at:%H:%M}"


def days(first: date, last: date, opening: str = "all") -> Stretch:
    """Return local days, both included."""
    return Stretch(local(first, 0).astimezone(UTC), local(last + DAY, 0).astimezone(UTC), opening)


def is_asked(line: Line, moment: datetime, opening: str) -> bool:
    """Return whether a time matches the filter by opening hours of a number."""
    return opening == "all" or is_open(line, moment) == (opening == "inside")


@cache
def is_open(line: Line, moment: datetime) -> bool:
    there = moment.astimezone(BERLIN)
    day, clock = there.date(), there.time()
    if not line.has_hours:
        return True
    if day in scenario.AT_NIGHT:
        opens, closes = scenario.AT_NIGHT[day]
        return opens <= clock < closes
    if day in scenario.CLOSED | scenario.HOLIDAYS or day.isoweekday() not in scenario.OPEN_DAYS:
        return False
    return scenario.OPENS <= clock < scenario.CLOSES


def cut(first: date, last: date, *more: str) -> list[Stretch]:
    """Return the intervals of a period. `more` is the grain, with opening hours optionally before it."""
    *opening, grain = more
    whole = days(first, last, *opening)
    minutes = {"quarter-hour": 15, "half-hour": 30, "hour": 60}
    if grain in minutes:
        step = timedelta(minutes=minutes[grain])
        return [
            Stretch(whole.start + n * step, whole.start + (n + 1) * step, whole.opening)
            for n in range((whole.end - whole.start) // step)
        ]
    each = [first + n * DAY for n in range((last - first).days + 1)]
    begins = {"day": lambda day: True, "week": lambda day: day.weekday() == 0, "month": lambda day: day.day == 1}[grain]
    edges = [day for day in each if day == first or begins(day)] + [last + DAY]
    return [days(begin, after - DAY, *opening) for begin, after in pairwise(edges)]


# --- Figures -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figure:
    """What a cell must show: a value, or why there is none."""

    key: str
    value: Fraction | int | None = None
    whole: int | None = None
    why: str = ""  # "not measured" or "does not apply"
    since: bool = False
    left_out: bool = False

    @property
    def words(self) -> str:
        """The text of the cell on a page, rounded as on pages."""
        if self.why:
            return {"not measured": "not measured", "does not apply": "–"}[self.why]
        if self.value is None:
            text = "–"
        elif self.key in SHARES:
            text = f"{round(float(self.value) * 100)} %"
        elif self.key in TIMES:
            text = clock(float(self.value))
        else:
            text = str(self.value)
        return text + "*" * self.since

    @property
    def csv(self) -> str:
        """The text of the cell in a file."""
        if self.why or self.value is None:
            return ""
        if self.key in SHARES | TIMES:
            return rounded(self.value, "0.0001" if self.key in SHARES else "0.1")
        return str(self.value)

    @property
    def leads_to_calls(self) -> bool:
        """Whether the cell links to calls."""
        return bool(self.value) and not self.why


def rounded(value: Fraction | Decimal | int, digits: str) -> str:
    """Round half up, as the database does."""
    exact = Fraction(value)
    return str((Decimal(exact.numerator) / Decimal(exact.denominator)).quantize(Decimal(digits), ROUND_HALF_UP))


def clock(seconds: float) -> str:
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02} min"
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02} h"


def offered(lines: Iterable[Line], stretch: Stretch) -> list[Scripted]:
    return [call for line in lines for call in _offered(line, stretch)]


@cache
def _offered(line: Line, stretch: Stretch) -> list[Scripted]:
    calls, moments = _in_order(line)
    in_interval = calls[bisect_left(moments, stretch.start) : bisect_left(moments, stretch.end)]
    return [call for call in in_interval if is_asked(line, call.began, stretch.opening)]


@cache
def _in_order(line: Line) -> tuple[list[Scripted], list[datetime]]:
    calls = sorted((call for call in CALLS if call.line is line and not call.is_callback), key=lambda call: call.began)
    return calls, [call.began for call in calls]


def _mean(seconds: Iterable[Decimal | None]) -> tuple[Fraction | None, int]:
    known = [Fraction(value) for value in seconds if value is not None]
    return (sum(known, Fraction(0)) / len(known) if known else None), len(known)


def _share(part: int, whole: int) -> tuple[Fraction | None, int]:
    return (Fraction(part, whole) if whole else None), whole


def _of_block(calls: Sequence[Scripted], key: str, block: str | None) -> int:
    """Count blocks or calls of a type, or of all types if None."""
    if key == "blocks":
        return sum(block in {name, None} for call in calls for name in call.blocks)
    if key == "block_calls":
        return sum(block in call.blocks for call in calls)
    # Ended without an answer according to the posts; for some numbers it is not known whether there was one.
    last = [call for call in calls if call.has(END) and not call.has(ANSWER) and call.blocks]
    if key == "block_lost":
        last = [call for call in last if call.outcome in LOST]
    return sum(block in {None, call.last_block} for call in last)


def figure(lines: Sequence[Line], stretch: Stretch, key: str, block: str | None = None) -> Figure:
    """Calculate a figure of some numbers in an interval, only from the calls for which it is measured."""
    return _figure(tuple(lines), stretch, key, block)


@cache
def _figure(lines: tuple[Line, ...], stretch: Stretch, key: str, block: str | None) -> Figure:
    moments = {line: since for line in lines if (since := measured_from(line, key)) is not None}
    if not moments:
        return Figure(key, why="does not apply")
    begun = {line for line, since in moments.items() if since < stretch.end}
    left_out = bool(offered(moments.keys() - begun, stretch))
    if not begun:
        return Figure(key, why="not measured", left_out=left_out)
    all_of_them = offered(begun, stretch)
    calls = [call for call in all_of_them if call.began >= moments[call.line]]
    is_partial = len(calls) < len(all_of_them)

    def of(value: Fraction | int | None, whole: int | None = None) -> Figure:
        return Figure(key, value, whole, since=is_partial, left_out=left_out)

    if key in {"blocks", "block_calls", "last_in_call", "block_lost"}:
        return of(_of_block(calls, key, block))
    come_to = {outcome: [call for call in calls if call.outcome == outcome] for outcome in OUTCOMES}
    lost = sum(len(come_to[outcome]) for outcome in LOST)
    reached = come_to["answered"]
    waits = [call.wait_s for call in reached if call.wait_s is not None]
    in_time = sum(wait <= SERVICE_LEVEL_S for wait in waits)
    special: dict[str, Callable[[], tuple[Fraction | int | None, int | None]]] = {
        "offered": lambda: (len(calls), None),
        "lost": lambda: (lost, None),
        "reached": lambda: _share(len(reached), len(reached) + lost),
        "service_level": lambda: _share(in_time, len(waits) + lost),
        "time_to_answer": lambda: _mean(waits),
        "ring": lambda: _mean(call.ring_s for call in reached),
        "talk": lambda: _mean(call.talk_s for call in reached),
    }
    return of(*special[key]()) if key in special else of(len(come_to[key]))


@cache
def goes_on_until(call: Scripted) -> datetime:
    """Return until when a call counts as ongoing: its last post, for four hours at most."""
    return call.began + timedelta(seconds=min(float(max(step.after_s for step in call.posted)), 4 * 3600))


@cache
def at_once(line: Line, stretch: Stretch) -> dict[datetime, int]:
    """Count ongoing calls at each start of a call and of a quarter-hour."""
    calls, _moments = _in_order(line)
    going = [(call.began, goes_on_until(call)) for call in calls if call.began < stretch.end]
    going = [(began, until) for began, until in going if until >= stretch.start]
    moments = [began for began, _until in going if began in stretch]
    moments += [stretch.start + n * QUARTER_HOUR for n in range((stretch.end - stretch.start) // QUARTER_HOUR)]
    asked = [moment for moment in moments if is_asked(line, moment, stretch.opening)]
    return {moment: sum(began <= moment <= until for began, until in going) for moment in asked}


def most_at_once(line: Line, stretch: Stretch) -> int:
    return max(at_once(line, stretch).values(), default=0)


def unclassified(lines: Sequence[Line], stretch: Stretch) -> int:
    """Count the offered calls whose outcome is not measured."""
    known = sum(int(figure(lines, stretch, outcome).value or 0) for outcome in OUTCOMES)
    return len(offered(lines, stretch)) - known


def shown_outcome(call: Scripted) -> str:
    """Return the outcome that the list shows; blank if it is not measured."""
    if call.is_callback:
        return "callback"
    said = as_posted(call)
    return said if is_measured(call, said) else ""


def waited_s(call: Scripted) -> Decimal | None:
    """Return how long the caller of a call waited: until the answer, else until the end. None if not measured."""
    outcome = as_posted(call)
    by_outcome = {"answered": "time_to_answer", "short": "short"} | dict.fromkeys(LOST, "service_level")
    key, until = by_outcome.get(outcome), call.moment_of(END, last=True)
    if outcome == "answered":
        until = call.moment_of(ANSWER)
    if call.is_callback or key is None or not is_measured(call, key) or not call.has(START) or until is None:
        return None
    return Decimal((until - call.began) // timedelta(milliseconds=1)) / 1000


def as_posted(call: Scripted) -> str:
    """Return the outcome by the posts that came, measured or not: the decision table of docs/figures.md."""
    end, answer, forward = call.has(END), call.has(ANSWER), call.has(FORWARD)
    if answer:
        return "answered"
    if not end:
        if call.outcome == "in_progress":
            return "in_progress"
        return "missed" if forward else "end_unknown"
    if not forward and not call.line.expects_forward:
        return "served_in_plan"
    if call.has(START) and call.posted[-1].after_s - call.posted[0].after_s < 5:
        return "short"
    return "missed" if forward else "abandoned"
