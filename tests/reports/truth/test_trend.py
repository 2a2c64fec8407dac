"""The page Trend shows the time steps of the scripted month."""

from __future__ import annotations

import pytest

from tests.reports import expected
from tests.reports.assertions import KEYS, figure, hold_cell, hold_columns, hold_row, query, read
from tests.reports.scenario import PEOPLE
from tests.reports.truth.periods import EVERYBODY, FORWARDS_DAY, INSIDE, MONTH, OUTSIDE, THE_LONG_DAY, WEEK

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("who", EVERYBODY)
@pytest.mark.parametrize(
    ("period", "by"),
    [
        *((MONTH, by) for by in ("quarter-hour", "half-hour", "hour", "day", "week", "month")),
        *((THE_LONG_DAY, by) for by in ("quarter-hour", "half-hour", "hour", "day")),
        (FORWARDS_DAY, "quarter-hour"),
        (WEEK, "day"),
        (INSIDE, "half-hour"),
        (INSIDE, "day"),
        (OUTSIDE, "week"),
    ],
)
def test_the_time_steps_are_correct(month, who, period, by):
    lines, whole = PEOPLE[who], expected.days(*period)
    by_days = by in {"day", "week", "month"}
    # Shorter steps are those of the last day.
    listed = period if by_days else (period[1], period[1], *period[2:])
    pieces = expected.cut(*listed, by)
    if not by_days:
        busy = [n for n, piece in enumerate(pieces) if expected.offered(lines, piece)]
        pieces = pieces[busy[0] : busy[-1] + 1]

    page = read(month, who, f"/reports/trend/?{query(period, by=by)}", period)

    table = page.table("t-steps")
    hold_columns(
        table, lines, whole, ["Calls", "Service level", "Waiting time", "Ringing time", "Talk time"], first=True
    )
    assert len(table.rows) == len(pieces)
    for row, piece in zip(table.rows, pieces, strict=True):
        hold_row(row, lines, piece, (page.address, piece))
        if not by_days:
            assert row["From"].text == piece.clock
    hold_row(table.total, lines, expected.days(*listed), (page.address, "total"))
    for row in page.table("t-changes").rows:
        key = KEYS[row["Figure"].text]
        hold_cell(row["This period"], figure(lines, whole, key), (page.address, key))
