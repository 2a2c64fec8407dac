"""A scripted month of calls: the outcome and times of each call are given, and its posts are made from them.

October 2026 in Berlin, including the day on which the clock goes back. Nothing here uses code of the product.
tests/reports/expected.py calculates from these calls what pages and files must show."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property
from zoneinfo import ZoneInfo

from calls import posts
from calls import tasks as calls_tasks
from calls.ingest import writer
from calls.models import OpeningHours
from reports import tasks as reports_tasks
from tests.factories import ACCESS_KEY, make_key, make_number, make_staff, make_user, post_body

BERLIN = ZoneInfo("Europe/Berlin")
FIRST, LAST = date(2026, 10, 1), date(2026, 10, 31)
LONG_DAY = date(2026, 10, 25)
DAY, QUARTER_HOUR = timedelta(days=1), timedelta(minutes=15)
START, BLOCK, FORWARD, ANSWER, END = KINDS = (
    "CALL_START",
    "BLOCK_END",
    "INITIATE_FORWARD",
    "FORWARD_ANSWER",
    "CALL_END",
)
ALWAYS, NEVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

# The destinations, each with its destinationType.
DESK, MOBILE, SOFTPHONE = "+492212345678", "+4917155512345", "1001"
TYPES = {DESK: "EXTERNALNUMBER", MOBILE: "EXTERNALNUMBER", SOFTPHONE: "SIP_USER"}
WITHHELD = ("anonymous", "", "0000000000", None)


def local(day: date, hour: int, minute: int = 0, second: str | int = 0, fold: int = 0) -> datetime:
    """Return a time in Berlin; `fold=1` is the second of two repeated hours."""
    whole = datetime.combine(day, time(hour, minute, fold=fold), tzinfo=BERLIN)
    return (whole.astimezone(UTC) + _span(second)).astimezone(BERLIN)


def _span(seconds: Decimal | int | str) -> timedelta:
    return timedelta(milliseconds=int(Decimal(seconds) * 1000))


@dataclass(frozen=True, eq=False)
class Line:
    """A number, and since when each of its boxes is ticked."""

    key: int
    label: str
    e164: str
    settings: dict[str, object] = field(default_factory=dict)
    expects_forward: bool = True
    # A box that is missing here is always ticked; NEVER is always off.
    ticked: dict[str, datetime] = field(default_factory=dict)
    has_hours: bool = False

    def sends(self, kind: str, at: datetime) -> bool:
        """Return whether posts of a kind are sent for calls that begin at a time."""
        return at >= self.ticked.get(kind, ALWAYS)


BLOCKS_FROM = local(date(2026, 10, 14), 9, 15)
FORWARDS_FROM = local(date(2026, 10, 15), 10, 30)

# Monday to Saturday from 8:00 to 18:00, except two days with other hours; the third is a holiday.
OPENS, CLOSES = time(8), time(18)
OPEN_DAYS = {1, 2, 3, 4, 5, 6}
HOLIDAYS = {date(2026, 10, 3)}
CLOSED = {date(2026, 10, 14)}
AT_NIGHT = {date(2026, 10, 25): (time(2), time(3))}  # when 2:00 is repeated

HOTLINE = Line(1, "Hotline", "+4922155400301", has_hours=True)
SALES = Line(2, "Sales", "+4922155400302", {"forward_answer": "off"}, ticked={ANSWER: NEVER})
TAPE = Line(
    3,
    "Opening hours, on tape",
    "+4922155400303",
    {"expects_forward": False},
    expects_forward=False,
    ticked={FORWARD: NEVER, ANSWER: NEVER},
)
LATECOMER = Line(
    4,
    "Spare parts",
    "+493055400304",
    ticked={BLOCK: BLOCKS_FROM, FORWARD: FORWARDS_FROM, ANSWER: FORWARDS_FROM},
    has_hours=True,
)
LINES = (HOTLINE, SALES, TAPE, LATECOMER)
# Who may see what; None is staff.
PEOPLE: dict[str, tuple[Line, ...]] = {
    "mona": (HOTLINE, SALES),
    "milan": (SALES, TAPE, LATECOMER),
    "staff": LINES,
}


@dataclass(frozen=True)
class Step:
    """One event of a call: when, of what kind, with which block or destination."""

    after_s: Decimal
    kind: str
    detail: str = ""


@dataclass(frozen=True, eq=False)
class Scripted:
    """A call with its real outcome and times, whether or not the number's boxes report them."""

    line: Line
    at: datetime  # Berlin time
    outcome: str
    steps: tuple[Step, ...]
    wait_s: Decimal | None = None
    ring_s: Decimal | None = None
    talk_s: Decimal | None = None
    tried: tuple[str, ...] = ()
    answered_by: str = ""
    caller: str | None = "+4917012345678"
    callback_id: str = ""

    @property
    def is_callback(self) -> bool:
        return bool(self.callback_id)

    @cached_property
    def began(self) -> datetime:
        return self.at.astimezone(UTC)

    @cached_property
    def day(self) -> date:
        return self.at.date()

    @property
    def hour(self) -> int:
        return self.at.hour

    @cached_property
    def uuid(self) -> str:
        return f"{self.line.key}-{self.began:%m%dT%H%M%S.%f}"

    @cached_property
    def posted(self) -> tuple[Step, ...]:
        """The steps that the number's boxes report."""
        return tuple(step for step in self.steps if self.line.sends(step.kind, self.began))

    @cached_property
    def blocks(self) -> tuple[str, ...]:
        """The blocks that ended, in order."""
        return tuple(step.detail for step in self.posted if step.kind == BLOCK)

    @property
    def last_block(self) -> str:
        return self.blocks[-1] if self.blocks else ""

    def has(self, kind: str) -> bool:
        return any(step.kind == kind for step in self.posted)

    def moment_of(self, kind: str, *, last: bool = False) -> datetime | None:
        """Return when the first or last post of a kind came."""
        moments = [self.began + _span(step.after_s) for step in self.posted if step.kind == kind]
        return (max if last else min)(moments) if moments else None

    def bodies(self) -> Iterator[tuple[datetime, dict[str, object]]]:
        """Yield the posts as TENIOS sends them, each with its time of arrival."""
        more = {"callback_id": self.callback_id} if self.callback_id else {}
        for step in self.posted:
            kind = f"{step.kind} {step.detail}".strip()
            kind_of = {"destinationType": TYPES[step.detail]} if step.detail in TYPES else {}
            yield (
                self.began + _span(step.after_s),
                post_body(
                    kind,
                    self.line.e164,
                    call_uuid=self.uuid,
                    correlation_id=f"c-{self.uuid}",
                    caller_id_number=self.caller,
                    **kind_of,
                    **more,
                ),
            )


# --- Kinds of calls ----------------------------------------------------------------------------
#
# Each function gets the outcome and times and makes fitting posts. Seconds count from the start of the call.


def _blocks(names: Iterable[str], before: Decimal) -> list[Step]:
    """Return blocks that are spread evenly over the first `before` seconds."""
    names = list(names)
    each = (before / (len(names) + 1)).quantize(Decimal("0.001"))
    return [Step(each * n, BLOCK, name) for n, name in enumerate(names, start=1)]


def _forwards(tried: tuple[str, ...], first: Decimal, rang: Decimal, *, at_once: bool) -> list[Step]:
    each = Decimal(0) if at_once else (rang / len(tried)).quantize(Decimal("0.001"))
    return [Step(first + each * n, FORWARD, destination) for n, destination in enumerate(tried)]


def answered(
    line: Line,
    at: datetime,
    wait: Decimal | int | str = 12,
    ring: Decimal | int | str = 8,
    talk: Decimal | int | str = 100,
    *,
    tried: tuple[str, ...] = (DESK,),
    by: str = "",
    at_once: bool = False,
    blocks: Iterable[str] = ("ANNOUNCEMENT",),
    **more: str | None,
) -> Scripted:
    """Return a call that is answered after `wait` seconds, the last `ring` of them ringing, and talks for `talk`."""
    wait, ring, talk = Decimal(wait), Decimal(ring), Decimal(talk)
    by = by or tried[-1]
    steps = [
        Step(Decimal(0), START),
        *_blocks(blocks, wait - ring),
        *_forwards(tried, wait - ring, ring, at_once=at_once),
        Step(wait, ANSWER, by),
        Step(wait + talk, END),
    ]
    return Scripted(line, at, "answered", tuple(steps), wait, ring, talk, tried, by, **more)


def missed(
    line: Line,
    at: datetime,
    before: Decimal | int | str = 6,
    rang: Decimal | int | str = 30,
    *,
    tried: tuple[str, ...] = (DESK,),
    at_once: bool = False,
    blocks: Iterable[str] = ("ANNOUNCEMENT",),
    **more: str | None,
) -> Scripted:
    """Return a call that rings for `rang` seconds without an answer."""
    before, rang = Decimal(before), Decimal(rang)
    steps = [
        Step(Decimal(0), START),
        *_blocks(blocks, before),
        *_forwards(tried, before, rang, at_once=at_once),
        Step(before + rang, END),
    ]
    return Scripted(line, at, "missed", tuple(steps), tried=tried, **more)


def hung_up(
    line: Line, at: datetime, outcome: str, lasted: Decimal | int | str, blocks: Iterable[str] = (), **more: str | None
) -> Scripted:
    """Return a call that ends after `lasted` seconds without a forward: abandoned, short or served in the plan."""
    steps = [Step(Decimal(0), START), *_blocks(blocks, Decimal(lasted)), Step(Decimal(lasted), END)]
    return Scripted(line, at, outcome, tuple(steps), **more)


def without_end(line: Line, at: datetime, outcome: str, blocks: Iterable[str] = ("QUEUE",)) -> Scripted:
    """Return a call without an end: in progress, or end unknown."""
    return Scripted(line, at, outcome, (Step(Decimal(0), START), *_blocks(blocks, Decimal(9))))


def by_steps(
    line: Line, at: datetime, outcome: str, steps: Iterable[tuple[str | int, str, str]], **truth: object
) -> Scripted:
    """Return a special call, given step by step."""
    return Scripted(line, at, outcome, tuple(Step(Decimal(s), kind, detail) for s, kind, detail in steps), **truth)  # type: ignore[arg-type]


# --- The month ---------------------------------------------------------------------------------


def _ordinary_days() -> Iterator[Scripted]:
    """Yield the ordinary calls of each day; no two days are the same."""
    others = (DESK, MOBILE, SOFTPHONE)
    for n in range((LAST - FIRST).days + 1):
        day = FIRST + n * DAY
        turned = others[n % 3 :] + others[: n % 3]
        is_weekend = day.weekday() >= 5
        tenth = Decimal(n) / 10
        yield answered(
            HOTLINE, local(day, 9, n), 8 + n, 3 + tenth, 61 + 7 * n, tried=turned[: 1 + n % 3], at_once=n % 2 == 0
        )
        yield missed(
            HOTLINE, local(day, 14, 59 - n, n), rang=20 + n, tried=turned[:2], blocks=["ANNOUNCEMENT", "QUEUE"]
        )
        yield hung_up(HOTLINE, local(day, 16, 30, n), "abandoned", 6 + n, ["COLLECT_DIGITS"] * (n % 3))
        if not is_weekend:
            yield answered(
                HOTLINE,
                local(day, 9, 45, n),
                "20" if n % 2 else "20.001",
                7,
                200 + tenth,
                by=turned[0],
                tried=turned,
                at_once=True,
            )
            yield answered(
                HOTLINE,
                local(day, 11, (7 * n) % 60),
                15,
                9,
                33 * (n + 1),
                blocks=["SAY", "SAY"],
                caller=WITHHELD[n % 4],
            )
            yield missed(HOTLINE, local(day, 17, 15), before="5.5", rang=12, tried=(SOFTPHONE,), at_once=n % 2 == 1)
            yield hung_up(HOTLINE, local(day, 13, n, 30), "short", "2.5", caller=None)
        yield answered(SALES, local(day, 10, 2 * n % 60), 10, 5, 90, blocks=["ANNOUNCEMENT"])
        yield missed(SALES, local(day, 15, n, 5), rang=40, blocks=["ANNOUNCEMENT", "VOICEMAIL"])
        if n % 2:
            yield hung_up(SALES, local(day, 18, n), "abandoned", 25, ["ANNOUNCEMENT"])
        yield hung_up(TAPE, local(day, 8 + n % 12, 59, 59), "served_in_plan", 40 + n, ["ANNOUNCEMENT", "SAY"])
        yield hung_up(TAPE, local(day, 20 - n % 6), "served_in_plan", 2 if n % 5 == 0 else 9, ["ANNOUNCEMENT"])
        yield answered(LATECOMER, local(day, 9, 20 + n % 15), 6 + n, 4, 75 + n, blocks=["ANNOUNCEMENT"])
        yield missed(LATECOMER, local(day, 12, n), rang=25 + n, tried=(MOBILE, SOFTPHONE), blocks=["ANNOUNCEMENT"])
        if n % 3 == 0:
            yield hung_up(LATECOMER, local(day, 16, n), "abandoned", 30, ["ANNOUNCEMENT"])
            yield hung_up(LATECOMER, local(day, 19, n), "short", "4.9")


def _edges() -> Iterator[Scripted]:
    """Yield calls at edges: of the month, of days, of the repeated hour, of quarter-hours, of limits."""
    september, november = FIRST - DAY, LAST + DAY
    for line in LINES:
        # The first call of each number, so that the posts it always sends are known before the month begins.
        yield (
            hung_up(line, local(september, 12), "served_in_plan", 20, ["ANNOUNCEMENT"])
            if line is TAPE
            else answered(line, local(september, 12), 10, 5, 50)
        )
        yield _plain(line, local(september, 23, 59, "59.999"))
        yield _plain(line, local(FIRST, 0))
        yield _plain(line, local(LAST, 23, 59, "59.999"))
        yield _plain(line, local(november, 0))
        yield _plain(line, local(LONG_DAY - DAY, 23, 59, "59.5"))
        yield _plain(line, local(LONG_DAY, 0))
        yield _plain(line, local(LONG_DAY, 1, 59, "59.9"))
        for fold in (0, 1):
            for minute in (0, 14, 15, 44, 59):
                if minute % 15 == 0 or line in {HOTLINE, TAPE}:
                    yield _plain(line, local(LONG_DAY, 2, minute, "59.999" if minute in {14, 59} else 0, fold=fold))
        yield _plain(line, local(LONG_DAY, 3))
        yield _plain(line, local(LONG_DAY, 23, 59, "59.999"))
        yield _plain(line, local(LONG_DAY + DAY, 0))
        for minute in (15, 30, 45):
            yield _plain(line, local(date(2026, 10, 7), 7, minute - 1, "59.999"))
            yield _plain(line, local(date(2026, 10, 7), 7, minute))
    # Exactly when the latecomer's boxes are ticked.
    yield answered(LATECOMER, BLOCKS_FROM - timedelta(milliseconds=1))
    yield missed(LATECOMER, BLOCKS_FROM)
    yield answered(LATECOMER, FORWARDS_FROM - timedelta(milliseconds=1))
    yield answered(LATECOMER, FORWARDS_FROM, 9, 6, 66)
    # Limits: exactly 5 s is not short, exactly 20 s is in time.
    eighth = date(2026, 10, 8)
    yield hung_up(HOTLINE, local(eighth, 8), "abandoned", 5)
    yield hung_up(HOTLINE, local(eighth, 8, 1), "short", "4.999")
    yield answered(HOTLINE, local(eighth, 8, 2), 20, 20, 1, blocks=())
    yield answered(HOTLINE, local(eighth, 8, 3), "20.001", 20, 1, blocks=())


def _plain(line: Line, at: datetime) -> Scripted:
    """Return an ordinary call of the number."""
    if line is TAPE:
        return hung_up(line, at, "served_in_plan", 15, ["SAY"])
    if at.minute % 2:
        return missed(line, at, before=3, rang=18, blocks=["ANNOUNCEMENT"])
    return answered(line, at, 11, 4, 45)


def _oddities() -> Iterator[Scripted]:
    """Yield calls with missing or duplicate posts, or posts in an unexpected order."""
    day = date(2026, 10, 20)
    # Rang, and still ended within the short-call limit.
    yield by_steps(
        HOTLINE, local(day, 10), "short", [(0, START, ""), (1, FORWARD, DESK), ("3.2", END, "")], tried=(DESK,)
    )
    # Answered, without the start, the forward, the end, or with the end before the answer.
    yield by_steps(
        HOTLINE,
        local(day, 10, 1),
        "answered",
        [(0, FORWARD, DESK), (6, ANSWER, DESK), (36, END, "")],
        ring_s=Decimal(6),
        talk_s=Decimal(30),
        tried=(DESK,),
        answered_by=DESK,
    )
    yield by_steps(
        HOTLINE,
        local(day, 10, 2),
        "answered",
        [(0, START, ""), (7, ANSWER, MOBILE), (47, END, "")],
        wait_s=Decimal(7),
        talk_s=Decimal(40),
        answered_by=MOBILE,
    )
    yield by_steps(
        HOTLINE,
        local(day, 10, 3),
        "answered",
        [(0, START, ""), (2, FORWARD, DESK), (8, ANSWER, DESK)],
        wait_s=Decimal(8),
        ring_s=Decimal(6),
        tried=(DESK,),
        answered_by=DESK,
    )
    yield by_steps(
        HOTLINE,
        local(day, 10, 4),
        "answered",
        [(0, START, ""), (2, FORWARD, DESK), (30, END, ""), (31, ANSWER, DESK)],
        wait_s=Decimal(31),
        ring_s=Decimal(29),
        tried=(DESK,),
        answered_by=DESK,
    )
    # The answer before the forward: the ringing time is not known.
    yield by_steps(
        HOTLINE,
        local(day, 10, 5),
        "answered",
        [(0, START, ""), (5, ANSWER, DESK), (6, FORWARD, DESK), (25, END, "")],
        wait_s=Decimal(5),
        talk_s=Decimal(20),
        tried=(DESK,),
        answered_by=DESK,
    )
    # An end after the silence limit of four hours: the talk time is not known.
    yield by_steps(
        HOTLINE,
        local(day, 11),
        "answered",
        [(0, START, ""), (3, FORWARD, DESK), (9, ANSWER, DESK), (4 * 3600 + 10, END, "")],
        wait_s=Decimal(9),
        ring_s=Decimal(6),
        tried=(DESK,),
        answered_by=DESK,
    )
    # A plan within a plan starts and ends twice; the same destination is tried twice, and two answer.
    yield by_steps(
        HOTLINE,
        local(day, 12),
        "answered",
        [
            (0, START, ""),
            (1, START, ""),
            (4, BLOCK, "ROUTINGPLAN"),
            (5, END, ""),
            (6, FORWARD, DESK),
            (12, FORWARD, DESK),
            (20, ANSWER, DESK),
            (21, ANSWER, MOBILE),
            (80, BLOCK, "BRIDGE"),
            (81, END, ""),
        ],
        wait_s=Decimal(20),
        ring_s=Decimal(14),
        talk_s=Decimal(61),
        tried=(DESK, DESK),
        answered_by=DESK,
    )
    # Fallen silent: with a forward it is missed, without one its outcome is unknown.
    yield by_steps(
        HOTLINE,
        local(day, 13),
        "missed",
        [(0, START, ""), (2, BLOCK, "ANNOUNCEMENT"), (3, FORWARD, SOFTPHONE)],
        tried=(SOFTPHONE,),
    )
    yield without_end(HOTLINE, local(day, 13, 1), "end_unknown")
    yield without_end(HOTLINE, local(LONG_DAY, 2, 20, fold=1), "end_unknown")
    yield without_end(SALES, local(day, 13, 2), "end_unknown")
    yield without_end(TAPE, local(day, 13, 3), "end_unknown")
    yield without_end(LATECOMER, local(day, 13, 4), "end_unknown")
    # Callbacks are listed, but count in no figure.
    for minute, line in enumerate((HOTLINE, SALES)):
        yield answered(line, local(day, 15, 50 + minute), 9, 5, 500, callback_id="cb-7")
    # Formulas and markup in the name of a block are plain text.
    yield hung_up(HOTLINE, local(day, 18), "abandoned", 12, ["=1+1", "<b>QUEUE</b>"])


def _open() -> Iterator[Scripted]:
    """Yield calls that are still ongoing when pages are read."""
    yield without_end(HOTLINE, local(LAST, 18), "in_progress")
    yield without_end(HOTLINE, local(LAST, 18, 2), "in_progress", ["ANNOUNCEMENT"])
    yield by_steps(
        HOTLINE,
        local(LAST, 18, 3),
        "in_progress",
        [(0, START, ""), (4, FORWARD, DESK)],
        tried=(DESK,),
    )
    yield without_end(SALES, local(LAST, 18, 4), "in_progress")
    yield without_end(TAPE, local(LONG_DAY, 2, 40), "in_progress", ())
    yield without_end(LATECOMER, local(LAST, 18, 6), "in_progress")


OVER = (*_ordinary_days(), *_edges(), *_oddities())
STILL_OPEN = tuple(_open())
CALLS = OVER + STILL_OPEN


# --- Loading the month -------------------------------------------------------------------------


def play() -> None:
    """Receive the month in random order, close calls without an end, count, and create the users."""
    hours = _make_hours()
    numbers = {
        line: make_number(line.e164, label=line.label, opening_hours=hours if line.has_hours else None, **line.settings)
        for line in LINES
    }
    for number in numbers.values():
        make_key(number, ACCESS_KEY)
    for name, lines in PEOPLE.items():
        if name == "staff":
            make_staff(name)
        else:
            make_user(name, numbers=[numbers[line] for line in lines])
    _receive(OVER)
    calls_tasks.close_silent_calls()
    _receive(STILL_OPEN)
    reports_tasks.roll_up()


def _make_hours() -> OpeningHours:
    hours = OpeningHours.objects.create(name="Office hours", state="NW")
    for weekday in OPEN_DAYS:
        hours.weekly.create(weekday=weekday, opens_at=OPENS, closes_at=CLOSES)
    for day in CLOSED:
        hours.days.create(day=day)
    for day, (opens, closes) in AT_NIGHT.items():
        hours.days.create(day=day, opens_at=opens, closes_at=closes)
    return hours


def _receive(calls: Iterable[Scripted]) -> None:
    bodies = [body for call in calls for body in call.bodies()]
    random.Random(7).shuffle(bodies)
    read = [posts.parse(json.dumps(body).encode(), at) for at, body in bodies]
    with writer.connect("scripted month") as connection:
        for first in range(0, len(read), 300):
            batch = read[first : first + 300]
            assert len(writer.write(connection, batch)) == len(batch)
