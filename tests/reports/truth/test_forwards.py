"""The page of forwards shows attempts and answers of the scripted month."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from urllib.parse import urlencode

import pytest

from tests.reports import expected, html_reader
from tests.reports.assertions import query, read
from tests.reports.expected import Stretch
from tests.reports.scenario import ANSWER, FORWARD, HOTLINE, LINES, SALES, Line
from tests.reports.truth.periods import FORWARDS_DAY, INSIDE, MONTH, OUTSIDE, WEEK

pytestmark = pytest.mark.django_db


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
