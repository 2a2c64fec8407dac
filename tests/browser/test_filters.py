"""The bar of filters stays at the top, covers nothing that is focused, and is one line on a phone; chips keep focus."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from calls.models import OpeningHours
from reports.counting import rollups
from tests.browser.axe import findings
from tests.factories import PASSWORD, make_number, make_staff, take

pytestmark = pytest.mark.django_db(transaction=True)

SET = "period=28-days&opening=inside&number=%2B492215540030"
TOP = "element => element.getBoundingClientRect().top"
# What takes the focus and is under the bar at the top.
COVERED = """link => {
    link.focus();
    return link.getBoundingClientRect().top < document.querySelector("#filters").getBoundingClientRect().bottom - 1;
}"""


@pytest.fixture
def numbers():
    hours = OpeningHours.objects.create(name="Office hours")
    hours.weekly.create(weekday=1, opens_at="08:00", closes_at="18:00")
    numbers = [make_number(f"+492215540030{n}", label=f"Number {n}", opening_hours=hours) for n in range(3)]
    for number in numbers:
        for day in range(1, 9):
            at = timezone.now() - timedelta(days=day)
            for second, kind in enumerate(("CALL_START", "INITIATE_FORWARD", "CALL_END")):
                take(number, kind, at + timedelta(seconds=9 * second), call_uuid=f"call-{day}")
    rollups.recount_changed(wait=True)
    make_staff("admin")
    return numbers


@pytest.mark.parametrize(("width", "height"), [(1440, 500), (390, 844), (320, 600)])
def test_the_bar_stays_at_the_top_and_covers_nothing_that_is_focused(live_server, sign_in, numbers, width, height):
    page = sign_in("admin", PASSWORD, width=width, height=height)
    # Days that are over are not read again while the test walks through their links.
    first, last = (timezone.localdate() - timedelta(days=ago) for ago in (60, 1))
    page.goto(f"{live_server.url}/reports/trend/?from={first}&to={last}&by=day")
    bar = page.locator("#filters")

    page.evaluate("scrollTo(0, document.body.scrollHeight)")

    page.wait_for_function("document.querySelector('#filters').getBoundingClientRect().top === 0")
    if width < 760:
        assert bar.bounding_box()["height"] <= 56
    links = page.locator("#t-steps tbody a:visible")
    assert links.count() > 4
    # Backwards, so that the page scrolls up for each of them.
    assert [n for n in reversed(range(links.count())) if links.nth(n).evaluate(COVERED)] == []
    page.emulate_media(media="print")
    expect(bar).not_to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_removed_filter_leaves_the_focus_at_the_next(live_server, sign_in, numbers, scheme):
    page = sign_in("admin", PASSWORD, width=1440, height=900, scheme=scheme)
    page.goto(f"{live_server.url}/reports/?{SET}1&number=%2B4922155400302")
    chips = page.locator("#set-filters .chip")
    expect(chips).to_have_text(["28 days", "Number 1", "Number 2", "During opening hours"])
    assert findings(page) == []

    page.get_by_role("link", name="Remove filter: 28 days").press("Enter")
    expect(chips).to_have_text(["Number 1", "Number 2", "During opening hours"])
    expect(chips.first).to_be_focused()

    page.get_by_role("link", name="Reset filters").press("Enter")
    expect(chips).to_have_count(0)
    expect(page.locator("#filters summary").first).to_be_focused()
    page.go_back()
    expect(chips).to_have_count(3)


@pytest.mark.parametrize("width", [360, 390, 720])
def test_on_a_phone_each_menu_says_what_is_chosen(live_server, sign_in, numbers, width):
    page = sign_in("admin", PASSWORD, width=width, height=844)
    page.goto(f"{live_server.url}/reports/?period=28-days")
    summaries = page.locator("#filters summary")
    words = ["28 days", "All 3 numbers", "All hours"]

    shown = [summary.inner_text().rpartition(":")[2].split() for summary in summaries.all()]
    assert [" ".join(parts) for parts in shown] == words
    cut = "summaries => summaries.filter(summary => summary.scrollWidth > summary.clientWidth).length"
    assert summaries.evaluate_all(cut) == 0
    # A menu is recognised by its arrow.
    expect(page.locator("#which-numbers summary .icon:visible, #which-hours summary .icon:visible")).to_have_count(2)


def test_numbers_are_applied_as_they_are_ticked(live_server, sign_in, numbers):
    page = sign_in("admin", PASSWORD, width=1440, height=900)
    page.goto(f"{live_server.url}/reports/?period=28-days")
    menu = page.locator("#which-numbers")
    menu.locator("summary").press("Enter")
    expect(menu.get_by_role("button", name="Show")).to_be_hidden()
    for n, chips in ((1, ["28 days", "Number 1"]), (2, ["28 days", "Number 1", "Number 2"])):
        box = menu.get_by_role("checkbox", name=f"Number {n}")
        box.press("Space")
        expect(page.locator("#set-filters .chip")).to_have_text(chips)
        expect(menu).to_have_attribute("open", "")
        expect(box).to_be_focused()
        expect(box).to_be_checked()

    page.keyboard.press("Escape")
    expect(menu.locator("summary")).to_be_focused()
    expect(menu.locator("summary")).to_have_text("2 of 3 numbers")
    page.go_back()
    expect(page.locator("#set-filters .chip")).to_have_text(["28 days", "Number 1"])
    page.reload()
    menu.locator("summary").click()
    menu.get_by_role("checkbox", name="Number 1").uncheck()
    expect(page.locator("#set-filters .chip")).to_have_text(["28 days"])


def test_the_last_number_is_taken_off_the_list_of_calls_too(live_server, sign_in, numbers):
    page = sign_in("admin", PASSWORD, width=1440, height=900)
    page.goto(f"{live_server.url}/reports/calls/?period=default")
    menu = page.locator("#which-numbers")
    menu.locator("summary").click()
    menu.get_by_role("checkbox", name="Number 1").check()
    expect(page.locator("#set-filters .chip")).to_have_text(["Number 1"])
    menu.get_by_role("checkbox", name="Number 1").uncheck()
    expect(page.locator("#set-filters .chip")).to_have_count(0)
    expect(menu.get_by_role("checkbox", name="Number 1")).not_to_be_checked()

    for way in (menu.get_by_role("link", name="All numbers"), page.get_by_role("link", name="Remove filter: Number 1")):
        page.goto(f"{live_server.url}/reports/calls/?number=%2B4922155400301")
        if not way.is_visible():
            menu.locator("summary").click()
        way.click()
        expect(page.locator("#set-filters .chip")).to_have_count(0)


def test_many_ticks_at_once_are_all_applied(live_server, sign_in, numbers):
    page = sign_in("admin", PASSWORD, width=1440, height=900)
    page.goto(f"{live_server.url}/reports/trend/?period=28-days")
    page.evaluate("() => { window.isSamePage = true; }")
    menu = page.locator("#which-numbers")
    menu.locator("summary").click()
    boxes = menu.get_by_role("checkbox")
    boxes.nth(0).check()
    with page.expect_response(lambda answer: "number=" in answer.url):
        pass
    for n in (1, 2):  # while the answer is swapped in
        boxes.nth(n).check()
    expect(menu.locator("summary")).to_have_text("3 of 3 numbers")
    assert page.evaluate("window.isSamePage")
    expect(menu).to_have_attribute("open", "")
