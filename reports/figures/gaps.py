"""Which numbers the figures of a row do not cover in full, and why: said once beside a table, not in each cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from calls.models import DestinationNumber, RequestType
from reports.figures.cells import Row
from reports.figures.coverage import Coverage
from reports.periods import Bucket


@dataclass(frozen=True)
class Gap:
    """Figures of a number that are not measured in all of a period."""

    number: DestinationNumber
    keys: tuple[str, ...]
    # They are measured from then on; None if they are not measured in any part of the period.
    since: datetime | None
    # The messages that are missing until then.
    missing: tuple[RequestType, ...]


@dataclass(frozen=True)
class Covered:
    """How many of the numbers that some figures apply to are covered in full."""

    keys: tuple[str, ...]
    numbers: int
    of_numbers: int


@dataclass(frozen=True)
class Gaps:
    """The figures of a row that do not cover all its numbers in full."""

    coverage: Coverage
    covered: Sequence[Covered]
    gaps: Sequence[Gap]

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(key for group in self.covered for key in group.keys)


def find_gaps(total: Row, keys: Sequence[str], rows: Iterable[Row] = ()) -> Gaps | None:
    """Return what the figures `keys` of a row of several numbers do not cover; None if they cover all its calls.

    `rows` are the rows of its numbers, if they are known: a number without calls in the period has no gap, and only
    calls before a figure began make one."""
    coverage, bucket = total.coverage, total.bucket
    if coverage is None or bucket is None:
        return None
    of_number = {row.number.pk: row for row in rows if row.number}
    firsts = _first_calls(coverage)
    gaps: list[Gap] = []
    for number in coverage:
        row = of_number.get(number.pk)
        first = firsts.get(number.pk)
        if first is not None and first < bucket.end and (row is None or row.offered):
            gaps += _gaps_of(coverage, number, keys, replace(bucket, start=max(bucket.start, first)), row)
    if not gaps:
        return None
    lacking = Counter(key for gap in gaps for key in gap.keys)
    groups: dict[tuple[int, int], list[str]] = {}
    for key in keys:
        if lacking[key]:
            applies = sum(coverage.shown_from(number, key) is not None for number in coverage)
            groups.setdefault((applies - lacking[key], applies), []).append(key)
    return Gaps(coverage, [Covered(tuple(group), *counts) for counts, group in groups.items()], gaps)


def _first_calls(coverage: Coverage) -> dict[int, datetime]:
    """Return the quarter-hour of the first call of each number that has calls."""
    firsts: dict[int, datetime] = {}
    for (number_id, _post), moment in coverage.first_posts.items():
        firsts[number_id] = min(moment, firsts.get(number_id, moment))
    return firsts


def _gaps_of(
    coverage: Coverage, number: DestinationNumber, keys: Sequence[str], bucket: Bucket, row: Row | None
) -> list[Gap]:
    """Return the gaps of a number since its first call in a bucket, one for each time at which figures begin."""
    shown = coverage.shown(number)
    by_moment: dict[datetime | None, list[str]] = {}
    for key in keys:
        moment = shown[key]
        if moment is None or moment <= bucket.start:
            continue
        if moment >= bucket.end:
            by_moment.setdefault(None, []).append(key)
        elif row is None or key not in row.cells or row.cells[key].since is not None:
            by_moment.setdefault(moment, []).append(key)
    return [
        Gap(number, tuple(of_moment), moment, _missing(coverage, number, of_moment, moment or bucket.end))
        for moment, of_moment in by_moment.items()
    ]


def _missing(
    coverage: Coverage, number: DestinationNumber, keys: Sequence[str], before: datetime
) -> tuple[RequestType, ...]:
    return tuple(dict.fromkeys(post for key in keys for post in coverage.missing(number, key, before)))
