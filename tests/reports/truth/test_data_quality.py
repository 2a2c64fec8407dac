"""Data quality shows which posts came and which numbers are silent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from itertools import product

import pytest
from django.utils import timezone

from calls.models import RequestType
from reports.figures.definitions import FIGURES
from tests.reports import expected, html_reader, scenario
from tests.reports.assertions import query
from tests.reports.expected import Stretch
from tests.reports.scenario import BERLIN, DAY, KINDS, LAST, NEVER, PEOPLE, Line, local
from tests.reports.truth.file_rows import for_excel, hold_rows, iso
from tests.reports.truth.periods import EVERYBODY, MONTH

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("who", EVERYBODY)
@pytest.mark.parametrize("now", [local(LAST, 23, 59), local(LAST + 3 * DAY, 10), local(LAST + 9 * DAY, 10)], ids=str)
def test_coverage_shows_which_posts_came_and_which_numbers_are_silent(month, monkeypatch, who, now):
    monkeypatch.setattr(timezone, "now", lambda: now)
    silences = {line.label: words for line in PEOPLE[who] if (words := silence_of(line, now))}

    page = html_reader.page(month.clients[who], "/reports/data-quality/")
    overview = html_reader.page(month.clients[who], f"/reports/?{query(MONTH)}")

    incomplete = "1 number sends incomplete data." if len(silences) == 1 else f"{len(silences)} numbers send incomplete"
    assert page.lead.startswith(incomplete if silences else "All expected messages from TENIOS arrive.")
    assert page.said["callout"].count("no calls received since") == len(silences)
    for words in silences.values():
        assert words in page.said["callout"]
    # The overview names the three with most expected calls.
    assert sum(words in overview.said["notices"] for words in silences.values()) == min(3, len(silences))
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
