"""Inside and outside opening hours: one filter for every page and download; both parts add up to the whole."""

import csv
import io
import re
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command

from calls.models import OpeningHours
from reports.counting import verification
from reports.models import DayCounts, QuarterHourCounts
from tests.factories import OF_MANAGERS, give, make_number, make_user, take
from tests.reports import helpers
from tests.reports.helpers import roll_up

pytestmark = pytest.mark.django_db(transaction=True)

BERLIN = ZoneInfo("Europe/Berlin")
# A Tuesday; the Saturday of that week is the Day of German Unity.
WEEK = "from=2026-09-28&to=2026-10-04"


@pytest.fixture
def hours():
    hours = OpeningHours.objects.create(name="Office hours", state="NW")
    for weekday in range(1, 7):
        hours.weekly.create(weekday=weekday, opens_at=time(8), closes_at=time(18))
    return hours


@pytest.fixture
def number(hours):
    return make_number(label="Hotline", opening_hours=hours)


@pytest.fixture
def manager(number, client):
    user = make_user(numbers=[number])
    client.force_login(user)
    return user


def local(day, clock, month=9):
    hour, minute = map(int, clock.split(":"))
    return datetime(2026, month, day, hour, minute, tzinfo=BERLIN)


def call(number, name, at, *, answered=False):
    """Receive a call of one minute, answered or missed."""
    kinds = ["CALL_START", "BLOCK_END QUEUE", "INITIATE_FORWARD", *["FORWARD_ANSWER"] * answered, "CALL_END"]
    for n, kind in enumerate(kinds):
        take(number, kind, at + timedelta(seconds=10 * n), call_uuid=name, correlation_id=name)


@pytest.fixture
def week(number, manager):
    """Seven calls: four inside, three outside."""
    call(number, "first", local(29, "08:00"), answered=True)
    call(number, "early", local(29, "07:59"))
    call(number, "last", local(29, "17:59"), answered=True)
    call(number, "late", local(29, "18:00"))
    call(number, "noon", local(30, "12:00"), answered=True)
    call(number, "friday", local(2, "12:00", month=10))
    call(number, "holiday", local(3, "12:00", month=10))
    roll_up()


INSIDE, OUTSIDE = {"first", "last", "noon", "friday"}, {"early", "late", "holiday"}


def figure(client, address, key):
    """Return the count of a headline figure and the address of its link."""
    page = client.get(address).content.decode()
    section = page.partition('aria-label="Headline figures"')[2]
    match = re.search(rf'<a href="([^"]+)" data-figure="{key}" data-calls="(\d+)">', section)
    return (int(match[2]), match[1].replace("&amp;", "&")) if match else (0, "")


def listed(client, address):
    """Return the call_uuids of a list of calls, unordered."""
    return set(helpers.listed(client, address))


@pytest.mark.parametrize(("opening", "expected"), [("all", INSIDE | OUTSIDE), ("inside", INSIDE), ("outside", OUTSIDE)])
def test_a_page_counts_the_calls_of_its_opening_and_leads_to_them(client, week, number, opening, expected):
    for address in ("/reports/", f"/reports/numbers/{number.pk}/"):
        calls, link = figure(client, f"{address}?{WEEK}&opening={opening}", "offered")
        assert calls == len(expected)
        assert listed(client, link) == expected


@pytest.mark.parametrize(("opening", "expected"), [("inside", 3), ("outside", 0)])
def test_outcomes_follow_the_filter(client, week, opening, expected):
    assert figure(client, f"/reports/?{WEEK}&opening={opening}", "answered")[0] == expected


@pytest.mark.parametrize("by", ["quarter-hour", "half-hour", "hour", "day", "week", "month"])
def test_downloads_of_both_parts_add_up_to_the_whole(client, week, by):
    def rows(opening, name):
        answer = client.get(f"/reports/{name}.csv?{WEEK}&by={by}&opening={opening}")
        return list(csv.DictReader(io.StringIO(b"".join(answer).decode())))

    for name, column in (("counts", "offered"), ("counts", "answered"), ("blocks", "blocks")):
        sums = [sum(int(row[column] or 0) for row in rows(opening, name)) for opening in ("all", "inside", "outside")]
        assert sums[0] == sums[1] + sums[2]
    assert sum(int(row["offered"]) for row in rows("inside", "counts")) == len(INSIDE)


def test_the_planner_file_follows_the_filter(client, week):
    answer = client.get(f"/reports/planner.csv?{WEEK}&opening=outside")
    rows = list(csv.reader(io.StringIO(b"".join(answer).decode())))
    assert len(rows) == 7 * 96
    assert sum(int(row[2]) for row in rows) == len(OUTSIDE)


def test_a_download_names_its_opening(client, week):
    answer = client.get(f"/reports/counts.csv?{WEEK}&opening=outside")
    assert "counts-2026-09-28-2026-10-04-outside.csv" in answer["Content-Disposition"]
    assert "counts-2026-09-28-2026-10-04.csv" in client.get(f"/reports/counts.csv?{WEEK}")["Content-Disposition"]


def test_the_heat_map_averages_over_open_hours(client, week):
    page = client.get(f"/reports/busy-hours/?{WEEK}&show=offered&opening=inside").content.decode()
    # Tuesday at 8:00: one call in one such hour. No calls inside at 7:00, so the map begins at 8:00.
    assert '<th scope="row">07:00</th>' not in page
    assert 'title="Calls: 1, hours: 1"' in page
    outside = client.get(f"/reports/busy-hours/?{WEEK}&show=offered&opening=outside").content.decode()
    links = re.findall(r'href="(/reports/calls/\?[^"]+)" title="Calls: 1, hours: 1"', outside)
    assert {name for link in links for name in listed(client, link.replace("&amp;", "&"))} <= OUTSIDE
    assert links


def test_the_filter_stays_while_others_change(client, week):
    page = client.get(f"/reports/?{WEEK}&opening=inside").content.decode()
    assert page.count("opening=inside") > 10
    assert '<input type="hidden" name="opening" value="inside">' in page
    assert "During opening hours" in page


def test_the_filter_is_not_offered_where_no_number_has_hours(client):
    number = make_number("+4922155400399")
    client.force_login(make_user("other", numbers=[number]))
    call(number, "a", local(29, "03:00"))
    roll_up()
    assert 'id="which-hours"' not in client.get(f"/reports/?{WEEK}").content.decode()


def test_a_number_without_hours_is_always_open(client):
    number = make_number("+4922155400399")
    client.force_login(make_user("other", numbers=[number]))
    call(number, "a", local(29, "03:00"))
    roll_up()
    assert figure(client, f"/reports/?{WEEK}&opening=inside", "offered")[0] == 1
    assert figure(client, f"/reports/?{WEEK}&opening=outside", "offered")[0] == 0
    assert listed(client, f"/reports/calls/?{WEEK}&opening=inside") == {"a"}
    assert listed(client, f"/reports/calls/?{WEEK}&opening=outside") == set()


@pytest.mark.parametrize("address", ["/reports/", "/reports/trend/", "/reports/calls/"])
def test_an_opening_nobody_knows_is_said(client, week, address):
    assert "Valid values: all, inside, outside" in client.get(f"{address}?opening=maybe").content.decode()


@pytest.mark.parametrize("name", ["counts.csv", "blocks.csv", "calls.csv", "planner.csv", "counts.xlsx"])
def test_a_download_refuses_an_unknown_opening(client, week, name):
    assert client.get(f"/reports/{name}?opening=maybe").status_code == 400


def test_a_single_day_opens_a_holiday(client, week, hours, number):
    hours.days.create(day=datetime(2026, 10, 3, tzinfo=UTC).date(), opens_at=time(10), closes_at=time(14))
    hours.log_history()
    roll_up()

    assert listed(client, f"/reports/calls/?{WEEK}&opening=inside") == INSIDE | {"holiday"}
    assert figure(client, f"/reports/?{WEEK}&opening=inside", "offered")[0] == len(INSIDE) + 1


def test_without_its_opening_hours_a_number_counts_everything_as_inside(client, week, number):
    number.opening_hours = None
    number.save()
    roll_up()

    assert not DayCounts.objects.filter(is_open=False).exists()
    assert figure(client, f"/reports/?{WEEK}&opening=inside", "offered")[0] == len(INSIDE | OUTSIDE)


def test_both_repeated_hours_are_inside(client, hours, manager):
    number = make_number("+4922155400388", opening_hours=hours)
    give(manager, number, *OF_MANAGERS)
    hours.weekly.create(weekday=7, opens_at=time(2), closes_at=time(3))
    for n, at in enumerate((0, 1)):
        call(number, f"call {n}", datetime(2026, 10, 25, at, 30, tzinfo=UTC))
    call(number, "after", datetime(2026, 10, 25, 2, 0, tzinfo=UTC))
    roll_up()

    opened = QuarterHourCounts.objects.filter(is_open=True).values_list("quarter_hour", flat=True)
    assert {quarter_hour.hour for quarter_hour in opened} == {0, 1}
    days = "from=2026-10-25&to=2026-10-25"
    assert listed(client, f"/reports/calls/?{days}&opening=inside") == {"call 0", "call 1"}
    assert listed(client, f"/reports/calls/?{days}&opening=outside") == {"after"}


def test_a_quarter_hour_counted_on_the_wrong_side_is_found_and_fixed(week):
    QuarterHourCounts.objects.filter(is_open=False).update(is_open=True)
    differences = list(verification.differences())
    assert {str(difference).rpartition(" ")[0].partition(":")[0] for difference in differences} >= {"quarterhourcounts"}

    call_command("verify_rollups", "--fix", stdout=io.StringIO())
    assert list(verification.differences()) == []
