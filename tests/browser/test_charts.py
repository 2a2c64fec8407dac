"""Charts draw what the tables below them say."""

from datetime import timedelta

import pytest
from django.utils import timezone

from reports.counting import rollups
from tests.factories import PASSWORD, make_number, make_staff, take

pytestmark = pytest.mark.django_db(transaction=True)

DRAWN = """name => {
    const {data, options} = Chart.getChart(document.querySelector(`canvas[data-chart=${name}]`));
    return {labels: data.labels, sets: data.datasets.map((set) => set.data)};
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

    (points,) = page.evaluate(DRAWN, "curve")["sets"]

    assert [(point["x"], point["y"]) for point in points] == [
        (0, 0),
        (4, 16.67),
        (5, 50),
        (19, 66.67),
        (90, 83.33),
        (100, 83.33),
    ]
