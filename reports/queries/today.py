"""Today so far, beside what is usual for its weekday by that time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from reports import periods
from reports.counting.outcomes import Outcome
from reports.figures.cells import Row
from reports.figures.coverage import Coverage
from reports.figures.definitions import FIGURES
from reports.periods import Opening
from reports.queries import counts
from reports.queries.hours_of_week import WEEKDAYS

SHOWN = ("offered", Outcome.ANSWERED, Outcome.MISSED, Outcome.ABANDONED, "service_level", "time_to_answer")


def so_far(coverage: Coverage, now: datetime, opening: Opening = Opening.ALL) -> dict[str, Any] | None:
    """Today up to the last full quarter-hour, beside the same weekday's usual; None while the day is too young."""
    day = periods.day_of(now)
    start = periods.day_start(day)
    passed = (now - start) // periods.QUARTER_HOUR * periods.QUARTER_HOUR
    if not passed:
        return None
    row = counts.between(coverage, start, start + passed, opening)
    weeks_before = [day - week * periods.WEEK for week in range(1, periods.USUAL_WEEKS + 1)]
    # Before the first call nothing is known of what is usual.
    before = [one for one in weeks_before if one >= coverage.first_day]
    usual = [counts.between(coverage, *periods.same_hours(start, start + passed, one), opening) for one in before]
    return {
        "until": start + passed,
        "weekday": WEEKDAYS[day.weekday()],
        "row": row,
        "figures": [
            {"key": str(key), "kind": FIGURES[key].kind, "now": row[key], "usual": usual_of(usual, key)}
            for key in SHOWN
        ],
        "weeks": len(before),
    }


def usual_of(rows: list[Row], key: str) -> float | None:
    """Return the mean of a count over some days, or a share or mean over all their calls; None where none is known."""
    cells = [row[key] for row in rows if row[key].is_measured]
    if FIGURES[key].kind != "count":
        whole = sum(cell.whole or 0 for cell in cells)
        return sum((cell.value or 0) * (cell.whole or 0) for cell in cells) / whole if whole else None
    return sum(cell.value or 0 for cell in cells) / len(cells) if cells else None
