"""What was counted of figures: sums of the rows in which each is measured, and the calls that it does not cover."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import NamedTuple

from reports.counting.count_tables import COUNTS
from reports.figures.definitions import FIGURES

# Sums of the columns of a table of counts, by what was measured.
ByMeasured = Mapping[int, Mapping[str, int]]


class Counted(NamedTuple):
    """What was counted of one figure: the sums that it is made of, and the calls that it does not cover.

    A tuple, as cells are: a page of a year makes thousands."""

    above: int = 0
    # What it is divided by.
    whole: int = 0
    # Offered calls that it does not cover, and those among them of numbers for which it is measured later in the row.
    hidden: int = 0
    hidden_before: int = 0
    # Numbers with calls for which it is not measured at all.
    left_out: int = 0

    def with_sums(self, above: int, whole: int) -> Counted:
        """Return other sums that leave out the same calls."""
        return Counted(above, whole, self.hidden, self.hidden_before, self.left_out)


NOTHING = Counted()


def add_up(keys: tuple[str, ...], sums: ByMeasured) -> dict[str, Counted]:
    """Return what was counted of each figure, over the rows in which it is measured; nothing where there are none."""
    counted: dict[str, Counted] = {}
    for bits, columns in sums.items():
        for key in _measured(keys, bits):
            figure = FIGURES[key]
            above, whole = counted[key][:2] if key in counted else (0, 0)
            for name in figure.numerator:
                above += columns[name]
            for name in figure.denominator:
                whole += columns[name]
            counted[key] = Counted(above, whole)
    return counted


def of_bucket(
    keys: tuple[str, ...],
    groups: Iterable[tuple[int | None, ByMeasured]],
    shown: Mapping[int, Mapping[str, datetime | None]],
    end: datetime,
) -> dict[str, Counted]:
    """Return what was counted of each figure in a bucket that ends at `end`, and the calls it does not cover.

    Each group has the sums of one number, by its id; one without an id has those of all other numbers, of which every
    figure is measured that applies. `shown` says of each number since when each figure is shown (Coverage.shown)."""
    sums: dict[int, dict[str, int]] = {}
    # Of each figure the rows in which it is not measured: number, since when it is, calls.
    not_covered: dict[str, list[tuple[int, datetime, int]]] = {}
    for number_id, of_group in groups:
        for bits, columns in of_group.items():
            known = sums.setdefault(bits, {})
            for name, value in columns.items():
                known[name] = known.get(name, 0) + value
            if number_id is None:
                continue
            for key in _not_measured(keys, bits):
                since = shown[number_id][key]
                if since is not None:
                    not_covered.setdefault(key, []).append((number_id, since, columns["offered"]))
    counted = add_up(_of_calls(keys), sums)
    for key, rows in not_covered.items():
        above, whole = counted.get(key, NOTHING)[:2]
        hidden = sum(calls for _number, _since, calls in rows)
        hidden_before = sum(calls for _number, since, calls in rows if since < end)
        left_out = len({number for number, since, _calls in rows if since >= end})
        counted[key] = Counted(above, whole, hidden, hidden_before, left_out)
    return counted


@cache
def _of_calls(keys: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(key for key in keys if FIGURES[key].table is COUNTS)


@cache
def _measured(keys: tuple[str, ...], bits: int) -> tuple[str, ...]:
    return tuple(key for key in keys if bits & FIGURES[key].needs == FIGURES[key].needs)


@cache
def _not_measured(keys: tuple[str, ...], bits: int) -> tuple[str, ...]:
    return tuple(key for key in keys if bits & FIGURES[key].needs != FIGURES[key].needs)
