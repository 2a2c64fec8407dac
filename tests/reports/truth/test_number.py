"""The tabs of a number show its figures of the scripted month, and only those who may see it get it."""

from __future__ import annotations

import math

import pytest

from calls.models import RequestType
from tests.reports import expected
from tests.reports.assertions import (
    KEYS,
    OUTCOME_OF_FIGURE,
    TIMES,
    hold_blocks,
    hold_cell,
    hold_chart,
    hold_figures,
    hold_row,
    hold_sentence,
    query,
    read,
)
from tests.reports.expected import Figure, Stretch, figure, most_at_once
from tests.reports.expected_comparisons import Period, compared, compared_days, weeks_before
from tests.reports.html_reader import Cell, Page
from tests.reports.scenario import BERLIN, KINDS, LINES, NEVER, PEOPLE, Line
from tests.reports.truth.durations import CLASSES, seconds_of
from tests.reports.truth.periods import BLOCKS_DAY, FORWARDS_DAY, MONTH, THE_LONG_DAY, WEEK

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.label.split(",")[0])
@pytest.mark.parametrize(
    ("period", "by"),
    [
        (MONTH, ""),
        (MONTH, "week"),
        (THE_LONG_DAY, "quarter-hour"),
        (WEEK, "hour"),
        (BLOCKS_DAY, ""),
        (FORWARDS_DAY, ""),
    ],
)
def test_the_tabs_of_a_number_are_correct(month, line, period, by):
    who = "mona" if line in PEOPLE["mona"] else "milan"
    whole, then = expected.days(*period), compared_days(period)[1]
    grain = by or ("hour" if period[0] == period[1] else "day")

    def tab(name: str, **more: str) -> Page:
        asked = query(period, by=by, **more)
        page = read(month, who, f"/reports/numbers/{month.numbers[line]}/{name}?{asked}", period)
        hold_sentence(page, [line], period)
        return page

    summary, waiting, everything = tab(""), tab("waiting/"), tab("all/")
    keys = ["reached", "lost", "service_level", "time_to_answer", "offered", "answered"]
    if not line.expects_forward:
        keys = ["offered", "served_in_plan", "short", "in_progress", "end_unknown", "talk"]
    for page in (summary, everything):
        hold_figures(page, keys, [line], period)
        hold_chart(page, [line], period, grain)
    for page in (summary, waiting, everything):
        hold_service_level(page, line, whole)
    for page in (waiting, everything):
        hold_times(page, line, whole, then)
        hold_levels(page, line, period, by)
    by_hour = tab("by-hour/", show="offered")
    hold_hours(by_hour, line, period)
    for page in (by_hour, everything):
        hold_peaks(page, line, period, by)
    for page in (tab("forwarding/"), everything):
        hold_blocks(page, [line], period)
    for page in (tab("comparison/"), everything):
        hold_previous(page, line, period)
        hold_weeks(page, line, period)
    for page in (tab("data/"), everything):
        hold_boxes(page, line)


def hold_hours(page: Page, line: Line, period: Period) -> None:
    """Check that the hours of the week lead to all offered calls, each once; or those of a single day."""
    if period[0] == period[1]:
        hold_row(page.table("t-hours").total, [line], expected.days(*period), page.address)
        return
    offered, table = len(expected.offered([line], expected.days(*period))), page.table("t-map")
    led = [[link.calls for link in cell.links] for row in table.body for cell in row[1:-1]]
    assert sum(map(sum, led)) == offered, page.address
    assert [link.calls for link in table.foot[0][-1].links] == [offered] * bool(offered), page.address


def hold_previous(page: Page, line: Line, period: Period) -> None:
    """Check each figure in both periods, and its change."""
    days = compared_days(period)
    keys = [key for key in KEYS.values() if key in expected.RESTS_ON]
    applying = [key for key in keys if any(figure([line], part, key).why != "does not apply" for part in days)]
    table = page.table("t-previous")
    assert {KEYS[row["Figure"].text] for row in table.rows} == set(applying), page.address
    for cells in table.body:
        key = KEYS[cells[0].text]
        for cell, part in zip(cells[1:3], days, strict=True):
            hold_cell(cell, figure([line], part, key), (page.address, key, part))
        words = compared([line], days, key)[0].removeprefix("vs. previous period: ")
        assert cells[3].text == (words.split(", ")[1] if ", " in words else "–"), (page.address, key)


def hold_service_level(page: Page, line: Line, whole: Stretch) -> None:
    level = figure([line], whole, "service_level")
    if level.value is None:
        assert not page.formula
        return
    in_time = round(level.value * level.whole)
    words = level.words.rstrip("*")
    wanted = f"{words} = answered within 20 s {in_time} ÷ answered or lost {level.whole}"
    assert page.formula == wanted, page.address


def within(seconds: list[int], share: float) -> str:
    """Return the nearest rank: the shortest time within which at least this share of calls lies."""
    return expected.clock(seconds[math.ceil(share * len(seconds)) - 1]) if seconds else "–"


def hold_times(page: Page, line: Line, whole: Stretch, then: Stretch) -> None:
    """Check average, median and 90 % of each kind of time in both periods, and the classes."""
    table = page.table("t-times")
    for key, row in zip(TIMES, table.rows, strict=True):
        now, was = figure([line], whole, key), figure([line], then, key)
        each, before_that = seconds_of(line, whole, key), seconds_of(line, then, key)
        assert [cell.text for cell in list(row.values())[:1]] == [{v: k for k, v in KEYS.items()}[key]]
        cells = [cell.text for cell in table.body[list(TIMES).index(key)]][1:]
        assert cells == [
            str(now.whole or "–"),
            now.words,
            was.words,
            within([] if now.why else each, 0.5),
            within([] if was.why else before_that, 0.5),
            within([] if now.why else each, 0.9),
            within([] if was.why else before_that, 0.9),
        ], (page.address, key)
    if figure([line], whole, "time_to_answer").value is None:
        return
    spread = page.table("t-classes")
    for key in ("time_to_answer", "ring"):
        name, each = {v: k for k, v in KEYS.items()}[key], seconds_of(line, whole, key)
        counted = {row["Duration"].text: row[name].text for row in spread.rows}
        assert counted == {label: str(sum(above < second <= to for second in each)) for label, above, to in CLASSES}, (
            page.address,
            key,
        )
        assert spread.total[name].text == str(len(each))


def hold_levels(page: Page, line: Line, period: Period, by: str) -> None:
    """Check the service level of each interval, with numerator and denominator."""
    tables = [table for table in page.tables if table.name == "t-levels"]
    pieces = expected.cut(*period, by or ("hour" if period[0] == period[1] else "day"))
    if not tables:
        assert figure([line], expected.days(*period), "service_level").value is None or len(pieces) == 1
        return
    (table,) = tables
    for row, piece in zip(table.rows, pieces, strict=True):
        hold_level(row, figure([line], piece, "service_level"), (page.address, piece))
    hold_level(table.total, figure([line], expected.days(*period), "service_level"), (page.address, "all"))


def hold_level(row: dict[str, Cell], level: Figure, where: object) -> None:
    assert row["Service level"].text == level.words, where
    assert row["Target"].text == "80 %"
    in_time = "–" if level.value is None else str(round(level.value * level.whole))
    assert row["In time"].text == in_time, where
    assert row["Of calls"].text == ("–" if level.whole is None else str(level.whole)), where


def hold_peaks(page: Page, line: Line, period: Period, by: str) -> None:
    """Check the peak of each interval, including calls that began before it."""
    tables = [table for table in page.tables if table.name == "t-peaks"]
    pieces = expected.cut(*period, by or ("hour" if period[0] == period[1] else "day"))
    wanted = [most_at_once(line, piece) for piece in pieces]
    assert bool(tables) == any(wanted)
    for table in tables:
        assert [row["Peak"].text for row in table.rows] == [str(most) for most in wanted], page.address
        assert [[link.calls for link in row["Peak"].links] for row in table.rows] == [[n] * bool(n) for n in wanted]


def hold_weeks(page: Page, line: Line, period: Period) -> None:
    """Check the same weekdays of the weeks before."""
    tables = [table for table in page.tables if table.name == "t-weeks"]
    weeks = weeks_before([line], period, whole=True)
    assert len(tables) == bool(weeks)
    for table in tables:
        for row, week in zip(table.rows, weeks, strict=True):
            hold_row(row, [line], week, (page.address, week))
        for name, cell in list(table.total.items())[1:]:
            cells = [figure([line], week, KEYS[name]) for week in weeks]
            if KEYS[name] in OUTCOME_OF_FIGURE and not all(cell.why for cell in cells):
                wanted = sum(int(cell.value or 0) for cell in cells)
                assert [link.calls for link in cell.links] == [wanted] * bool(wanted), (page.address, name)


def hold_boxes(page: Page, line: Line) -> None:
    """Since when each of the five posts arrives, or that it does not."""
    (boxes,) = [table for table in page.tables if table.headers == ["Message from TENIOS", "Arrives"]]
    for kind in KINDS:
        since = expected.arrives_from(line, kind)
        words = f"since {since.astimezone(BERLIN):%a %-d %b %Y, %H:%M}" if since != NEVER else "not yet"
        if line.settings.get(kind.lower()) == "off":
            words = "set to off"
        assert boxes.named(str(RequestType(kind).label))["Arrives"].text == words


def test_users_never_see_the_numbers_of_others(month):
    for who, lines in PEOPLE.items():
        for line in LINES:
            status = month.clients[who].get(f"/reports/numbers/{month.numbers[line]}/").status_code
            assert status == (200 if line in lines else 404)
