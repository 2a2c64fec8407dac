"""The tabs of a number: median and 90 %, classes, service level over time, peaks, the weeks before, settings."""

import re
from datetime import UTC, date, datetime, time, timedelta

import pytest

from reports import periods
from reports.figures.coverage import Coverage
from reports.queries import durations, service_level
from tests.factories import make_number, make_staff, make_user, take
from tests.reports import html_reader
from tests.reports.helpers import NUMBER_TABS, roll_up

pytestmark = pytest.mark.django_db(transaction=True)

# A Tuesday.
DAY = date(2026, 3, 3)
TEN = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)


@pytest.fixture
def number():
    return make_number(label="Hotline")


def call(number, name, at, wait_s=None, talk_s=60):
    """Receive a call that is answered after a wait, or missed if it is None."""
    steps = [(0, "CALL_START"), (1, "INITIATE_FORWARD")]
    if wait_s is not None:
        steps.append((wait_s, "FORWARD_ANSWER"))
    steps.append(((wait_s or 30) + talk_s, "CALL_END"))
    for second, kind in steps:
        take(number, kind, at + timedelta(seconds=second), call_uuid=name, correlation_id=name)


def page_of(client, number, tab="", first=DAY, last=DAY, **more):
    client.force_login(make_staff(f"staff-{number.pk}-{tab.strip('/')}-{first}-{len(more)}-{last}"))
    query = "&".join([f"from={first}", f"to={last}", *(f"{name}={value}" for name, value in more.items())])
    return html_reader.page(client, f"/reports/numbers/{number.pk}/{tab}?{query}")


@pytest.mark.parametrize(
    ("seconds", "median", "ninetieth"),
    [
        ([7], 7, 7),
        ([1, 2], 1, 2),
        ([1, 2, 3], 2, 3),
        (list(range(1, 11)), 5, 9),
        (list(range(1, 12)), 6, 10),
        ([5] * 9 + [100], 5, 5),
    ],
)
def test_median_and_90th_percentile(seconds, median, ninetieth):
    each = durations.Times(durations.Counter(seconds))
    assert (each.median, each.ninetieth) == (median, ninetieth)


def test_no_calls_have_no_median():
    assert durations.Times(durations.Counter()).median is None


def test_times_and_their_classes(client, number):
    for n, wait_s in enumerate((4, 5, 6, 20, 21, 301)):
        call(number, f"call {n}", TEN + timedelta(minutes=n), wait_s)
    roll_up()

    page = page_of(client, number, "waiting/")

    (row,) = [row for row in page.table("t-times").rows if row["Time"].text == "Waiting time"]
    cells = [cell.text for cell in page.table("t-times").body[0]]
    assert row["Calls"].text == "6"
    assert cells[2:] == ["60 s", "not measured", "6 s", "–", "5:01 min", "–"]
    waits = {row["Duration"].text: row["Waiting time"].text for row in page.table("t-classes").rows}
    assert {name: calls for name, calls in waits.items() if calls != "0"} == {
        "up to 5 s": "2",
        "5 to 10 s": "1",
        "10 to 20 s": "1",
        "20 to 30 s": "1",
        "over 300 s": "1",
    }
    assert page.table("t-classes").total["Waiting time"].text == "6"


def test_a_time_that_is_not_measured_has_no_classes(client, number):
    number.initiate_forward = "off"
    number.save()
    call(number, "a", TEN, 5)
    roll_up()
    assert page_of(client, number, "waiting/").table("t-classes").headers == ["Duration", "Waiting time", "Cumulative"]


def test_times_follow_the_opening_hours_filter(number):
    call(number, "early", TEN, 5)
    call(number, "late", TEN + timedelta(hours=9), 15)
    hours = number.opening_hours = number._meta.get_field("opening_hours").related_model.objects.create(name="Day")
    hours.weekly.create(weekday=2, opens_at=time(8), closes_at=time(18))
    number.save()
    roll_up()

    def median(opening):
        period = periods.Period(DAY, DAY, periods.Opening(opening))
        return durations.read(Coverage.read([number]), period)["time_to_answer"].median

    assert [median(opening) for opening in ("inside", "outside", "all")] == [5, 15, 5]


def test_the_service_level_over_time_has_a_gap_where_few_calls_count(client, number):
    for n in range(10):
        call(number, f"first {n}", TEN + timedelta(minutes=n), 5 if n < 9 else 30)
    for n in range(9):
        call(number, f"second {n}", TEN + timedelta(days=1, minutes=n), 5)
    roll_up()

    client.force_login(make_staff())
    html = client.get(f"/reports/numbers/{number.pk}/waiting/?from={DAY}&to={DAY + timedelta(days=1)}").content.decode()

    table = html.partition('id="t-levels"')[2].partition("</table>")[0]
    assert re.findall(r'data-v="([^"]*)"', table.partition("<tbody>")[2].partition("<tfoot>")[0]) == [
        "90.0",
        "80",
        "",
        "80",
    ]
    page = page_of(client, number, "waiting/", DAY, DAY + timedelta(days=1))
    assert [(row["In time"].text, row["Of calls"].text) for row in page.table("t-levels").rows] == [
        ("9", "10"),
        ("9", "9"),
    ]
    assert "The target of 80 % is reached." in html


@pytest.mark.parametrize(("aim", "said"), [(91, "missed by 1.0 points"), (90, "is reached"), (None, "")])
def test_whether_the_aim_is_reached_is_said_in_words(client, number, aim, said):
    number.service_level_aim = aim
    number.save()
    for n in range(10):
        call(number, f"first {n}", TEN + timedelta(minutes=n), 5 if n < 9 else 30)
    roll_up()
    client.force_login(make_staff())
    html = client.get(f"/reports/numbers/{number.pk}/?from={DAY}&to={DAY}").content.decode()
    found = re.findall(r"[Tt]arget of \d+ % (is reached|missed by [\d.]+ points)\.", html)
    assert found == ([said] if said else [])


@pytest.mark.parametrize(
    ("in_time", "of", "short"),
    [(796, 1000, 0.4), (79_996, 100_000, 0.1), (70, 100, 10.0), (80, 100, None), (0, 5, 80.0), (0, 0, None)],
)
def test_points_below_target_are_never_zero(number, in_time, of, short):
    number.service_level_aim = 80
    assert service_level.points_short(number, in_time / of if of else None) == short


@pytest.mark.parametrize(
    ("aim", "in_time", "of", "callers"),
    [
        (80, 451, 730, 133),
        (80, 583, 730, 1),
        # 584 of 730 are exactly 80 %.
        (80, 584, 730, None),
        (58, 28, 50, 1),
        (58, 29, 50, None),
        (80, 0, 1, 1),
        (1, 0, 1000, 10),
        (100, 0, 7, 7),
        (100, 7, 7, None),
        (80, 0, 0, None),
        (80, None, None, None),
        (None, 0, 10, None),
    ],
)
def test_the_fewest_more_callers_that_would_reach_the_target(number, aim, in_time, of, callers):
    number.service_level_aim = aim
    assert service_level.callers_short(number, in_time, of) == callers
    if callers:
        assert service_level.is_reached(number, (in_time + callers) / of)
        assert not service_level.is_reached(number, (in_time + callers - 1) / of)


@pytest.mark.parametrize(
    ("in_time", "said"),
    [
        (6, "2 more callers answered within 20 s would reach the target."),
        (7, "1 more caller answered within 20 s would reach the target."),
        (8, ""),
    ],
)
@pytest.mark.parametrize("tab", ["", "waiting/", "all/"])
def test_how_many_callers_are_missing_is_said_beside_the_formula(client, number, tab, in_time, said):
    for n in range(10):
        call(number, f"first {n}", TEN + timedelta(minutes=n), 5 if n < in_time else 30)
    roll_up()
    client.force_login(make_staff())
    html = client.get(f"/reports/numbers/{number.pk}/{tab}?from={DAY}&to={DAY}").content.decode()
    level = " ".join(html.partition('id="service-level"')[2].partition("</section>")[0].split())
    assert re.findall(r"\d+ more callers? answered within 20 s would reach the target\.", level) == [said] * bool(said)
    assert ("missed by" in level) is bool(said)


def test_the_peak_is_shown_with_its_first_time(client, number):
    call(number, "a", TEN, 5, talk_s=120)
    call(number, "b", TEN + timedelta(seconds=30), 5, talk_s=120)
    call(number, "c", TEN + timedelta(hours=2), 5)
    roll_up()
    client.force_login(make_staff())
    html = client.get(f"/reports/numbers/{number.pk}/by-hour/?from={DAY}&to={DAY}").content.decode()
    assert re.search(r"Peak: at least <a [^>]*data-calls=\"2\"[^>]*>2</a>, first on Tue 3 Mar 2026, 11:00", html)
    assert [row["Peak"].text for row in page_of(client, number, "by-hour/").table("t-peaks").rows].count("2") == 1


def test_without_ends_the_peak_is_a_minimum(client, number):
    number.call_end = "off"
    number.save()
    call(number, "a", TEN, 5)
    roll_up()
    client.force_login(make_staff())
    html = client.get(f"/reports/numbers/{number.pk}/by-hour/?from={DAY}&to={DAY}").content.decode()
    assert "The end of calls is not reported" in html


def test_the_same_weekdays_before_and_what_is_usual(client, number):
    for week, calls in enumerate((3, 4, 5, 6, 8), start=0):
        for n in range(calls):
            call(number, f"{week}-{n}", TEN - timedelta(weeks=week, minutes=n), 5)
    # Other weekdays do not count.
    call(number, "monday", TEN - timedelta(days=1), 5)
    roll_up()

    page = page_of(client, number, "comparison/")

    assert [row["Calls"].text for row in page.table("t-weeks").rows] == ["4", "5", "6", "8"]
    assert page.table("t-weeks").rows[0]["Days"].text == "Tue 24 Feb 2026"
    assert page.table("t-weeks").total["Calls"].text == "23"
    assert page_of(client, number).figures["Calls"].compared == "usual: 6 vs. previous period: 1, +200 %"


def test_weeks_before_the_first_call_are_not_compared(client, number):
    for week, calls in ((0, 2), (1, 4)):
        for n in range(calls):
            call(number, f"{week}-{n}", TEN - timedelta(weeks=week, minutes=n), 5)
    roll_up()

    page = page_of(client, number, "comparison/")
    assert [row["Calls"].text for row in page.table("t-weeks").rows] == ["4"]
    assert page_of(client, number).figures["Calls"].compared.startswith("usual: 4 ")

    before = {"first": DAY - timedelta(days=7), "last": DAY - timedelta(days=7)}
    page = page_of(client, number, "comparison/", **before)
    assert not [table for table in page.tables if table.name == "t-weeks"]
    assert "usual" not in page_of(client, number, **before).figures["Calls"].compared


def test_a_longer_period_is_not_compared_with_weekdays(client, number):
    call(number, "a", TEN, 5)
    roll_up()
    page = page_of(client, number, "comparison/", DAY - timedelta(days=7))
    assert not [table for table in page.tables if table.name == "t-weeks"]
    assert "usual" not in page_of(client, number, first=DAY - timedelta(days=7)).figures["Calls"].compared


# --- Tabs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tab", NUMBER_TABS)
def test_each_tab_links_to_the_others_with_the_filters(client, number, tab):
    call(number, "a", TEN, 5)
    roll_up()
    client.force_login(make_staff())

    html = client.get(f"/reports/numbers/{number.pk}/{tab}?from={DAY}&to={DAY}&by=quarter-hour&opening=outside")

    nav = html.content.decode().partition('<nav class="tabs')[2].partition("</nav>")[0]
    links = re.findall(r'<a href="([^"]*)" id="[^"]*"( aria-current="page")?>', nav)
    wanted = f"?from={DAY}&amp;to={DAY}&amp;opening=outside&amp;by=quarter-hour"
    assert [href for href, _current in links] == [
        f"/reports/numbers/{number.pk}/{name}{wanted}" for name in NUMBER_TABS[:-1]
    ]
    current = [href for href, is_current in links if is_current]
    assert current == [f"/reports/numbers/{number.pk}/{tab}{wanted}"] * (tab != "all/")
    assert (f"/reports/numbers/{number.pk}/all/{wanted}" in html.content.decode()) is (tab != "all/")


@pytest.mark.parametrize("tab", NUMBER_TABS)
def test_a_tab_of_a_period_without_calls_says_so(client, number, tab):
    call(number, "a", TEN, 5)
    roll_up()
    client.force_login(make_staff())
    html = client.get(f"/reports/numbers/{number.pk}/{tab}?from={DAY + timedelta(days=1)}&to={DAY + timedelta(days=1)}")
    assert "No calls on Wed 4 Mar 2026." in html.content.decode()
    assert ("Show that day" in html.content.decode()) is (tab != "data/")


def test_incomplete_days_are_listed_with_what_is_missing(client, number):
    start, end = TEN - timedelta(days=2), TEN + timedelta(days=1)
    call(number, "complete", start, 5)
    take(number, "BLOCK_END SAY", start + timedelta(seconds=2), call_uuid="complete", correlation_id="complete")
    for n in range(3):
        # The starts of these calls did not come.
        for second, kind in enumerate(("BLOCK_END SAY", "INITIATE_FORWARD", "FORWARD_ANSWER", "CALL_END")):
            take(number, kind, TEN + timedelta(minutes=n, seconds=9 * second), call_uuid=f"{n}", correlation_id=f"{n}")
    call(number, "later", end, 5)
    take(number, "BLOCK_END SAY", end + timedelta(seconds=2), call_uuid="later", correlation_id="later")
    roll_up()
    page = page_of(client, number, "data/", DAY - timedelta(days=2), DAY + timedelta(days=1))
    (row,) = page.table("t-incomplete").rows
    assert row["Incomplete day"].text == "Tue 3 Mar 2026"
    assert row["Missing"].text == "Call started"


def test_the_settings_of_a_number_are_said_in_words(client, number):
    number.service_level_s, number.service_level_aim, number.short_call_s, number.silent_after_h = 40, 85, 0, 1
    number.save()
    client.force_login(make_user(numbers=[number]))
    html = " ".join(client.get(f"/reports/numbers/{number.pk}/data/").content.decode().split())
    for sentence in (
        "Calls go to people.",
        "A call counts as answered in time within 40 seconds. The target is 85 % of calls.",
        "No call counts as a short call.",
        "A call is closed when no message about it has arrived for 1 hour.",
        "Always open.",
        "Your administrator can change it",
    ):
        assert sentence in html
    assert "/admin/" not in html
    client.force_login(make_staff())
    change = f'href="/admin/calls/destinationnumber/{number.pk}/change/"'
    settings = client.get(f"/reports/numbers/{number.pk}/data/").content.decode().partition('id="h-settings"')[2]
    assert change in settings


def test_the_map_of_a_number_shows_the_figure_that_is_asked_for_and_leads_to_its_calls(client, number):
    other = make_number("+4922155400301", label="Sales")
    call(number, "answered", TEN, 5)
    call(number, "missed", TEN)
    call(other, "of another", TEN)
    roll_up()
    page = page_of(client, number, "by-hour/", DAY - timedelta(days=1), show="lost")
    led = [link.href for link in page.links if link.table == "t-map"]
    assert led
    assert {(link.figure, link.calls) for link in page.links if link.table == "t-map"} == {("lost", 1)}
    assert [uuids(client, href) for href in led] == [["missed"]] * len(led)


# --- Below the target ------------------------------------------------------------------------------


def lately(number, calls, in_time):
    """Receive `calls` calls yesterday, `in_time` of them answered in time."""
    noon = periods.day_start(periods.today() - periods.DAY) + timedelta(hours=12)
    for n in range(calls):
        call(number, f"{number.pk}-{n}", noon + timedelta(seconds=n), 5 if n < in_time else 30)
    roll_up()


@pytest.mark.parametrize(
    ("counted", "aim", "expected"),
    [((30, 23), 80, True), ((30, 24), 80, False), ((29, 0), 80, False), ((30, 0), None, False), ((50, 29), 58, False)],
)
def test_a_number_below_its_target_needs_attention(client, number, counted, aim, expected):
    calls, in_time = counted
    number.service_level_aim = aim
    number.save()
    lately(number, calls, in_time)
    client.force_login(make_user(numbers=[number]))

    html = client.get("/reports/").content.decode()

    said = f"Hotline: service level {int(in_time / calls * 100)} % in the last 7 days, target {aim} %."
    assert (said in html) is expected
    if expected:
        days = service_level.last_days()
        assert f'href="/reports/numbers/{number.pk}/?from={days.first}&amp;to={days.last}#service-level"' in html


def test_the_furthest_below_comes_first_without_the_numbers_of_others(client, number):
    other = make_number("+4922155400301", label="Sales")
    third = make_number("+4922155400302", label="Secret")
    for each, in_time in ((number, 20), (other, 10), (third, 0)):
        lately(each, 30, in_time)
    assert [below.number for below in service_level.below([number, other])] == [other, number]
    client.force_login(make_user(numbers=[number, other]))
    assert "Secret" not in client.get("/reports/").content.decode()


# --- Links of counts ---------------------------------------------------------------------------------


def test_each_class_of_times_and_each_side_of_the_service_level_leads_to_its_calls(client, number):
    for name, wait_s in {"a": 5, "b": 6, "c": 20, "d": 21, "e": 400}.items():
        call(number, name, TEN, wait_s)
    call(number, "missed", TEN)
    # Its CALL_START did not arrive, so the service level leaves it out.
    for second, kind in ((1, "INITIATE_FORWARD"), (4, "FORWARD_ANSWER"), (50, "CALL_END")):
        take(number, kind, TEN + timedelta(seconds=second), call_uuid="late", correlation_id="late")
    roll_up()

    page = page_of(client, number, "waiting/", by="hour")
    led = {(link.table, link.figure, link.calls): link.href for link in page.links}

    classes = page.table("t-classes")
    asked = {row["Duration"].text: [link.href for link in row["Waiting time"].links] for row in classes.rows}
    found = {label: [uuids(client, href) for href in hrefs] for label, hrefs in asked.items() if hrefs}
    assert found == {
        "up to 5 s": [["a"]],
        "5 to 10 s": [["b"]],
        "10 to 20 s": [["c"]],
        "20 to 30 s": [["d"]],
        "over 300 s": [["e"]],
    }
    assert uuids(client, led["t-levels", "in_time", 3]) == ["a", "b", "c"]
    assert uuids(client, led["t-levels", "level_of", 6]) == ["a", "b", "c", "d", "e", "missed"]
    assert uuids(client, led["", "without_start", 1]) == ["late"]
    assert uuids(client, led["t-talk", "took", 6]) == ["a", "b", "c", "d", "e", "late"]


def uuids(client, address):
    return sorted(row["call_uuid"] for row in html_reader.csv_rows(client, address.replace("/calls/?", "/calls.csv?")))


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("took=ring&over=ten", "“ten” is not a whole number of seconds."),
        ("took=ring&upto=-1", "“-1” is not a whole number of seconds."),
        ("took=lunch", "“lunch” is not a valid value. Valid values: time_to_answer, ring, talk."),
        ("over=5", "Choose the time that the seconds are of: time_to_answer, ring, talk."),
        ("level=high", "“high” is not a valid value. Valid values: in_time, counted, neither."),
    ],
)
def test_an_invalid_filter_of_times_shows_an_error_and_lists_nothing(client, number, query, said):
    call(number, "a", TEN, 5)
    client.force_login(make_staff())
    html = client.get(f"/reports/calls/?{query}").content.decode()
    assert said in html
    assert 'id="t-list"' not in html


def test_filters_of_times_are_shown_kept_by_the_form_and_removable(client, number):
    call(number, "a", TEN, 7)
    call(number, "b", TEN, 70)
    client.force_login(make_staff())
    answer = client.get("/reports/calls/?took=time_to_answer&over=5&upto=10&level=in_time")
    html = answer.content.decode()
    assert "Waiting time over 5 s and up to 10 s, Answered in time" in html
    for name, value in {"took": "time_to_answer", "over": "5", "upto": "10", "level": "in_time"}.items():
        assert f'<input type="hidden" name="{name}" value="{value}">' in html
    assert len(html_reader.csv_rows(client, "/reports/calls.csv?took=time_to_answer&over=5&upto=10")) == 1
    [chip] = re.findall(r'<a class="chip" href="([^"]*)"', html)
    assert chip == "?period=default"  # nothing else is set
    # The form is posted, so that no caller is in the address; it keeps the filters.
    moved = client.post("/reports/calls/", {"took": "ring", "over": "5", "level": "counted", "number": number.e164})
    assert {"took=ring", "over=5", "level=counted"} <= set(moved["Location"].partition("?")[2].split("&"))
