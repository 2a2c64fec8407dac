"""Sums for figures: of the rows in which each figure is measured, and the calls that it does not cover."""

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
    """The sums that one figure is made of, and the calls that it does not cover.

    A tuple for speed, as cells are: a page of a year makes thousands."""

    above: int = 0
    # The denominator.
    whole: int = 0
    # Offered calls that it does not cover; and those among them whose number is measured from later in the row on.
    hidden: int = 0
    hidden_before: int = 0
    # Numbers with calls for which it is not measured at all.
    left_out: int = 0

    def with_sums(self, above: int, whole: int) -> Counted:
        """Return these sums with the same uncovered calls."""
        return Counted(above, whole, self.hidden, self.hidden_before, self.left_out)


NOTHING = Counted()


def add_up(keys: tuple[str, ...], sums: ByMeasured) -> dict[str, Counted]:
    """Return the sums of each figure over the rows in which it is measured. A figure without such rows is left out."""
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
    """Return the sums of each figure in a bucket that ends at `end`, and the calls it does not cover.

    A group has the sums of one number, by its id. The group without an id has the sums of all numbers for which every
    figure that applies is measured. `shown` says for each number since when each figure is shown (Coverage.shown)."""
    sums: dict[int, dict[str, int]] = {}
    # For each figure, the rows in which it is not measured: number, since when it is measured, calls.
    not_covered: dict[str, list[tuple[int, datetime, int]]] = {}
    for number_id, of_group in groups:
        for bits, columns in of_group.items():
            summed = sums.setdefault(bits, {})
            for name, value in columns.items():
                summed[name] = summed.get(name, 0) + value
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
