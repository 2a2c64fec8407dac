"""Whom calls were forwarded to: attempts, answers and ringing by destination, and who answered after whom was tried.

Figures of single destinations are figures of people: reports.permissions says who may see them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from reports import periods
from reports.counting import count_tables
from reports.figures.cells import Cell, Cells
from reports.figures.coverage import Coverage
from reports.figures.definitions import FORWARD_FIGURES, HANDOVER_FIGURES, Figure
from reports.periods import Period
from reports.queries import counts

COURSES = {
    "alone": gettext_lazy("One destination, once"),
    "sequence": gettext_lazy("One after another"),
    "parallel": gettext_lazy("Several at once"),
}
# In an address a destination is named with its type, for two types may share a name.
SEPARATOR = ":"


@dataclass(frozen=True)
class Forwards:
    """The figures of one destination, one type, one course, or of all."""

    key: str  # as an address names it
    label: str
    note: str
    cells: dict[str, Cell]

    @property
    def type_in_words(self) -> str:
        """The type of a destination in words."""
        return type_label(self.note)

    def __getitem__(self, key: str) -> Cell:
        return self.cells[key]


@dataclass(frozen=True)
class Handover:
    """Calls that one destination answered after another had been tried first."""

    first: str
    first_type: str
    destination: str
    destination_type: str
    calls: Cell

    @property
    def keys(self) -> tuple[str, str]:
        return named(self.first, self.first_type), named(self.destination, self.destination_type)

    @property
    def types_in_words(self) -> tuple[str, str]:
        """Both types in words."""
        return type_label(self.first_type), type_label(self.destination_type)


@dataclass(frozen=True)
class Report:
    """All of a period. `destinations` and `handovers` are of people: ask reports.permissions before showing them."""

    total: Forwards
    destinations: Sequence[Forwards]
    types: Sequence[Forwards]
    courses: Sequence[Forwards]
    handovers: Sequence[Handover]
    handed_over: Cell


def named(destination: str, destination_type: str) -> str:
    """Return a destination as an address names it."""
    return f"{destination_type}{SEPARATOR}{destination}"


def parted(name: str) -> tuple[str, str]:
    """Return destination and type of a name in an address; the type blank where there is none."""
    destination_type, separator, destination = name.partition(SEPARATOR)
    return (destination, destination_type) if separator else (name, "")


def destinations_of(coverage: Coverage, period: Period) -> int:
    """Return how many destinations were tried, or answered, in a period, as far as that is measured."""
    return len({(row["destination"], row["destination_type"]) for row in _rows(coverage, period)})


# The columns of every table of forwards.
COLUMNS = ("attempts", "forward_answers", "answer_rate", "forward_ring")


def of(coverage: Coverage, period: Period, *, with_handovers: bool = True) -> Report:
    """Return the forwards of a period: three statements at most, however many destinations."""
    bucket = periods.whole(period)
    # How many calls each figure leaves out is known from the calls: destinations have none to know it from.
    _sums, known = counts.offered(coverage, period, [bucket], (*FORWARD_FIGURES, *HANDOVER_FIGURES)).get(1, ({}, {}))
    rows = _rows(coverage, period)
    passed = _handovers(coverage, period) if with_handovers else []
    cells = Cells(coverage)

    def made(key: str, label: str, note: str, some: Iterable[dict[str, Any]]) -> Forwards:
        sums = known | _summed(some)
        return Forwards(key, label, note, {one: cells.cell(one, sums, bucket) for one in FORWARD_FIGURES})

    def grouped(by: Callable[[dict[str, Any]], tuple[str, str, str]]) -> list[Forwards]:
        groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
        for row in rows:
            groups.setdefault(by(row), []).append(row)
        found = [made(*group, some) for group, some in groups.items()]
        return sorted(
            found, key=lambda one: (-(one["attempts"].value or 0), -(one["forward_answers"].value or 0), one.key)
        )

    return Report(
        made("", "", "", rows),
        grouped(
            lambda row: (
                named(row["destination"], row["destination_type"]),
                row["destination"] or _("without a name"),
                row["destination_type"],
            )
        ),
        grouped(lambda row: (row["destination_type"], type_label(row["destination_type"]), row["destination_type"])),
        grouped(lambda row: (row["course"], str(COURSES[row["course"]]), "")),
        [
            Handover(
                row["first_destination"],
                row["first_type"],
                row["destination"],
                row["destination_type"],
                cells.cell("handovers", known | row, bucket),
            )
            for row in passed
        ],
        cells.cell("handovers", known | {"handovers": sum(row["handovers"] for row in passed)}, bucket),
    )


TYPES = {
    "EXTERNALNUMBER": gettext_lazy("Phone number"),
    "SIP_USER": gettext_lazy("SIP user"),
    "SIP_TRUNK": gettext_lazy("SIP trunk"),
}


def type_label(destination_type: str) -> str:
    """Return a destination type in words; an unknown one under its own name."""
    return str(TYPES.get(destination_type, destination_type or _("without a type")))


def _rows(coverage: Coverage, period: Period) -> list[dict[str, Any]]:
    """Return the sums of each destination and course. A destination of which nothing is measured is in no answer, so it
    does not make a small group larger."""
    found = _read(count_tables.FORWARDS, FORWARD_FIGURES, coverage, period)
    return [row for row in found if row["attempts"] or row["forward_answers"]]


def _handovers(coverage: Coverage, period: Period) -> list[dict[str, Any]]:
    """Return the calls of each pair of destinations, the most first."""
    found = _read(count_tables.HANDOVERS, HANDOVER_FIGURES, coverage, period)
    pair = count_tables.HANDOVERS.parts
    return sorted(
        (row for row in found if row["handovers"]), key=lambda row: (-row["handovers"], *(row[name] for name in pair))
    )


def _read(
    table: count_tables.Table, figures: Mapping[str, Figure], coverage: Coverage, period: Period
) -> list[dict[str, Any]]:
    """Return the parts of each row of a table (`Table.parts`), with its figures as far as these are measured."""
    edges = [period.start, period.end]
    found = counts.read(table, coverage, period, edges, by=table.parts)
    return [dict(zip(table.parts, parts, strict=True)) | counts.counted(figures, sums) for parts, sums in found.items()]


def _summed(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Add up rows column by column; a column in which no row is measured stays unknown."""
    sums: dict[str, Any] = {}
    for row in rows:
        for name, value in row.items():
            if name not in {"destination", "destination_type", "course"} and value is not None:
                sums[name] = sums.get(name, 0) + value
    return sums
