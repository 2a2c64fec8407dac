"""The registry of figures: key, label, definition, needed posts and counted columns of each.

docs/figures.md says the same in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from django.utils.translation import gettext_lazy

from calls.models import RequestType
from reports.counting import count_tables, measured, outcomes
from reports.counting.count_tables import Table
from reports.counting.outcomes import Outcome

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

CALL_START, BLOCK_END, INITIATE_FORWARD, FORWARD_ANSWER, CALL_END = RequestType
OUTCOMES = tuple(outcome.value for outcome in Outcome)
# Sums of seconds are counted in whole microseconds.
MICROSECONDS = 1_000_000

Kind = Literal["count", "share", "seconds"]
# Filters of the list of calls, as pairs of the query string.
Filters = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Figure:
    """A figure: its label and definition, the posts it depends on, and the counted columns it is made of."""

    key: str
    label: _StrPromise | str
    definition: _StrPromise | str
    rests_on: tuple[RequestType, ...] = ()
    # A count is a sum of columns; a share is a sum divided by a sum; seconds are an average, a sum divided by calls.
    kind: Kind = "count"
    # False if the figure does not apply to numbers without forwards.
    without_forwards: bool = True
    # The table of counts that it is read from; None if the figure cannot be added up.
    table: Table | None = count_tables.COUNTS
    # Columns of that table.
    numerator: tuple[str, ...] = ()
    denominator: tuple[str, ...] = ()
    # The filters that list exactly the calls it counts; empty if there are none.
    listed_as: Filters = ()
    # Names of further filters for the part of the table: a block type or a destination.
    part_filters: tuple[str, ...] = ()
    # Its column in the CSV of its table; blank if it has none.
    csv_column: str = ""

    @cached_property
    def needs(self) -> int:
        """The posts that it depends on, as bits of `measured`."""
        return measured.needs(self.rests_on)

    def value(self, above: int, whole: int) -> int | float | None:
        """Return the figure for summed columns. Shares are 0 to 1, averages are in seconds. None for 0 calls."""
        if self.kind == "count":
            return above
        if not whole:
            return None
        return above / (whole * MICROSECONDS if self.kind == "seconds" else whole)


_REACHES_PEOPLE = (FORWARD_ANSWER, INITIATE_FORWARD, CALL_END)
_NEED_FORWARDS = (Outcome.ANSWERED, Outcome.MISSED, Outcome.ABANDONED)
_LOST = (Outcome.MISSED.value, Outcome.ABANDONED.value)
_NOT_CALLBACKS: Filters = (("callbacks", "no"),)
_LOST_CALLS: Filters = tuple(("outcome", outcome) for outcome in _LOST)

FIGURES: dict[str, Figure] = {
    figure.key: figure
    for figure in (
        Figure(
            "offered",
            gettext_lazy("Calls"),
            gettext_lazy("All calls that came in, without callbacks."),
            numerator=("offered",),
            listed_as=_NOT_CALLBACKS,
            csv_column="offered",
        ),
        *(
            Figure(
                outcome.value,
                outcome.label,
                outcomes.DEFINITIONS[outcome],
                outcomes.RESTS_ON[outcome],
                without_forwards=outcome not in _NEED_FORWARDS,
                numerator=(outcome.value,),
                listed_as=(("outcome", outcome.value),),
                csv_column=outcome.value,
            )
            for outcome in Outcome
        ),
        Figure(
            "lost",
            gettext_lazy("Lost"),
            gettext_lazy("Calls that were not answered, and calls whose caller hung up before ringing."),
            _REACHES_PEOPLE,
            without_forwards=False,
            numerator=_LOST,
            listed_as=_LOST_CALLS,
            csv_column="lost",
        ),
        Figure(
            "reached",
            gettext_lazy("Reached"),
            gettext_lazy(
                "Answered calls as a share of answered and lost calls. Short calls and calls that were handled "
                "automatically are not included."
            ),
            _REACHES_PEOPLE,
            "share",
            without_forwards=False,
            numerator=("answered",),
            denominator=("answered", *_LOST),
            csv_column="reached",
        ),
        Figure(
            "service_level",
            gettext_lazy("Service level"),
            gettext_lazy(
                "Calls answered within the number's limit (20 seconds unless set otherwise) as a share of answered and "
                "lost calls. Short calls, and answered calls whose start was not reported, are not included."
            ),
            (*_REACHES_PEOPLE, CALL_START),
            "share",
            without_forwards=False,
            numerator=("answered_in_time",),
            denominator=("answered_after_start", *_LOST),
            csv_column="service_level",
        ),
        Figure(
            "time_to_answer",
            gettext_lazy("Waiting time"),
            gettext_lazy(
                "Average time that answered callers waited, from the start of the call to the answer, announcements "
                "included. Only calls whose start was reported are included. Measured by the times at which messages "
                "from TENIOS were received."
            ),
            (FORWARD_ANSWER, CALL_START),
            "seconds",
            without_forwards=False,
            numerator=("time_to_answer_us",),
            denominator=("answered_after_start",),
            csv_column="time_to_answer_s",
        ),
        Figure(
            "ring",
            gettext_lazy("Ringing time"),
            gettext_lazy(
                "Average time from the first forwarding to the answer, for answered calls. If several destinations "
                "were tried, it includes all of their ringing. Measured by the times at which messages from TENIOS "
                "were received."
            ),
            (FORWARD_ANSWER, INITIATE_FORWARD),
            "seconds",
            without_forwards=False,
            numerator=("ring_us",),
            denominator=("ring_calls",),
            csv_column="ring_s",
        ),
        Figure(
            "talk",
            gettext_lazy("Talk time"),
            gettext_lazy(
                "Average time from the answer to the end of the call. It is approximate, because the routing plan may "
                "end later than the conversation. Calls whose end was not reported, or was reported only after the "
                "number's limit for calls without an end, are not included."
            ),
            (FORWARD_ANSWER, CALL_END),
            "seconds",
            without_forwards=False,
            numerator=("talk_us",),
            denominator=("talk_calls",),
            csv_column="talk_s",
        ),
        Figure(
            "attempts",
            gettext_lazy("Attempts"),
            gettext_lazy("How often forwarding to this destination started. One call may try it several times."),
            (INITIATE_FORWARD,),
            without_forwards=False,
            table=count_tables.FORWARDS,
            numerator=("attempts",),
            csv_column="attempts",
        ),
        Figure(
            "tried",
            gettext_lazy("Calls"),
            gettext_lazy("Calls in which this destination was tried at least once."),
            (INITIATE_FORWARD,),
            without_forwards=False,
            table=count_tables.FORWARDS,
            numerator=("calls",),
            listed_as=_NOT_CALLBACKS,
            part_filters=("tried",),
            csv_column="calls",
        ),
        Figure(
            "forward_answers",
            gettext_lazy("Answered"),
            gettext_lazy("Calls that this destination answered. The first answer of a call decides."),
            (FORWARD_ANSWER,),
            without_forwards=False,
            table=count_tables.FORWARDS,
            numerator=("answers",),
            listed_as=_NOT_CALLBACKS,
            part_filters=("answered_by",),
            csv_column="answers",
        ),
        Figure(
            "answer_rate",
            gettext_lazy("Answer rate"),
            gettext_lazy(
                "Answered calls as a share of attempts. It is lower where several destinations ring at the same time, "
                "because only one of them can answer."
            ),
            (FORWARD_ANSWER, INITIATE_FORWARD),
            "share",
            without_forwards=False,
            table=count_tables.FORWARDS,
            numerator=("answers",),
            denominator=("attempts",),
            csv_column="answer_rate",
        ),
        Figure(
            "forward_ring",
            gettext_lazy("Ringing time at destination"),
            gettext_lazy("Average time from the last attempt at the destination that answered to its answer."),
            (FORWARD_ANSWER, INITIATE_FORWARD),
            "seconds",
            without_forwards=False,
            table=count_tables.FORWARDS,
            numerator=("ring_us",),
            denominator=("ring_calls",),
            csv_column="ring_s",
        ),
        Figure(
            "handovers",
            gettext_lazy("Answered by someone else"),
            gettext_lazy(
                "Calls answered by a destination other than the one tried first. Calls in which several destinations "
                "were tried first at the same time are not included."
            ),
            (FORWARD_ANSWER, INITIATE_FORWARD),
            without_forwards=False,
            table=count_tables.HANDOVERS,
            numerator=("calls",),
            listed_as=_NOT_CALLBACKS,
            part_filters=("tried_first", "answered_by"),
        ),
        Figure(
            "at_once",
            gettext_lazy("Simultaneous calls"),
            gettext_lazy(
                "The highest number of calls to one number at the same moment of a quarter-hour. A call lasts from its "
                "first message to its last, and counts for four hours at most. Callbacks are not included. If the end "
                "of calls is not reported, there may have been more. Peaks cannot be added up."
            ),
            table=None,
            csv_column="peak",
        ),
        Figure(
            "blocks",
            gettext_lazy("Blocks"),
            gettext_lazy("How often a block of this type ended. One call may pass several, or the same one twice."),
            (BLOCK_END,),
            table=count_tables.BLOCKS,
            numerator=("blocks",),
            csv_column="blocks",
        ),
        Figure(
            "block_calls",
            gettext_lazy("Calls"),
            gettext_lazy("Calls that passed at least one block of this type."),
            (BLOCK_END,),
            table=count_tables.BLOCKS,
            numerator=("calls",),
            listed_as=_NOT_CALLBACKS,
            part_filters=("block",),
            csv_column="calls",
        ),
        Figure(
            "last_in_call",
            gettext_lazy("Last block"),
            gettext_lazy("Calls that ended without an answer and whose last block had this type."),
            (BLOCK_END, CALL_END),
            table=count_tables.BLOCKS,
            numerator=("last_in_call",),
            listed_as=_NOT_CALLBACKS,
            part_filters=("last_block",),
            csv_column="last_in_call",
        ),
        Figure(
            "block_lost",
            gettext_lazy("Lost here"),
            gettext_lazy("Lost calls whose last block had this type. This is where callers gave up."),
            (BLOCK_END, *_REACHES_PEOPLE),
            without_forwards=False,
            table=count_tables.BLOCKS,
            numerator=("lost",),
            listed_as=_LOST_CALLS,
            part_filters=("last_block",),
        ),
    )
}


def figures_of(table: Table) -> Mapping[str, Figure]:
    """Return the figures that are read from a table of counts, by key, without `offered`, which is always known."""
    return {key: figure for key, figure in FIGURES.items() if figure.table is table and key != "offered"}


CALL_FIGURES = figures_of(count_tables.COUNTS)
BLOCK_FIGURES = figures_of(count_tables.BLOCKS)
FORWARD_FIGURES = figures_of(count_tables.FORWARDS)
HANDOVER_FIGURES = figures_of(count_tables.HANDOVERS)
# Which figure says whether the time that the caller of a single call waited is measured, by the call's outcome. Calls
# with other outcomes have no such time.
WAITED_AS = {
    Outcome.ANSWERED.value: "time_to_answer",
    **dict.fromkeys(_LOST, "service_level"),
    Outcome.SHORT.value: Outcome.SHORT.value,
}
COUNTED_FIGURES = {**CALL_FIGURES, **BLOCK_FIGURES, **FORWARD_FIGURES, **HANDOVER_FIGURES}
# The figures at the top of a page.
HEADLINE = ("reached", "lost", "service_level", "time_to_answer", "offered", "answered")
# The columns of the overview's table of numbers; people choose which of them they see, at first the first five.
TABLE_OF_NUMBERS = (
    "offered",
    "answered",
    "lost",
    "service_level",
    "time_to_answer",
    "short",
    "served_in_plan",
    "in_progress",
    "talk",
)


@dataclass(frozen=True)
class PartOfFigure:
    """A count that pages show beside a figure, with a link to its calls."""

    listed_as: Filters
    # The figure whose coverage applies; blank if the link has its own.
    measured_as: str = ""


# By the name that pages give it.
PARTS_OF_FIGURES = {
    "unclassified": PartOfFigure((("outcome", outcomes.NOT_MEASURED),)),
    # Calls with a duration; `took` in the address says which.
    "took": PartOfFigure(_NOT_CALLBACKS),
    "in_time": PartOfFigure((("level", "in_time"),), "service_level"),
    "level_of": PartOfFigure((("level", "counted"),), "service_level"),
    "without_start": PartOfFigure((("level", "neither"),), "service_level"),
}
# The filters of a link to the calls of a count, for counts whose calls can be listed.
LISTED_AS: dict[str, Filters] = {key: figure.listed_as for key, figure in FIGURES.items() if figure.listed_as} | {
    key: part.listed_as for key, part in PARTS_OF_FIGURES.items()
}
