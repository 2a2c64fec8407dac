"""Compares what pages show with the scripted month: cells, rows and tables, and the rules of every page of counts.

Tests read a page with `read`, which checks that totals are the sums of their rows, and that each count links to exactly
its calls. A new figure gets its heading in KEYS and, if it links to calls, its outcomes in OUTCOME_OF_FIGURE."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from urllib.parse import parse_qsl, urlencode, urlsplit

from django.test import Client

from reports.queries import forwards
from tests.conftest import and_in_full
from tests.reports import expected, html_reader, scenario
from tests.reports.expected import LABELS, LOST, OUTCOMES, Figure, Stretch, figure
from tests.reports.expected_comparisons import (
    Period,
    compared,
    compared_days,
    judgement,
    previous_pair,
    usual,
    usual_pair,
)
from tests.reports.html_reader import Cell, Link, Page, Table
from tests.reports.scenario import ANSWER, DAY, END, FORWARD, PEOPLE, Line, Scripted

KEYS = {label: outcome for outcome, label in LABELS.items()} | {
    "Calls": "offered",
    "Lost": "lost",
    "Reached": "reached",
    "Service level": "service_level",
    "Waiting time": "time_to_answer",
    "Ringing time": "ring",
    "Talk time": "talk",
}
TIMES = {"time_to_answer": "wait_s", "ring": "ring_s", "talk": "talk_s"}
BLOCK_KEYS = {
    "Blocks": "blocks",
    "Calls": "block_calls",
    "Last block": "last_in_call",
    "Lost here": "block_lost",
}
BLOCK_LABELS = {
    "ANNOUNCEMENT": "Announcement",
    "SAY": "Spoken text",
    "ROUTINGPLAN": "Sub-plan",
    "COLLECT_DIGITS": "Key input",
    "BRIDGE": "Forwarding",
}
FORWARDED = {"tried", "tried_first", "answered_by"}
OUTCOME_OF_FIGURE = {
    **dict.fromkeys(("tried", "forward_answers", "handovers")),
    "offered": None,
    "unclassified": None,
    "took": {"answered"},
    "in_time": {"answered"},
    "level_of": {"answered", *LOST},
    "without_start": {"answered"},
    "lost": set(LOST),
    "block_lost": set(LOST),
    "block_calls": None,
    "last_in_call": None,
    "at_once": None,
    **{outcome: {outcome} for outcome in OUTCOMES},
}


@dataclass
class Month:
    """The scripted month in the database, and the clients of the users who read it."""

    clients: dict[str, Client]
    numbers: dict[Line, int]
    calls: dict[str, int]
    followed: Counter[tuple[str, ...]] = field(default_factory=Counter)


def query(period: Period, **more: str) -> str:
    opening = {"opening": period[2]} if len(period) > 2 else {}
    return urlencode({"from": period[0], "to": period[1], **opening, **more})


@cache
def seen_by(who: str, period: Period | None = None) -> list[Scripted]:
    """Return the calls that a user may see, oldest first."""
    stretch = expected.days(*period) if period else None
    calls = [
        call
        for call in scenario.CALLS
        if call.line in PEOPLE[who]
        and (stretch is None or (call.began in stretch and expected.is_asked(call.line, call.began, stretch.opening)))
    ]
    return sorted(calls, key=lambda call: call.began)


# --- Rules of every page -------------------------------------------------------------------------


def read(month: Month, who: str, address: str, period: Period) -> Page:
    """Read a page of counts and check the rules of every such page."""
    page = html_reader.page(month.clients[who], address)
    if expected.offered(PEOPLE[who], expected.days(*period)):
        assert page.links, f"{address} has counts, and none leads to its calls"
    for link in page.links:
        assert len(addressed(who, link)) == link.calls, link
        follow(month, who, link)
    for table in page.tables:
        if (
            "data-table" in table.classes
            and table.name not in {"t-changes", "t-previous", "t-times", "t-peaks"}  # figures down, or peaks
            and any(cell.links for row in table.body for cell in row)
        ):
            hold_total(table)
    return page


def hold_total(table: Table) -> None:
    """Check that every count of a total is the sum of the counts above it."""
    assert table.foot, f"{table.name} has counts and no total"
    counted = [name for name in table.headers if any(row[name].links for row in table.rows if name in row)]
    for name in counted:
        if (table.name, name) in {("t-blocks", "Calls"), ("t-destinations", "Calls")}:
            assert table.total[name].text == "–"  # one call may pass several types, or try several destinations
            continue
        assert table.total[name].count == sum(row[name].count or 0 for row in table.rows), (table.name, name)


@cache
def addressed(who: str, link: Link) -> list[Scripted]:
    """Return the calls that the query string of a link selects."""
    values: dict[str, list[str]] = {}
    for name, value in parse_qsl(urlsplit(link.href).query):
        values.setdefault(name, []).append(value)
    known = {"from", "to", "start", "end", "weekday", "hour", "number", "outcome", "callbacks", "block", "last_block"}
    known |= {
        "opening",
        "tried",
        "tried_first",
        "answered_by",
        "took",
        "over",
        "upto",
        "level",
        "measured",
        "at_once",
        "weeks",
    }
    assert not set(values) - known, link.href
    parameters = {name: texts[0] for name, texts in values.items()}
    first, last = (date.fromisoformat(parameters[name]) if name in parameters else None for name in ("from", "to"))
    start, end = (datetime.fromisoformat(parameters[name]) if name in parameters else None for name in ("start", "end"))
    gaps = [week * 7 * DAY for week in range(1, int(parameters["weeks"]) + 1)] if "weeks" in parameters else [0 * DAY]

    def is_asked(call: Scripted) -> bool:
        return (
            any((not first or call.day >= first - gap) and (not last or call.day <= last - gap) for gap in gaps)
            and (start is None or call.began >= start)
            and (end is None or call.began < end)
            and ("weekday" not in parameters or str(call.day.isoweekday()) in values["weekday"])
            and ("hour" not in parameters or str(call.hour) in values["hour"])
            and expected.is_asked(call.line, call.began, parameters.get("opening", "all"))
            and ("number" not in parameters or call.line.e164 in values["number"])
            and ("callbacks" not in parameters or not call.is_callback)
            and ("outcome" not in parameters or (not call.is_callback and _has_outcome(call, values["outcome"])))
            and ("block" not in parameters or parameters["block"] in call.blocks)
            and _is_forwarded_as(call, parameters)
            and _took(call, parameters)
            and ("measured" not in parameters or expected.is_measured(call, parameters["measured"]))
            and ("level" not in parameters or _is_in_group(call, parameters["level"]))
            and ("at_once" not in parameters or _is_ongoing(call, parameters["at_once"]))
            and (
                "last_block" not in parameters
                or (call.has(END) and not call.has(ANSWER) and call.last_block == parameters["last_block"])
            )
        )

    return [call for call in seen_by(who) if is_asked(call)]


def _has_outcome(call: Scripted, outcomes: list[str]) -> bool:
    """Return whether a call has one of these outcomes, or `not_measured` if its own is not measured."""
    return (expected.shown_outcome(call) or "not_measured") in outcomes


def _is_ongoing(call: Scripted, quarter_hour: str) -> bool:
    began = datetime.fromisoformat(quarter_hour)
    moments = expected.at_once(call.line, Stretch(began, began + expected.QUARTER_HOUR))
    most = max(moments.values())
    first = min(moment for moment, going in moments.items() if going == most)
    return not call.is_callback and call.began <= first <= expected.goes_on_until(call)


def _took(call: Scripted, parameters: dict[str, str]) -> bool:
    if "took" not in parameters:
        return True
    seconds = getattr(call, TIMES[parameters["took"]])
    return (
        expected.as_posted(call) == "answered"
        and seconds is not None
        and ("over" not in parameters or seconds > int(parameters["over"]))
        and ("upto" not in parameters or seconds <= int(parameters["upto"]))
    )


def _is_in_group(call: Scripted, level: str) -> bool:
    """Return whether a call is in this group of the service level."""
    outcome = "" if call.is_callback else expected.as_posted(call)
    if level == "neither":
        return outcome == "answered" and call.wait_s is None
    if level == "counted":
        return outcome in LOST or (outcome == "answered" and call.wait_s is not None)
    return outcome == "answered" and call.wait_s is not None and call.wait_s <= expected.SERVICE_LEVEL_S


@cache
def destination_of(token: str) -> str:
    """Return the destination that a token in an address stands for."""
    (destination,) = [name for name, kind in scenario.TYPES.items() if forwards.token(f"{kind}:{name}") == token]
    return destination


def _is_forwarded_as(call: Scripted, parameters: dict[str, str]) -> bool:
    """Return whether the destinations in the query string were tried, tried first, or answered first."""
    tried, answered = ([step for step in call.posted if step.kind == kind] for kind in (FORWARD, ANSWER))
    by_name = {name: destination_of(text) for name, text in parameters.items() if name in FORWARDED}
    firsts = {"tried_first": tried, "answered_by": answered}
    if "tried_first" in by_name and tried:
        # If several are tried at the same time, none is the first.
        first = min(step.after_s for step in tried)
        if len({step.detail for step in tried if step.after_s <= first + 1}) > 1:
            return False
    return ("tried" not in by_name or any(step.detail == by_name["tried"] for step in tried)) and all(
        bool(steps) and min(steps, key=lambda step: step.after_s).detail == by_name[name]
        for name, steps in firsts.items()
        if name in by_name
    )


def follow(month: Month, who: str, link: Link) -> None:
    """Open a link and count the calls; only the first of similar links, for each user and set of filters.

    Long lists are left to the tests of the list."""
    names = tuple(sorted(name for name, _value in parse_qsl(urlsplit(link.href).query)))
    alike = (who, link.table, link.figure, *names)
    if link.calls > 50 or month.followed[alike] >= and_in_full([1], 5)[-1]:
        return
    month.followed[alike] += 1
    listed = list_of(month, who, link.href)
    assert {uuid for uuid, _row in listed} == {call.uuid for call in addressed(who, link)}, link
    assert len(listed) == link.calls, link
    wanted = OUTCOME_OF_FIGURE[link.figure]
    if wanted:
        assert {row["Outcome"].text for _uuid, row in listed} <= {LABELS[outcome] for outcome in wanted}, link


def list_of(month: Month, who: str, address: str) -> list[tuple[str, dict[str, Cell]]]:
    """Return the rows of a list of calls, page after page, each with its call_uuid."""
    uuids = {pk: uuid for uuid, pk in month.calls.items()}
    listed: list[tuple[str, dict[str, Cell]]] = []
    while address:
        page = html_reader.page(month.clients[who], address)
        tables = [table for table in page.tables if table.name == "t-list"]
        for table in tables:
            pks = [int(href.split("/")[-2]) for href in page.addresses if _is_call(href)]
            listed += [(uuids[pk], row) for pk, row in zip(pks, table.rows, strict=True)]
        older = [href for href in page.addresses if "before=" in href]
        address = f"/reports/calls/{older[0]}" if older else ""
    return listed


def _is_call(href: str) -> bool:
    return href.startswith("/reports/calls/") and href.split("/")[-2].isdigit()


def hold_cell(cell: Cell, wanted: Figure, where: object) -> None:
    """Check the text of a cell and its link."""
    assert cell.text == wanted.words, (where, wanted)
    if wanted.key not in OUTCOME_OF_FIGURE:
        assert not cell.links, where
    elif wanted.leads_to_calls:
        assert [(link.figure, link.calls) for link in cell.links] == [(wanted.key, wanted.value)], (where, wanted)
    else:
        assert not cell.links, where


def hold_row(row: dict[str, Cell], lines: Sequence[Line], stretch: Stretch, where: object) -> None:
    """Check every cell of a row."""
    known = 0
    for name, cell in list(row.items())[1:]:
        if name == "28 days":
            continue
        known += 1
        if name == "Not measured":
            unclassified = expected.unclassified(lines, stretch)
            assert cell.text == str(unclassified), (where, name)
            led = [(link.figure, link.calls) for link in cell.links]
            assert led == [("unclassified", unclassified)] * bool(unclassified), (where, name)
        elif name == "Ongoing or unknown":
            hold_open_or_unknown(cell, lines, stretch, where)
        else:
            assert name in KEYS, f"add the column {name} to KEYS with its figure"
            hold_cell(cell, figure(lines, stretch, KEYS[name]), (where, name))
    assert known > 3, where


def hold_open_or_unknown(cell: Cell, lines: Sequence[Line], stretch: Stretch, where: object) -> None:
    parts = [
        (figure(lines, stretch, key), word) for key, word in (("in_progress", "ongoing"), ("end_unknown", "unknown"))
    ]
    words = [f"{part.words} {word}" for part, word in parts if part.value]
    assert cell.text == ("".join(words) or "0"), where
    assert [(link.figure, link.calls) for link in cell.links] == [
        (part.key, part.value) for part, _word in parts if part.value
    ], where


def share(part: Figure, lines: Sequence[Line], stretch: Stretch) -> str:
    whole = len(expected.offered(lines, stretch))
    return "" if part.value is None or part.why or not whole else f"{round(float(part.value / whole) * 100)} %"


def hold_figures(page: Page, keys: Sequence[str], lines: Sequence[Line], period: Period) -> None:
    """Check the headline figures, each with its share or kind, the previous period and what is usual."""
    whole, days = expected.days(*period), compared_days(period)
    labels = {key: label for label, key in KEYS.items()}
    assert list(page.figures) == [labels[key] for key in keys]
    counted = set()
    for key in keys:
        tile = page.figures[labels[key]]
        wanted = figure(lines, whole, key)
        assert tile.value == wanted.words, (page.address, wanted)
        mean = "average" if key in expected.TIMES and wanted.value is not None else ""
        part = f"{share(wanted, lines, whole)} of calls" if share(wanted, lines, whole) else ""
        assert tile.small == (part if key in OUTCOMES else mean), (page.address, key)
        # All numbers of the month have the same target.
        has_target = key == "service_level" and any(figure([line], whole, key).value is not None for line in lines)
        assert tile.target == "target: 80 %" * has_target, (page.address, key)
        parts = [figure(lines, whole, part) for part in LOST] if key == "lost" else []
        if any(part.why for part in parts) or sum(part.value or 0 for part in parts) != wanted.value:
            parts = []  # what is measured for other calls than the figure is not shown as a part of it
        assert tile.parts == " ".join(f"{LABELS[part.key]} {part.words}" for part in parts), (page.address, key)
        words, numbers, of = compared(lines, days, key)
        assert tile.compared == usual(lines, period, key) + words, (page.address, key)
        counted |= {(numbers, of)} if of else set()
        pairs = [usual_pair(lines, period, key), previous_pair(lines, days, key)]
        counted |= {(pair.numbers, pair.of) for pair in pairs if pair and pair.of}
        assert tile.judgement == judgement(pairs, key), (page.address, key, pairs)
    said = ""
    if any(numbers < of for numbers, of in counted) and len(lines) > 1:
        fewest, most = min(numbers for numbers, _of in counted), max(numbers for numbers, _of in counted)
        span = str(most) if fewest == most else f"{fewest} to {most}"
        said = f"{span} of {max(of for _n, of in counted)} numbers are compared (measured in both periods)"
    assert page.said["compared"] == said, page.address


def hold_sentence(page: Page, lines: Sequence[Line], period: Period) -> None:
    stretch = expected.days(*period)
    calls = len(expected.offered(lines, stretch))
    reached, lost = figure(lines, stretch, "reached"), figure(lines, stretch, "lost")
    assert page.lead.startswith(f"{calls} call{'s' * (calls != 1)} "), page.lead
    if reached.value is not None:
        lost_words = "1 call was lost." if lost.value == 1 else f"{lost.value} calls were lost."
        said = f"We reached {reached.words.rstrip('*')} of callers who wanted to speak to someone. {lost_words}"
        assert said in page.lead
        led = [link.calls for link in page.links if link.figure == "lost" and not link.table]
        # In the sentence, and in a headline figure.
        assert set(led) == ({lost.value} if lost.value else set()), page.address
    elif reached.why == "not measured":
        assert "How many callers we reached is not measured." in page.lead
    elif reached.why:
        assert "These calls are handled automatically" in page.lead
    else:
        assert "reached" not in page.lead


def hold_chart(page: Page, lines: Sequence[Line], period: Period, grain: str) -> None:
    """Check the table below the chart: a row for each interval, a column for each outcome that applies."""
    table, whole = page.table("t-calls"), expected.days(*period)
    pieces = expected.cut(*period, grain)
    hold_columns(table, lines, whole, ["Calls"], first=False)
    assert len(table.rows) == len(pieces)
    for row, piece in zip(table.rows, pieces, strict=True):
        hold_row(row, lines, piece, (page.address, piece))
    hold_row(table.total, lines, whole, (page.address, "total"))


def hold_columns(table: Table, lines: Sequence[Line], whole: Stretch, more: list[str], *, first: bool) -> None:
    shown = [LABELS[outcome] for outcome in OUTCOMES if figure(lines, whole, outcome).why != "does not apply"]
    shown += ["Not measured"] * bool(expected.unclassified(lines, whole))
    assert table.headers[1:] == (more[:1] + shown + more[1:] if first else shown + more)


def hold_blocks(page: Page, lines: Sequence[Line], period: Period) -> None:
    """Check the table of blocks: every type that ended, most frequent first."""
    whole = expected.days(*period)
    names = {block for call in expected.offered(lines, whole) for block in call.blocks}
    if figure(lines, whole, "blocks").why:
        assert not [table for table in page.tables if table.name == "t-blocks"]
        return
    table = page.table("t-blocks")
    if not names:
        assert [cell.text for row in table.body for cell in row] == ["No block ended in this period."]
        return
    often = sorted(names, key=lambda block: (-int(figure(lines, whole, "blocks", block).value or 0), block))
    assert [row["Block type"].text for row in table.rows] == [BLOCK_LABELS.get(block, block) for block in often]
    for block, row in zip(often, table.rows, strict=True):
        for name, key in BLOCK_KEYS.items():
            wanted = figure(lines, whole, key, block)
            hold_cell(row[name], wanted, (page.address, block, name))
    for name, key in BLOCK_KEYS.items():
        if key != "block_calls":
            assert table.total[name].text == figure(lines, whole, key).words, (page.address, name)
