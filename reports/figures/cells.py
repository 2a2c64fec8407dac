"""Figures as pages show them: rows of cells, each of which knows whether it is measured."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import NamedTuple

from calls.models import DestinationNumber
from reports.figures.counted import NOTHING, Counted
from reports.figures.coverage import Coverage, Lacking
from reports.figures.definitions import CALL_FIGURES, FIGURES, OUTCOMES
from reports.periods import Bucket


class CellState(Enum):
    """Whether a cell holds a value, or why not."""

    MEASURED = "measured"
    EMPTY = "empty"  # an average or share of 0 calls
    NOT_MEASURED = "not measured"
    DOES_NOT_APPLY = "does not apply"

    # Otherwise templates would call the class.
    do_not_call_in_templates = True


_MEASURED = CellState.MEASURED


class Cell(NamedTuple):
    """One figure of one row. Counts are integers, shares lie between 0 and 1, times are averages in seconds."""

    value: int | float | None
    state: CellState = CellState.MEASURED
    # If set, calls before this time are not covered. For several numbers it is the latest of their times.
    since: datetime | None = None
    # Numbers with calls for which the figure is not measured, in a row of several.
    left_out: int = 0
    # Offered calls that are not covered: those of these numbers, and those before `since`.
    hidden: int = 0
    # Why the figure is not measured, or not for all calls.
    lacking: Lacking | None = None
    # The number of calls that a share or average is of.
    whole: int | None = None

    @property
    def reason(self) -> str:
        """Why the figure is not measured, or not for all calls, and what to do about it."""
        return self.lacking.reason if self.lacking else ""

    @property
    def missing(self) -> tuple[str, ...]:
        """The posts that do not arrive."""
        return self.lacking.posts if self.lacking else ()

    @property
    def is_measured(self) -> bool:
        return self.state is _MEASURED or self.state is CellState.EMPTY

    @property
    def not_measured(self) -> bool:
        return self.state is CellState.NOT_MEASURED

    @property
    def applies(self) -> bool:
        return self.state is not CellState.DOES_NOT_APPLY


@dataclass(frozen=True)
class Row:
    """The figures of one or several numbers in one bucket of time."""

    offered: int
    cells: dict[str, Cell]
    number: DestinationNumber | None = None
    bucket: Bucket | None = None
    # The sums that the cells are made from; empty without calls.
    counted: Mapping[str, Counted] = field(default_factory=dict, repr=False)
    # Of which numbers they are, and since when each figure of these is measured.
    coverage: Coverage | None = field(default=None, repr=False, compare=False)

    def __getitem__(self, key: str) -> Cell:
        """Return the cell of a figure. Also finds attributes, because templates try every name as a key first."""
        cell: Cell = self.cells[key] if key in self.cells else getattr(self, key)
        return cell

    @property
    def unclassified(self) -> int:
        """Offered calls minus those in the outcome cells: calls whose outcome is not known."""
        return self.offered - sum(int(self.cells[outcome].value or 0) for outcome in OUTCOMES)

    @property
    def lost(self) -> Cell:
        return self.cells["lost"]

    @property
    def lost_is_sum(self) -> bool:
        """Whether lost calls are those that were not answered and that hung up before ringing.

        They are fewer if these two are also measured for calls for which lost calls are not."""
        missed, abandoned = self.cells["missed"].value, self.cells["abandoned"].value
        return missed is not None and abandoned is not None and missed + abandoned == self.lost.value

    def share(self, key: str) -> float | None:
        """Return an outcome as a share of offered calls; None if it is not measured or there are no calls."""
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
    """The block types of a period, most frequent first, and how far they are measured. Works like a list."""

    rows: Sequence[BlockRow]
    # The number of all blocks.
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


class Cells:
    """Makes cells, which know whether they are measured, from counted sums. One instance serves many rows."""

    def __init__(self, coverage: Coverage) -> None:
        self.coverage = coverage
        self._shown = [coverage.shown(number) for number in coverage]
        self._moments: dict[str, list[datetime]] = {}
        # Caches: most rows of a long report lack the same posts.
        self.lacking: dict[tuple[str, int, int], Lacking] = {}
        self.without_calls: dict[tuple[str, int], Cell] = {}

    def moments(self, key: str) -> list[datetime]:
        """Return the times from which a figure is shown, one for each number it applies to, in order."""
        moments = self._moments.get(key)
        if moments is None:
            moments = [moment for shown in self._shown if (moment := shown[key]) is not None]
            moments.sort()
            self._moments[key] = moments
        return moments

    def row(
        self,
        counted: Mapping[str, Counted],
        bucket: Bucket,
        number: DestinationNumber | None = None,
        keys: Iterable[str] = tuple(CALL_FIGURES),
    ) -> Row:
        """Return the figures `keys` of a bucket. A figure that is measured but was not counted is 0."""
        offered = counted.get("offered", NOTHING).above
        cells = {"offered": Cell(offered)}
        for key in keys:
            if key in CALL_FIGURES:
                cells[key] = self.cell(key, counted.get(key, NOTHING), bucket)
        return Row(offered, cells, number, bucket, counted, self.coverage)

    def cell(self, key: str, counted: Counted, bucket: Bucket) -> Cell:
        """Return a figure of a bucket."""
        moments = self.moments(key)
        measured = bisect_left(moments, bucket.end)
        if counted is not NOTHING:
            return self._cell(key, counted, bucket, moments, measured)
        if (key, measured) not in self.without_calls:
            self.without_calls[key, measured] = self._cell(key, counted, bucket, moments, measured)
        return self.without_calls[key, measured]

    def _cell(self, key: str, counted: Counted, bucket: Bucket, moments: list[datetime], measured: int) -> Cell:
        """Return a figure that is measured for the first `measured` of the moments by the end of the bucket."""
        above, whole, hidden, hidden_before, left_out = counted
        if not moments:
            # Without any numbers a sum is 0; for numbers that it does not apply to, there is none.
            return Cell(None, CellState.DOES_NOT_APPLY) if len(self.coverage) else Cell(0)
        lacking = self._lacking(key, left_out, measured, bucket.end) if left_out or not measured else None
        if not measured:
            return Cell(None, CellState.NOT_MEASURED, None, left_out, hidden, lacking)
        since = None
        if hidden_before and moments[measured - 1] > bucket.start:
            since = moments[measured - 1]
        figure = FIGURES[key]
        if figure.kind == "count":
            return Cell(above, _MEASURED, since, left_out, hidden, lacking)
        value = figure.value(above, whole)
        return Cell(value, CellState.EMPTY if value is None else _MEASURED, since, left_out, hidden, lacking, whole)

    def _lacking(self, key: str, left_out: int, measured: int, end: datetime) -> Lacking:
        """Return why a figure is not measured for all numbers before `end`."""
        place = (key, left_out, measured)
        if place not in self.lacking:
            self.lacking[place] = Lacking(self.coverage, key, left_out, end)
        return self.lacking[place]
