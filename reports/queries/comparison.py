"""Compares figures with those of the period before: of those numbers alone whose figures are measured in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from reports import periods
from reports.figures.cells import Row
from reports.figures.coverage import Coverage
from reports.figures.definitions import FIGURES
from reports.filters.presets import Comparison
from reports.queries import counts


@dataclass(frozen=True)
class Pair:
    """A figure now and before, both of the same numbers; None where there is nothing to compare."""

    now: int | float | None
    then: int | float | None
    # How many numbers are compared, of how many of which the figure is shown now.
    numbers: int
    of: int


@dataclass(frozen=True)
class Compared:
    """The rows of single numbers in both periods, in the order of the coverage."""

    coverage: Coverage
    days: Comparison
    now: Sequence[Row]
    then: Sequence[Row]

    def pair(self, key: str) -> Pair:
        """Return a figure of the numbers for which it is measured in the whole of both periods."""
        both = list(zip(self.now, self.then, strict=True))
        shown = [(now, then) for now, then in both if now[key].is_measured and (now.offered or then.offered)]
        alike = [(now, then) for now, then in shown if self._is_whole(key, now) and self._is_whole(key, then)]
        if not alike:
            return Pair(None, None, 0, len(shown))
        return Pair(
            _sum(key, [now for now, _then in alike]), _sum(key, [then for _now, then in alike]), len(alike), len(shown)
        )

    def _is_whole(self, key: str, row: Row) -> bool:
        """Whether a figure is measured in all of a row, and its number had its first call by then."""
        if row.number is None:
            return False
        return row.number.pk in self._known and row[key].is_measured and row[key].since is None

    @cached_property
    def _known(self) -> set[int]:
        """The ids of the numbers that had their first call by the first day of the period before."""
        after = periods.day_start(self.days.then.first + periods.DAY)
        return {number_id for (number_id, _post), at in self.coverage.first_posts.items() if at < after}


def compare(coverage: Coverage, days: Comparison, now: Sequence[Row] | None = None) -> Compared:
    """Read both periods. Give the rows of `now` where they are known already."""
    rows = counts.by_number(coverage, days.now) if now is None else now
    return Compared(coverage, days, rows, counts.by_number(coverage, days.then))


def _sum(key: str, rows: Sequence[Row]) -> int | float | None:
    """Return a figure of several rows together: a sum, or for shares and means one sum over another."""
    figure = FIGURES[key]
    if figure.kind == "count":
        return sum(int(row[key].value or 0) for row in rows)
    return figure.value(
        sum(row.counted.get(key, 0) for row in rows),
        sum(row.counted.get(f"{key}_whole", 0) for row in rows),
    )
