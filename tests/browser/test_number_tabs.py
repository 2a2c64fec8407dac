"""The tabs of a number: links that keep the filters, the current one in view, and the answer on the first screen."""

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.everypage import STAFF, furnish
from tests.chromium import COMPLETE
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = ["Summary", "Waiting", "By hour", "Forwarding and menu", "Comparison", "Data and settings"]
# The height of the page, the top of its first figure, and how many controls the keyboard passes before the first table.
MEASURED = """() => {
    const table = document.querySelector("main table");
    const controls = [...document.querySelectorAll("a[href], button, summary, input, select, [tabindex='0']")];
    const before = controls.filter((one) => one.checkVisibility({contentVisibilityAuto: true})
        && one.compareDocumentPosition(table) & Node.DOCUMENT_POSITION_FOLLOWING);
    return {
        height: document.documentElement.scrollHeight,
        figure: document.querySelector(".figure-value")?.getBoundingClientRect().top,
        before: before.length,
    };
}"""


def asked(page):
    """Return the filters in the address."""
    return {name: values for name, values in parse_qs(urlsplit(page.url).query).items() if name != "period"}


def test_tabs_keep_the_filters_and_the_back_button_leads_back(live_server, sign_in):
    installation = furnish()
    page = sign_in(STAFF, PASSWORD, width=1440)
    week = installation.names["week"]
    page.goto(f"{live_server.url}/reports/numbers/{installation.names['hotline']}/?{week}&by=hour")
    before = asked(page)
    tabs = page.get_by_role("navigation", name="Parts of this page")
    assert [text.strip() for text in tabs.get_by_role("link").all_inner_texts()] == NAMES

    for name in NAMES[1:]:
        tabs.get_by_role("link", name=name).click()
        expect(tabs.locator("[aria-current=page]")).to_have_text(name)
        assert asked(page) == before

    for name in reversed(NAMES[:-1]):
        page.go_back()
        expect(tabs.locator("[aria-current=page]")).to_have_text(name)
        assert asked(page) == before


def test_a_filter_keeps_the_tab(live_server, sign_in):
    installation = furnish()
    page = sign_in(STAFF, PASSWORD, width=1440)
    page.goto(f"{live_server.url}/reports/numbers/{installation.names['hotline']}/comparison/")

    page.get_by_role("link", name="Yesterday").click()

    page.wait_for_url("**/comparison/?**")
    expect(page.locator(".tabs [aria-current=page]")).to_have_text("Comparison")
    expect(page.locator("#t-previous")).to_be_visible()


@pytest.mark.parametrize("width", [390, 320])
def test_the_current_tab_is_in_view_on_a_phone(live_server, sign_in, width):
    installation = furnish()
    page = sign_in(STAFF, PASSWORD, width=width, height=844)
    page.goto(f"{live_server.url}/reports/numbers/{installation.names['hotline']}/data/")

    tab = page.locator(".tabs [aria-current=page]")
    expect(tab).to_be_in_viewport(ratio=1)
    assert tab.bounding_box()["height"] >= 44


def test_the_summary_is_short(live_server, sign_in):
    installation = furnish()
    page = sign_in(STAFF, PASSWORD, width=1440)
    page.goto(f"{live_server.url}/reports/numbers/{installation.names['hotline']}/?{installation.names['week']}")
    page.wait_for_function(COMPLETE)
    measured = page.evaluate(MEASURED)
    assert measured["height"] <= 1300
    assert measured["before"] <= 60

    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate(MEASURED)["figure"] < 400


def test_few_controls_come_before_the_first_table_of_each_report(live_server, sign_in):
    installation = furnish()
    page = sign_in(STAFF, PASSWORD, width=1440)
    names, week = installation.names, installation.names["week"]
    reports = ("", "busy-hours/", "trend/", "forwards/", "calls/", "numbers/", "data-quality/", "glossary/")
    addresses = [*reports, *(f"numbers/{names['hotline']}/{tab}" for tab in ("waiting/", "by-hour/", "comparison/"))]
    before = {}
    for address in addresses:
        page.goto(f"{live_server.url}/reports/{address}?{week}")
        page.wait_for_function(COMPLETE)
        before[address] = page.evaluate(MEASURED)["before"]
    assert {address: count for address, count in before.items() if count > 60} == {}

    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{live_server.url}/reports/?{week}")
    assert page.evaluate(MEASURED)["figure"] < 400
