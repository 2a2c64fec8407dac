"""Overview and the page of a number compare a period with the previous one."""

from __future__ import annotations

from datetime import date

import pytest
from django.utils import timezone

from tests.reports import expected, html_reader
from tests.reports.assertions import hold_figures, query
from tests.reports.scenario import DAY, FIRST, LAST, LONG_DAY, PEOPLE, local
from tests.reports.truth.periods import EVERYBODY

pytestmark = pytest.mark.django_db

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

    keys = ["reached", "lost", "service_level", "time_to_answer", "offered", "answered"]
    hold_figures(page, keys, lines, period)
    for line in lines:
        if not expected.offered([line], expected.days(*period)):
            continue
        page = html_reader.page(month.clients[who], f"/reports/numbers/{month.numbers[line]}/?{query(period)}")
        without = ["offered", "served_in_plan", "short", "in_progress", "end_unknown", "talk"]
        hold_figures(page, keys if line.expects_forward else without, [line], period)


def test_a_number_with_recent_first_posts_does_not_stop_the_comparison_of_others(month):
    page = html_reader.page(month.clients["staff"], f"/reports/?{query(AFTER_FORWARDS)}")

    assert "vs. previous period: " in page.figures["Answered"].compared
    assert "vs. previous period: –" not in page.figures["Answered"].compared
    # The hotline alone: sales sends no answers, the tape expects none, and the latecomer's began in the week before.
    assert page.said["compared"] == "1 to 4 of 4 numbers are compared (measured in both periods)"
