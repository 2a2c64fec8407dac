"""The curve of waiting times: shares by brute force, the service level at the limit, what is drawn beside it."""

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest

from reports.queries import durations
from reports.queries.durations import Times
from reports.queries.wait_curve import WaitCurve
from tests.factories import make_number, make_staff, take
from tests.reports import html_reader
from tests.reports.helpers import roll_up

pytestmark = pytest.mark.django_db(transaction=True)

DAY = date(2026, 3, 3)
TEN = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)


def curve_of(seconds, lost=0, limit_s=20, target=None):
    return WaitCurve(Times(Counter(seconds)), lost, limit_s, target)


@pytest.mark.parametrize("seed", range(20))
def test_shares_are_those_of_counting_each_call(seed):
    chance = random.Random(seed)
    waits = [chance.randrange(0, 400) for _call in range(chance.randrange(1, 200))]
    lost = chance.randrange(0, 50)
    curve = curve_of(waits, lost)

    def share(upto):
        return sum(wait <= upto for wait in waits) / (len(waits) + lost)

    assert durations.cumulative(curve.times, curve.whole) == [(wait, share(wait)) for wait in sorted(set(waits))]
    classes = durations.classes({"time_to_answer": curve.times}, ["time_to_answer"])
    assert [curve.of(one).share for one in classes] == [share(one.to or 400) for one in classes]
    drawn = [point.split(":") for one in classes for point in curve.of(one).points.split()]
    assert [int(second) for second, _percent in drawn] == sorted(set(waits))
    assert [float(percent) for _second, percent in drawn] == [
        pytest.approx(share(wait) * 100, rel=1e-3) for wait in sorted(set(waits))
    ]
    assert curve.share == share(400)


@pytest.mark.parametrize(
    ("seconds", "limit_s", "end", "step", "beyond"),
    [
        ([5], 20, 40, 5, 0),
        ([5] * 19 + [900], 20, 40, 5, 1),
        ([5, 101], 20, 120, 20, 0),
        ([100] * 10, 20, 100, 20, 0),
        ([0], 1, 2, 1, 0),
        ([4000] * 3, 20, 4200, 600, 0),
    ],
)
def test_the_axis_has_twice_the_limit_and_nearly_all_calls(seconds, limit_s, end, step, beyond):
    curve = curve_of(seconds, limit_s=limit_s)
    assert (curve.end, curve.step, curve.beyond) == (end, step, beyond)


def test_the_target_is_drawn_only_beside_a_curve_that_includes_lost_calls():
    assert curve_of([5], target=80).marks["target"] == {"y": 80, "name": "Target 80 %"}
    assert curve_of([5]).marks["target"] is None
    assert curve_of([5], lost=None, target=80).marks["target"] is None


def test_half_and_9_in_10_are_points_of_the_curve():
    curve = curve_of([3, 6, 9, 12], lost=4)
    assert curve.marks["dots"] == [
        {"x": 6, "y": 25.0, "name": "Half of the answered within 6 s"},
        {"x": 12, "y": 50.0, "name": "9 in 10 of them within 12 s"},
    ]
    assert curve.marks["limit"] == {"x": 20, "name": "Limit 20 s"}


# --- On the page -------------------------------------------------------------------------------


def call(number, name, wait_s=None, *, at=TEN, ends=True):
    """Receive a call that is answered after a wait, or not answered if it is None."""
    steps = [(0, "CALL_START"), (1, "INITIATE_FORWARD")]
    steps += [(wait_s, "FORWARD_ANSWER")] * (wait_s is not None) + [(500, "CALL_END")] * ends
    for second, kind in steps:
        take(number, kind, at + timedelta(seconds=second), call_uuid=name, correlation_id=name)


def page_of(client, number):
    client.force_login(make_staff())
    roll_up()
    return html_reader.page(client, f"/reports/numbers/{number.pk}/waiting/?from={DAY}&to={DAY}")


def test_at_the_limit_the_curve_is_the_service_level(client):
    number = make_number(label="Hotline", service_level_s=20, service_level_aim=80)
    for n, wait_s in enumerate((4, 5, 20, 21, 301, None, None)):
        call(number, f"call {n}", wait_s)

    page = page_of(client, number)

    shares = {row["Duration"].text: row["Cumulative"].text for row in page.table("t-classes").rows}
    assert page.formula == "43 % = answered within 20 s 3 ÷ answered or lost 7"
    assert [shares[name] for name in ("up to 5 s", "10 to 20 s", "20 to 30 s", "over 300 s")] == [
        "29 %",
        "43 %",
        "57 %",
        "71 %",
    ]
    assert page.table("t-classes").total["Cumulative"].text == "71 %"


def test_where_lost_calls_are_not_measured_the_curve_is_of_answered_calls(client):
    number = make_number(label="Hotline", call_end="off", service_level_aim=80)
    for n, wait_s in enumerate((4, 21)):
        call(number, f"call {n}", wait_s)

    page = page_of(client, number)

    assert page.table("t-classes").total["Cumulative"].text == "100 %"
    html = client.get(page.address).content.decode()
    assert "share of answered calls that were answered within so many seconds" in html
    assert '"target": null' in html


def test_where_lost_calls_are_measured_later_than_waits_the_curve_is_of_answered_calls(client):
    number = make_number(label="Hotline", service_level_aim=80)
    call(number, "before", 50, ends=False)
    for n, wait_s in enumerate((4, None, None)):
        call(number, f"since {n}", wait_s, at=TEN + timedelta(hours=2))

    page = page_of(client, number)

    assert page.formula.startswith("33 % =")
    assert page.table("t-classes").total["Waiting time"].text == "2"
    assert page.table("t-classes").total["Cumulative"].text == "100 %"
