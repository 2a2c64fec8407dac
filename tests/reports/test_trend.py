"""The time steps of a period, the chart that reads them, and their download."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from calls.models import DestinationNumber
from reports.counting import rollups
from tests.factories import make_number, make_staff, take
from tests.reports.html_reader import Page

pytestmark = pytest.mark.django_db(transaction=True)

BERLIN = ZoneInfo("Europe/Berlin")


def call(number: DestinationNumber, day: int, hour: int, minute: int, *, answered: bool = False) -> None:
    """Receive a call of October 2026."""
    start = datetime(2026, 10, day, hour, minute, tzinfo=BERLIN).astimezone(UTC)
    posts = [("CALL_START", 0), ("INITIATE_FORWARD", 3), *([("FORWARD_ANSWER", 9)] * answered), ("CALL_END", 30)]
    for kind, after in posts:
        take(number, kind, start + timedelta(seconds=after), call_uuid=f"{start:%d%H%M}-{number.pk}")


@pytest.fixture
def staff(client: Client) -> Client:
    """Who sees two numbers with calls on three days."""
    hotline, other = make_number(label="Hotline"), make_number("+4930123456", label="Berlin")
    call(hotline, 19, 9, 5, answered=True)
    call(hotline, 19, 9, 40)
    call(hotline, 20, 14, 59)
    call(other, 19, 9, 20, answered=True)
    rollups.recount_changed(wait=True)
    client.force_login(make_staff())
    return client


def shown(client: Client, query: str) -> Page:
    answer = client.get(f"/reports/trend/?{query}")
    assert answer.status_code == 200
    return Page("/reports/trend/", answer.content.decode())


def test_steps_within_a_day_are_those_from_the_first_call_to_the_last(staff):
    table = shown(staff, "from=2026-10-19&to=2026-10-19&by=half-hour").table("t-steps")

    assert [row["From"].text for row in table.rows] == ["09:00", "09:30"]


def test_steps_of_days_are_all_days_of_the_period(staff):
    page = shown(staff, "from=2026-10-19&to=2026-11-01&by=day")

    assert len(page.table("t-steps").body) == 14
    assert page.lead == "Most calls came on Mon 19 Oct 2026."


def test_without_a_choice_the_steps_suit_the_period(staff):
    assert staff.get("/reports/trend/?from=2026-10-19&to=2026-10-19").context["page"].grain == "hour"
    assert staff.get("/reports/trend/?from=2026-10-19&to=2026-10-25").context["page"].grain == "day"
    assert staff.get("/reports/trend/?from=2026-01-01&to=2026-10-25").context["page"].grain == "week"


def test_the_chart_reads_the_outcomes_from_the_table(staff):
    html = staff.get("/reports/trend/?from=2026-10-19&to=2026-10-20&by=day").content.decode()

    assert 'data-chart="stacked" data-table="t-steps"' in html
    series = re.findall(r'data-series="(\w+)"', html)
    assert {"answered", "missed"} <= {*series}
    rows = html[html.index("<tbody>", html.index('id="t-steps"')) : html.index("<tfoot>")].split("<tr>")[1:]
    values = [dict(zip(series, re.findall(r'data-v="(\d*)"', row), strict=True)) for row in rows]
    assert [(row["answered"], row["missed"]) for row in values] == [("2", "1"), ("0", "1")]
    assert [re.findall(r'data-label="([^"]+)"', row) for row in rows] == [["Mon 19"], ["Tue 20"]]


def test_half_hours_are_downloaded_too(staff):
    answer = staff.get("/reports/counts.csv?from=2026-10-19&to=2026-10-19&by=half-hour")

    rows = b"".join(answer.streaming_content).decode().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == [
        "2026-10-19T09:00:00+02:00",
        "2026-10-19T09:00:00+02:00",
        "2026-10-19T09:30:00+02:00",
    ]
