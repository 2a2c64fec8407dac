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
        for key, numerator, denominator in _measured(keys, bits):
            above, whole = counted[key][:2] if key in counted else (0, 0)
            for name in numerator:
                above += columns[name]
            for name in denominator:
                whole += columns[name]
            counted[key] = Counted(above, whole)
    return counted


def of_bucket(
    keys: tuple[str, ...],
    sums: ByMeasured,
    of_numbers: Iterable[tuple[int, ByMeasured]],
    shown: Mapping[int, Mapping[str, datetime | None]],
    end: datetime,
) -> dict[str, Counted]:
    """Return the sums of each figure in a bucket that ends at `end`, and the calls it does not cover.

    `of_numbers` are the offered calls of single numbers, by id; rows in which every figure that applies is measured may
    be left out. `shown` is Coverage.shown_by_number."""
    # For each figure, the rows in which it is not measured: number, since when it is measured, calls.
    not_covered: dict[str, list[tuple[int, datetime, int]]] = {}
    for number_id, of_number in of_numbers:
        for bits, columns in of_number.items():
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


def merged(groups: Iterable[ByMeasured]) -> ByMeasured:
    """Return the sums of several groups together."""
    sums: dict[int, dict[str, int]] = {}
    for of_group in groups:
        for bits, columns in of_group.items():
            summed = sums.setdefault(bits, dict.fromkeys(columns, 0))
            for name, value in columns.items():
                summed[name] += value
    return sums


@cache
def _of_calls(keys: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(key for key in keys if FIGURES[key].table is COUNTS)


@cache
def _measured(keys: tuple[str, ...], bits: int) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Return the figures that are measured, each with the columns of its numerator and its denominator."""
    figures = [(key, FIGURES[key]) for key in keys]
    return [
        (key, figure.numerator, figure.denominator) for key, figure in figures if bits & figure.needs == figure.needs
    ]


@cache
def _not_measured(keys: tuple[str, ...], bits: int) -> tuple[str, ...]:
    return tuple(key for key in keys if bits & FIGURES[key].needs != FIGURES[key].needs)
