"""The page Busy hours shows the hours of the week of the scripted month."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from tests.conftest import and_in_full
from tests.reports import expected
from tests.reports.assertions import hold_row, query, read
from tests.reports.expected import LOST, OUTCOMES, Figure, figure
from tests.reports.expected_comparisons import Period
from tests.reports.html_reader import Cell, Page
from tests.reports.scenario import PEOPLE, Line, Scripted
from tests.reports.truth.periods import (
    EVERYBODY,
    INSIDE,
    MONTH,
    OUTSIDE,
    THE_LONG_DAY,
    WEEK,
    hours_asked_for,
)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("who", EVERYBODY)
@pytest.mark.parametrize("period", and_in_full([MONTH, THE_LONG_DAY, INSIDE, OUTSIDE], WEEK))
@pytest.mark.parametrize("show", ["offered", "reached", "missed", "lost"])
def test_the_hours_of_the_week_are_correct(month, who, period, show):
    page = read(month, who, f"/reports/busy-hours/?{query(period, show=show)}", period)

    if period[0] == period[1]:
        hold_hours(page, PEOPLE[who], period)
    else:
        hold_map(page, PEOPLE[who], period, show)


def hold_hours(page: Page, lines: Sequence[Line], period: Period) -> None:
    """Check the hours of a single day, from the first with calls to the last."""
    pieces = expected.cut(*period, "hour")
    busy = [n for n, piece in enumerate(pieces) if expected.offered(lines, piece)]
    table = page.table("t-hours")
    assert table.headers == ["Local hour", "Calls", "Answered", "Lost", "Reached"]
    for row, piece in zip(table.rows, pieces[busy[0] : busy[-1] + 1], strict=True):
        assert row["Local hour"].text == piece.clock
        hold_row(row, lines, piece, (page.address, piece))
    hold_row(table.total, lines, expected.days(*period), (page.address, "total"))
    most = max(pieces, key=lambda piece: len(expected.offered(lines, piece)))
    assert page.lead.startswith(f"Most calls came in the hour from {most.clock}.")


def hold_map(page: Page, lines: Sequence[Line], period: Period, show: str) -> None:
    """Check every cell of the week: calls per occurrence of its hour; days and hours are sums."""
    whole = expected.days(*period)
    calls = expected.offered(lines, whole)
    began = hours_asked_for(lines, period)
    times = Counter((at.isoweekday(), at.hour) for at in began)
    days_of = Counter(at.isoweekday() for at in {at.date(): at for at in began}.values())
    hours = range(min(call.hour for call in calls), max(call.hour for call in calls) + 1)
    table = page.table("t-map")
    assert table.headers == ["Local hour", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "Week"]
    assert [row[0].text for row in [*table.body, *table.foot]] == [*(f"{hour:02}:00" for hour in hours), "Day"]
    for hour, row in zip([*hours, None], [*table.body, *table.foot], strict=True):
        for weekday, cell in zip([*range(1, 8), 0], row[1:], strict=True):
            here = [
                call for call in calls if weekday in {0, call.day.isoweekday()} and (hour is None or hour == call.hour)
            ]
            if hour is None:
                occurred = sum(days_of.values()) if not weekday else days_of[weekday]
            else:
                occurred = sum(times[day, hour] for day in ([weekday] if weekday else range(1, 8)))
            unit = "days" if hour is None else "hours"
            hold_hour(cell, here, (occurred, unit), figure(lines, whole, show), (page.address, weekday, hour))
    most = max(
        ((day, hour) for day in range(1, 8) for hour in hours if times[day, hour]),
        key=lambda at: sum((call.day.isoweekday(), call.hour) == at for call in calls) / times[at],
    )
    names = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
    assert page.lead.startswith(f"Most calls came on {names[most[0] - 1]}, {most[1]:02}:00–{most[1] + 1:02}:00.")


def hold_hour(cell: Cell, here: list[Scripted], times: tuple[int, str], whole: Figure, where: object) -> None:
    occurred, unit = times
    if whole.why:
        assert (cell.text, cell.title) == ("–", "not measured"), where
        return
    if not occurred:
        assert (cell.text, cell.title, cell.links, here) == ("", "This hour did not occur in the period", [], []), where
        return
    words = cell.title.removesuffix(". Outside opening hours")  # which tests/reports/test_busy_hours.py checks
    known = [call for call in here if expected.is_measured(call, whole.key)]
    if whole.key == "reached":
        count = sum(call.outcome == "answered" for call in known)
        wanted = count + sum(call.outcome in LOST for call in known)
        text, title = (f"{round(count / wanted * 100)}" if wanted else "–"), f"{count} of {wanted} calls"
    else:
        kinds = {"offered": OUTCOMES, "missed": ("missed",), "lost": LOST}[whole.key]
        count = sum(call.outcome in kinds for call in known)
        mean = count / occurred if occurred else 0
        text = "0" if not mean else "<1" if mean < 1 else str(int(mean + 0.5))
        title = f"Calls: {count}, {unit}: {occurred}"
    assert (cell.text, words) == (text, title), where
    led = "answered" if whole.key == "reached" else whole.key
    assert [(link.figure, link.calls) for link in cell.links] == [(led, count)] * bool(count), where
