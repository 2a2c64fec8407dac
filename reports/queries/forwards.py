"""Figures of forwards: attempts, answers and ringing time by destination, and calls answered by someone else.

Figures of single destinations are data about people: reports.permissions says who may see them."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.agents import NO_AGENTS, Agents, labelled
from reports import periods
from reports.counting import count_tables
from reports.counting.count_tables import Table
from reports.figures.cells import Cell, Cells
from reports.figures.counted import NOTHING, Counted, add_up
from reports.figures.coverage import Coverage
from reports.figures.definitions import FORWARD_FIGURES, HANDOVER_FIGURES, figures_of
from reports.models import MonthForwardCounts
from reports.periods import Period
from reports.queries import counts, sums

COURSES = {
    "alone": gettext_lazy("One destination"),
    "sequence": gettext_lazy("In sequence"),
    "parallel": gettext_lazy("In parallel"),
}
# Separates type and destination in a name, because two types may have the same destination.
SEPARATOR = ":"
TOKEN_BYTES = 12
TOKEN = re.compile(r"[A-Za-z0-9_-]{16}")


@dataclass(frozen=True)
class Forwards:
    """The figures of one destination, one type, one course, or all forwards."""

    key: str  # the name of a destination (`named`), a type, or a course
    label: str
    note: str
    cells: dict[str, Cell]
    people: Sequence[str] = ()  # the names of who answers at the destination, if they may be shown

    @property
    def token(self) -> str:
        """What stands for the destination in addresses."""
        return token(self.key)

    @property
    def shown(self) -> str:
        """The destination with the names of its people."""
        return labelled(self.people, self.label)

    @property
    def type_in_words(self) -> str:
        """The label of the destination's type."""
        return type_label(self.note)

    def __getitem__(self, key: str) -> Cell:
        return self.cells[key]


@dataclass(frozen=True)
class Handover:
    """Calls that one destination answered after another was tried first."""

    first: str
    first_type: str
    destination: str
    destination_type: str
    calls: Cell
    # The names of who answers at both, if they may be shown.
    people: tuple[Sequence[str], Sequence[str]] = ((), ())

    @property
    def keys(self) -> tuple[str, str]:
        """The names of both destinations."""
        return named(self.first, self.first_type), named(self.destination, self.destination_type)

    @property
    def tokens(self) -> tuple[str, str]:
        """What stands for both destinations in addresses."""
        first, destination = self.keys
        return token(first), token(destination)

    @property
    def shown(self) -> tuple[str, str]:
        """Both destinations with the names of their people."""
        first, destination = self.people
        return labelled(first, self.first), labelled(destination, self.destination)

    @property
    def types_in_words(self) -> tuple[str, str]:
        """The labels of both types."""
        return type_label(self.first_type), type_label(self.destination_type)


@dataclass(frozen=True)
class Report:
    """The forwards of a period.

    `destinations` and `handovers` are data about people: check reports.permissions before showing them."""

    total: Forwards
    destinations: Sequence[Forwards]
    types: Sequence[Forwards]
    courses: Sequence[Forwards]
    handovers: Sequence[Handover]
    handed_over: Cell


def named(destination: str, destination_type: str) -> str:
    """Return the name of a destination: its type and itself."""
    return f"{destination_type}{SEPARATOR}{destination}"


def parted(name: str) -> tuple[str, str]:
    """Return destination and type of a name; the type is blank if it has none."""
    destination_type, separator, destination = name.partition(SEPARATOR)
    return (destination, destination_type) if separator else (name, "")


def token(name: str) -> str:
    """Return what stands for a destination in addresses: 16 characters that do not tell its name.

    It is the same for everybody, so links can be shared, and changes with SECRET_KEY only."""
    digest = salted_hmac("calltally.destination", name, algorithm="sha256").digest()
    return base64.urlsafe_b64encode(digest[:TOKEN_BYTES]).decode()


def names_of(coverage: Coverage, period: Period) -> set[str]:
    """Return the names of the destinations that were tried or answered in a period, as far as measured."""
    return {named(row["destination"], row["destination_type"]) for row in _read_forwards(coverage, period)}


def names_at_any_time(numbers: Collection[int] | None) -> set[str]:
    """Return the names of all destinations that were ever tried in calls to these numbers (ids); None for all."""
    rows = MonthForwardCounts.objects.order_by()
    if numbers is not None:
        rows = rows.filter(destination_number__any_of=numbers)
    return {named(*row) for row in rows.values_list("destination", "destination_type").distinct()}


def destinations_of(coverage: Coverage, period: Period) -> int:
    """Return how many destinations were tried or answered in a period, as far as measured."""
    return len(names_of(coverage, period))


# The columns of every table of forwards.
COLUMNS = ("attempts", "forward_answers", "answer_rate", "forward_ring")


def read_forwards(
    coverage: Coverage, period: Period, *, with_handovers: bool = True, agents: Agents = NO_AGENTS
) -> Report:
    """Return the forwards of a period, with at most three statements, whatever the number of destinations.

    Pass `agents` only for people who may see who answers."""
    bucket = periods.whole(period)
    # The calls that each figure does not cover are taken from counts of calls; counts of forwards do not have them.
    [totals] = counts.counted(coverage, period, [bucket], (*FORWARD_FIGURES, *HANDOVER_FIGURES))
    rows = _read_forwards(coverage, period)
    handovers = _read_handovers(coverage, period) if with_handovers else []
    cells = Cells(coverage)

    def cell(key: str, of_rows: Iterable[_Counts]) -> Cell:
        parts = [row.counted.get(key, NOTHING) for row in of_rows]
        above, whole = sum(part.above for part in parts), sum(part.whole for part in parts)
        return cells.cell(key, totals.get(key, NOTHING).with_sums(above, whole), bucket)

    def people(destination: str, destination_type: str) -> list[str]:
        return agents.between(destination, destination_type, period.first, period.last)

    def together(key: str, label: str, note: str, of_rows: Sequence[_Counts]) -> Forwards:
        return Forwards(key, label, note, {figure: cell(figure, of_rows) for figure in FORWARD_FIGURES})

    def grouped(by: Callable[[_Counts], tuple[str, str, str]]) -> list[Forwards]:
        groups: dict[tuple[str, str, str], list[_Counts]] = {}
        for row in rows:
            groups.setdefault(by(row), []).append(row)
        return sorted(
            (together(*group, of_group) for group, of_group in groups.items()),
            key=lambda group: (-(group["attempts"].value or 0), -(group["forward_answers"].value or 0), group.key),
        )

    destinations = grouped(
        lambda row: (
            named(row["destination"], row["destination_type"]),
            row["destination"] or _("without a name"),
            row["destination_type"],
        )
    )
    return Report(
        together("", "", "", rows),
        [replace(row, people=people(row.label, row.note)) for row in destinations],
        grouped(lambda row: (row["destination_type"], type_label(row["destination_type"]), row["destination_type"])),
        grouped(lambda row: (row["course"], str(COURSES[row["course"]]), "")),
        [
            Handover(
                row["first_destination"],
                row["first_type"],
                row["destination"],
                row["destination_type"],
                cell("handovers", [row]),
                (
                    people(row["first_destination"], row["first_type"]),
                    people(row["destination"], row["destination_type"]),
                ),
            )
            for row in handovers
        ],
        cell("handovers", handovers),
    )


TYPES = {
    "EXTERNALNUMBER": gettext_lazy("Phone number"),
    "SIP_USER": gettext_lazy("SIP user"),
    "SIP_TRUNK": gettext_lazy("SIP trunk"),
}


def type_label(destination_type: str) -> str:
    """Return the label of a destination type; an unknown type keeps its own name."""
    return str(TYPES.get(destination_type, destination_type or _("without a type")))


@dataclass(frozen=True)
class _Counts:
    """The parts of a row (`Table.parts`) and the sums of its figures."""

    parts: Mapping[str, str]
    counted: Mapping[str, Counted]

    def __getitem__(self, part: str) -> str:
        return self.parts[part]

    def calls(self, key: str) -> int:
        """Return the sum of a count; 0 if it is not measured."""
        return self.counted.get(key, NOTHING).above


def _read_forwards(coverage: Coverage, period: Period) -> list[_Counts]:
    """Return the sums by destination and course.

    Destinations without measured calls are left out, so that they do not make a small group look larger."""
    rows = _read(count_tables.FORWARDS, coverage, period)
    return [row for row in rows if row.calls("attempts") or row.calls("forward_answers")]


def _read_handovers(coverage: Coverage, period: Period) -> list[_Counts]:
    """Return the calls of each pair of destinations, most calls first."""
    rows = [row for row in _read(count_tables.HANDOVERS, coverage, period) if row.calls("handovers")]
    return sorted(rows, key=lambda row: (-row.calls("handovers"), *row.parts.values()))


def _read(table: Table, coverage: Coverage, period: Period) -> list[_Counts]:
    keys = tuple(figures_of(table))
    groups = sums.read(table, coverage, period, [period.start, period.end], by=table.parts, keys=keys)
    return [_Counts(dict(zip(table.parts, parts, strict=True)), add_up(keys, row)) for parts, row in groups.items()]
