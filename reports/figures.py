"""What each figure is, what it rests on, and where it is measured. The same for people: docs/figures.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from calls.models import BOXES as BOXES  # noqa: PLC0414 (pages read it from here)
from calls.models import Arrives, DestinationNumber, RequestType
from reports import periods
from reports.counting import outcomes
from reports.counting.measured import ALWAYS, NEVER
from reports.counting.outcomes import Outcome
from reports.models import FirstPost

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    from reports.periods import Bucket

CALL_START, BLOCK_END, INITIATE_FORWARD, FORWARD_ANSWER, CALL_END = RequestType
OUTCOMES = tuple(Outcome.values)  # made once: Django makes the list each time


@dataclass(frozen=True)
class Figure:
    """A figure in words, and the posts without which it cannot be known."""

    key: str
    label: _StrPromise | str
    definition: _StrPromise | str
    rests_on: tuple[RequestType, ...] = ()
    # False where the figure needs forwards and a number that has none to expect has none to show.
    without_forwards: bool = True


_LOST = (FORWARD_ANSWER, INITIATE_FORWARD, CALL_END)
_NEED_FORWARDS = (Outcome.ANSWERED, Outcome.MISSED, Outcome.ABANDONED)

FIGURES: dict[str, Figure] = {
    figure.key: figure
    for figure in (
        Figure("offered", gettext_lazy("Offered"), gettext_lazy("All calls that came in, but for callbacks.")),
        *(
            Figure(
                outcome.value,
                outcome.label,
                outcomes.DEFINITIONS[outcome],
                outcomes.RESTS_ON[outcome],
                without_forwards=outcome not in _NEED_FORWARDS,
            )
            for outcome in Outcome
        ),
        Figure(
            "lost",
            gettext_lazy("Lost"),
            gettext_lazy("Missed and abandoned calls together: callers who reached nobody."),
            _LOST,
            without_forwards=False,
        ),
        Figure(
            "reached",
            gettext_lazy("Reached"),
            gettext_lazy(
                "Answered calls as a share of answered, missed and abandoned ones. Short calls and calls that the "
                "plan itself served stand on neither side."
            ),
            _LOST,
            without_forwards=False,
        ),
        Figure(
            "service_level",
            gettext_lazy("Service level"),
            gettext_lazy(
                "Calls answered within the number's limit (20 seconds unless set), as a share of answered, missed and "
                "abandoned ones. Answered calls whose start was not posted stand on neither side; short calls are "
                "left out."
            ),
            (*_LOST, CALL_START),
            without_forwards=False,
        ),
        Figure(
            "time_to_answer",
            gettext_lazy("Time to answer"),
            gettext_lazy(
                "Mean wait of answered callers, from the start of the call to the answer, announcements included. "
                "Only calls whose start was posted. Taken from when the posts arrived."
            ),
            (FORWARD_ANSWER, CALL_START),
            without_forwards=False,
        ),
        Figure(
            "ring",
            gettext_lazy("Ring time"),
            gettext_lazy(
                "Mean time from the first forward to the answer, of answered calls; where several destinations were "
                "tried, all of their ringing. Taken from when the posts arrived."
            ),
            (FORWARD_ANSWER, INITIATE_FORWARD),
            without_forwards=False,
        ),
        Figure(
            "talk",
            gettext_lazy("Talk time"),
            gettext_lazy(
                "Mean time from the answer to the end of the plan. Approximate: the plan may end later than the "
                "talk did. Left out where no end was posted, or only after the number's silence limit."
            ),
            (FORWARD_ANSWER, CALL_END),
            without_forwards=False,
        ),
        Figure(
            "attempts",
            gettext_lazy("Attempts"),
            gettext_lazy("How often a forward to this destination began; a call may try it several times."),
            (INITIATE_FORWARD,),
            without_forwards=False,
        ),
        Figure(
            "tried",
            gettext_lazy("Calls tried"),
            gettext_lazy("Calls in which this destination was tried at least once."),
            (INITIATE_FORWARD,),
            without_forwards=False,
        ),
        Figure(
            "forward_answers",
            gettext_lazy("Answers"),
            gettext_lazy("Calls that this destination answered; the first answer of a call decides."),
            (FORWARD_ANSWER,),
            without_forwards=False,
        ),
        Figure(
            "answer_rate",
            gettext_lazy("Answer rate"),
            gettext_lazy(
                "Answers as a share of attempts. Where several destinations ring at once only one can answer, so there "
                "it is lower by nature."
            ),
            (FORWARD_ANSWER, INITIATE_FORWARD),
            without_forwards=False,
        ),
        Figure(
            "forward_ring",
            gettext_lazy("Ring time of a forward"),
            gettext_lazy("Mean time from the latest attempt at the destination that answered to its answer."),
            (FORWARD_ANSWER, INITIATE_FORWARD),
            without_forwards=False,
        ),
        Figure(
            "handovers",
            gettext_lazy("Answered by another"),
            gettext_lazy(
                "Answered calls in which another destination answered than was tried first. Where several were tried "
                "at once from the start, none was the first."
            ),
            (FORWARD_ANSWER, INITIATE_FORWARD),
            without_forwards=False,
        ),
        Figure(
            "at_once",
            gettext_lazy("Calls at once"),
            gettext_lazy(
                "The most calls of a number that went on at one moment of a quarter-hour. A call goes on from its "
                "first post to its last, and is followed for four hours; callbacks are left out. Where no end is "
                "posted, it is at least as many. Peaks do not add up."
            ),
        ),
        Figure(
            "blocks",
            gettext_lazy("Blocks"),
            gettext_lazy(
                "How often a block of this type came to its end; one call may pass several, or the same one twice."
            ),
            (BLOCK_END,),
        ),
        Figure(
            "block_calls",
            gettext_lazy("Calls"),
            gettext_lazy("Calls that passed at least one block of this type."),
            (BLOCK_END,),
        ),
        Figure(
            "last_in_call",
            gettext_lazy("Last in call"),
            gettext_lazy("Calls that ended without an answer, and whose last block was of this type."),
            (BLOCK_END, CALL_END),
        ),
        Figure(
            "block_lost",
            gettext_lazy("Of these, lost"),
            gettext_lazy("Missed and abandoned calls whose last block was of this type: where callers gave up."),
            (BLOCK_END, *_LOST),
            without_forwards=False,
        ),
    )
}

# How a figure is written where it is no count.
KINDS = {
    "service_level": "share",
    "reached": "share",
    "time_to_answer": "seconds",
    "ring": "seconds",
    "talk": "seconds",
    "answer_rate": "share",
    "forward_ring": "seconds",
}


class State(Enum):
    """Why a cell holds a value, or none."""

    MEASURED = "measured"
    EMPTY = "empty"  # a mean of nothing, a share of nothing
    NOT_MEASURED = "not measured"
    DOES_NOT_APPLY = "does not apply"

    # Templates would call the class otherwise.
    do_not_call_in_templates = True


@dataclass(frozen=True)
class Lacking:
    """Why a figure of some numbers is not measured, or not for all of them, before a moment. Said only when asked for:
    most cells are never asked."""

    coverage: Coverage
    key: str
    left_out: int
    before: datetime

    @cached_property
    def reason(self) -> str:
        return self.coverage.reason_of_all(self.key, self.left_out, self.before)

    @cached_property
    def posts(self) -> tuple[str, ...]:
        """The posts that do not arrive."""
        posts = {
            post.value: None
            for number in self.coverage
            if self.coverage.applies(number, self.key)
            for post in self.coverage.missing(number, self.key, self.before)
        }
        return tuple(posts)


class Cell(NamedTuple):
    """One figure of one row: counts are whole, shares lie between 0 and 1, times are mean seconds."""

    value: int | float | None
    state: State = State.MEASURED
    # Covers only what follows; set where calls before it are left out. Over several numbers: the latest of theirs.
    since: datetime | None = None
    # Numbers with calls for which the figure is not measured, in a row of several.
    left_out: int = 0
    # Offered calls that are not covered: those of such numbers, and those before `since`.
    hidden: int = 0
    # Why nothing, or not everything, is measured.
    lacking: Lacking | None = None
    # What a share or mean is taken of: calls.
    whole: int | None = None

    @property
    def reason(self) -> str:
        """Why nothing, or not everything, is measured, and what to do about it."""
        return self.lacking.reason if self.lacking else ""

    @property
    def missing(self) -> tuple[str, ...]:
        """The posts that do not arrive."""
        return self.lacking.posts if self.lacking else ()

    @property
    def is_measured(self) -> bool:
        return self.state in (State.MEASURED, State.EMPTY)

    @property
    def not_measured(self) -> bool:
        return self.state is State.NOT_MEASURED

    @property
    def applies(self) -> bool:
        return self.state is not State.DOES_NOT_APPLY


@dataclass(frozen=True)
class Row:
    """The figures of one number or of several, in one stretch of time."""

    offered: int
    cells: dict[str, Cell]
    number: DestinationNumber | None = None
    bucket: Bucket | None = None
    # What was counted, of which the cells are made.
    counted: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __getitem__(self, key: str) -> Cell:
        return self.cells[key]

    @property
    def unclassified(self) -> int:
        """Offered minus the outcome cells shown: calls of which it is not known what they came to."""
        return self.offered - sum(int(self.cells[outcome].value or 0) for outcome in OUTCOMES)

    @property
    def lost(self) -> Cell:
        return self.cells["lost"]

    def share(self, key: str) -> float | None:
        """Return an outcome as a share of offered; None where there is nothing to share."""
        value = self.cells[key].value
        return value / self.offered if value is not None and self.offered else None


@dataclass(frozen=True)
class BlockRow:
    """The figures of one block type."""

    block_type: str
    label: str
    blocks: Cell
    calls: Cell
    last_in_call: Cell
    lost: Cell


@dataclass(frozen=True)
class Blocks:
    """The block types of a period, most frequent first, and how far that is measured. Reads like a list."""

    rows: Sequence[BlockRow]
    # What is known of blocks altogether; its value is their number.
    total: Cell

    def __iter__(self) -> Iterator[BlockRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> BlockRow:
        return self.rows[index]

    @property
    def left_out(self) -> int:
        return self.total.left_out


BLOCK_LABELS = {
    "BRIDGE": gettext_lazy("Forward"),
    "ANNOUNCEMENT": gettext_lazy("Announcement"),
    "SAY": gettext_lazy("Spoken text"),
    "ROUTINGPLAN": gettext_lazy("Inner plan"),
    "COLLECT_DIGITS": gettext_lazy("Digits"),
    "COLLECT_SPEECH": gettext_lazy("Speech"),
    "HANGUP": gettext_lazy("Hang-up"),
    "CALL_SETTINGS": gettext_lazy("Call settings"),
    "REFER": gettext_lazy("Transfer"),
}


def block_label(block_type: str) -> str:
    """Return a block type in words; an unknown one under its own name."""
    return str(BLOCK_LABELS.get(block_type, block_type or _("without a name")))


# --- Measured or not ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Coverage:
    """For some numbers, since when each figure is measured. Reads which posts ever came once, when it is made."""

    numbers: Sequence[DestinationNumber]
    first_posts: dict[tuple[int, str], datetime]
    # What `shown` has found already, by the id of the number.
    _shown: dict[int, dict[str, datetime | None]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, numbers: Iterable[DestinationNumber] | Coverage) -> Coverage:
        """Return what is covered of `numbers`; a coverage is taken as it is, so that a page reads it once."""
        if isinstance(numbers, Coverage):
            return numbers
        numbers = list(dict.fromkeys(numbers))
        found = FirstPost.objects.filter(destination_number__in=[number.pk for number in numbers])
        return cls(
            numbers,
            {
                (number_id, request_type): quarter_hour
                for number_id, request_type, quarter_hour in found.values_list(
                    "destination_number_id", "request_type", "quarter_hour"
                )
            },
        )

    def __iter__(self) -> Iterator[DestinationNumber]:
        return iter(self.numbers)

    def __len__(self) -> int:
        return len(self.numbers)

    def only(self, *numbers: DestinationNumber) -> Coverage:
        """Return the coverage of some of these numbers, without reading anything."""
        return Coverage(list(dict.fromkeys(numbers)), self.first_posts, self._shown)

    @cached_property
    def first_day(self) -> date:
        """The day of the first call of any of these numbers; the last day there is where none came yet."""
        numbers = {number.pk for number in self.numbers}
        first = min((at for (number_id, _post), at in self.first_posts.items() if number_id in numbers), default=None)
        return periods.day_of(first) if first else date.max

    def arrives_from(self, number: DestinationNumber, request_type: str) -> datetime:
        """Return since when a kind of post counts as arriving: ALWAYS, a quarter-hour, or NEVER."""
        setting = number.arrives(request_type)
        if setting == Arrives.AUTOMATIC:
            return self.first_posts.get((number.pk, str(request_type)), NEVER)
        return ALWAYS if setting == Arrives.ON else NEVER

    def measured_from(self, number: DestinationNumber, key: str) -> datetime:
        """Return since when a figure is measured: ALWAYS, a quarter-hour, or NEVER."""
        moments = [self.arrives_from(number, request_type) for request_type in FIGURES[key].rests_on]
        return max(moments, default=ALWAYS)

    def applies(self, number: DestinationNumber, key: str) -> bool:
        """Say whether a figure means something here: one of forwards does not where none is expected or was sent."""
        return FIGURES[key].without_forwards or self._forwards(number)

    def shown_from(self, number: DestinationNumber, key: str) -> datetime | None:
        """Return since when a figure is shown: as `measured_from`, and None where it does not apply."""
        return self.shown(number)[key]

    def shown(self, number: DestinationNumber) -> dict[str, datetime | None]:
        """Return since when each figure is shown."""
        if number.id not in self._shown:
            forwards = self._forwards(number)
            self._shown[number.id] = {
                key: self.measured_from(number, key) if forwards or figure.without_forwards else None
                for key, figure in FIGURES.items()
            }
        return self._shown[number.id]

    def missing(self, number: DestinationNumber, key: str, before: datetime = NEVER) -> tuple[RequestType, ...]:
        """Return the posts a figure rests on that had not begun to arrive by `before`."""
        return tuple(post for post in FIGURES[key].rests_on if self.arrives_from(number, post) >= before)

    def reason(self, number: DestinationNumber, key: str, before: datetime = NEVER) -> str:
        """Say in a sentence or more why a figure of a number is not measured."""
        never: list[str] = []
        since: dict[datetime, list[str]] = {}
        for post in self.missing(number, key, before):
            moment = self.arrives_from(number, post)
            if moment == NEVER:
                never.append(self._why(number, post))
            else:
                since.setdefault(moment, []).append(post.value)
        late = [
            _("%(number)s sent no %(posts)s before %(moment)s.")
            % {
                "number": number.readable,
                "posts": _(" or ").join(posts),
                "moment": periods.moment_label(moment),
            }
            for moment, posts in sorted(since.items())
        ]
        return " ".join([*never, *late])

    def reason_of_all(self, key: str, left_out: int, before: datetime = NEVER) -> str:
        """Say why a figure of these numbers is not measured, for `left_out` of them."""
        lacking = [
            number
            for number in self.numbers
            if (moment := self.shown_from(number, key)) is not None and moment >= before
        ]
        if len(lacking) == 1:
            return self.reason(lacking[0], key, before)
        posts = {post: None for number in lacking for post in self.missing(number, key, before)}
        count = left_out or len(lacking)
        return ngettext(
            "Not measured for %(count)d number: not every number sends %(posts)s.",
            "Not measured for %(count)d numbers: not every number sends %(posts)s.",
            count,
        ) % {"count": count, "posts": ", ".join(posts)}

    def _forwards(self, number: DestinationNumber) -> bool:
        return number.expects_forward or any(
            (number.id, post.value) in self.first_posts for post in (INITIATE_FORWARD, FORWARD_ANSWER)
        )

    def _why(self, number: DestinationNumber, post: RequestType) -> str:
        words = {"post": post.value, "number": number.readable, "box": BOXES[post]}
        if number.arrives(post) == Arrives.OFF:
            return _("The box ‘%(box)s’ is off for %(number)s: %(post)s is set not to arrive.") % words
        if post == FORWARD_ANSWER:
            return _("%(post)s has never arrived for %(number)s: nobody has answered yet, or the box is off.") % words
        if post == INITIATE_FORWARD:
            return (
                _("%(post)s has never arrived for %(number)s: no call was forwarded yet, or the box ‘%(box)s’ is off.")
                % words
            )
        return _("%(post)s has never arrived for %(number)s: the box ‘%(box)s’ is off.") % words
