"""Comparisons of figures: with the previous period, the same weekdays before, and today with what is usual by now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from reports import periods
from reports.figures.cells import Row
from reports.figures.counted import NOTHING
from reports.figures.coverage import Coverage
from reports.figures.definitions import FIGURES, HEADLINE
from reports.filters.presets import Comparison
from reports.periods import Opening, Period
from reports.queries import counts
from reports.queries.hours_of_week import WEEKDAYS

# --- The period before -------------------------------------------------------------------------


@dataclass(frozen=True)
class Pair:
    """A figure in a period and before, for the same numbers; None if there is nothing to compare."""

    now: int | float | None
    then: int | float | None
    # How many numbers are compared, and for how many the figure is shown.
    numbers: int
    of_numbers: int
    # The calls that a share or average is of.
    whole_now: int = 0
    whole_then: int = 0
    # The number of periods before; `then` is the average of a count in each of them.
    periods: int = 1


@dataclass(frozen=True)
class Week:
    """The figures of the same weekdays of a week before: all numbers together, and each in the coverage's order."""

    together: Row
    by_number: Sequence[Row]


@dataclass(frozen=True)
class Compared:
    """The rows of each number in both periods, in the order of the coverage."""

    coverage: Coverage
    days: Comparison
    now: Sequence[Row]
    then: Sequence[Row]

    def pair(self, key: str) -> Pair:
        """Return a figure for the numbers for which it is measured throughout both periods."""
        return self._pair(key, [self.then], self.days.then.first)

    def usual(self, key: str, weeks: Sequence[Week]) -> Pair | None:
        """Return a figure and what is usual, for the numbers for which it is measured throughout all these weeks.

        None without weeks. `weeks` are those of `weeks_before`."""
        starts = [week.together.bucket.start for week in weeks if week.together.bucket]
        return self._pair(key, [week.by_number for week in weeks], periods.day_of(min(starts))) if starts else None

    def _pair(self, key: str, before: Sequence[Sequence[Row]], first: date) -> Pair:
        known = self._known_on(first)

        def is_whole(row: Row) -> bool:
            return row.number is not None and row.number.pk in known and row[key].is_measured and row[key].since is None

        by_number = list(zip(self.now, *before, strict=True))
        shown = [rows for rows in by_number if rows[0][key].is_measured and any(row.offered for row in rows)]
        covered = [rows for rows in shown if all(map(is_whole, rows))]
        if not covered:
            return Pair(None, None, 0, len(shown))
        now, then = [rows[0] for rows in covered], [row for rows in covered for row in rows[1:]]
        value = _sum(key, then)
        if FIGURES[key].kind == "count" and value is not None and len(before) > 1:
            value /= len(before)
        return Pair(
            _sum(key, now), value, len(covered), len(shown), _whole(key, now), _whole(key, then), periods=len(before)
        )

    def _known_on(self, day: date) -> set[int]:
        """Return the ids of the numbers whose first call came by a day."""
        after = periods.day_start(day + periods.DAY)
        return {number_id for (number_id, _post), at in self.coverage.first_posts.items() if at < after}


def compare(
    coverage: Coverage,
    days: Comparison,
    known_rows: Sequence[Row] | None = None,
    keys: tuple[str, ...] = counts.OF_CALLS,
) -> Compared:
    """Read figures of both periods. `known_rows` are the rows of the current period, if already read."""
    rows = counts.by_number(coverage, days.now, keys) if known_rows is None else known_rows
    return Compared(coverage, days, rows, counts.by_number(coverage, days.then, keys))


def compare_with_usual(
    coverage: Coverage, days: Comparison, known_rows: Sequence[Row] | None, keys: tuple[str, ...], weeks: int
) -> tuple[Compared, list[Week]]:
    """Return the results of `compare` and `weeks_before`, the days before read by one statement."""
    before = _same_days_before(coverage, days.now, weeks) if weeks else []
    *of_weeks, (_all, then) = counts.together_and_by_number_of_each(coverage, [*before, days.then], keys)
    rows = counts.by_number(coverage, days.now, keys) if known_rows is None else known_rows
    return Compared(coverage, days, rows, then), [Week(*of_week) for of_week in reversed(of_weeks)]


def _whole(key: str, rows: Sequence[Row]) -> int:
    return sum(row.counted.get(key, NOTHING).whole for row in rows)


def _sum(key: str, rows: Sequence[Row]) -> int | float | None:
    """Return a figure of several rows together: a sum, or for shares and averages a quotient of sums."""
    figure = FIGURES[key]
    if figure.kind == "count":
        return sum(int(row[key].value or 0) for row in rows)
    return figure.value(
        sum(row.counted.get(key, NOTHING).above for row in rows),
        _whole(key, rows),
    )


# --- What is usual -----------------------------------------------------------------------------


def same_days_before(coverage: Coverage, period: Period, weeks: int) -> list[Row]:
    """Return the figures of the same weekdays in the weeks before, latest first, for at most seven days.

    A period that ends in the middle of a day is compared up to the same time of day. Weeks that begin before the first
    call of any number are left out, because they say nothing about what is usual."""
    if period.length > 7:
        raise ValueError("the same weekdays of a longer period are days of its own")
    return list(reversed(counts.of_each(coverage, _same_days_before(coverage, period, weeks))))


def weeks_before(coverage: Coverage, period: Period, weeks: int, keys: tuple[str, ...] = counts.OF_CALLS) -> list[Week]:
    """Return the figures of `same_days_before`, also of each number, by one statement."""
    days = _same_days_before(coverage, period, weeks)
    return [Week(*rows) for rows in reversed(counts.together_and_by_number_of_each(coverage, days, keys))]


def same_days_before_by_number(
    coverage: Coverage, period: Period, weeks: int, keys: tuple[str, ...] = counts.OF_CALLS
) -> list[list[Row]]:
    """Return the figures of each number on the same weekdays in the weeks before, a list of rows for each week."""
    return [counts.by_number(coverage, days, keys) for days in _same_days_before(coverage, period, weeks)]


def _same_days_before(coverage: Coverage, period: Period, weeks: int) -> list[Period]:
    before = (_weeks_before(period, week) for week in range(weeks, 0, -1))
    return [days for days in before if days.first >= coverage.first_day]


def _weeks_before(period: Period, weeks: int) -> Period:
    gap = weeks * periods.WEEK
    last = period.last - gap
    until = period.until and periods.same_hours(periods.day_start(period.last), period.until, last)[1]
    return period.of_days(period.first - gap, last, until)


def usual_of(rows: list[Row], key: str) -> float | None:
    """Return the average of a count per row, or a share or average over all their calls; None if not measured."""
    cells = [row[key] for row in rows if row[key].is_measured]
    if FIGURES[key].kind != "count":
        whole = sum(cell.whole or 0 for cell in cells)
        return sum((cell.value or 0) * (cell.whole or 0) for cell in cells) / whole if whole else None
    return sum(cell.value or 0 for cell in cells) / len(cells) if cells else None


def day_so_far(now: datetime, opening: Opening = Opening.ALL) -> Period | None:
    """Return the day up to the last full quarter-hour; None in its first quarter-hour."""
    day = periods.day_of(now)
    start = periods.day_start(day)
    passed = (now - start) // periods.QUARTER_HOUR * periods.QUARTER_HOUR
    return Period(day, day, opening, until=start + passed) if passed else None


def so_far(coverage: Coverage, now: datetime, opening: Opening = Opening.ALL) -> dict[str, Any] | None:
    """Return today up to the last full quarter-hour, and what is usual by then; None in the first quarter-hour."""
    today = day_so_far(now, opening)
    if today is None:
        return None
    days = [*_same_days_before(coverage, today, periods.USUAL_WEEKS), today]
    *weeks, row = counts.of_each(coverage, days, HEADLINE)
    return {
        "until": today.end,
        "weekday": WEEKDAYS[today.first.weekday()],
        "row": row,
        "figures": [
            {
                "key": key,
                "label": FIGURES[key].label,
                "kind": FIGURES[key].kind,
                "now": row[key],
                "usual": usual_of(weeks, key),
            }
            for key in HEADLINE
        ],
        "weeks": len(weeks),
    }
