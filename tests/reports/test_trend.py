"""The time steps of a period, the chart that reads them, and their download."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from calls.models import DestinationNumber
from reports import periods
from reports.counting import rollups
from reports.views import trend
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
    columns = re.findall(r'data-series="(\w+)" data-series-name="[^"]+" data-name="([^"]+)"', html)
    assert {("answered", "Answered"), ("lost", "Not answered"), ("lost", "Hung up before ringing")} <= {*columns}
    names = [name for _series, name in columns]
    rows = html[html.index("<tbody>", html.index('id="t-steps"')) : html.index("<tfoot>")].split("<tr>")[1:]
    values = [dict(zip(names, re.findall(r'data-v="(\d*)"', row), strict=True)) for row in rows]
    assert [(row["Answered"], row["Not answered"]) for row in values] == [("2", "1"), ("0", "1")]
    assert [re.findall(r'data-label="([^"]+)"', row) for row in rows] == [["Mon 19"], ["Tue 20"]]


def test_half_hours_are_downloaded_too(staff):
    answer = staff.get("/reports/counts.csv?from=2026-10-19&to=2026-10-19&by=half-hour")

    rows = b"".join(answer.streaming_content).decode().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == [
        "2026-10-19T09:00:00+02:00",
        "2026-10-19T09:00:00+02:00",
        "2026-10-19T09:30:00+02:00",
    ]


# --- The comparison ----------------------------------------------------------------------------

WEEK = "from=2026-10-26&to=2026-11-01"


@pytest.fixture
def two_weeks(staff: Client) -> Client:
    """Who also sees one call of the week after: answered, to the first number."""
    call(DestinationNumber.objects.get(label="Hotline"), 26, 9, 0, answered=True)
    rollups.recount_changed(wait=True)
    return staff


def changes(page: Page) -> dict[str, tuple[str, ...]]:
    """Return what the table of figures says of each figure, without its name."""
    return {
        row["Figure"].text: tuple(cell.text for cell in list(row.values())[1:]) for row in page.table("t-changes").rows
    }


def test_a_period_is_compared_with_the_previous_one(two_weeks):
    page = shown(two_weeks, WEEK)

    assert changes(page) == {
        "Calls": ("1", "4", "3 fewer (−75 %)"),
        "Answered": ("1", "2", "1 fewer (−50 %)"),
        "Lost": ("0", "2", "2 fewer (−100 %)"),
        "Reached": ("100 %", "50 %", "50 points more"),
        "Service level": ("100 %", "50 %", "50 points more"),
        "Waiting time": ("9 s", "9 s", "no change"),
    }


def test_only_numbers_that_are_measured_in_both_periods_are_compared(two_weeks):
    call(make_number("+4969123456", label="Frankfurt"), 27, 9, 0, answered=True)
    rollups.recount_changed(wait=True)

    page = shown(two_weeks, WEEK)

    assert page.table("t-changes").headers == ["Figure", "This period", "Of these, compared", "Before", "Change"]
    assert changes(page)["Calls"] == ("2", "1", "4", "3 fewer (−75 %)")
    assert "2 of 3 numbers" in two_weeks.get(f"/reports/trend/?{WEEK}").content.decode()


def test_with_nothing_the_table_has_the_period_alone(two_weeks):
    page = shown(two_weeks, f"{WEEK}&compare=none")

    assert page.table("t-changes").headers == ["Figure", "This period"]
    assert changes(page)["Calls"] == ("1",)


def test_what_is_compared_stays_while_the_time_steps_change(two_weeks):
    html = two_weeks.get(f"/reports/trend/?{WEEK}&compare=year&by=day").content.decode()

    assert re.search(r'href="[^"]+compare=year" id="by-month"', html)
    assert re.search(r'href="[^"]+compare=year"[^>]* id="preset-1"', html)
    assert "compared with Mon 27 Oct – Sun 2 Nov 2025" in html
    # Nothing was known of the year before.
    assert set(changes(Page("", html)).values()) >= {("1", "–", "–")}


def test_two_months_are_compared_by_one_preset(staff, monkeypatch):
    monkeypatch.setattr(periods, "today", lambda: date(2026, 11, 20))

    page = staff.get("/reports/trend/?period=last-month").context["page"]

    assert (page.compared.days.now.label, page.compared.days.then.label) == (
        "Thu 1 – Sat 31 Oct 2026",
        "Tue 1 – Wed 30 Sep 2026",
    )


@pytest.mark.parametrize(
    ("kind", "now", "then", "words"),
    [
        ("count", 1_250, 250, "1,000 more (+400 %)"),
        ("count", 3, 0, "3 more"),
        ("count", 5, 5, "no change"),
        ("share", 0.81, 0.8, "1 point more"),
        ("share", 0.7, 0.8, "10 points less"),
        ("share", 0.801, 0.8, "no change"),
        ("seconds", 200.0, 80.0, "2:00 min longer"),
        ("seconds", 20.0, 24.6, "5 s shorter"),
    ],
)
def test_a_change_is_put_into_words(kind, now, then, words):
    assert trend.in_words(kind, now, then) == words
