"""The first day: staff add a number and its key, a post arrives, a manager sees the counted call."""

import csv
import json
from urllib.request import Request, urlopen

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import expect

from calls.models import DestinationNumber
from reports.counting import rollups
from tests.factories import OF_MANAGERS, PASSWORD, give, make_number, make_staff, make_user, post_body, send

pytestmark = pytest.mark.django_db(transaction=True)


def post_to(live_server, body):
    request = Request(
        f"{live_server.url}/tenios/posts", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urlopen(request) as answer:
        return answer.status


def test_from_an_empty_installation_to_a_counted_call_and_its_csv(live_server, sign_in, tmp_path):
    make_staff("admin")
    make_user("manager")
    make_user("other")

    # First start: the overview says what to do.
    staff = sign_in("admin", PASSWORD)
    expect(staff.get_by_role("heading", name="Add your number")).to_be_visible()
    staff.get_by_role("link", name="Add a number").click()
    staff.get_by_label("Number:", exact=True).fill("0221 4710300")
    staff.get_by_label("Name:", exact=True).fill("Hotline Köln")
    staff.get_by_role("button", name="Save", exact=True).click()

    # Saving leads to its first key, which is shown once.
    staff.get_by_role("button", name="Create access key").click()
    key = staff.locator("#access-key-1").inner_text()
    assert len(key) >= 20
    staff.reload()
    assert staff.locator("#access-key-1").count() == 0 or staff.locator("#access-key-1").inner_text() != key

    for kind in ("CALL_START", "BLOCK_END", "INITIATE_FORWARD", "FORWARD_ANSWER", "CALL_END"):
        assert post_to(live_server, post_body(kind, "+492214710300", key, collected_menu="1")) == 200
    rollups.recount_changed(wait=True)

    # A manager with access to the number sees the counted call; another manager does not.
    number = DestinationNumber.objects.get()
    give(User.objects.get(username="manager"), number, *OF_MANAGERS)
    manager = sign_in("manager", PASSWORD)
    expect(manager.locator("#sentence")).to_contain_text("1 call")
    expect(manager.locator("#t-numbers tbody tr")).to_have_count(1)
    with manager.expect_download() as download:
        manager.locator("#export summary").click()
        manager.locator("#export").get_by_role("link", name="CSV", exact=True).first.click()
    download.value.save_as(tmp_path / "counts.csv")
    with (tmp_path / "counts.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["destination_number"], row["offered"], row["answered"]) for row in rows] == [
        ("+492214710300", "1", "1")
    ]

    manager.locator("#t-numbers").get_by_role("link", name="Hotline Köln").click()
    expect(manager.get_by_role("heading", level=1)).to_contain_text("Hotline Köln")
    manager.get_by_role("link", name="All calls").first.click()
    manager.locator("#t-list tbody tr th a").click()
    expect(manager.get_by_role("heading", level=1)).to_contain_text("Hotline Köln")
    expect(manager.locator("main")).to_contain_text("collected_menu")
    assert key not in manager.content()

    other = sign_in("other", PASSWORD)
    expect(other.locator("main")).not_to_contain_text("Hotline")
    for address in (manager.url, f"{live_server.url}/reports/numbers/{number.pk}/"):
        assert other.goto(address).status == 404

    # Staff see the posts of the call in the admin, in order, without the key.
    call = number.calls.get()
    staff.goto(f"{live_server.url}/admin/calls/call/{call.pk}/change/")
    expect(staff.locator("#content")).to_contain_text("FORWARD_ANSWER")
    assert key not in staff.content()


def test_a_wrong_password_shows_an_error_and_the_right_one_signs_in(live_server, open_window, sign_in):
    make_user("manager", numbers=[make_number()])
    page = open_window()
    page.goto(f"{live_server.url}/reports/calls/")
    page.get_by_label("User name").fill("manager")
    page.get_by_label("Password", exact=True).fill("not it")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("is wrong")

    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()

    page.wait_for_url("**/reports/calls/")


def test_a_search_by_caller_leaves_no_number_in_the_address(client, live_server, sign_in):
    number = make_number(label="Hotline", managers=[make_user("manager")])
    send(client, number, "CALL_START", caller_id_number="+4917012345678")
    send(client, number, "CALL_START", caller_id_number="+4917099999999", call_uuid="b", correlation_id="b")
    page = sign_in("manager", PASSWORD)
    page.goto(f"{live_server.url}/reports/calls/")
    expect(page.locator("#t-list tbody tr")).to_have_count(2)

    page.get_by_label("Caller, call_uuid or correlation_id").fill("0170 12345678")
    page.get_by_role("button", name="Show").click()

    expect(page.locator("#t-list tbody tr")).to_have_count(1)
    assert "12345678" not in page.url


def test_the_whole_path_by_keyboard_alone(client, live_server, sign_in):
    number = make_number(label="Hotline", managers=[make_user("manager")])
    send(client, number, "CALL_START", "CALL_END")
    rollups.recount_changed(wait=True)
    page = sign_in("manager", PASSWORD)

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    # A definition opens on focus and closes with Escape.
    term = page.locator(".figure-tiles .term").first
    term.focus()
    expect(page.locator(".tip:visible").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".tip:visible")).to_have_count(0)
    # A link of the numbers' table opens with Enter.
    page.locator("#t-numbers tbody a").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/reports/numbers/**")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_follow_the_system_colour_scheme_and_the_users_choice(live_server, sign_in, scheme):
    make_user("manager")
    page = sign_in("manager", PASSWORD, scheme=scheme)

    expect(page.locator("html")).to_have_attribute("data-bs-theme", scheme)
