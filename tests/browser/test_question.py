"""Links carry the question: a period chosen without a reload is used by every other page."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from reports.counting import rollups
from tests.factories import PASSWORD, make_number, make_user, take

pytestmark = pytest.mark.django_db(transaction=True)

KINDS = ("CALL_START", "BLOCK_END SAY", "INITIATE_FORWARD", "FORWARD_ANSWER", "CALL_END")


@pytest.fixture
def numbers():
    numbers = [make_number(f"+492215540030{n}", label=f"Number {n}") for n in range(2)]
    make_user("manager", numbers=numbers)
    for number in numbers:
        for day in range(1, 4):
            at = timezone.now() - timedelta(days=day)
            for n, kind in enumerate(KINDS):
                take(number, kind, at + timedelta(seconds=9 * n), call_uuid=f"call-{day}")
    rollups.recount_changed(wait=True)
    return numbers


def lit(page):
    return page.locator("#filters .segments > a[aria-current]")


def expect_period(page, name):
    """Check which period is selected; phones name it in the menu."""
    if page.viewport_size["width"] < 760:
        expect(page.locator("#own-period > summary .only-phone")).to_have_text(name)
    else:
        expect(lit(page)).to_have_text(name)


def choose_period(page, name):
    if page.viewport_size["width"] < 760:
        page.locator("#own-period > summary").click()
    page.locator("#filters").get_by_role("link", name=name, exact=True).click()


@pytest.mark.parametrize("width", [1440, 390])
def test_a_chosen_period_is_carried_to_other_pages_and_kept(live_server, sign_in, numbers, width):
    page = sign_in("manager", PASSWORD, width=width, height=900)
    # The overview would open with yesterday before noon.
    page.goto(f"{live_server.url}/reports/?period=7-days")
    expect_period(page, "7 days")

    choose_period(page, "Yesterday")
    expect_period(page, "Yesterday")
    expect(page.locator("#sentence")).to_contain_text("2 calls yesterday")

    # What leads to other pages was renewed as well.
    for name in ("Busy hours", "Trend", "Forwarding", "All calls", "Number 1", "Data quality", "Glossary", "Overview"):
        if width < 760:
            page.locator("#quick summary").click()
            page.locator("#quick nav").get_by_role("link", name=name, exact=True).click()
        else:
            page.locator("#side").get_by_role("link", name=name, exact=True).click()
        page.wait_for_load_state("networkidle")
        assert "period=yesterday" in page.url, name
        if name not in {"Data quality", "Glossary"}:
            expect_period(page, "Yesterday")
    page.goto(f"{live_server.url}/reports/trend/")
    expect_period(page, "Yesterday")

    page.get_by_role("link", name="Reset filters").click()
    expect(page.locator("#reset")).to_have_count(0)
    expect_period(page, "7 days")


def test_the_list_of_calls_accepts_days_as_pages_write_them(live_server, sign_in, numbers):
    page = sign_in("manager", PASSWORD)
    day = timezone.localdate() - timedelta(days=2)
    for address in ("/reports/", "/reports/calls/?outcome=answered"):
        page.goto(f"{live_server.url}{address}")
        page.locator("#own-period summary").click()
        page.get_by_label("First day").fill(f"{day.day}.{day.month}.{day.year}")
        page.get_by_label("Last day", exact=True).fill(f"{day:%-d %b %Y}")
        page.locator("#own-period").get_by_role("button", name="Show").click()
        expect(page.locator("#own-period summary")).to_contain_text(f"{day:%-d %b}")
        expect(page.locator("#own-period")).to_have_class("menu is-on")
        expect(lit(page)).to_have_count(0)
    expect(page.locator("#t-list tbody tr")).to_have_count(2)
    assert "outcome=answered" in page.url
