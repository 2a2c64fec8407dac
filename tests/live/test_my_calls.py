"""My calls and Why no pop: people see their own rings, staff those of numbers whose calls they see."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.utils import timezone

from live import why_not
from live.models import LiveProcess, LiveProfile, NumberRings, Pop, WhyNot
from tests.factories import allow, give, make_contact, make_number, make_staff, make_user
from tests.live.rings import map_to, ring

pytestmark = pytest.mark.django_db(transaction=True)

MY_CALLS, WHY = "/live/", "/live/why/"
WHOLE, MASKED = "+49 170 12345678", "+49 170 12345•••"


def text_of(page):
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.content.decode())).split())


def rows_of(page):
    """Return the cells of each row of the table, as wide windows show them."""
    body = page.content.decode().partition("<tbody>")[2].partition("</tbody>")[0]
    body = re.sub(r'<span class="only-phone.*?</span>', "", body)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in body.split("<tr>")[1:]]
    return [[" ".join(unescape(re.sub(r"<[^>]+>", " ", cell)).split()) for cell in row] for row in cells]


@pytest.fixture
def number():
    return make_number(label="Hotline")


@pytest.fixture
def anna(client):
    """A person without any right for numbers, signed in."""
    user = make_user("anna", first_name="Anna", last_name="Meyer")
    client.force_login(user)
    return user


def test_people_see_their_own_rings_with_whole_callers_without_a_right_to_see_calls(client, number, anna):
    now = timezone.now()
    ring(anna, number, shown_at=now, answered_at=now)
    ring(anna, number, caller="anonymous", shown_at=now, closed_at=now, why_closed="not_answered")
    ring(make_user("ben"), number, "1002", caller="+4917099999999", shown_at=now)

    page = client.get(MY_CALLS)

    assert [row[1:] for row in rows_of(page)] == [
        ["number withheld", "Hotline", "1001", "Not answered"],
        [WHOLE, "Hotline", "1001", "Answered"],
    ]
    assert "99999999" not in text_of(page)
    assert "/reports/calls/" not in page.content.decode()

    give(anna, number, "calls")
    assert f"/reports/calls/{Pop.objects.earliest().call.pk}/" in client.get(MY_CALLS).content.decode()


def test_people_who_are_connected_nowhere_read_whom_to_ask(client, number, anna):
    assert "Ask your administrator to enter you under Agents" in text_of(client.get(MY_CALLS))
    client.force_login(make_staff())
    assert 'href="/admin/contacts/agentdestination/">Agents</a>' in client.get(MY_CALLS).content.decode()

    client.force_login(anna)
    map_to(anna, "1001")
    for one in (number, make_number("+4922155400301", label="Accounts")):
        NumberRings.objects.create(destination_number=one).team.add(anna)
    page = text_of(client.get(MY_CALLS))
    assert "Ask your administrator" not in page
    assert "You answer at: 1001. You are in the team of: Accounts, Hotline." in page


def test_switches_are_stored_for_the_person_who_sets_them(client, anna):
    assert LiveProfile(user=anna).pops
    answer = client.post("/live/profile", {"sound": "on", "pops": "on"}, follow=True)
    assert "Saved." in text_of(answer)
    assert client.post("/live/profile", {"sound": "on", "user": make_user("ben").pk}).status_code == 302
    profile = LiveProfile.objects.get()
    assert profile.user == anna
    assert (profile.pops, profile.notification, profile.open_at_once, profile.sound) == (False, False, False, True)
    assert re.findall(r'name="(\w+)" id="id_\w+" checked', client.get(MY_CALLS).content.decode()) == ["sound"]


def test_a_test_call_rings_for_oneself_alone_and_is_no_call(client, anna):
    map_to(anna, "1001")
    assert client.get("/live/test").status_code == 405
    assert client.post("/live/test").status_code in {200, 204}

    [shown] = client.get("/live/state").json()["rings"]
    assert shown["state"] == "ringing"
    assert Pop.objects.get(is_test=True).user == anna
    assert rows_of(client.get(MY_CALLS))[0][1:] == ["Test call", "Test call", "", "Ringing"]
    client.force_login(make_user("ben"))
    assert client.get("/live/state").json()["rings"] == []
    assert rows_of(client.get(MY_CALLS)) == []


@pytest.mark.parametrize("code", [*WhyNot.values, why_not.UNSEEN])
def test_each_reason_is_a_sentence_with_what_to_do(client, number, anna, code):
    ring(anna, number, why_not=code, closed_at=timezone.now())
    [row] = rows_of(client.get(WHY))
    assert row[1:] == [WHOLE, "Hotline", f"{why_not.happened(code)} {why_not.ADVICE[code]}"]
    assert "Why some of them were not shown" in text_of(client.get(MY_CALLS))


def test_what_was_shown_and_rings_of_others_are_not_listed_under_why_no_pop(client, number, anna):
    ring(anna, number, shown_at=timezone.now())
    ring(anna, number, at=timezone.now())  # a page may still say that it showed it
    ring(anna, number, why_not="not_connected", shown_at=timezone.now())  # a page was opened while it rang
    ring(make_user("ben"), number, why_not="late")
    for address in (WHY, f"{WHY}?who=all"):
        page = client.get(address)
        assert rows_of(page) == []
        assert "Of all numbers" not in text_of(page)


def test_the_permission_shows_rings_of_numbers_whose_calls_one_sees(client, number, anna):
    other = make_number("+4930123456", label="Sales")
    ring(anna, number, why_not="late")
    ring(anna, other, why_not="ended")
    olga = make_user("olga", is_staff=True)
    allow(olga, "live.view_pop")
    client.force_login(olga)
    assert rows_of(client.get(f"{WHY}?who=all")) == []

    give(olga, number, "calls")
    assert rows_of(client.get(WHY)) == []
    [row] = rows_of(client.get(f"{WHY}?who=all"))
    assert row[1:4] == [MASKED, "Hotline", "–"]
    assert "1001" not in text_of(client.get(f"{WHY}?who=all"))

    give(olga, number, "calls", "callers", "people")
    [row] = rows_of(client.get(f"{WHY}?who=all"))
    assert row[1:4] == [MASKED, "Hotline", "Anna Meyer"]


def test_in_a_list_of_all_only_own_rings_have_whole_callers(client, number):
    olga = make_user("olga", is_staff=True)
    allow(olga, "live.view_pop")
    give(olga, number, "calls", "callers", "people")
    client.force_login(olga)
    ring(olga, number, why_not="late", caller="+4917011112222")
    ring(make_user("ben", first_name="Ben"), number, "1002", why_not="late")

    rows = rows_of(client.get(f"{WHY}?who=all"))

    assert [row[1] for row in rows] == [MASKED, "+49 170 11112222"]


def test_staff_read_that_the_clock_of_a_host_is_off(client, number, anna):
    LiveProcess.objects.create(name="web1", clock_offset_s=-7.2)
    LiveProcess.objects.create(name="web2", clock_offset_s=1.5)
    LiveProcess.objects.create(name="web3", clock_offset_s=9, seen_at=timezone.now() - timedelta(hours=1))
    assert "clock" not in text_of(client.get(WHY))
    client.force_login(make_staff())
    page = text_of(client.get(WHY))
    assert "The clock of web1 differs from that of the database by -7.2 seconds." in page
    assert "web2" not in page
    assert "web3" not in page


def test_pages_need_as_many_queries_for_many_rings_as_for_one(client, number, anna, django_assert_num_queries):
    ring(anna, number, why_not="late")
    for address in (MY_CALLS, WHY):
        client.get(address)
        with django_assert_num_queries(11 if address == MY_CALLS else 8):
            client.get(address)
    for _ in range(3):
        ring(anna, number, why_not="late")
    for address in (MY_CALLS, WHY):
        with django_assert_num_queries(11 if address == MY_CALLS else 8):
            client.get(address)


def test_records_open_in_the_tab_that_a_link_names(client, anna):
    """With `same-origin` each click would open another tab."""
    assert client.get(MY_CALLS)["Cross-Origin-Opener-Policy"] == "same-origin-allow-popups"


def test_contacts_are_named_in_own_rings_and_where_callers_may_be_seen(client, number, anna):
    make_contact("Erika Muster", "+4917012345678", company="Muster GmbH")
    ring(anna, number, why_not=WhyNot.LATE)
    named = ["Erika Muster · Muster GmbH " + WHOLE]
    assert [row[1] for row in rows_of(client.get(MY_CALLS))] == named

    olga = make_user("olga", is_staff=True)
    allow(olga, "live.view_pop")
    client.force_login(olga)
    for rights, are_named in ((["calls"], False), (["calls", "callers"], True)):
        give(olga, number, *rights)
        page = text_of(client.get(f"{WHY}?who=all"))
        assert ("Erika Muster" in page) is are_named
        assert MASKED in page
