"""Compares every figure of every page and file with a scripted month, for each user.

scenario.py has the month and expected.py the right figures; html_reader.py reads pages and assertions.py checks them.
The month is loaded once. A new figure is added to expected.py; tests of a new page use `read`."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import cache
from itertools import product
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from calls.models import Call, DestinationNumber, RequestType
from reports.figures.definitions import FIGURES
from tests.conftest import and_in_full
from tests.reports import expected, html_reader, scenario
from tests.reports.assertions import (
    BLOCK_LABELS,
    KEYS,
    OUTCOME_OF_FIGURE,
    TIMES,
    Month,
    Period,
    addressed,
    compared_days,
    first_day,
    hold_blocks,
    hold_cell,
    hold_chart,
    hold_columns,
    hold_figures,
    hold_row,
    hold_sentence,
    list_of,
    query,
    read,
    seen_by,
    share,
    usual_of,
    weeks_before,
)
from tests.reports.expected import LABELS, LOST, OUTCOMES, Figure, Stretch, figure, most_at_once
from tests.reports.html_reader import Cell, Link, Page, Table
from tests.reports.scenario import (
    ANSWER,
    BERLIN,
    BLOCK,
    DAY,
    END,
    FIRST,
    FORWARD,
    HOTLINE,
    KINDS,
    LAST,
    LATECOMER,
    LINES,
    LONG_DAY,
    NEVER,
    PEOPLE,
    SALES,
    TYPES,
    Line,
    Scripted,
    local,
)

pytestmark = pytest.mark.django_db

MONTH = (FIRST, LAST)
INSIDE, OUTSIDE = (FIRST, LAST, "inside"), (FIRST, LAST, "outside")
# Contains both days within which the latecomer's boxes were ticked.
WEEK = (date(2026, 10, 12), date(2026, 10, 18))
BLOCKS_DAY, FORWARDS_DAY = ((moment.date(), moment.date()) for moment in (scenario.BLOCKS_FROM, scenario.FORWARDS_FROM))
THE_LONG_DAY = (LONG_DAY, LONG_DAY)
EVERYBODY = list(PEOPLE)


@pytest.fixture(scope="module")
def month(django_db_setup, django_db_blocker):
    """The month, loaded and committed once for all tests, and removed at the end."""
    with django_db_blocker.unblock():
        try:
            scenario.play()
            clients = {}
            for name in PEOPLE:
                clients[name] = Client()
                clients[name].force_login(User.objects.get(username=name))
            numbers = dict(DestinationNumber.objects.values_list("e164", "pk"))
            yield Month(
                clients, {line: numbers[line.e164] for line in LINES}, dict(Call.objects.values_list("call_uuid", "pk"))
            )
        finally:
            call_command("flush", interactive=False, verbosity=0)


# --- The script itself ---------------------------------------------------------------------------


def test_posts_of_the_plan_match_the_outcomes_of_its_calls_as_far_as_measured():
    assert len({call.uuid for call in scenario.CALLS}) == len(scenario.CALLS)
    for call in scenario.CALLS:
        if expected.is_measured(call, call.outcome):
            assert expected.as_posted(call) == call.outcome, call
    assert {call.outcome for call in scenario.CALLS} == set(OUTCOMES)
    assert expected.arrives_from(LATECOMER, BLOCK) == scenario.BLOCKS_FROM
    assert expected.arrives_from(LATECOMER, FORWARD) == scenario.FORWARDS_FROM
    assert expected.arrives_from(LATECOMER, ANSWER) == scenario.FORWARDS_FROM


# --- Pages ---------------------------------------------------------------------------------------


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
OF_A_NUMBER = and_in_full(
    [
        (MONTH, ""),
        (INSIDE, ""),
        (OUTSIDE, "week"),
        (THE_LONG_DAY, "quarter-hour"),
        ((*THE_LONG_DAY, "inside"), "hour"),
        (BLOCKS_DAY, ""),
        (FORWARDS_DAY, ""),
    ],
    (MONTH, "week"),
    (WEEK, "hour"),
)


@pytest.mark.parametrize("who", EVERYBODY)
@pytest.mark.parametrize(("period", "by"), OVERVIEWS)
def test_the_overview_is_correct(month, who, period, by):
    lines, whole = PEOPLE[who], expected.days(*period)

    page = read(month, who, f"/reports/?{query(period, by=by)}", period)

    hold_sentence(page, lines, period)
    keys = ["offered", "answered", "missed", "abandoned", "service_level", "time_to_answer"]
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
def test_the_page_of_a_number_is_correct(month, line, period, by):
    who = "mona" if line in PEOPLE["mona"] else "milan"
    whole, then = expected.days(*period), compared_days(period)[1]

    page = read(month, who, f"/reports/numbers/{month.numbers[line]}/?{query(period, by=by)}", period)

    hold_sentence(page, [line], period)
    keys = ["answered", "missed", "abandoned", "service_level", "time_to_answer"]
    if not line.expects_forward:
        keys = ["served_in_plan", "short", "in_progress", "end_unknown", "talk"]
    hold_figures(page, ["offered", *keys], [line], period)
    hold_chart(page, [line], period, by or ("hour" if period[0] == period[1] else "day"))
    hold_blocks(page, [line], period)
    hold_times(page, line, whole, then)
    hold_levels(page, line, period, by)
    hold_peaks(page, line, period, by)
    hold_weeks(page, line, period)
    hold_service_level(page, line, whole)
    hold_boxes(page, line)


def hold_service_level(page: Page, line: Line, whole: Stretch) -> None:
    level = figure([line], whole, "service_level")
    if level.value is None:
        assert not page.formula
        return
    in_time = round(level.value * level.whole)
    words = level.words.rstrip("*")
    wanted = f"{words} = answered within 20 s {in_time} ÷ answered or lost {level.whole}"
    assert page.formula == wanted, page.address


CLASSES = [
    ("up to 5 s", -1, 5),
    ("5 to 10 s", 5, 10),
    ("10 to 20 s", 10, 20),
    ("20 to 30 s", 20, 30),
    ("30 to 60 s", 30, 60),
    ("60 to 120 s", 60, 120),
    ("120 to 300 s", 120, 300),
    ("over 300 s", 300, 10**9),
]


def seconds_of(line: Line, stretch: Stretch, key: str) -> list[int]:
    """Return the durations of calls, rounded up to full seconds, shortest first."""
    calls = [call for call in expected.offered([line], stretch) if expected.is_measured(call, key)]
    times = [getattr(call, TIMES[key]) for call in calls if call.outcome == "answered"]
    return sorted(math.ceil(time_s) for time_s in times if time_s is not None)


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


@pytest.mark.parametrize("who", EVERYBODY)
@pytest.mark.parametrize("period", and_in_full([MONTH, THE_LONG_DAY, INSIDE, OUTSIDE], WEEK))
@pytest.mark.parametrize("show", ["offered", "reached", "missed", "lost"])
def test_the_hours_of_the_week_are_correct(month, who, period, show):
    page = read(month, who, f"/reports/when/?{query(period, show=show)}", period)

    hold_map(page, PEOPLE[who], period, show)


def hold_map(page: Page, lines: Sequence[Line], period: Period, show: str) -> None:
    """Check every cell of the week: calls per occurrence of its hour; days and hours are sums."""
    whole = expected.days(*period)
    calls = expected.offered(lines, whole)
    began = hours_asked_for(lines, period)
    times = Counter((at.isoweekday(), at.hour) for at in began)
    days_of = Counter(at.isoweekday() for at in {at.date(): at for at in began}.values())
    hours = range(min(call.hour for call in calls), max(call.hour for call in calls) + 1)
    table = page.table("t-map")
    assert table.headers == ["Local hour", *(f"{hour:02}" for hour in hours), "Day"]
    every = [*range(1, 8), 0]
    for weekday, row in zip(every, [*table.body, *table.foot], strict=True):
        for hour, cell in zip([*hours, None], row[1:], strict=True):
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


def hours_asked_for(lines: Sequence[Line], period: Period) -> list[datetime]:
    """Return the hours of a period that match the opening filter for at least one of the numbers."""
    return [
        piece.start.astimezone(BERLIN)
        for piece in expected.cut(*period, "hour")
        if any(expected.is_asked(line, piece.start, piece.opening) for line in lines)
    ]


def hold_hour(cell: Cell, here: list[Scripted], times: tuple[int, str], whole: Figure, where: object) -> None:
    occurred, unit = times
    if whole.why:
        assert (cell.text, cell.title) == ("–", "not measured"), where
        return
    if not occurred:
        assert (cell.text, cell.title, cell.links, here) == ("", "This hour did not occur in the period", [], []), where
        return
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
    assert (cell.text, cell.title) == (text, title), where
    led = "answered" if whole.key == "reached" else whole.key
    assert [(link.figure, link.calls) for link in cell.links] == [(led, count)] * bool(count), where


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
def test_the_intervals_are_correct(month, who, period, by):
    lines, whole = PEOPLE[who], expected.days(*period)
    by_days = by in {"day", "week", "month"}
    # Shorter intervals are those of the last day.
    listed = period if by_days else (period[1], period[1], *period[2:])
    pieces = expected.cut(*listed, by)
    if not by_days:
        busy = [n for n, piece in enumerate(pieces) if expected.offered(lines, piece)]
        pieces = pieces[busy[0] : busy[-1] + 1]

    page = read(month, who, f"/reports/when/?{query(period, by=by)}", period)

    table = page.table("t-intervals")
    hold_columns(
        table, lines, whole, ["Calls", "Service level", "Waiting time", "Ringing time", "Talk time"], first=True
    )
    assert len(table.rows) == len(pieces)
    for row, piece in zip(table.rows, pieces, strict=True):
        hold_row(row, lines, piece, (page.address, piece))
        if not by_days:
            assert row["From"].text == piece.clock
    hold_row(table.total, lines, expected.days(*listed), (page.address, "total"))


# --- Calls ---------------------------------------------------------------------------------------


def seconds(value: object) -> str:
    return "–" if value is None else expected.clock(float(value))  # type: ignore[arg-type]


@pytest.mark.parametrize("who", EVERYBODY)
def test_the_list_has_every_call_newest_first_with_its_outcome(month, who):
    calls = {call.uuid: call for call in seen_by(who, MONTH)}
    # The list omits the current year.
    year = "" if datetime.now(BERLIN).year == FIRST.year else f" {FIRST.year}"

    listed = list_of(month, who, f"/reports/calls/?{query(MONTH)}")

    assert sorted(uuid for uuid, _row in listed) == sorted(calls)
    began = [calls[uuid].began for uuid, _row in listed]
    assert began == sorted(began, reverse=True)
    for uuid, row in listed:
        call = calls[uuid]
        told = call.has(ANSWER)
        assert row["Started"].text == f"{call.at:%a %-d %b}{year} {call.at:%H:%M:%S}"
        assert row["Number"].text == call.line.label
        assert row["Caller"].text == ("number withheld" if call.caller in scenario.WITHHELD else "+49 170 12345678"), (
            call
        )
        assert row["Outcome"].text == LABELS.get(expected.shown_outcome(call), "not measured"), call
        assert row["Waiting"].text == seconds(call.wait_s if told else None), call
        assert row["Ringing"].text == seconds(call.ring_s if told else None), call
        assert row["Talking"].text == seconds(call.talk_s if told else None), call
        assert row["Last block"].text == BLOCK_LABELS.get(call.last_block, call.last_block or "–"), call
        assert row["Attempts"].text == str(sum(step.kind == FORWARD for step in call.posted)), call
        assert row["Blocks"].text == str(len(call.blocks)), call


@pytest.mark.parametrize("who", EVERYBODY)
@pytest.mark.parametrize(
    "asked",
    [
        *({"outcome": outcome} for outcome in OUTCOMES),
        {"callbacks": "no", "weekday": "7", "hour": "2"},
        {"block": "ANNOUNCEMENT", "weekday": "3"},
        {"last_block": "SAY"},
        {"last_block": "QUEUE", "outcome": "abandoned"},
        {"start": "2026-10-25T02:00:00+02:00", "end": "2026-10-25T02:00:00+01:00"},
        {"start": "2026-10-25T02:15:00+01:00", "end": "2026-10-25T02:45:00+01:00"},
    ],
    ids=lambda asked: "-".join(asked.values())[:30],
)
def test_a_filter_lists_exactly_the_calls_it_names(month, who, asked):
    href = f"/reports/calls/?{query(MONTH, **asked)}"

    listed = list_of(month, who, href)

    wanted = addressed(who, Link(href, "", 0, ""))
    assert sorted(uuid for uuid, _row in listed) == sorted(call.uuid for call in wanted)


def test_callbacks_are_listed_separately(month):
    listed = list_of(month, "staff", f"/reports/calls/?{query(MONTH, outcome='callback')}")

    assert {uuid for uuid, _row in listed} == {call.uuid for call in scenario.CALLS if call.is_callback}


def a_few_of_every_kind() -> list[Scripted]:
    """Return one call of each number and outcome, and all odd calls."""
    kinds = {(call.line.key, expected.shown_outcome(call)): call for call in scenario.CALLS}
    odd = [call for call in scenario.CALLS if call.day == date(2026, 10, 20) and call.line is HOTLINE]
    return list({call.uuid: call for call in [*kinds.values(), *odd]}.values())


def test_the_page_of_a_call_shows_its_outcome_and_who_was_tried(month):
    for call in a_few_of_every_kind():
        page = html_reader.page(month.clients["staff"], f"/reports/calls/{month.calls[call.uuid]}/")
        told, shown = call.has(ANSWER), expected.shown_outcome(call)

        assert page.lead.startswith(LABELS.get(shown, "The outcome is not measured")), call
        if shown == "answered":
            assert f"by{call.answered_by}" in page.lead.replace(" ", ""), call
            assert f"{call.answered_by} answered" in page.happened, call
        tried = [step.detail for step in call.posted if step.kind == FORWARD]
        # Those that ring at once were posted at once: in which order is not known.
        forwards = re.findall(r"Forwarding (\d+) to (\S+)", page.happened)
        assert [int(n) for n, _destination in forwards] == list(range(1, len(tried) + 1)), call
        assert sorted(destination for _n, destination in forwards) == sorted(tried), call
        assert (f"Forwarded {len(tried)} time{'s' * (len(tried) != 1)}." in page.lead) == bool(tried), call
        assert page.figures["Started"][0] == f"{call.at:%H:%M:%S}"
        assert page.figures["Waiting time"][0] == seconds(call.wait_s if told else None), call
        assert page.figures["Ringing time"][0] == seconds(call.ring_s if told else None), call
        assert page.figures["Talk time"][0] == seconds(call.talk_s if told else None), call


# --- Files ---------------------------------------------------------------------------------------

GRAINS = ("quarter-hour", "half-hour", "hour", "day", "week", "month")


def iso(moment: datetime) -> str:
    return moment.astimezone(BERLIN).isoformat(timespec="seconds")


def counts_rows(lines: Sequence[Line], period: Period, grain: str) -> list[dict[str, str]]:
    """Return the expected rows of counts.csv."""
    rows = []
    for piece in expected.cut(*period, grain):
        for line in sorted(lines, key=lambda line: line.e164):
            if expected.offered([line], piece):
                cells = {
                    key: figure([line], piece, key)
                    for key in ("offered", *OUTCOMES, "service_level", "time_to_answer", "ring", "talk")
                }
                rows.append(
                    {"start": iso(piece.start), "end": iso(piece.end)}
                    | {"destination_number": line.e164, "label": line.label}
                    | {f"{key}_s" if key in expected.TIMES else key: cell.csv for key, cell in cells.items()}
                    | {"unclassified": str(expected.unclassified([line], piece))}
                )
    return rows


def blocks_rows(lines: Sequence[Line], period: Period, grain: str) -> list[dict[str, str]]:
    rows = []
    for piece in expected.cut(*period, grain):
        for line in sorted(lines, key=lambda line: line.e164):
            blocks = {block for call in expected.offered([line], piece) for block in call.blocks}
            for block in sorted(blocks, key=safe):
                counts = [figure([line], piece, key, block).csv for key in ("blocks", "block_calls", "last_in_call")]
                rows.append(
                    {"start": iso(piece.start), "end": iso(piece.end)}
                    | {"destination_number": line.e164, "label": line.label, "block_type": safe(block)}
                    | dict(zip(("blocks", "calls", "last_in_call"), counts, strict=True))
                )
    return rows


def week_rows(lines: Sequence[Line], period: Period) -> list[dict[str, str]]:
    """Return the expected rows of week.csv."""
    whole = expected.days(*period)
    calls = expected.offered(lines, whole)
    times = Counter((at.isoweekday(), at.hour) for at in hours_asked_for(lines, period))
    rows = []
    for weekday, hour in product(range(1, 8), range(min(c.hour for c in calls), max(c.hour for c in calls) + 1)):
        here = [call for call in calls if (call.day.isoweekday(), call.hour) == (weekday, hour)]

        def count(key: str, *outcomes: str, here: list[Scripted] = here) -> int | None:
            known = [call for call in here if expected.is_measured(call, key)]
            return None if figure(lines, whole, key).why else sum(call.outcome in outcomes for call in known)

        answered, wanted = count("reached", "answered"), count("reached", "answered", *LOST)
        occurred = times[weekday, hour]
        cells = {
            "weekday": weekday,
            "hour": hour,
            "times": occurred,
            "offered": len(here),
            "answered": answered,
            "missed": count("missed", "missed"),
            "lost": count("lost", *LOST),
            "reached": expected.rounded(Fraction(answered or 0, wanted), "0.0001") if wanted else None,
            "offered_mean": expected.rounded(Fraction(len(here), occurred), "0.01") if occurred else None,
        }
        rows.append({name: "" if cell is None else str(cell) for name, cell in cells.items()})
    return rows


TALK_ENDS = (60, 120, 180, 300, 600, 1200, 1800)


def times_rows(lines: Sequence[Line], period: Period) -> list[dict[str, str]]:
    """Return the expected rows of times.csv."""
    rows = []
    for line, key in product(sorted(lines, key=lambda line: line.e164), TIMES):
        each = seconds_of(line, expected.days(*period), key)
        ends = TALK_ENDS if key == "talk" else [to for _label, _above, to in CLASSES[:-1]]
        for above, to in zip([None, *ends], [*ends, None], strict=True) if each else ():
            rows.append(
                {
                    "destination_number": line.e164,
                    "label": line.label,
                    "figure": key,
                    "over_s": "" if above is None else str(above),
                    "to_s": "" if to is None else str(to),
                    "calls": str(sum((above or -1) < second <= (to or 10**9) for second in each)),
                    "median_s": str(each[math.ceil(0.5 * len(each)) - 1]),
                    "ninetieth_s": str(each[math.ceil(0.9 * len(each)) - 1]),
                }
            )
    return rows


def peaks_rows(lines: Sequence[Line], period: Period, grain: str) -> list[dict[str, str]]:
    """Return the expected rows of peaks.csv."""
    rows = []
    quarter_hours = expected.cut(*period, "quarter-hour")
    for piece, line in product(expected.cut(*period, grain), sorted(lines, key=lambda line: line.e164)):
        if most := most_at_once(line, piece):
            first = next(part for part in quarter_hours if part.start in piece and most_at_once(line, part) == most)
            rows.append(
                {"start": iso(piece.start), "end": iso(piece.end)}
                | {"destination_number": line.e164, "label": line.label}
                | {"peak": str(most), "peak_at": iso(first.start)}
            )
    return rows


def safe(text: str) -> str:
    return f"'{text}" if text.startswith("=") else text


def calls_rows(calls: Sequence[Scripted]) -> list[dict[str, str]]:
    """Return the expected rows of calls.csv."""

    def exact(moment: datetime | None) -> str:
        return moment.astimezone(BERLIN).isoformat(timespec="milliseconds") if moment else ""

    def span(call: Scripted, key: str, value: object) -> str:
        is_told = value is not None and not call.is_callback and expected.is_measured(call, key)
        return expected.rounded(value, "0.001") if is_told else ""  # type: ignore[arg-type]

    rows = []
    for call in calls:
        answer = next((step.detail for step in call.posted if step.kind == ANSWER), "")
        counts_blocks = expected.is_measured(call, "blocks")
        counts_forwards = call.began >= expected.arrives_from(call.line, FORWARD)
        rows.append(
            {
                "call_uuid": call.uuid,
                "correlation_id": f"c-{call.uuid}",
                "customer_number": "200000",
                "destination_number": call.line.e164,
                "label": call.line.label,
                "caller_id_number": "" if call.caller in scenario.WITHHELD else str(call.caller),
                "started_at": exact(call.began),
                "forwarded_at": exact(call.moment_of(FORWARD)),
                "answered_at": exact(call.moment_of(ANSWER)),
                "ended_at": exact(call.moment_of(END, last=True)),
                "outcome": expected.shown_outcome(call),
                "time_to_answer_s": span(call, "time_to_answer", call.wait_s),
                "ring_s": span(call, "ring", call.ring_s),
                "talk_s": span(call, "talk", call.talk_s),
                "blocks": str(len(call.blocks)) if counts_blocks else "",
                "last_block_type": safe(call.last_block) if counts_blocks else "",
                "forwards": str(sum(step.kind == FORWARD for step in call.posted)) if counts_forwards else "",
                "answered_destination": answer,
                "answered_destination_type": TYPES.get(answer, ""),
            }
        )
    return rows


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sort rows, because the order of calls with the same start is not defined."""
    return sorted(rows, key=lambda row: row["call_uuid"]) if "call_uuid" in rows[0] else rows


def hold_rows(rows: list[dict[str, str]], wanted: list[dict[str, str]]) -> None:
    """Check that rows are equal in the columns known here; there may be more columns."""
    assert len(rows) == len(wanted)
    assert wanted
    for row, truth in zip(rows, wanted, strict=True):
        assert {name: row[name] for name in truth} == truth


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

        assert [row["started_at"] for row in rows] == [row["started_at"] for row in calls_rows(seen_by(who, period))]
        hold_rows(in_order(rows), in_order(calls_rows(seen_by(who, period))))


NUMERIC = {*OUTCOMES, "offered", "service_level", "time_to_answer_s", "ring_s", "talk_s", "unclassified"} | {
    *("blocks", "calls", "last_in_call", "forwards", "peak"),
    *("weekday", "hour", "times", "lost", "reached", "offered_mean", "over_s", "to_s", "median_s", "ninetieth_s"),
}


def for_excel(name: str, text: str) -> str:
    """Return a cell as German Excel reads it."""
    if name.endswith("_at") or name in {"start", "end", "silent_since"}:
        return text[:19].replace("T", " ")
    if name in {"destination_number", "caller_id_number", "answered_destination"} and text.startswith("+"):
        return f"{text[:3]} {text[3:]}"
    if name in {"customer_number", "answered_destination"} and text.isdigit():
        return f"'{text}"  # a text that Excel would read as a number
    return text.replace(".", ",") if name in NUMERIC else text


def in_workbook(name: str, text: str) -> str | float:
    """Return a cell as in a workbook: times are days since the end of 1899, in the reports' time zone."""
    if name.endswith("_at") or name in {"start", "end"}:
        there = datetime.fromisoformat(text).replace(tzinfo=None) - datetime(1899, 12, 30)  # noqa: DTZ001 (Excel knows no zones)
        return there / timedelta(days=1)
    return float(text) if name in NUMERIC else text


@pytest.mark.parametrize("who", EVERYBODY)
@pytest.mark.parametrize("what", ["counts", "blocks", "calls", "week", "times", "peaks"])
def test_the_files_for_excel_hold_the_same(month, who, what):
    client, lines = month.clients[who], PEOPLE[who]
    for period, by in ((MONTH, "day"), (THE_LONG_DAY, "quarter-hour"), (OUTSIDE, "week")):
        asked = query(period) if what == "calls" else query(period, by=by)
        truth = {
            "counts": lambda period=period, by=by: counts_rows(lines, period, by),
            "blocks": lambda period=period, by=by: blocks_rows(lines, period, by),
            "calls": lambda period=period: calls_rows(seen_by(who, period)),
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


def test_users_never_see_the_numbers_of_others(month):
    for who, lines in PEOPLE.items():
        for line in LINES:
            status = month.clients[who].get(f"/reports/numbers/{month.numbers[line]}/").status_code
            assert status == (200 if line in lines else 404)


# --- Today, and what arrives -----------------------------------------------------------------------


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

    page = read(month, who, f"/reports/?{query((day, day, opening))}", (day, day, opening))

    today = page.table("t-today")
    assert today.headers[0] == f"Until {Stretch(until, until).clock}"
    shown = ["offered", "answered", "missed", "abandoned", "service_level", "time_to_answer"]
    assert [KEYS[row[today.headers[0]].text] for row in today.rows] == shown
    for key, row in zip(shown, today.rows, strict=True):
        hold_cell(row["Today"], figure(lines, so_far, key), (page.address, key))
        assert row["Usual"].text == usual_of(lines, weeks, key), (page.address, key)
    days = [day - n * DAY for n in range(28, 0, -1)]
    for line in lines if expected.offered(lines, expected.days(day, day, opening)) else ():
        calls = [len(expected.offered([line], expected.days(day, day, opening))) for day in days]
        cell = page.table("t-numbers").named(line.label)["28 days"]
        assert cell.title == f"{min(calls)} to {max(calls)} calls a day, {calls[-1]} on the last day", page.address
        lowest, highest = min(cell.line), max(cell.line)
        heights = [(height - lowest) / (highest - lowest or 1) for height in cell.line]
        assert [min(calls) + round(height * (max(calls) - min(calls))) for height in heights] == calls, page.address


# Weeks whose previous week is known; in the week before the first, the latecomer's forwards began.
AFTER_FORWARDS, AFTER_BLOCKS = (date(2026, 10, 19), date(2026, 10, 25)), (date(2026, 10, 26), LAST)


@pytest.mark.parametrize("who", EVERYBODY)
@pytest.mark.parametrize(
    ("period", "now"),
    [
        (AFTER_FORWARDS, local(LAST, 12)),
        (AFTER_BLOCKS, local(LAST + DAY, 12)),
        ((*AFTER_FORWARDS, "inside"), local(LAST, 12)),
        # Periods with today are compared up to the last full quarter-hour; in the first one there is no comparison.
        ((LAST, LAST), local(LAST, 12, 7)),
        ((LAST, LAST), local(LAST, 0, 7)),
        ((date(2026, 10, 26), LAST), local(LAST, 12, 7)),
        ((date(2026, 10, 26), LAST), local(LAST, 0, 7)),
        ((date(2026, 10, 26), LAST, "outside"), local(LAST, 17, 59)),
        ((date(2026, 10, 23), date(2026, 10, 29)), local(date(2026, 10, 27), 10, 31)),
        ((LONG_DAY, LONG_DAY), local(LONG_DAY, 2, 40, fold=1)),
        ((FIRST, LAST), local(LAST, 12)),
    ],
    ids=str,
)
def test_the_comparison_with_the_previous_period_is_correct(month, monkeypatch, who, period, now):
    monkeypatch.setattr(timezone, "now", lambda: now)
    lines = PEOPLE[who]

    page = html_reader.page(month.clients[who], f"/reports/?{query(period)}")

    keys = ["offered", "answered", "missed", "abandoned", "service_level", "time_to_answer"]
    hold_figures(page, keys, lines, period)
    for line in lines:
        if not expected.offered([line], expected.days(*period)):
            continue
        page = html_reader.page(month.clients[who], f"/reports/numbers/{month.numbers[line]}/?{query(period)}")
        keys = ["answered", "missed", "abandoned", "service_level", "time_to_answer"]
        if not line.expects_forward:
            keys = ["served_in_plan", "short", "in_progress", "end_unknown", "talk"]
        hold_figures(page, ["offered", *keys], [line], period)


def test_a_number_with_recent_first_posts_does_not_stop_the_comparison_of_others(month):
    page = html_reader.page(month.clients["staff"], f"/reports/?{query(AFTER_FORWARDS)}")

    assert page.figures["Answered"][2].startswith("vs. previous period: ")
    assert not page.figures["Answered"][2].startswith("vs. previous period: –")
    # The hotline alone: sales sends no answers, the tape expects none, and the latecomer's began in the week before.
    assert page.said["compared"] == "1 to 4 of 4 numbers are compared (measured in both periods)"


@pytest.mark.parametrize("who", EVERYBODY)
@pytest.mark.parametrize("now", [local(LAST, 23, 59), local(LAST + 3 * DAY, 10), local(LAST + 9 * DAY, 10)], ids=str)
def test_coverage_shows_which_posts_came_and_which_numbers_are_silent(month, monkeypatch, who, now):
    monkeypatch.setattr(timezone, "now", lambda: now)
    silences = {line.label: words for line in PEOPLE[who] if (words := silence_of(line, now))}

    page = html_reader.page(month.clients[who], "/reports/coverage/")
    overview = html_reader.page(month.clients[who], f"/reports/?{query(MONTH)}")

    incomplete = "1 number sends incomplete data." if len(silences) == 1 else f"{len(silences)} numbers send incomplete"
    assert page.lead.startswith(incomplete if silences else "All expected messages from TENIOS arrive.")
    assert page.said["callout"].count("no calls received since") == len(silences)
    for words in silences.values():
        assert words in page.said["callout"]
        assert words in overview.said["notices"]
    for line in PEOPLE[who]:
        table = page.table(f"posts-{month.numbers[line]}")
        for kind in KINDS:
            moments = came(line, kind)
            row = table.named(str(RequestType(kind).label))
            why = "set to off" if line.settings.get(kind.lower()) == "off" else "not yet"
            assert row["Arrives"].text == ("yes" if moments else why)
            assert row["First"].text == (said_of(min(moments)) if moments else "–"), (line, kind)
            assert row["Last"].text == (said_of(max(moments)) if moments else "–"), (line, kind)
            assert row["Setting"].text == str(line.settings.get(kind.lower(), "automatic"))
    asked = (month.clients[who], "/reports/coverage.csv")
    hold_rows(html_reader.csv_rows(*asked), coverage_rows(PEOPLE[who], now))
    wanted = [{name: for_excel(name, text) for name, text in row.items()} for row in coverage_rows(PEOPLE[who], now)]
    hold_rows(html_reader.excel_rows(asked[0], f"{asked[1]}?format=excel"), wanted)
    assert len(html_reader.xlsx_rows(asked[0], "/reports/coverage.xlsx")) == len(wanted)
    unmeasured = [
        ", ".join(str(known.label) for key, known in FIGURES.items() if expected.measured_from(line, key) == NEVER)
        for line in PEOPLE[who]
    ]
    for words in filter(None, unmeasured):
        assert f"not measured: {words}" in page.said["note"]
    assert page.said["note"].count("not measured") == len([*filter(None, unmeasured)])


def coverage_rows(lines: Sequence[Line], now: datetime) -> list[dict[str, str]]:
    """Return the expected rows of coverage.csv."""
    rows = []
    for line, kind in product(sorted(lines, key=lambda line: line.e164), KINDS):
        setting = str(line.settings.get(kind.lower(), "automatic"))
        moments = came(line, kind)
        last = max(at for other in KINDS for at in came(line, other))
        rows.append(
            {
                "destination_number": line.e164,
                "label": line.label,
                "post": kind,
                "arrives": "arrives" if moments else "off" if setting == "off" else "never",
                "first_at": iso(min(moments)) if moments else "",
                "last_at": iso(max(moments)) if moments else "",
                "set_to": setting,
                "silent_since": iso(last) if silence_of(line, now) else "",
            }
        )
    return rows


@cache
def came(line: Line, kind: str) -> list[datetime]:
    """Return when the posts of a kind came, including those of callbacks."""
    calls = [call for call in scenario.CALLS if call.line is line]
    return [
        at for call in calls for step, (at, _body) in zip(call.posted, call.bodies(), strict=True) if step.kind == kind
    ]


def said_of(moment: datetime) -> str:
    there = moment.astimezone(BERLIN)
    return f"{there:%a %-d %b %Y}, {Stretch(moment, moment).clock}"


@cache
def silence_of(line: Line, now: datetime) -> str:
    """Return the warning if a number should have had eight calls since its last post, judged by four weeks."""
    last = max(at for kind in KINDS for at in came(line, kind))
    since = max(last, now - 7 * DAY)
    calls = [call.began for call in scenario.CALLS if call.line is line and not call.is_callback]
    usual = sum(since <= expected.quarter_hour(began) + 7 * n * DAY < now for began in calls for n in range(1, 5)) / 4
    if usual < 8:
        return ""
    return f"{line.label}: no calls received since {said_of(last)}; about {round(usual)} were expected."


# --- Forwards --------------------------------------------------------------------------------------


@dataclass
class Tried:
    """The figures of one destination."""

    attempts: int = 0
    tried: int = 0
    answers: int = 0
    rated: int = 0  # answers of calls whose attempts are measured too
    rated_attempts: int = 0
    rings: list[Fraction] = field(default_factory=list)


def tried_by_destination(lines: Sequence[Line], stretch: Stretch) -> dict[str, Tried]:
    """Count attempts and answers from the steps of each call, as far as measured."""
    by_destination: dict[str, Tried] = {}
    for call in expected.offered(lines, stretch):
        is_tried, is_answered = (call.began >= expected.arrives_from(call.line, kind) for kind in (FORWARD, ANSWER))
        attempts = [step for step in call.posted if step.kind == FORWARD]
        answer = min((step for step in call.posted if step.kind == ANSWER), key=lambda step: step.after_s, default=None)
        for destination in {step.detail for step in attempts} if is_tried else ():
            times = sum(step.detail == destination for step in attempts)
            figures = by_destination.setdefault(destination, Tried())
            figures.attempts, figures.tried = figures.attempts + times, figures.tried + 1
            figures.rated_attempts += times * is_answered
        if answer and is_answered:
            figures = by_destination.setdefault(answer.detail, Tried())
            figures.answers += 1
            figures.rated += is_tried
            before = [s.after_s for s in attempts if s.detail == answer.detail and s.after_s <= answer.after_s]
            if before and is_tried:
                figures.rings.append(Fraction(answer.after_s - max(before)))
    return by_destination


@pytest.mark.parametrize("lines", [(HOTLINE, SALES), LINES], ids=["covered", "all"])
@pytest.mark.parametrize("period", [MONTH, WEEK, INSIDE, OUTSIDE, FORWARDS_DAY])
def test_the_page_of_forwards_is_correct(month, settings, period, lines):
    settings.FORWARDS_LEAST_DESTINATIONS = 1
    wanted = tried_by_destination(lines, expected.days(*period))
    asked = query(period) + "".join(f"&{urlencode({'number': line.e164})}" for line in lines)

    page = read(month, "staff", f"/reports/forwards/?{asked}", period)

    table = page.table("t-destinations")
    assert len(table.rows) == len(wanted)
    shown = {re.sub(r"\W", "", row["Destination"].text): row for row in table.rows}
    for destination, one in wanted.items():
        (row,) = [row for name, row in shown.items() if re.sub(r"\W", "", destination) in name]
        rate = f"{round(one.rated / one.rated_attempts * 100)} %" if one.rated_attempts else "–"
        ring = expected.clock(float(sum(one.rings) / len(one.rings))) if one.rings else "–"
        cells = [cell.text.rstrip("*") for cell in list(row.values())[1:]]
        assert cells == [str(one.attempts), str(one.tried), str(one.answers), rate, ring], (page.address, destination)
        for name, calls in (("Calls", one.tried), ("Answered", one.answers)):
            assert [link.calls for link in row[name].links] == [calls] * bool(calls), (page.address, destination)
    for name, total in (("By type", "t-types"), ("By ringing order", "t-courses")):
        sums = page.table(total).total
        assert sums["Attempts"].text.rstrip("*") == str(sum(one.attempts for one in wanted.values())), name
        assert sums["Answered"].text.rstrip("*") == str(sum(one.answers for one in wanted.values())), name

    rows = html_reader.csv_rows(month.clients["staff"], f"/reports/forwards.csv?{asked}&by=day")
    for column, kind in (("attempts", "attempts"), ("answers", "answers")):
        assert sum(int(row[column] or 0) for row in rows) == sum(getattr(one, kind) for one in wanted.values())
