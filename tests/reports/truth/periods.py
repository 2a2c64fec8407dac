"""The periods of the scripted month that the tests ask for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from tests.reports import expected, scenario
from tests.reports.expected_comparisons import Period
from tests.reports.scenario import BERLIN, FIRST, LAST, LONG_DAY, PEOPLE, Line

MONTH = (FIRST, LAST)
INSIDE, OUTSIDE = (FIRST, LAST, "inside"), (FIRST, LAST, "outside")
# Contains both days within which the latecomer's boxes were ticked.
WEEK = (date(2026, 10, 12), date(2026, 10, 18))
BLOCKS_DAY, FORWARDS_DAY = ((moment.date(), moment.date()) for moment in (scenario.BLOCKS_FROM, scenario.FORWARDS_FROM))
THE_LONG_DAY = (LONG_DAY, LONG_DAY)
EVERYBODY = list(PEOPLE)


def hours_asked_for(lines: Sequence[Line], period: Period) -> list[datetime]:
    """Return the hours of a period that match the opening filter for at least one of the numbers."""
    return [
        piece.start.astimezone(BERLIN)
        for piece in expected.cut(*period, "hour")
        if any(expected.is_asked(line, piece.start, piece.opening) for line in lines)
    ]
