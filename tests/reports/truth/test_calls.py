"""The list of calls and the page of a call show the scripted calls."""

from __future__ import annotations

import re
from datetime import date, datetime

import pytest

from tests.reports import expected, html_reader, scenario
from tests.reports.assertions import BLOCK_LABELS, addressed, list_of, query, seen_by
from tests.reports.expected import LABELS, OUTCOMES
from tests.reports.html_reader import Link
from tests.reports.scenario import ANSWER, BERLIN, FIRST, FORWARD, HOTLINE, Scripted
from tests.reports.truth.periods import EVERYBODY, MONTH

pytestmark = pytest.mark.django_db


def seconds(value: object) -> str:
    return "–" if value is None else expected.clock(float(value))  # type: ignore[arg-type]


def waited(call: Scripted) -> str:
    """Return how long the caller waited, as the list says it."""
    is_known = expected.shown_outcome(call) in {*OUTCOMES[:1], *OUTCOMES[2:5], ""}
    value = expected.waited_s(call)
    return "not measured" if is_known and value is None else seconds(value)


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
        assert row["Caller"].text == ("number withheld" if call.caller in scenario.WITHHELD else "+49 170 12345•••"), (
            call
        )
        assert row["Outcome"].text == LABELS.get(expected.shown_outcome(call), "not measured"), call
        assert row["Waited"].text == waited(call), call
        assert row["Talked"].text == seconds(call.talk_s if told else None), call
        assert row["Last block"].text == BLOCK_LABELS.get(call.last_block, call.last_block or "–"), call
        assert row["Attempts"].text == str(sum(step.kind == FORWARD for step in call.posted)), call


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

        first = {"abandoned": "Hung up"} | {key: label for key, label in LABELS.items() if key != "abandoned"}
        assert page.lead.startswith(first.get(shown, "The outcome is not measured")), call
        if shown == "answered":
            assert f"by{call.answered_by}" in page.lead.replace(" ", ""), call
            assert f"{call.answered_by}answered" in page.happened.replace(" ", ""), call
        tried = [step.detail for step in call.posted if step.kind == FORWARD]
        # Those that ring at once were posted at once: in which order is not known.
        forwards = re.findall(r"Forwarding (\d+) to (.+?) (?:Phone number|SIP)", page.happened)
        assert [int(n) for n, _destination in forwards] == list(range(1, len(tried) + 1)), call
        assert sorted(destination.replace(" ", "") for _n, destination in forwards) == sorted(tried), call
        assert page.figures["Started"][0] == f"{call.at:%H:%M:%S}"
        of_answered = {"Ringing time": call.ring_s, "Talk time": call.talk_s} if told else {}
        for name, value in of_answered.items():
            assert page.figures.get(name, ("–",))[0] == seconds(value), (call, name)
        if "Ringing time" in page.figures:
            assert page.figures["Ringing time"][2] == f"{len(tried)} attempt{'s' * (len(tried) != 1)}", call
        wait = page.figures.get("Waiting time" if shown == "answered" else "Waited", ("–",))[0]
        assert wait == (waited(call) if shown else "–"), call
        assert ("Waited" in page.figures) == (shown in {"missed", "abandoned", "short"}), call
