"""The table of access on the page of a user: with many numbers it has a search, which works in the browser."""

from datetime import date

import pytest
from playwright.sync_api import expect

from calls.models import NumberAccess, Right
from tests.factories import PASSWORD, give, make_number, make_staff, make_user

# Whether a field is as wide as what it holds.
IS_WHOLE = """field => {
    const width = field.offsetWidth;
    field.style.cssText = "width: max-content; max-width: none";
    return width >= field.offsetWidth;
}"""

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_search_keeps_matching_numbers_and_what_is_ticked_is_saved(live_server, sign_in):
    make_staff("admin")
    anna = make_user("anna")
    for n in range(30):
        make_number(f"+49221554003{n:02}", label=f"Branch {n}")
    cologne = make_number("+4930123456", label="Köln Süd")
    page = sign_in("admin", PASSWORD)
    page.goto(f"{live_server.url}/admin/auth/user/{anna.pk}/change/")
    rows = page.locator("[data-access-row]:visible")
    expect(rows).to_have_count(32)  # with that for all numbers

    search = page.get_by_role("searchbox", name="Search numbers")
    search.fill("sud koln")
    search.press("Enter")
    expect(rows).to_have_count(1)
    page.get_by_role("checkbox", name="Köln Süd: figures").check()
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/admin/auth/user/")

    assert NumberAccess.objects.get(user=anna).destination_number == cologne


def test_last_days_are_printed_whole(live_server, sign_in):
    make_staff("admin")
    anna, number = make_user("anna"), make_number(label="Kundendienstannahme Nordrhein-Westfalen")
    give(anna, number, *Right, until=date(2026, 12, 24))
    page = sign_in("admin", PASSWORD)
    page.goto(f"{live_server.url}/admin/auth/user/{anna.pk}/change/")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 688, "height": 970})  # A4 without its margins

    day = page.locator("[data-access-row] input[type=date][value='2026-12-24']")
    table = page.locator(".access-scroll")
    assert day.evaluate(IS_WHOLE)
    assert table.evaluate("table => table.scrollWidth <= table.clientWidth")
