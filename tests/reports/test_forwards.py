"""Figures of forwards, and who may see those of single destinations."""

import csv
import io
import re
from datetime import UTC, datetime, time, timedelta

import pytest
from django.core.management import call_command
from django.db import connection

from calls.models import OpeningHours, Right
from reports import periods
from reports.counting import verification
from reports.figures.cells import CellState
from reports.figures.coverage import Coverage
from reports.queries import forwards
from tests.factories import give, make_number, make_staff, make_user, take
from tests.reports.helpers import listed, roll_up

pytestmark = pytest.mark.django_db(transaction=True)

TEN = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
DAY = periods.Period(TEN.date(), TEN.date())
QUERY = "from=2026-03-03&to=2026-03-03"
ANNA, BERT, CARL = "1001", "1002", "+492212345678"
FORWARD, ANSWER = "INITIATE_FORWARD", "FORWARD_ANSWER"
# What stands for Anna and Carl in addresses.
ANNAS, CARLS = forwards.token("SIP_USER:1001"), forwards.token("EXTERNALNUMBER:+492212345678")


@pytest.fixture
def number():
    return make_number(label="Hotline")


@pytest.fixture(autouse=True)
def _small_groups(settings):
    settings.FORWARDS_LEAST_DESTINATIONS = 2


def call(number, name, *steps, at=TEN, **more):
    """Receive a call; each step is (seconds after its start, post, destination)."""
    whole = [(0, "CALL_START", None), *steps, (300, "CALL_END", None)]
    for second, kind, destination in whole:
        more_of = {"destination": destination} if destination else {}
        if destination:
            more_of["destinationType"] = "EXTERNALNUMBER" if destination.startswith("+") else "SIP_USER"
        take(number, kind, at + timedelta(seconds=second), call_uuid=name, correlation_id=name, **more_of, **more)


def report(*numbers, period=DAY):
    roll_up()
    return forwards.read_forwards(Coverage.read(numbers), period)


def values_of(rows, *keys):
    """Return the values of figures, by the key of each row."""
    return {row.key: tuple(row[key].value for key in keys) for row in rows}


ALL = ("attempts", "tried", "forward_answers", "answer_rate", "forward_ring")


def test_a_call_that_one_destination_answers_at_once(number):
    call(number, "a", (5, FORWARD, ANNA), (17, ANSWER, ANNA))
    forwards = report(number)
    assert values_of(forwards.destinations, *ALL) == {"SIP_USER:1001": (1, 1, 1, 1.0, 12.0)}
    assert values_of(forwards.courses, "attempts") == {"alone": (1,)}
    assert forwards.handovers == []


def test_one_after_another_until_one_answers(number):
    call(number, "a", (5, FORWARD, ANNA), (25, FORWARD, BERT), (45, FORWARD, CARL), (50, ANSWER, CARL))
    forwards = report(number)
    assert values_of(forwards.destinations, *ALL) == {
        "SIP_USER:1001": (1, 1, 0, 0.0, None),
        "SIP_USER:1002": (1, 1, 0, 0.0, None),
        "EXTERNALNUMBER:+492212345678": (1, 1, 1, 1.0, 5.0),
    }
    assert values_of(forwards.courses, "attempts", "forward_answers") == {"sequence": (3, 1)}
    assert values_of(forwards.types, "attempts", "forward_answers") == {"SIP_USER": (2, 0), "EXTERNALNUMBER": (1, 1)}
    assert [(*row.keys, row.calls.value) for row in forwards.handovers] == [
        ("SIP_USER:1001", "EXTERNALNUMBER:+492212345678", 1)
    ]


def test_several_at_once_and_one_answers(number):
    call(number, "a", (5, FORWARD, ANNA), (5.2, FORWARD, BERT), (6, FORWARD, CARL), (20, ANSWER, BERT))
    forwards = report(number)
    assert values_of(forwards.courses, "attempts", "forward_answers") == {"parallel": (3, 1)}
    assert forwards.total["forward_ring"].value == pytest.approx(14.8)
    assert forwards.handovers == []  # none was the first


def test_more_than_a_second_apart_is_one_after_another(number):
    call(number, "a", (5, FORWARD, ANNA), (6.001, FORWARD, BERT))
    assert values_of(report(number).courses, "attempts") == {"sequence": (2,)}


def test_the_same_destination_tried_twice_is_one_call_and_rings_from_the_second(number):
    call(number, "a", (5, FORWARD, ANNA), (5.5, FORWARD, ANNA), (30, FORWARD, ANNA), (40, ANSWER, ANNA))
    forwards = report(number)
    assert values_of(forwards.destinations, *ALL) == {"SIP_USER:1001": (3, 1, 1, pytest.approx(1 / 3), 10.0)}
    assert values_of(forwards.courses, "attempts") == {"sequence": (3,)}
    assert forwards.handovers == []


def test_an_answer_without_its_forward_counts_without_an_attempt(number):
    call(number, "a", (20, ANSWER, ANNA))
    call(number, "b", (5, FORWARD, BERT))
    assert values_of(report(number).destinations, "attempts", "tried", "forward_answers", "forward_ring") == {
        "SIP_USER:1002": (1, 1, 0, None),
        "SIP_USER:1001": (0, 0, 1, None),
    }


def test_the_first_answer_of_a_call_decides(number):
    call(number, "a", (5, FORWARD, ANNA), (10, ANSWER, ANNA), (11, ANSWER, BERT))
    assert values_of(report(number).destinations, "forward_answers") == {"SIP_USER:1001": (1,)}


def test_callbacks_are_left_out(number):
    call(number, "a", (5, FORWARD, ANNA), callback_id="back")
    call(number, "b", (5, FORWARD, BERT))
    assert list(values_of(report(number).destinations, "attempts")) == ["SIP_USER:1002"]


def test_without_the_box_nothing_is_measured_and_the_page_says_what_to_tick(client, number):
    number.initiate_forward = number.forward_answer = "off"
    number.save()
    call(number, "a", (5, FORWARD, ANNA), (17, ANSWER, ANNA))
    assert report(number).total["attempts"].state is CellState.NOT_MEASURED
    client.force_login(make_staff())
    page = client.get(f"/reports/forwards/?{QUERY}").content.decode()
    assert "Not measured yet" in page
    assert "is set to off for +49 221 55400300" in page


def test_answers_alone_are_shown_where_only_they_arrive(number):
    number.initiate_forward = "off"
    number.save()
    call(number, "a", (5, FORWARD, ANNA), (17, ANSWER, ANNA))
    total = report(number).total
    assert total["forward_answers"].value == 1
    assert total["answer_rate"].state is CellState.NOT_MEASURED


def test_each_number_is_covered_from_its_own_first_posts(number):
    other = make_number("+4922155400301")
    call(number, "a", (5, FORWARD, ANNA), (17, ANSWER, ANNA), at=TEN - timedelta(days=1))
    call(number, "b", (5, FORWARD, ANNA), (17, ANSWER, ANNA))
    call(other, "c")
    call(other, "d", (5, FORWARD, BERT), at=TEN + timedelta(hours=2))
    total = report(number, other).total
    assert total["attempts"].value == 2
    assert total["attempts"].hidden == 1  # the other number's first call, before its first forward


def test_another_period_is_empty(number):
    call(number, "a", (5, FORWARD, ANNA), at=TEN - timedelta(days=1))
    assert report(number).destinations == []


# --- Pages and downloads ---------------------------------------------------------------------------


@pytest.fixture
def busy(number):
    """Calls to three destinations, of all courses."""
    call(number, "a", (5, FORWARD, ANNA), (17, ANSWER, ANNA))
    call(number, "b", (5, FORWARD, ANNA), (25, FORWARD, BERT), (45, ANSWER, BERT))
    call(number, "c", (5, FORWARD, ANNA), (5.5, FORWARD, CARL), (30, ANSWER, CARL))
    call(number, "d", (5, FORWARD, BERT), at=TEN + timedelta(hours=1))
    roll_up()
    return number


def links(page):
    return [
        (key, int(calls), href.replace("&amp;", "&"))
        for href, key, calls in re.findall(r'<a href="([^"]+)" data-figure="([a-z_]+)" data-calls="(\d+)"', page)
    ]


def test_every_count_of_a_destination_leads_to_exactly_its_calls(client, busy):
    client.force_login(make_staff())
    counts = links(client.get(f"/reports/forwards/?{QUERY}").content.decode())
    assert {key for key, _calls, _href in counts} >= {"tried", "forward_answers", "handovers"}
    for key, calls, href in counts:
        assert len(listed(client, href)) == calls, (key, href)
    by_key = {(key, href): listed(client, href) for key, _calls, href in counts}
    assert sorted(map(tuple, (v for (k, _), v in by_key.items() if k == "handovers"))) == [("b",)]
    assert sorted(map(tuple, (v for (k, _), v in by_key.items() if k == "tried"))) == [
        ("a", "b", "c"),
        ("b", "d"),
        ("c",),
    ]


@pytest.mark.parametrize("chosen", ["", "&number=%2B4922155400300&number=%2B4922155400301"])
def test_counts_lead_to_their_calls_also_where_a_number_is_left_out(client, busy, chosen):
    other = make_number("+4922155400301", initiate_forward="off", forward_answer="off")
    call(other, "left out", (5, FORWARD, ANNA), (25, FORWARD, BERT), (30, ANSWER, BERT))
    roll_up()
    client.force_login(make_staff())
    page = client.get(f"/reports/forwards/?{QUERY}{chosen}").content.decode()
    assert "+49 221 55400301</a>: not measured, missing: Forwarding started, Forwarding answered" in page
    found = links(page)
    assert {key for key, _calls, _href in found} == {"tried", "forward_answers", "handovers"}
    for key, calls, href in found:
        names = listed(client, href)
        assert len(names) == calls, (key, href)
        assert "left out" not in names


def test_a_list_of_a_destination_shows_the_filter_and_can_be_widened(client, busy):
    client.force_login(make_staff())
    page = client.get(f"/reports/calls/?{QUERY}&tried={ANNAS}&answered_by={CARLS}")
    text = page.content.decode()
    assert "Tried at 1001, Answered by +49 221 2345678" in text
    assert f'href="?{QUERY.replace("&", "&amp;")}"' in text


def test_totals_are_the_sums_of_their_rows(client, busy):
    client.force_login(make_staff())
    page = client.get(f"/reports/forwards/?{QUERY}").content.decode()
    for table, columns in (
        ("t-destinations", (0, 2)),
        ("t-types", (0, 1)),
        ("t-courses", (0, 1)),
        ("t-handovers", (0,)),
    ):
        body, foot = re.search(
            rf'id="{table}"[^>]*>.*?<tbody>(.*?)</tbody>\s*<tfoot>(.*?)</tfoot>', page, re.S
        ).groups()
        rows = [numbers_of(row) for row in body.split("</tr>")[:-1]]
        (total,) = [numbers_of(row) for row in foot.split("</tr>")[:-1]]
        for column in columns:
            assert sum(row[column] for row in rows) == total[column], table


def numbers_of(row):
    cells = re.findall(r'<td class="num[^"]*">(.*?)</td>', row, re.S)
    texts = [re.sub(r"<span class=\"tip\".*?</span>|<[^>]+>", "", cell).strip() for cell in cells]
    return [int(text) if text.isdigit() else text for text in texts]


def may_see(client, user, query=QUERY):
    """Return whether a user sees single destinations on the page and in both downloads; all three must agree."""
    client.force_login(user)
    page = client.get(f"/reports/forwards/?{query}").content.decode()
    seen = {"1001" in page}
    for name in ("forwards.csv", "forwards.xlsx"):
        answer = client.get(f"/reports/{name}?{query}")
        seen.add(answer.status_code == 200)
        assert answer.status_code in {200, 403}
        b"".join(answer)  # read to the end, so that it is closed
        answer.close()
    (is_seen,) = seen
    assert is_seen or 'id="why-unnamed"' in page or "No calls" in page
    return is_seen


def test_single_destinations_are_for_those_with_the_right_to_see_them(client, busy):
    manager = make_user(numbers=[busy])
    assert may_see(client, make_staff())
    assert not may_see(client, manager)
    assert "you do not see single destinations" in client.get(f"/reports/forwards/?{QUERY}").content.decode()
    assert "By ringing order" in client.get(f"/reports/forwards/?{QUERY}").content.decode()

    give(manager, busy, *Right)
    assert may_see(client, manager)


def test_single_destinations_of_several_numbers_need_the_right_for_each(client, busy):
    other = make_number("+4922155400301", label="Shop")
    manager = make_user(numbers=[busy, other])
    give(manager, busy, Right.PEOPLE)
    assert not may_see(client, manager)
    page = client.get(f"/reports/forwards/?{QUERY}").content.decode()
    assert f"Choose only these: {busy.name}." in page
    assert may_see(client, manager, f"{QUERY}&number=%2B{busy.e164[1:]}")


def test_single_destinations_of_a_small_group_are_never_shown(client, busy, settings):
    settings.FORWARDS_LEAST_DESTINATIONS = 4
    for user in (make_staff(), make_user(numbers=[busy], rights=Right)):
        assert not may_see(client, user)
    assert "at least 4 of them were tried" in client.get(f"/reports/forwards/?{QUERY}").content.decode()


def test_no_filter_gets_around_the_size_of_the_group(client, busy, settings):
    settings.FORWARDS_LEAST_DESTINATIONS = 3
    other = make_number("+4922155400301")
    call(other, "e", (5, FORWARD, "1001"))
    call(other, "f", (5, FORWARD, "1001"), at=TEN + timedelta(days=1))
    roll_up()
    staff = make_staff()
    assert may_see(client, staff)
    assert not may_see(client, staff, f"{QUERY}&number=%2B4922155400301")
    assert not may_see(client, staff, "from=2026-03-04&to=2026-03-04")
    assert not may_see(client, staff, f"{QUERY}&opening=outside")


def test_a_destination_without_a_figure_does_not_make_a_group_larger(client, busy, settings):
    settings.FORWARDS_LEAST_DESTINATIONS = 4
    silent = make_number("+4922155400301", initiate_forward="off", forward_answer="off")
    for n in range(5):
        call(silent, f"unseen {n}", (5, FORWARD, f"200{n}"), (17, ANSWER, f"200{n}"))
    roll_up()
    assert not may_see(client, make_staff())


def test_a_destination_without_a_figure_is_not_listed(client, busy):
    silent = make_number("+4922155400301", initiate_forward="off", forward_answer="off")
    call(silent, "unseen", (5, FORWARD, "2000"), (17, ANSWER, "2000"))
    assert set(values_of(report(busy, silent).destinations, "attempts")) == {
        "SIP_USER:1001",
        "SIP_USER:1002",
        "EXTERNALNUMBER:+492212345678",
    }


@pytest.mark.parametrize("name", ["tried", "tried_first", "answered_by"])
def test_the_calls_of_one_destination_of_a_small_group_are_never_listed(client, busy, settings, name):
    settings.FORWARDS_LEAST_DESTINATIONS = 3
    other = make_number("+4922155400301")
    call(other, "e", (5, FORWARD, ANNA), (17, ANSWER, ANNA), at=TEN + timedelta(days=1))
    roll_up()
    for user in (make_staff(), make_user(numbers=[busy, other], rights=Right)):
        client.force_login(user)
        assert listed(client, f"/reports/calls/?{QUERY}&{name}={ANNAS}")
        assert listed(client, f"/reports/calls/?{name}={ANNAS}")
        for narrow in (
            "from=2026-03-04&to=2026-03-04",
            "number=%2B4922155400301",
            "start=2026-03-04T00:00:00%2B01:00&end=2026-03-05T00:00:00%2B01:00",
            "from=2026-03-04",
            f"{QUERY}&weeks=1",
        ):
            address = f"/reports/calls/?{narrow}&{name}={ANNAS}"
            why = "consecutive days" if "weeks" in narrow else "at least 3 of them were tried"
            assert why in client.get(address).content.decode(), narrow
            for file in ("calls.csv", "calls.xlsx"):
                assert client.get(address.replace("calls/", file)).status_code == 400, narrow


def test_single_destinations_are_counted_inside_and_outside_opening_hours(client, number):
    hours = OpeningHours.objects.create(name="Office hours", state="NW")
    hours.weekly.create(weekday=2, opens_at=time(8), closes_at=time(18))
    number.opening_hours = hours
    number.save()
    call(number, "inside", (5, FORWARD, ANNA), (25, FORWARD, BERT), (30, ANSWER, BERT))
    call(number, "outside", (5, FORWARD, ANNA), (8, FORWARD, CARL), (9, ANSWER, CARL), at=TEN + timedelta(hours=10))
    roll_up()
    client.force_login(make_staff())
    for opening, expected in (("inside", {"1001", "1002"}), ("outside", {"1001", "+492212345678"})):
        rows = csv.DictReader(
            io.StringIO(b"".join(client.get(f"/reports/forwards.csv?{QUERY}&opening={opening}")).decode())
        )
        assert {row["destination"] for row in rows} == expected
        counts = links(client.get(f"/reports/forwards/?{QUERY}&opening={opening}").content.decode())
        assert {key for key, _calls, _href in counts} == {"tried", "forward_answers", "handovers"}
        for _key, calls, href in counts:
            assert listed(client, href) == [opening] * calls, href


@pytest.mark.parametrize(
    "table",
    [f"{grain}{kind}" for grain in ("quarterhour", "day", "month") for kind in ("forwardcounts", "handovers")],
)
def test_a_wrong_count_of_forwards_is_found_and_fixed(busy, table):
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE reports_{table} SET calls = calls + 1")
    assert {difference.table for difference in verification.differences()} >= {table}

    with pytest.raises(SystemExit):
        call_command("verify_rollups", stdout=io.StringIO())
    call_command("verify_rollups", "--fix", stdout=io.StringIO())
    assert list(verification.differences()) == []


def test_an_answer_after_the_end_is_counted(number):
    call(number, "a", (5, FORWARD, ANNA))
    call(number, "b", (5, FORWARD, BERT), (17, ANSWER, BERT))
    roll_up()
    take(
        number,
        "FORWARD_ANSWER",
        TEN + timedelta(seconds=301),
        call_uuid="a",
        correlation_id="a",
        destination=ANNA,
        destinationType="SIP_USER",
    )
    assert values_of(report(number).destinations, "forward_answers") == {"SIP_USER:1001": (1,), "SIP_USER:1002": (1,)}


@pytest.mark.parametrize("name", ["tried", "tried_first", "answered_by"])
def test_the_calls_of_one_destination_need_the_right_to_see_it(client, busy, name):
    manager = make_user(numbers=[busy])
    client.force_login(manager)
    assert (
        "you may not list calls of single destinations"
        in client.get(f"/reports/calls/?{name}={ANNAS}").content.decode()
    )
    assert client.get(f"/reports/calls.csv?{name}={ANNAS}").status_code == 400
    give(manager, busy, *Right)
    assert listed(client, f"/reports/calls/?{name}={ANNAS}")


def test_the_file_has_a_row_for_each_destination_and_course(client, busy):
    client.force_login(make_staff())
    answer = client.get(f"/reports/forwards.csv?{QUERY}")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer).decode())))
    assert [(row["destination"], row["course"], row["attempts"], row["calls"], row["answers"]) for row in rows] == [
        ("+492212345678", "parallel", "1", "1", "1"),
        ("1001", "alone", "1", "1", "1"),
        ("1001", "parallel", "1", "1", "0"),
        ("1001", "sequence", "1", "1", "0"),
        ("1002", "alone", "1", "1", "0"),
        ("1002", "sequence", "1", "1", "1"),
    ]
    assert rows[0]["answer_rate"] == "1.0000"
    assert rows[0]["ring_s"] == "24.5"


def test_the_file_for_excel_keeps_phone_numbers_whole(client, busy):
    client.force_login(make_staff())
    text = b"".join(client.get(f"/reports/forwards.csv?{QUERY}&format=excel")).decode("utf-8-sig")
    assert ";+49 2212345678;" in text
    assert ";24,5" in text


def test_a_page_without_forwards_says_so(client, number):
    call(number, "a")
    roll_up()
    client.force_login(make_staff())
    page = client.get(f"/reports/forwards/?{QUERY}").content.decode()
    assert "Not measured yet" in page
    assert client.get("/reports/forwards/?from=2026-01-01&to=2026-01-01").status_code == 200


def test_a_destination_is_shown_as_text_whatever_it_is_called(client, number):
    for name in ('"><script>x</script>', "=1+1", "Türkçe İ"):
        call(number, name, (5, FORWARD, name))
    roll_up()
    client.force_login(make_staff())
    page = client.get(f"/reports/forwards/?{QUERY}").content.decode()
    assert "<script>x" not in page
    for _key, calls, href in links(page):
        assert len(listed(client, href)) == calls
    assert "'=1+1" in b"".join(client.get(f"/reports/forwards.csv?{QUERY}")).decode()


@pytest.mark.parametrize("many", [3, 40])
def test_no_query_is_made_per_destination(client, number, django_assert_max_num_queries, many):
    for n in range(many):
        call(number, f"call {n}", (5, FORWARD, f"1{n:03}"), (25, FORWARD, "2000"), (30, ANSWER, "2000"))
    roll_up()
    client.force_login(make_staff())
    client.get(f"/reports/forwards/?{QUERY}")  # stores the question in the session
    with django_assert_max_num_queries(15):
        client.get(f"/reports/forwards/?{QUERY}")
