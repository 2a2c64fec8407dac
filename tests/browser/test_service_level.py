"""A number below its service level: the overview links to it, and it is in view on desktop and phone."""

import pytest
from playwright.sync_api import expect

from tests.browser.everypage import LONG, STAFF, furnish
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)

# Whether an element is in the window and not covered by the bottom bar.
IN_SIGHT = """element => {
    const {top, bottom} = element.getBoundingClientRect();
    const bar = document.querySelector(".bottom-bar").getBoundingClientRect();
    return top >= 0 && bottom <= (bar.height ? bar.top : innerHeight);
}"""
WINDOWS = [(1440, 900), (390, 844)]


@pytest.mark.parametrize(("width", "height"), WINDOWS)
def test_the_link_of_a_missed_target_leads_to_the_service_level(live_server, sign_in, width, height):
    furnish()
    page = sign_in(STAFF, PASSWORD, width=width, height=height)
    notice = page.locator(".notices li", has_text=f"{LONG}: service level")

    # Phones show what needs attention closed.
    if not notice.is_visible():
        page.locator("#attention > summary").click()
    notice.get_by_role("link", name="View").click()

    page.wait_for_url("**/reports/numbers/**#service-level")
    page.wait_for_selector("html[data-ready]")
    heading = page.get_by_role("heading", name="Service level")
    expect(heading).to_be_in_viewport()
    # The browser goes on until all above has its height.
    page.wait_for_function(IN_SIGHT, arg=heading.element_handle())
    expect(page.locator("#service-level .formula")).to_be_in_viewport()


@pytest.mark.parametrize(("width", "height"), WINDOWS)
def test_the_first_screen_of_a_number_shows_its_service_level(live_server, sign_in, width, height):
    installation = furnish()
    page = sign_in(STAFF, PASSWORD, width=width, height=height)
    page.goto(f"{live_server.url}/reports/numbers/{installation.names['hotline']}/?{installation.names['week']}")

    tiles = page.locator(".figure-tiles .figure-tile")
    names = [text.strip() for text in tiles.locator(".figure-name .term").all_inner_texts()]
    assert names == ["Reached", "Lost", "Service level", "Waiting time", "Calls", "Answered"]
    assert tiles.nth(2).locator(".figure-value").evaluate(IN_SIGHT)
