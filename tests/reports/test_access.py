"""Pages, links and downloads show of each number what the person has a right to; being staff opens the admin alone."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from calls import phones
from calls.ingest import intake
from calls.models import Call, Right
from reports.counting import rollups
from reports.exports import workbook_jobs
from reports.models import Workbook
from tests.factories import (
    allow,
    expire,
    give,
    make_number,
    make_superuser,
    make_user,
    post,
    post_body,
    take,
)
from tests.reports.html_reader import Page

pytestmark = pytest.mark.django_db(transaction=True)

TEN = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
QUERY = "from=2026-03-03&to=2026-03-03"
LIST = "/reports/calls/"


@pytest.fixture(autouse=True)
def _files(tmp_path, settings):
    settings.FILES_FOLDER = tmp_path / "files"


@pytest.fixture
def hotline():
    return with_calls(make_number(label="Hotline"), 3)


@pytest.fixture
def shop():
    return with_calls(make_number("+4930123456", label="Shop"), 2)


@pytest.fixture
def user(client):
    user = make_user("anna")
    client.force_login(user)
    return user


def with_calls(number, calls):
    for n in range(calls):
        for second, kind in enumerate(
            ("CALL_START", "BLOCK_END QUEUE", "INITIATE_FORWARD", "FORWARD_ANSWER", "CALL_END")
        ):
            take(number, kind, TEN + timedelta(minutes=n, seconds=second), call_uuid=f"{number.label} {n}")
    rollups.recount_changed(wait=True)
    return number


def page(client, address, status=200):
    answer = client.get(address)
    assert answer.status_code == status, address
    return answer.content.decode()


def links_to_calls(html):
    return [address for address in Page("", html).addresses if address.startswith(LIST)]


def named(number):
    return f"number=%2B{number.e164[1:]}"


# --- Single calls ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place", ["/reports/", "/reports/busy-hours/", "/reports/trend/?by=day", "/reports/numbers/{}/"]
)
def test_counts_lead_to_their_calls_only_where_these_may_be_seen(client, user, hotline, place):
    address = place.format(hotline.pk)
    address += f"{'&' if '?' in address else '?'}{QUERY}"
    give(user, hotline, "people")
    without = page(client, address)
    assert links_to_calls(without) == []
    assert "data-calls" not in without

    give(user, hotline, "calls")
    assert "data-calls" in page(client, address)


def test_the_counts_of_several_numbers_lead_to_calls_only_if_all_of_these_may_be_seen(client, user, hotline, shop):
    give(user, hotline, "calls")
    give(user, shop)
    overview = page(client, f"/reports/?{QUERY}")

    assert {*re.findall(r"number=(%2B\d+)", " ".join(links_to_calls(overview)))} == {f"%2B{hotline.e164[1:]}"}
    # Only the menu leads to the list without a number.
    assert {address for address in links_to_calls(overview) if "number=" not in address} == {f"{LIST}?{QUERY}"}
    of_shop = page(client, f"/reports/busy-hours/?{QUERY}&{named(shop)}")
    assert {*links_to_calls(of_shop)} == {f"{LIST}?{QUERY}&{named(shop)}"}
    assert "data-calls" not in of_shop


def test_without_any_single_calls_the_list_is_closed_and_no_page_leads_to_it(client, user, hotline):
    give(user, hotline)

    page(client, LIST, 403)
    assert client.post(LIST, {"q": "0170"}).status_code == 403
    assert LIST not in page(client, "/reports/")
    expire(user, hotline)
    page(client, LIST, 403)


def test_the_list_has_the_calls_of_the_numbers_whose_calls_may_be_seen(client, user, hotline, shop):
    give(user, hotline, "calls")
    give(user, shop)

    assert {row.call.destination_number for row in client.get(LIST).context["page"].rows} == {hotline}
    answer = client.get(f"{LIST}?{named(shop)}")
    assert answer.context["page"].rows == []
    assert "You may not see single calls of: Shop." in answer.content.decode()
    page(client, f"{LIST}?number=%2B4940123456", 404)


def test_a_call_without_the_right_to_it_is_answered_like_one_that_does_not_exist(client, user, hotline, shop):
    give(user, hotline, "calls")
    give(user, shop)
    own, other = (Call.objects.filter(destination_number=number).first() for number in (hotline, shop))

    page(client, f"{LIST}{own.pk}/")
    refused, missing = (page(client, f"{LIST}{pk}/", 404) for pk in (other.pk, other.pk + 1_000_000))
    token = r'name="csrfmiddlewaretoken" value="\w+"'
    assert re.sub(token, "", refused) == re.sub(token, "", missing)


# --- Downloads of single calls ---------------------------------------------------------------


@pytest.mark.parametrize("name", ["calls.csv", "calls.xlsx"])
def test_downloads_of_calls_need_the_right_to_export_them(client, user, hotline, name):
    address = f"/reports/{name}?{QUERY}"
    give(user, hotline, "calls", "callers")
    assert page(client, address, 403) == "You may not download single calls.\n"
    assert "/reports/calls.csv" not in page(client, f"/reports/?{QUERY}") + page(client, LIST)

    give(user, hotline, "calls", "export")
    answer = client.get(address)
    assert answer.status_code == 200
    assert b"".join(answer)
    answer.close()
    for offering in (f"/reports/?{QUERY}", LIST, f"/reports/numbers/{hotline.pk}/"):
        assert "/reports/calls.csv" in page(client, offering)


def test_a_download_of_several_numbers_needs_the_right_for_each_of_them(client, user, hotline, shop):
    give(user, hotline, "calls", "export")
    give(user, shop, "calls")
    address = f"/reports/calls.csv?{QUERY}"

    assert page(client, address, 403) == (
        "You may download single calls of some numbers only. Choose only these: Hotline.\n"
    )
    assert page(client, f"{address}&{named(shop)}", 403) == "You may not download single calls of these numbers.\n"
    answer = client.get(f"{address}&{named(hotline)}")
    assert b"".join(answer).count(b"\n") == 4
    give(user, shop)
    assert page(client, f"{address}&{named(shop)}", 403) == "You may not see single calls of: Shop.\n"


def make_workbook(client, kind, numbers=""):
    """Request a workbook, have it made, and return the address of its file."""
    place = client.post("/reports/files/", {"kind": kind, "query": f"{QUERY}{numbers}"})["Location"]
    workbook_jobs.make_waiting()
    return f"{place[:-1]}.xlsx"


def fetched(client, address):
    answer = client.get(address)
    if answer.streaming:
        b"".join(answer)
        answer.close()
    return answer.status_code


@pytest.mark.parametrize("lost", ["calls", "callers", "people", "export"])
def test_a_workbook_of_calls_is_withheld_once_a_right_that_it_was_made_by_is_gone(client, user, hotline, lost):
    further = ["calls", "callers", "people", "export"]
    give(user, hotline, *further)
    file = make_workbook(client, "calls")
    assert fetched(client, file) == 200

    kept = [what for what in further if what != lost]
    give(user, hotline, *([] if lost == "calls" else kept))
    assert fetched(client, file) == 403
    give(user, hotline, *further)
    assert fetched(client, file) == 200


def test_a_workbook_of_counts_needs_figures_alone(client, user, hotline):
    give(user, hotline, *Right)
    file = make_workbook(client, "counts")
    give(user, hotline)
    assert fetched(client, file) == 200

    give(user, hotline, until=timezone.localdate() - timedelta(days=1))
    assert fetched(client, file) == 403


def test_more_rights_make_another_workbook(client, user, hotline):
    give(user, hotline, "calls", "export")
    first = make_workbook(client, "calls")
    assert make_workbook(client, "calls") == first

    give(user, hotline, "calls", "export", "callers")
    assert make_workbook(client, "calls") != first


def test_workbooks_that_were_made_before_rights_were_recorded_are_withheld(client, user, hotline):
    give(user, hotline, *Right)
    file = make_workbook(client, "calls")
    Workbook.objects.update(rights={})

    assert fetched(client, file) == 403


# --- Staff, and those who run the installation -----------------------------------------------


def test_staff_see_links_to_the_admin_and_nothing_else(client, hotline):
    client.force_login(make_user("staff", is_staff=True))

    overview = page(client, "/reports/")
    assert "/admin/" in overview
    assert "/reports/system/" not in overview
    assert "Hotline" not in overview
    page(client, f"/reports/numbers/{hotline.pk}/", 404)
    page(client, "/reports/system/", 403)


def test_the_page_system_needs_its_permission_and_the_admin(client, hotline):
    staff, viewer = make_user("staff", is_staff=True), make_user("viewer")
    for person in (staff, viewer):
        allow(person, "calls.view_system")
    client.force_login(viewer)
    page(client, "/reports/system/", 403)
    client.force_login(staff)
    assert "/reports/system/" in page(client, "/reports/")
    page(client, "/reports/system/")
    client.force_login(make_superuser())
    page(client, "/reports/system/")


def test_settings_of_a_number_are_linked_for_those_who_may_change_them(client, user, hotline):
    address, settings = f"/reports/numbers/{hotline.pk}/?{QUERY}", f"/admin/calls/destinationnumber/{hotline.pk}/"
    give(user, hotline)
    allow(user, "calls.change_destinationnumber")
    assert settings not in page(client, address)
    user.is_staff = True
    user.save()
    assert settings in page(client, address)


def test_only_those_who_would_see_a_new_number_are_told_to_add_one(client):
    make_number(label="Hotline")
    operator = make_user("operator", is_staff=True)
    allow(operator, "calls.change_destinationnumber")
    client.force_login(operator)
    assert "Ask for your numbers" in page(client, "/reports/")

    give(operator)
    assert "Add your number" in page(client, "/reports/")


def test_notices_of_rejected_messages_name_no_number_that_may_not_be_seen(client, hotline, shop):
    for e164 in (hotline.e164, shop.e164, "+4940555555"):
        assert post(client, post_body("CALL_START", e164, "not-a-key-of-it")).status_code == 403
    intake.get_intake().close()  # refused posts are stored in the background
    operator = make_user("operator", is_staff=True)
    allow(operator, "calls.view_refusedpost")
    give(operator, hotline)
    client.force_login(operator)

    overview, settings = page(client, "/reports/"), page(client, "/admin/")
    assert "2 things to set up." in overview
    assert f"1 message for {hotline.readable} was rejected." in settings
    assert f"1 message for {phones.readable('+4940555555')} was rejected." in settings
    assert shop.readable not in overview + settings
