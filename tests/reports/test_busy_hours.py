"""Hours of the week: local hours, averages over how often an hour occurred."""

import re
from collections import Counter
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from calls.models import OpeningHours
from reports.counting import rollups
from reports.figures.coverage import Coverage
from reports.periods import Period
from reports.queries import counts, hours_of_week
from reports.queries.hours_of_week import Shown
from tests.factories import make_number, make_staff, make_user, take
from tests.reports import html_reader

pytestmark = pytest.mark.django_db(transaction=True)

BERLIN = ZoneInfo("Europe/Berlin")
OCTOBER = Period(datetime(2026, 10, 19).date(), datetime(2026, 11, 1).date())  # noqa: DTZ001 (a day)
LATER = datetime(2026, 12, 1, tzinfo=UTC)


def local(day, hour, minute=0, month=10, fold=0):
    return datetime(2026, month, day, hour, minute, tzinfo=BERLIN, fold=fold).astimezone(UTC)


def call(number, at, answered=False, n=0):
    """Receive a call that starts at this time; answered, or not answered after a forward."""
    uuid = f"{at:%d%H%M}-{number.pk}-{n}"
    for kind, after in [
        ("CALL_START", 0),
        ("INITIATE_FORWARD", 3),
        *([("FORWARD_ANSWER", 9)] * answered),
        ("CALL_END", 30),
    ]:
        take(number, kind, at + timedelta(seconds=after), call_uuid=uuid)


def week_of(*numbers, period=OCTOBER, now=LATER):
    rollups.recount_changed(wait=True)
    coverage = Coverage.read(numbers)
    return hours_of_week.of_week(coverage, period, counts.totals(coverage, period), now)


def at(week, weekday, hour):
    return next(cell for cell in week.cells if (cell.weekday, cell.hour) == (weekday, hour))


def test_hours_are_local_and_averages_are_over_the_times_they_occurred():
    number = make_number()
    for day in (19, 26):  # two Mondays, the second after the clock went back
        call(number, local(day, 9, 5), answered=True)
    call(number, local(19, 9, 40))

    monday = at(week_of(number), 1, 9)

    assert (monday.times, monday.offered, monday.answered, monday.wanted, monday.missed) == (2, 3, 2, 3, 1)
    assert monday.mean(Shown.OFFERED) == 1.5
    assert monday.reached == 2 / 3


def test_the_repeated_hour_occurred_once_more_and_the_skipped_one_once_less():
    number = make_number()
    call(number, local(25, 2, 10, fold=0))
    call(number, local(25, 2, 10, fold=1))
    october = at(week_of(number), 7, 2)
    march = Period(datetime(2026, 3, 23).date(), datetime(2026, 3, 29).date())  # noqa: DTZ001
    call(number, local(29, 1, 10, month=3))
    call(number, local(29, 3, 10, month=3))
    spring = week_of(number, period=march)

    assert (october.offered, october.times) == (2, 3)  # two Sundays, one with the repeated hour
    assert (at(spring, 7, 1).times, at(spring, 7, 2).times, at(spring, 7, 3).times) == (1, 0, 1)
    assert at(spring, 7, 2).mean(Shown.OFFERED) is None


def test_a_day_with_a_repeated_hour_is_one_day():
    number = make_number()
    call(number, local(25, 9))

    week = week_of(number)

    assert (at(week, 7, 9).times, week.of_days[7].times, week.whole.times) == (2, 2, 14)
    assert week.of_days[7].mean(Shown.OFFERED) == 1 / 2


def test_an_hour_that_has_not_begun_has_not_occurred():
    number = make_number()
    call(number, local(19, 9))

    week = week_of(number, now=local(26, 8, 59))

    assert at(week, 1, 9).times == 1
    assert week.of_days[1].times == 2


def test_too_few_people_are_shown_from_thirty_callers_on():
    number = make_number()
    for n in range(29):
        call(number, local(19, 9, n), answered=n < 20, n=n)
    assert not at(week_of(number), 1, 9).is_short
    call(number, local(26, 9, 1))

    week = week_of(number)

    assert at(week, 1, 9).is_short
    assert week.worst() == at(week, 1, 9)
    assert hours_of_week.step(at(week, 1, 9), Shown.OFFERED, week.most(Shown.OFFERED)) == hours_of_week.STEPS


@pytest.mark.parametrize(
    ("shown", "hour", "most", "step"),
    [
        (Shown.LOST, {"lost": 0}, 2.0, 0),
        (Shown.LOST, {"lost": 10, "times": 5}, 2.0, 8),
        (Shown.LOST, {"lost": 10, "times": 10}, 2.0, 5),
        (Shown.LOST, {"lost": 1, "times": 1}, 1.0, 2),  # the most per hour, but only one call
        (Shown.OFFERED, {"offered": 4, "times": 1}, 4.0, 7),
        (Shown.REACHED, {"answered": 30, "wanted": 30}, 1.0, 0),
        (Shown.REACHED, {"answered": 15, "wanted": 30}, 1.0, 8),
        (Shown.REACHED, {"answered": 0, "wanted": 40}, 1.0, 8),
        (Shown.REACHED, {"answered": 24, "wanted": 30}, 1.0, 4),
        (Shown.REACHED, {"answered": 0, "wanted": 3}, 1.0, 1),  # nobody was reached, but of three
        (Shown.REACHED, {}, 1.0, 0),
    ],
)
def test_trouble_is_strong_and_few_calls_are_pale(shown, hour, most, step):
    of_week = hours_of_week.HourOfWeek(1, 9, **{"times": 1, **hour})
    assert hours_of_week.step(of_week, shown, most) == step


def open_on_weekdays(name="Office", opens_at=time(9), closes_at=time(16, 30)):
    hours = OpeningHours.objects.create(name=name)
    for weekday in range(1, 6):
        hours.weekly.create(weekday=weekday, opens_at=opens_at, closes_at=closes_at)
    return hours


def test_hours_are_closed_if_no_number_is_open_in_them_on_any_day():
    early = open_on_weekdays("Early", time(8), time(12))
    numbers = [
        make_number(opening_hours=open_on_weekdays()),
        make_number("+4930123456", opening_hours=early),
    ]
    # One Monday is open later.
    early.days.create(day=datetime(2026, 10, 26).date(), opens_at=time(18), closes_at=time(19))  # noqa: DTZ001

    closed = hours_of_week.closed_hours(Coverage.read(numbers), OCTOBER)

    assert {hour for weekday, hour in closed if weekday == 2} == {*range(8), *range(17, 24)}
    assert {hour for weekday, hour in closed if weekday == 1} == {*range(8), 17, *range(19, 24)}
    assert {hour for weekday, hour in closed if weekday == 7} == set(range(24))


def test_beside_a_number_that_is_always_open_no_hour_is_closed():
    numbers = [make_number(opening_hours=open_on_weekdays()), make_number("+4930123456")]

    assert not hours_of_week.closed_hours(Coverage.read(numbers), OCTOBER)
    assert not hours_of_week.closed_hours(Coverage.read(numbers[1:]), OCTOBER)


def test_what_is_not_measured_is_none_and_never_zero():
    number = make_number(forward_answer="off")
    call(number, local(19, 9))

    monday = at(week_of(number), 1, 9)

    assert (monday.offered, monday.answered, monday.missed, monday.reached) == (1, None, None, None)


# --- The page ----------------------------------------------------------------------------------


def page(client, query=""):
    answer = client.get(f"/reports/busy-hours/?from=2026-10-19&to=2026-11-01{query}")
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.fixture
def traffic():
    hotline, other = make_number(label="Hotline"), make_number("+4930123456", label="Berlin")
    for n, moment in enumerate([local(19, 9, 5), local(19, 9, 40), local(20, 14, 59), local(25, 2, 30, fold=1)]):
        call(hotline, moment, answered=n % 2 == 0)
    call(other, local(19, 9, 20), answered=True)
    rollups.recount_changed(wait=True)
    return hotline, other


@pytest.mark.parametrize("show", ["offered", "reached", "missed", "lost"])
def test_every_cell_leads_to_exactly_its_calls(client, traffic, show):
    client.force_login(make_staff())
    shown = page(client, f"&show={show}")

    links = re.findall(r'<a href="(/reports/calls/[^"]+)"[^>]*data-figure="(\w+)" data-calls="(\d+)"', shown)

    assert len(links) > 4
    for href, figure, calls in dict.fromkeys(links):
        listed = client.get(href.replace("&amp;", "&")).content.decode()
        assert len(set(re.findall(r'href="/reports/calls/(\d+)/', listed))) == int(calls), (figure, href)


def test_the_map_adds_up_to_the_calls_of_the_period(client, traffic):
    client.force_login(make_staff())
    shown = page(client, "&show=offered")
    table = shown[shown.index('id="t-map"') : shown.index("</tbody>", shown.index('id="t-map"'))]
    cells = re.findall(r'weekday=(\d)&amp;hour=(\d+)[^"]*"[^>]*data-calls="(\d+)"', table)

    assert Counter({(int(day), int(hour)): int(calls) for day, hour, calls in cells}) == {
        (1, 9): 3,
        (2, 14): 1,
        (7, 2): 1,
    }


def test_managers_see_only_the_hours_of_their_numbers(client, traffic):
    client.force_login(make_user(numbers=[traffic[1]]))

    assert (
        sum(
            map(int, re.findall(r'weekday=\d&amp;hour=\d+[^"]*"[^>]*data-calls="(\d+)"', page(client, "&show=offered")))
        )
        == 1
    )


def current_figure(shown):
    (current,) = re.findall(r'id="show-(\w+)" aria-current="true"', shown)
    return current


def test_the_map_opens_with_lost_calls(client, traffic):
    client.force_login(make_staff())

    assert current_figure(page(client)) == "lost"
    assert current_figure(page(client, "&show=offered")) == "offered"


def test_the_map_opens_with_calls_if_lost_ones_are_not_measured(client):
    call(make_number(forward_answer="off"), local(19, 9))
    rollups.recount_changed(wait=True)
    client.force_login(make_staff())

    assert current_figure(page(client)) == "offered"


def test_hours_outside_opening_hours_are_marked_with_words(client):
    number = make_number(opening_hours=open_on_weekdays())
    call(number, local(19, 7, 30))
    call(number, local(19, 9, 30))
    rollups.recount_changed(wait=True)
    client.force_login(make_staff())

    shown = page(client)

    (early, monday) = re.findall(r'<td class="(heat-[^"]*)"><a [^>]*title="([^"]*)"[^>]*>([^\n]*)</td>', shown)
    assert early[:2] == ("heat-2 closed", "Calls: 1, hours: 2. Outside opening hours")
    assert '<span class="visually-hidden"> closed</span>' in early[2]
    assert monday[:2] == ("heat-2", "Calls: 1, hours: 2")
    assert "Hatched hours are outside the opening hours" in shown
    assert "Hatched hours" not in page(client, "&opening=outside")


def test_a_single_day_has_a_list_of_its_hours(client, traffic):
    client.force_login(make_staff())

    answer = client.get("/reports/busy-hours/?from=2026-10-19&to=2026-10-19")
    shown = html_reader.Page("", answer.content.decode())

    assert [[cell.text for cell in row] for row in shown.table("t-hours").body] == [["09:00", "3", "2", "1", "67 %"]]
    assert [cell.text for cell in shown.table("t-hours").foot[0]] == ["All", "3", "2", "1", "67 %"]
    assert shown.lead == ("Most calls came in the hour from 09:00. Most calls were lost in the hour from 09:00.")
    assert not [table for table in shown.tables if table.name == "t-map"]


def test_a_period_without_calls_leads_to_the_last_day_that_has_some(client, traffic):
    client.force_login(make_staff())

    answer = client.get("/reports/busy-hours/?from=2026-11-10&to=2026-11-10").content.decode()

    assert "The last calls were on Sun 25 Oct 2026" in answer


def test_calls_in_the_future_have_no_average():
    """For example after a clock that was ahead was set back."""
    number = make_number()
    call(number, local(26, 9))

    week = week_of(number, now=local(20, 12))

    assert (at(week, 1, 9).times, at(week, 1, 9).offered) == (1, 1)  # the previous Monday has occurred
    early = week_of(number, now=local(19, 8))
    assert (at(early, 1, 9).times, at(early, 1, 9).offered) == (0, 1)
    assert (early.busiest(), early.worst(), early.most(Shown.OFFERED)) == (None, None, 0.0)


def test_the_address_of_earlier_versions_leads_on_with_its_query(client, traffic):
    client.force_login(make_staff())

    assert (
        client.get("/reports/when/?from=2026-10-19&show=lost").url == "/reports/busy-hours/?from=2026-10-19&show=lost"
    )
    assert client.get("/reports/when/?number=%2B4930123456&by=day").url == "/reports/trend/?number=%2B4930123456&by=day"
    assert client.get("/reports/definitions/?period=today").url == "/reports/glossary/?period=today"
    assert client.post("/reports/when/").status_code == 405
