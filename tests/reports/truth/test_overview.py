"""Overview shows the figures of the scripted month, of its days so far, and of chosen numbers."""

from __future__ import annotations

from datetime import UTC, date
from urllib.parse import urlencode

import pytest
from django.utils import timezone

from tests.conftest import and_in_full
from tests.reports import expected
from tests.reports.assertions import (
    KEYS,
    hold_blocks,
    hold_cell,
    hold_chart,
    hold_figures,
    hold_row,
    hold_sentence,
    query,
    read,
    share,
)
from tests.reports.expected import Stretch, figure
from tests.reports.expected_comparisons import first_day, usual_of
from tests.reports.html_reader import Table
from tests.reports.scenario import BERLIN, DAY, FIRST, HOTLINE, LAST, LATECOMER, LINES, LONG_DAY, PEOPLE, Line, local
from tests.reports.truth.periods import BLOCKS_DAY, EVERYBODY, FORWARDS_DAY, INSIDE, MONTH, OUTSIDE, THE_LONG_DAY, WEEK

pytestmark = pytest.mark.django_db

OVERVIEWS = and_in_full(
    [
        (MONTH, ""),
        (MONTH, "week"),
        (INSIDE, ""),
        (OUTSIDE, "week"),
        (THE_LONG_DAY, "quarter-hour"),
        (BLOCKS_DAY, "half-hour"),
        (FORWARDS_DAY, "day"),
    ],
    (MONTH, "month"),
    (THE_LONG_DAY, ""),
    (WEEK, "hour"),
)


@pytest.mark.parametrize("who", EVERYBODY)
@pytest.mark.parametrize(("period", "by"), OVERVIEWS)
def test_the_overview_is_correct(month, who, period, by):
    lines, whole = PEOPLE[who], expected.days(*period)

    page = read(month, who, f"/reports/?{query(period, by=by)}", period)

    hold_sentence(page, lines, period)
    keys = ["reached", "lost", "service_level", "time_to_answer", "offered", "answered"]
    hold_figures(page, keys, lines, period)
    hold_chart(page, lines, period, by or ("hour" if period[0] == period[1] else "day"))
    hold_blocks(page, lines, period)
    table = page.table("t-numbers")
    assert sorted(row["Number"].text for row in table.rows) == sorted(line.label for line in lines)
    lost = [figure([line], whole, "lost").value or 0 for line in _lines_of(table)]
    assert lost == sorted(lost, reverse=True)
    for line in lines:
        row = table.named(line.label)
        hold_row(row, [line], whole, (page.address, line.label))
        assert row["Answered"].small == share(figure([line], whole, "answered"), [line], whole)
    hold_row(table.total, lines, whole, (page.address, "all numbers"))


def _lines_of(table: Table) -> list[Line]:
    labels = {line.label: line for line in LINES}
    return [labels[row["Number"].text] for row in table.rows]


def test_the_overview_of_chosen_numbers_is_about_these_only(month):
    lines = (HOTLINE, LATECOMER)
    chosen = [("from", FIRST), ("to", LAST), *(("number", line.e164) for line in lines)]

    page = read(month, "staff", f"/reports/?{urlencode(chosen)}", MONTH)

    hold_sentence(page, lines, MONTH)
    hold_chart(page, lines, MONTH, "day")
    hold_blocks(page, lines, MONTH)


@pytest.mark.parametrize("who", EVERYBODY)
@pytest.mark.parametrize("opening", ["all", "inside", "outside"])
@pytest.mark.parametrize(
    "now",
    [
        local(LAST, 17, 52),
        local(LONG_DAY, 2, 40, fold=1),
        local(LONG_DAY, 16, 20),
        local(FORWARDS_DAY[0], 16),
        local(date(2026, 10, 7), 7, 31),
    ],
    ids=str,
)
def test_today_so_far_and_the_four_weeks_before_are_correct(month, monkeypatch, who, opening, now):
    monkeypatch.setattr(timezone, "now", lambda: now)
    lines, day = PEOPLE[who], now.date()
    until = expected.quarter_hour(now.astimezone(UTC))
    so_far = Stretch(local(day, 0).astimezone(UTC), until, opening)
    clock = until.astimezone(BERLIN)
    weeks = [
        Stretch(local(before, 0).astimezone(UTC), local(before, clock.hour, clock.minute).astimezone(UTC), opening)
        for before in (day - 7 * n * DAY for n in range(1, 5))
        if before >= first_day(lines)
    ]

    yesterday = (day - DAY, day - DAY, opening)
    page = read(month, who, f"/reports/?{query(yesterday)}", yesterday)

    assert page.said["today-strip"].startswith(f"Today until {Stretch(until, until).clock} ")
    shown = ["reached", "lost", "service_level", "time_to_answer", "offered", "answered"]
    assert [KEYS[label] for label in page.today] == shown
    for key, (today, usual) in zip(shown, page.today.values(), strict=True):
        hold_cell(today, figure(lines, so_far, key), (page.address, key))
        assert usual.text == f"usual: {usual_of(lines, weeks, key)}", (page.address, key)
    days = [day - n * DAY for n in range(28, 0, -1)]
    for line in lines if expected.offered(lines, expected.days(*yesterday)) else ():
        calls = [len(expected.offered([line], expected.days(day, day, opening))) for day in days]
        cell = page.table("t-numbers").named(line.label)["28 days"]
        assert cell.title == f"{min(calls)} to {max(calls)} calls a day, {calls[-1]} on the last day", page.address
        lowest, highest = min(cell.line), max(cell.line)
        heights = [(height - lowest) / (highest - lowest or 1) for height in cell.line]
        assert [min(calls) + round(height * (max(calls) - min(calls))) for height in heights] == calls, page.address
