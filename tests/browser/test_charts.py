"""Charts draw what the tables below them say, name it, and lead to its calls."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from reports import periods
from reports.counting import rollups
from tests.chromium import COMPLETE
from tests.factories import PASSWORD, make_number, make_staff, take
from tests.reports.helpers import ALL_ON, OTHER, call

pytestmark = pytest.mark.django_db(transaction=True)

# What a chart draws: the data of each of its series by name.
DRAWN = """name => Object.fromEntries(
    Chart.getChart(document.querySelector(`canvas[data-chart=${name}]`))
        .data.datasets.map((one) => [one.label, one.data])
)"""
# The middle of a part of the last column that has calls, inside the canvas.
PART = """([series, column]) => {
    const chart = Chart.getChart(document.querySelector("canvas[data-chart=stacked]"));
    const place = chart.data.datasets.findIndex((one) => one.label === series);
    const bar = chart.getDatasetMeta(place).data[column];
    return {x: bar.x, y: (bar.y + bar.base) / 2};
}"""
# What the tooltip says, line by line.
TIP = """() => {
    const tip = Chart.getChart(document.querySelector("canvas[data-chart=stacked]")).tooltip;
    return tip.opacity ? [...tip.title, ...tip.body.flatMap((one) => one.lines), ...tip.footer] : [];
}"""


def take_call(number, name, at, wait_s=None):
    """Receive a call that is answered after a wait, or not answered if it is None."""
    steps = [(0, "CALL_START"), (1, "INITIATE_FORWARD"), (500, "CALL_END")]
    steps += [(wait_s, "FORWARD_ANSWER")] * (wait_s is not None)
    for second, kind in sorted(steps):
        take(number, kind, at + timedelta(seconds=second), call_uuid=name, correlation_id=name)


def test_the_curve_of_waiting_times_has_a_step_for_each_second(live_server, sign_in):
    number, at = make_number(service_level_s=20, service_level_aim=80), timezone.now() - timedelta(days=2)
    for n, wait_s in enumerate((4, 5, 5, 19, 90, None)):
        take_call(number, f"call {n}", at, wait_s)
    rollups.recount_changed(wait=True)
    make_staff("admin")
    page = sign_in("admin", PASSWORD)
    page.goto(f"{live_server.url}/reports/numbers/{number.pk}/waiting/")
    page.wait_for_selector("html[data-ready]")

    (points,) = page.evaluate(DRAWN, "curve").values()

    assert [(point["x"], point["y"]) for point in points] == [
        (0, 0),
        (4, 16.67),
        (5, 50),
        (19, 66.67),
        (90, 83.33),
        (100, 83.33),
    ]


@pytest.fixture
def calls(live_server):
    """Calls of two days ago: three answered, three not answered, one hung up before ringing, one short."""
    number, at = make_number(), timezone.now() - timedelta(days=2)
    for n in range(3):
        take_call(number, f"answered {n}", at, 5)
        take_call(number, f"missed {n}", at)
    for name, seconds in (("hung up", 60), ("short", 2)):
        for second, kind in ((0, "CALL_START"), (seconds, "CALL_END")):
            take(number, kind, at + timedelta(seconds=second), call_uuid=name, correlation_id=name)
    rollups.recount_changed(wait=True)
    make_staff("admin")
    return f"/reports/?from={at.astimezone(periods.zone()):%Y-%m-%d}&to={periods.today():%Y-%m-%d}"


def opened(sign_in, live_server, address, **window):
    page = sign_in("admin", PASSWORD, **window)
    page.goto(f"{live_server.url}{address}")
    page.wait_for_function(COMPLETE)
    page.locator("canvas[data-chart=stacked]").scroll_into_view_if_needed()
    return page


def test_the_chart_of_calls_adds_up_the_columns_of_its_table(live_server, sign_in, calls):
    page = opened(sign_in, live_server, calls)

    drawn = page.evaluate(DRAWN, "stacked")

    assert {name: data[0] for name, data in drawn.items()} == {"Answered": 3, "Lost": 4, "Other": 1}
    assert page.locator(".chart-legend li").all_inner_texts() == list(drawn)


def test_the_chart_does_not_draw_as_lost_what_is_not_counted_as_lost(live_server, sign_in):
    # Of the second number it is not known who answered, only who hung up before ringing.
    number, other = make_number(**ALL_ON), make_number(OTHER, **ALL_ON | {"forward_answer": "off"})
    at = timezone.now() - timedelta(days=2)
    for n in range(2):
        call(number, f"missed {n}", at, S=0, F=1, E=60)
    for n in range(5):
        call(other, f"hung up {n}", at, S=0, E=60)
    rollups.recount_changed(wait=True)
    make_staff("admin")

    page = opened(sign_in, live_server, f"/reports/?from={at.astimezone(periods.zone()):%Y-%m-%d}")

    drawn = page.evaluate(DRAWN, "stacked")
    assert {name: data[0] for name, data in drawn.items()} == {"Not answered": 2, "Hung up before ringing": 5}
    assert page.locator(".chart-legend li").all_inner_texts() == list(drawn)
    page.locator("canvas[data-chart=stacked]").click(position=page.evaluate(PART, ["Hung up before ringing", 0]))
    page.wait_for_url("**/reports/calls/**outcome=abandoned**")
    expect(page.locator("#t-list tbody tr")).to_have_count(5)


def test_a_column_is_explained_and_a_click_on_a_part_leads_to_its_calls(live_server, sign_in, calls):
    page = opened(sign_in, live_server, calls)
    canvas, part = page.locator("canvas[data-chart=stacked]"), page.evaluate(PART, ["Lost", 0])

    canvas.hover(position=part)
    page.wait_for_function(f"({TIP})().length")

    title, *lines = page.evaluate(TIP)
    assert title == page.locator("#t-calls tbody th").first.text_content()
    assert lines == [
        *("Other: 1", "   Short call: 1", "   Ongoing: 0", "   Outcome unknown: 0"),
        *("Lost: 4", "   Not answered: 3", "   Hung up before ringing: 1"),
        *("Answered: 3", "Calls: 8"),
    ]

    canvas.click(position=part)
    page.wait_for_url("**/reports/calls/**")
    expect(page.locator("#t-list tbody tr")).to_have_count(4)
    page.go_back()
    page.wait_for_function(COMPLETE)
    canvas.click(position=page.evaluate(PART, ["Other", 0]))
    page.wait_for_url("**/reports/calls/**outcome=short**")
    expect(page.locator("#t-list tbody tr")).to_have_count(1)


def test_the_table_is_closed_and_stays_open_through_a_refresh(sign_in, live_server, calls, open_window):
    page = open_window()
    page.clock.install()
    sign_in("admin", PASSWORD, page)
    page.goto(f"{live_server.url}{calls}")
    page.wait_for_function(COMPLETE)
    table = page.locator("#t-calls")
    expect(table).not_to_be_visible()

    page.get_by_text("Show as table").click()
    expect(table).to_be_visible()
    with page.expect_response("**/reports/**"):
        page.clock.run_for(11_000)
    page.wait_for_load_state("networkidle")
    expect(table).to_be_visible()
