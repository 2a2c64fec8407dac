"""Downloads hold the figures of the scripted month, as CSV, for Excel and as workbooks."""

from __future__ import annotations

import pytest

from tests.reports import expected, html_reader
from tests.reports.assertions import query, seen_by
from tests.reports.expected import figure
from tests.reports.scenario import PEOPLE
from tests.reports.truth.file_rows import (
    GRAINS,
    blocks_rows,
    calls_rows,
    counts_rows,
    for_excel,
    hold_rows,
    in_order,
    in_workbook,
    peaks_rows,
    times_rows,
    week_rows,
)
from tests.reports.truth.periods import EVERYBODY, INSIDE, MONTH, OUTSIDE, THE_LONG_DAY, WEEK

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def small_groups_are_shown(settings):
    settings.FORWARDS_LEAST_DESTINATIONS = 1


def calls_for(who, period):
    """Return the rows of the file of calls; managers do not see who answered."""
    return calls_rows(seen_by(who, period), names_people=who == "staff")


@pytest.mark.parametrize("who", EVERYBODY)
@pytest.mark.parametrize("by", GRAINS)
def test_the_files_of_counts_and_blocks_are_correct(month, who, by):
    for period in (MONTH, THE_LONG_DAY, WEEK, INSIDE, OUTSIDE):
        asked = query(period, by=by)
        client = month.clients[who]
        hold_rows(html_reader.csv_rows(client, f"/reports/counts.csv?{asked}"), counts_rows(PEOPLE[who], period, by))
        hold_rows(html_reader.csv_rows(client, f"/reports/blocks.csv?{asked}"), blocks_rows(PEOPLE[who], period, by))


@pytest.mark.parametrize("who", EVERYBODY)
@pytest.mark.parametrize("period", [MONTH, THE_LONG_DAY, INSIDE, OUTSIDE])
def test_the_files_of_the_week_and_of_times_are_correct(month, who, period):
    client, lines = month.clients[who], PEOPLE[who]

    hold_rows(html_reader.csv_rows(client, f"/reports/week.csv?{query(period)}"), week_rows(lines, period))
    hold_rows(html_reader.csv_rows(client, f"/reports/times.csv?{query(period)}"), times_rows(lines, period))


@pytest.mark.parametrize("who", EVERYBODY)
@pytest.mark.parametrize(
    ("period", "by"), [(WEEK, "day"), (MONTH, "week"), ((*WEEK, "outside"), "day"), (THE_LONG_DAY, "hour")]
)
def test_the_file_of_calls_at_once_is_correct(month, who, period, by):
    rows = html_reader.csv_rows(month.clients[who], f"/reports/peaks.csv?{query(period, by=by)}")

    hold_rows(rows, peaks_rows(PEOPLE[who], period, by))


@pytest.mark.parametrize("who", EVERYBODY)
def test_the_file_of_calls_is_correct(month, who):
    for period in (MONTH, INSIDE, OUTSIDE):
        rows = html_reader.csv_rows(month.clients[who], f"/reports/calls.csv?{query(period)}")

        assert [row["started_at"] for row in rows] == [row["started_at"] for row in calls_for(who, period)]
        hold_rows(in_order(rows), in_order(calls_for(who, period)))


@pytest.mark.parametrize("who", EVERYBODY)
@pytest.mark.parametrize("what", ["counts", "blocks", "calls", "week", "times", "peaks"])
def test_the_files_for_excel_hold_the_same(month, who, what):
    client, lines = month.clients[who], PEOPLE[who]
    for period, by in ((MONTH, "day"), (THE_LONG_DAY, "quarter-hour"), (OUTSIDE, "week")):
        asked = query(period) if what == "calls" else query(period, by=by)
        truth = {
            "counts": lambda period=period, by=by: counts_rows(lines, period, by),
            "blocks": lambda period=period, by=by: blocks_rows(lines, period, by),
            "calls": lambda period=period: calls_for(who, period),
            "week": lambda period=period: week_rows(lines, period),
            "times": lambda period=period: times_rows(lines, period),
            "peaks": lambda period=period, by=by: peaks_rows(lines, period, by),
        }[what]()

        hold_rows(
            in_order(html_reader.excel_rows(client, f"/reports/{what}.csv?{asked}&format=excel")),
            in_order([{name: for_excel(name, text) for name, text in row.items()} for row in truth]),
        )
        truth = in_order(truth)
        book = in_order(html_reader.xlsx_rows(client, f"/reports/{what}.xlsx?{asked}"))
        assert len(book) == len(truth)
        for row, cells in zip(book, truth, strict=True):
            there = {name: in_workbook(name, text) for name, text in cells.items() if text}
            assert row.keys() & cells.keys() == there.keys()
            for name, value in there.items():
                assert row[name] == (value if isinstance(value, str) else pytest.approx(value, abs=1e-9)), (name, cells)


@pytest.mark.parametrize("who", EVERYBODY)
def test_the_file_for_planners_is_correct(month, who):
    for period in (THE_LONG_DAY, WEEK, (*WEEK, "inside")):
        wanted = []
        for line in sorted(PEOPLE[who], key=lambda line: line.e164):
            for piece in expected.cut(*period, "quarter-hour"):
                handled, talk = figure([line], piece, "answered"), figure([line], piece, "talk")
                mean = "" if talk.why else expected.rounded(talk.value or 0, "1")
                offered = str(len(expected.offered([line], piece)))
                wanted.append([f"{piece.start:%Y-%m-%d %H:%M}", line.e164, offered, handled.csv, mean])

        rows = html_reader.plain_rows(month.clients[who], f"/reports/planner.csv?{query(period)}")

        assert [row[:5] for row in rows] == wanted
