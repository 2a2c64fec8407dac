"""The admin page of agents: destinations of numbers whose people one sees, those without people first."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.utils import timezone

from contacts.models import AgentDestination
from reports.counting import rollups
from reports.queries import forwards
from tests.factories import give, make_number, make_superuser, make_user, take

pytestmark = pytest.mark.django_db(transaction=True)

AGENTS = "/admin/contacts/agentdestination/"
OTHER = "+4930123456"
NOW = timezone.now()


def page_of(destination, kind="SIP_USER"):
    return f"{AGENTS}{forwards.token(forwards.named(destination, kind))}/change/"


def ring(number, destination, times=1, *, at=None, kind="SIP_USER", post="INITIATE_FORWARD"):
    """Let a destination ring in so many calls to a number."""
    for n in range(times):
        call = f"{number.e164} {destination} {at} {n}"
        began = (at or NOW) - timedelta(hours=1)
        take(number, "CALL_START", began, call_uuid=call)
        took_at = began + timedelta(seconds=1)
        take(number, f"{post} {destination}", took_at, call_uuid=call, destinationType=kind)


def text_of(page):
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.content.decode())).split())


def rows_of(page):
    """Return the cells of each row of the table."""
    body = page.content.decode().partition("<tbody>")[2].partition("</tbody>")[0]
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in body.split("<tr>")[1:]]
    return [[" ".join(unescape(re.sub(r"<[^>]+>", " ", cell)).split()) for cell in row] for row in cells]


@pytest.fixture
def numbers(settings):
    settings.FORWARDS_LEAST_DESTINATIONS = 2
    hotline, sales = make_number(label="Hotline"), make_number(OTHER, label="Sales")
    ring(hotline, "1001", 3)
    ring(hotline, "1002", 2)
    ring(hotline, "+492214710300", 1, kind="EXTERNALNUMBER")
    ring(sales, "2001", 4)
    ring(sales, "1001", 1)
    rollups.recount_changed(wait=True)
    return hotline, sales


@pytest.fixture
def anna():
    return make_user("anna", first_name="Anna", last_name="Meyer")


@pytest.fixture
def operator(client, numbers):
    """A person of the group operator with the right `people` on the first number; signed in."""
    user = make_user("olga", is_staff=True)
    user.groups.add(Group.objects.get(name="operator"))
    give(user, numbers[0], "people")
    client.force_login(user)
    return user


def map_to(user, destination, kind="SIP_USER", day=None):
    AgentDestination.objects.create(user=user, destination=destination, destination_type=kind, from_day=day)


def test_destinations_without_people_come_first_then_those_that_rang_most(client, operator, anna):
    map_to(anna, "1001")
    assert rows_of(client.get(AGENTS)) == [
        ["1002", "SIP user", "rang 2 times", "not mapped"],
        ["+49 221 4710300", "Phone number", "rang 1 time", "not mapped"],
        ["1001", "SIP user", "rang 3 times", "Anna Meyer"],
    ]


def test_nobody_sees_destinations_of_numbers_without_the_right_people(client, operator, numbers):
    assert client.get(page_of("1001")).status_code == 200
    assert "2001" not in text_of(client.get(AGENTS))
    for address in (page_of("2001"), page_of("2001").replace("change", "history"), page_of("nothing")):
        answer = client.get(address)
        assert (answer.status_code, answer["Location"]) == (302, "/admin/")
    assert client.post(page_of("2001"), {"person": "nobody"}).status_code == 302
    assert not AgentDestination.objects.exists()

    give(operator, numbers[0], "calls", "callers", "export")
    assert rows_of(client.get(AGENTS)) == []
    assert client.get(page_of("1001")).status_code == 302


def test_a_superuser_sees_the_destinations_of_all_numbers(client, numbers):
    client.force_login(make_superuser())
    assert [row[:3] for row in rows_of(client.get(AGENTS))][:2] == [
        ["1001", "SIP user", "rang 4 times"],
        ["2001", "SIP user", "rang 4 times"],
    ]


def test_only_the_permission_lets_people_change_it(client, operator, anna):
    group = Group.objects.get(name="operator")
    change = group.permissions.get(codename="change_agentdestination")
    group.permissions.remove(change)
    client.force_login(operator)
    try:
        assert "Add a person" not in text_of(client.get(page_of("1001")))
        assert client.post(page_of("1001"), {"person": anna.pk}).status_code == 403
        assert not AgentDestination.objects.exists()
    finally:
        group.permissions.add(change)


def test_how_often_each_rang_is_not_shown_where_too_few_were_tried(client, operator, settings):
    settings.FORWARDS_LEAST_DESTINATIONS = 4
    page = client.get(AGENTS)
    assert [row[0] for row in rows_of(page)] == ["+49 221 4710300", "1001", "1002"]
    assert "rang" not in text_of(page).replace("rang: too few", "")
    assert "rang" not in text_of(client.get(page_of("1001")))


def test_destinations_not_tried_for_long_are_listed_only_with_people(client, operator, numbers, anna):
    long_ago = NOW - timedelta(days=100)
    ring(numbers[0], "1003", at=long_ago)
    ring(numbers[0], "1004", at=long_ago)
    ring(numbers[1], "2002", at=long_ago)
    rollups.recount_changed(wait=True)
    for destination in ("1003", "2002", "never"):
        map_to(anna, destination)
    listed = {row[0]: row[2] for row in rows_of(client.get(AGENTS))}
    assert listed["1003"] == "rang 0 times"
    assert not {"1004", "2002", "never"} & listed.keys()


def test_where_forwards_are_not_posted_it_says_how_often_each_answered(client, operator, numbers):
    ring(numbers[0], "1005", 2, post="FORWARD_ANSWER")
    rollups.recount_changed(wait=True)
    assert ["1005", "SIP user", "answered 2 times", "not mapped"] in rows_of(client.get(AGENTS))


def test_people_are_added_and_removed_and_the_history_says_it_by_name(client, operator, anna):
    ben = make_user("ben", first_name="Ben", last_name="Kurz")
    assert client.post(page_of("1001"), {"person": anna.pk}).status_code == 302
    client.post(page_of("1001"), {"person": ben.pk, "from_day": "1 Sep 2026", "joins": "yes"})
    page = client.get(page_of("1001"))
    assert [row[:2] for row in rows_of(page)] == [
        ["from the beginning", "Anna Meyer"],
        ["1 Sep 2026", "Anna Meyer"],
        ["1 Sep 2026", "Ben Kurz"],
    ]
    row = AgentDestination.objects.get(user=anna, from_day="2026-09-01")
    said = client.post(page_of("1001"), {"remove": row.pk}, follow=True)
    assert "Anna Meyer removed from 1 Sep 2026." in text_of(said)

    history = text_of(client.get(page_of("1001").replace("change", "history")))
    assert "olga Anna Meyer added from the beginning" in history
    assert "olga Anna Meyer added from 1 Sep 2026; Ben Kurz added from 1 Sep 2026" in history
    assert "olga Anna Meyer removed from 1 Sep 2026" in history
    assert "Anna" not in text_of(client.get(page_of("1002").replace("change", "history")))
    assert LogEntry.objects.count() == 3


def test_whether_those_before_go_on_is_asked_where_somebody_answers(client, operator, anna):
    question = "Those before"
    assert question not in text_of(client.get(page_of("1001")))
    map_to(anna, "1001")
    page = client.get(page_of("1001"))
    assert question in text_of(page)
    assert "checked" not in page.content.decode()

    ben = make_user("ben", first_name="Ben", last_name="Kurz")
    answer = text_of(client.post(page_of("1001"), {"person": ben.pk, "from_day": "1 Sep 2026"}))
    assert "Choose whether those before go on answering there: Anna Meyer." in answer
    assert AgentDestination.objects.get().user == anna
    client.post(page_of("1001"), {"person": ben.pk, "from_day": "1 Sep 2026", "joins": "no"})
    assert [row[:2] for row in rows_of(client.get(page_of("1001")))] == [
        ["from the beginning", "Anna Meyer"],
        ["1 Sep 2026", "Ben Kurz"],
    ]


def test_a_row_of_another_destination_is_not_removed_here(client, operator, anna):
    map_to(anna, "2001")
    client.post(page_of("1001"), {"remove": AgentDestination.objects.get().pk})
    assert AgentDestination.objects.count() == 1
    assert not LogEntry.objects.exists()


def test_only_active_users_are_offered_and_superusers_only_to_superusers(client, operator, anna):
    make_user("former", is_active=False)
    boss = make_superuser("boss")
    page = text_of(client.get(page_of("1001")))
    assert "Anna Meyer (anna)" in page
    assert "former" not in page
    assert "boss" not in page
    assert "Select a valid choice" in text_of(client.post(page_of("1001"), {"person": boss.pk}))
    assert not AgentDestination.objects.exists()

    client.force_login(boss)
    client.post(page_of("1001"), {"person": boss.pk})
    assert AgentDestination.objects.get().user == boss


def test_what_cannot_be_read_is_said_and_nothing_is_saved(client, operator, anna):
    page = client.post(page_of("1001"), {"person": anna.pk, "from_day": "31 Feb 2026"})
    assert "Nothing was saved." in text_of(page)
    assert "Nothing was saved." in text_of(client.post(page_of("1001"), {}))
    assert not AgentDestination.objects.exists()


def test_nobody_answers_from_a_day_on(client, operator, anna):
    map_to(anna, "1001")
    client.post(page_of("1001"), {"person": "nobody", "from_day": "1 Sep 2026", "joins": "yes"})
    assert ["1001", "SIP user", "rang 3 times", "nobody today"] in rows_of(client.get(AGENTS))
    assert [row[1] for row in rows_of(client.get(page_of("1001")))] == ["Anna Meyer", "Nobody"]


def test_the_list_needs_the_same_number_of_queries_for_any_number_of_people(
    client, operator, anna, django_assert_num_queries, django_assert_max_num_queries
):
    client.get(AGENTS)  # what the navigation says is read once a minute
    with django_assert_max_num_queries(12) as few:
        client.get(AGENTS)
    map_to(anna, "1001")
    map_to(make_user("ben"), "1001")
    map_to(make_user("carla"), "1002")
    with django_assert_num_queries(len(few)):
        client.get(AGENTS)


def test_editors_add_themselves_only_where_they_may_see_callers(client, operator, numbers):
    page, myself = page_of("1002"), {"person": operator.pk, "from_day": "2026-01-01"}
    assert "Ask a colleague to add you." in text_of(client.post(page, myself))
    assert not AgentDestination.objects.exists()

    give(operator, numbers[0], "calls", "people", "callers")
    give(operator, numbers[1], "people")
    assert "Ask a colleague to add you." in text_of(client.post(page, myself))
    give(operator, numbers[1], "calls", "people", "callers")
    assert client.post(page, myself).status_code == 302
    assert AgentDestination.objects.get().user == operator
