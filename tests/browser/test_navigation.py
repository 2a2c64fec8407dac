"""The menu of narrow windows: every page of the sidebar, one below the other, large enough for a thumb."""

import itertools

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import expect

from calls.models import DestinationNumber
from live.models import NumberRings
from reports.counting import rollups
from tests.browser.axe import findings
from tests.conftest import and_in_full
from tests.factories import PASSWORD, make_number, make_staff, make_user, take

pytestmark = pytest.mark.django_db(transaction=True)

THUMB = 44
BOXES = "links => links.map(link => { const {x, y, height} = link.getBoundingClientRect(); return [x, y, height]; })"
# The links that something else lies above. Those beyond the edge of the menu are reached by scrolling.
COVERED = """links => links.filter(link => {
    const panel = link.closest(".menu-panel").getBoundingClientRect(), box = link.getBoundingClientRect();
    if (box.top < panel.top || box.bottom > panel.bottom) return false;
    return !link.contains(document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2));
}).map(link => link.innerText)"""


def furnish():
    number = make_number(label="Hotline", managers=[make_user("manager")])
    make_staff("admin")
    take(number, "CALL_START", timezone.now())
    rollups.recount_changed(wait=True)


def names_of(links):
    return [" ".join(text.split()) for text in links.all_inner_texts()]


@pytest.mark.parametrize("width", and_in_full([390], 320, 768, 1000))
@pytest.mark.parametrize("who", ["manager", "admin"])
def test_the_menu_lists_every_page_one_below_the_other(live_server, sign_in, width, who):
    furnish()
    page = sign_in(who, PASSWORD, width=width, height=844)
    page.goto(f"{live_server.url}/reports/busy-hours/")
    menu = page.locator(".bottom-bar .menu")

    menu.locator("summary").click()

    links = menu.locator("nav a")
    wanted = ["Live board", "Overview", "Busy hours", "Trend", "Forwarding", "All calls"]
    wanted += ["Contacts"] * (who == "admin") + ["Numbers", "Hotline"]
    # The call has no end and no block.
    wanted += ["Data quality 1 1 number needs attention", "Glossary"]
    assert names_of(links) == wanted + ["Settings", "System status"] * (who == "admin")
    assert links.evaluate_all(COVERED) == []
    boxes = links.evaluate_all(BOXES)
    assert len({x for x, _, _ in boxes}) == 1
    assert all(y + height <= below for (_, y, height), (_, below, _) in itertools.pairwise(boxes))
    assert min(height for _, _, height in boxes) >= THUMB
    controls = menu.locator("summary, .account a, .account button:visible, .account form button")
    assert min(height for _, _, height in controls.evaluate_all(BOXES)) >= THUMB
    assert names_of(menu.locator("[aria-current=page]")) == ["Busy hours"]
    assert findings(page) == []


def test_the_menu_works_by_keyboard_alone(live_server, sign_in):
    furnish()
    page = sign_in("manager", PASSWORD, width=390, height=844)
    menu = page.locator(".bottom-bar .menu")
    menu.locator("summary").focus()

    page.keyboard.press("Enter")
    expect(menu.get_by_role("link", name="Overview")).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu.get_by_role("link", name="Overview")).not_to_be_visible()
    expect(menu.locator("summary")).to_be_focused()

    page.keyboard.press("Enter")
    for _ in range(3):
        page.keyboard.press("Tab")
    expect(menu.get_by_role("link", name="Busy hours")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/reports/busy-hours/**")


def test_the_side_bar_lists_the_same_pages(live_server, sign_in):
    furnish()
    page = sign_in("admin", PASSWORD, width=1440)
    side = names_of(page.locator(".sidebar > a:not(.brand)"))
    page.set_viewport_size({"width": 390, "height": 844})
    page.locator(".bottom-bar summary").click()
    assert names_of(page.locator(".bottom-bar .menu-panel nav a")) == side
    assert page.locator(".bottom-bar > [aria-current=page]").inner_text().strip() == "Overview"


@pytest.mark.parametrize("width", [390, 1440])
def test_my_calls_is_in_the_navigation_of_people_for_whom_calls_ring(live_server, sign_in, width):
    furnish()
    page = sign_in("manager", PASSWORD, width=width, height=844)
    menu, account = ("#side", "#account") if width == 1440 else ("#quick", "#more")
    links = page.locator(f"{menu} a.navigation-link, .bottom-bar > a")
    assert "My calls" not in names_of(links)
    # Others reach the page from the menu of the account.
    page.locator(f"{account} > summary").click()
    page.locator(account).get_by_role("link", name="My calls").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("My calls")

    rings = NumberRings.objects.create(destination_number=DestinationNumber.objects.get())
    rings.team.add(User.objects.get(username="manager"))
    page.reload()

    assert "My calls" in names_of(links)
    assert page.locator(".account").get_by_role("link", name="My calls").count() == 0
