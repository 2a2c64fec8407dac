"""Beside a table one line says which figures do not cover all calls; a row says once that it is not measured."""

import re
from datetime import timedelta

import pytest

from reports.counting import rollups
from tests.factories import make_number, make_staff, make_user
from tests.reports.helpers import ALL_ON, DAY, NOON, OTHER, call

pytestmark = pytest.mark.django_db(transaction=True)

MORNING = NOON - timedelta(hours=3)  # 09:00 in Berlin
ADDRESS = f"/reports/?from={DAY}&to={DAY}"
STEPS = "/reports/trend/"
WITHOUT_FORWARDS = ALL_ON | {"initiate_forward": "off", "forward_answer": "off"}


def words(html):
    """Return the text of HTML."""
    return " ".join(re.sub(r"<[^>]+>", "", html).split())


def line(html):
    """Return the line on gaps of the table of numbers: its sentence and what is behind it."""
    summary, _end, rest = html.partition('id="gaps-numbers"')[2].partition(">")[2].partition("</summary>")
    return words(summary), [words(item) for item in rest.partition("</ul>")[0].split("</li>")[:-1]]


def row_of(html, number):
    """Return the row of a number in the table of numbers."""
    rows = html.partition('id="t-numbers"')[2].partition("<tbody>")[2].partition("</tbody>")[0].split("</tr>")
    (row,) = [row for row in rows if f"/reports/numbers/{number.pk}/" in row]
    return row


@pytest.fixture
def staff(client):
    client.force_login(make_staff())
    return client


def test_the_line_says_how_many_numbers_are_covered_and_of_which_what_is_missing(staff):
    whole = make_number(label="Whole", **ALL_ON)
    late = make_number(OTHER, label="Late")
    lacking = make_number("+4922155400302", label="Lacking", **ALL_ON | {"forward_answer": "off"})
    make_number("+4922155400303", label="Without calls", **ALL_ON | {"forward_answer": "off"})
    call(whole, "whole", MORNING, S=0, F=2, A=12, E=112)
    call(late, "before", MORNING, S=0, E=30)
    call(late, "after", NOON, S=0, F=2, A=12, E=112)
    call(lacking, "lacking", NOON, S=0, F=2, E=112)
    rollups.recount_changed()

    sentence, behind = line(staff.get(ADDRESS).content.decode())

    assert sentence == (
        "Answered, Lost, Service level, Waiting time and Talk time cover 2 of 4 numbers in full. Which?"
    )
    assert behind == [
        "Lacking: not measured, missing: Forwarding answered",
        "Late: measured since Tue 15 Sep 2026, 12:00",
    ]


def test_figures_that_are_covered_differently_have_a_sentence_each(staff):
    number, other = make_number(label="First", **ALL_ON), make_number(OTHER, label="Second", **ALL_ON)
    announcements = make_number("+4922155400302", label="Third", expects_forward=False, call_end="off")
    for n, one in enumerate((number, other, announcements)):
        call(one, f"c{n}", NOON, S=0, E=30)
    rollups.recount_changed()

    sentence, behind = line(staff.get(ADDRESS).content.decode())

    assert sentence == "Short call, Handled automatically and Ongoing cover 2 of 3 numbers in full. Which?"
    assert behind == ["Third: not measured, missing: Call ended"]


def test_nothing_is_said_where_all_calls_are_covered(staff):
    number = make_number()
    call(number, "the first ever", NOON, S=0, F=2, A=12, E=112)
    rollups.recount_changed()

    html = staff.get(ADDRESS).content.decode()

    assert "gaps-numbers" not in html
    assert 'class="gaps"' not in html


def test_time_steps_of_a_single_number_say_since_when_it_is_measured(staff):
    number = make_number(label="Hotline")
    call(number, "before", MORNING, S=0, E=30)
    call(number, "after", NOON, S=0, F=2, A=12, E=112)
    rollups.recount_changed()

    html = staff.get(f"{STEPS}?from={DAY}&to={DAY}").content.decode()

    said = words(html.partition('class="gaps">')[2].partition("</div>")[0])
    assert said.startswith("Hotline: Answered, Not answered")
    assert said.endswith("Talk time measured since Tue 15 Sep 2026, 12:00.")
    steps = html.partition('id="t-steps"')[2].partition("</tbody>")[0].partition("<tbody>")[2]
    assert "not measured</i>" in steps
    assert "<button" not in steps  # not one more stop of the keyboard in each row


def test_a_number_without_forwards_says_once_which_boxes_are_missing(staff, client):
    make_number(**ALL_ON)
    number = make_number(OTHER, **WITHOUT_FORWARDS)
    call(number, "one", NOON, S=0, E=30)
    rollups.recount_changed()

    row = row_of(staff.get(ADDRESS).content.decode(), number)

    cell = row.partition('colspan="4"')[2].partition("</td>")[0].partition(">")[2]
    assert words(cell) == (
        "not measured The messages of the boxes “when a forward is answered” and “when a forward starts” are missing. "
        "Settings of this number"
    )
    assert f"#n-{number.pk}" in cell
    assert f"/admin/calls/destinationnumber/{number.pk}/change/" in cell
    assert "<button" not in row
    assert row.count("not measured") == 2  # and that of the talk time, a column that is not shown at first
    client.force_login(make_user("manager", numbers=[number]))
    assert "Settings" not in row_of(client.get(ADDRESS).content.decode(), number)


def test_a_row_of_which_some_figures_are_not_measured_explains_the_first(staff):
    make_number(**ALL_ON)
    number = make_number(OTHER, **ALL_ON | {"call_end": "off"})
    call(number, "one", NOON, S=0, F=2, A=12)
    rollups.recount_changed()

    row = row_of(staff.get(ADDRESS).content.decode(), number)

    assert row.count('<button type="button" class="term not-measured"') == 1
    reason = "The box “at the end of the plan” is set to off for +49 221 55400301."
    plain = f'<i class="not-measured" title="{reason}">not measured</i>'
    assert row.count(plain) == 5  # service level, short, handled automatically, ongoing, talk time


def test_a_service_level_below_its_target_says_the_target(staff):
    number = make_number(service_level_aim=80, service_level_s=20, **ALL_ON)
    reached = make_number(OTHER, service_level_aim=50, **ALL_ON)
    without = make_number("+4922155400302", service_level_aim=None, **ALL_ON)
    for one in (number, reached, without):
        call(one, f"quick {one.pk}", NOON, S=0, F=2, A=12, E=112)
        call(one, f"slow {one.pk}", NOON, S=0, F=2, A=40, E=112)
    rollups.recount_changed()

    html = staff.get(ADDRESS).content.decode()

    assert 'missed-target">in 20 s, target 80 %<' in row_of(html, number)
    for one in (reached, without):
        assert "missed-target" not in row_of(html, one)
        assert "target" not in row_of(html, one)
