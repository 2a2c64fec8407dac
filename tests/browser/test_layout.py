"""Layout: tables fit a small laptop, menus and definitions any window, and everything fits paper."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from calls.models import Call
from reports.counting import rollups
from tests.conftest import and_in_full
from tests.factories import PASSWORD, make_number, make_staff, make_user, take
from tests.reports.helpers import tabs_of

pytestmark = pytest.mark.django_db(transaction=True)

LONG = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabteilungshotline"
FULL = (
    "CALL_START",
    "BLOCK_END " + "X" * 120,
    "INITIATE_FORWARD +492212345678",
    "FORWARD_ANSWER +492212345678",
    "CALL_END",
)

STICKS_OUT = "document.documentElement.scrollWidth - innerWidth"
SCROLLS = "table => table.parentElement.scrollWidth - table.parentElement.clientWidth"
# Opens every definition by focus, as the keyboard does; returns those not completely inside the window.
OUTSIDE = """async () => {
    const outside = [];
    for (const term of document.querySelectorAll("main .term")) {
        if (!term.checkVisibility({contentVisibilityAuto: true})) continue;
        term.scrollIntoView({block: "center", behavior: "instant"});
        term.focus();
        await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
        const tip = term.nextElementSibling.getBoundingClientRect();
        if (!tip.width || tip.left < 0 || tip.top < 0 || tip.right > innerWidth || tip.bottom > innerHeight) {
            outside.push(term.nextElementSibling.id);
        }
    }
    return outside;
}"""


def take_call(number, n=0, kinds=FULL, **more):
    """Receive and count a call of an hour ago."""
    at = timezone.now() - timedelta(hours=1)
    for i, kind in enumerate(kinds):
        moment = at + timedelta(minutes=n, seconds=10 * i)
        take(number, kind, moment, call_uuid=f"c{n}", correlation_id=f"c{n}", **more)
    rollups.recount_changed(wait=True)


@pytest.fixture
def number():
    make_staff("admin")
    number = make_number(label=LONG)
    make_number("+4922155400301", label="Nothing has come yet")
    take_call(number)
    take_call(number, 1, caller_id_number="nobody could call this a number " * 3)
    return number


def test_tables_fit_a_small_laptop(live_server, sign_in, number):
    page = sign_in("admin", PASSWORD, width=1280, height=800)
    assert page.locator("#t-numbers").evaluate(SCROLLS) == 0
    page.locator("#blocks > summary").click()
    assert page.locator("#t-blocks").evaluate(SCROLLS) == 0
    page.goto(f"{live_server.url}/reports/calls/")
    assert page.locator("#t-list").evaluate(SCROLLS) == 0


@pytest.mark.parametrize("width", and_in_full([1280, 1023, 390], 1024, 768, 720, 320))
def test_no_page_is_wider_than_the_window(live_server, sign_in, number, width):
    page = sign_in("admin", PASSWORD, width=width, height=800)
    call = Call.objects.first()
    wide = {}
    for address in (
        "/reports/",
        "/reports/?from=never",  # opens the days' menu
        *tabs_of(number),
        "/reports/calls/",
        f"/reports/calls/{call.pk}/",
        "/accounts/password_change/",
    ):
        page.goto(f"{live_server.url}{address}")
        if page.evaluate(STICKS_OUT) > 0:
            wide[address] = page.evaluate(STICKS_OUT)
    assert not wide


@pytest.mark.parametrize("width", and_in_full([1280, 390], 1024, 768))
def test_menus_and_definitions_open_inside_the_window(live_server, sign_in, number, width):
    page = sign_in("admin", PASSWORD, width=width, height=800)
    assert page.evaluate(OUTSIDE) == []
    page.goto(f"{live_server.url}/reports/")
    for menu in ("#own-period", "#which-numbers"):
        page.locator(f"{menu} summary").click()
        page.wait_for_function(
            f"(pop => pop.left >= 0 && pop.right <= {width})"
            f"(document.querySelector('{menu} .menu-panel').getBoundingClientRect())"
        )
        page.keyboard.press("Escape")
        expect(page.locator(f"{menu} .menu-panel")).not_to_be_visible()


def test_an_invalid_day_shows_a_visible_error_and_focuses_its_field(live_server, sign_in, number):
    page = sign_in("admin", PASSWORD)
    page.goto(f"{live_server.url}/reports/?from=2026-09-01&to=never")

    expect(page.locator("#to")).to_be_focused()
    alert = page.locator("#filter-error")
    expect(alert).to_contain_text("never")
    below = alert.bounding_box()
    assert below["y"] + below["height"] <= page.locator("#own-period .menu-panel").bounding_box()["y"]


def test_counts_refresh_themselves_unless_a_definition_is_open(sign_in, open_window):
    number = make_number(label="Hotline", managers=[make_user("manager")])
    take_call(number)
    page = open_window()
    page.clock.install()
    sign_in("manager", PASSWORD, page)
    sentence = page.locator("#sentence")
    expect(sentence).to_contain_text("1 call")
    take_call(number, 1)

    # The sentence stands outside of what renews itself, and is renewed with it.
    page.get_by_role("button", name="Reached").focus()
    page.clock.run_for(11_000)
    page.wait_for_load_state("networkidle")
    expect(page.locator(".figure-tiles .tip").first).to_be_visible()
    expect(sentence).to_contain_text("1 call")

    page.evaluate("document.activeElement.blur()")
    with page.expect_response("**/reports/**"):
        page.clock.run_for(11_000)
    expect(sentence).to_contain_text("2 calls")


def test_what_is_unfolded_and_focused_stays_so_when_counts_refresh(sign_in, open_window):
    number = make_number(label="Hotline", managers=[make_user("manager")])
    take_call(number)
    page = open_window()
    page.clock.install()
    sign_in("manager", PASSWORD, page)
    blocks = page.locator("#blocks")
    expect(blocks).not_to_have_attribute("open", "")
    blocks.locator("summary").focus()
    page.keyboard.press("Enter")
    take_call(number, 1)

    with page.expect_response("**/reports/**"):
        page.clock.run_for(11_000)

    expect(page.locator("#sentence")).to_contain_text("2 calls")
    expect(blocks).to_have_attribute("open", "")
    expect(blocks.locator("summary")).to_be_focused()


def test_prints_show_every_column_in_light_colours_with_zone_and_time(live_server, sign_in, number):
    page = sign_in("admin", PASSWORD, width=390, scheme="dark")
    page.goto(f"{live_server.url}/reports/calls/")
    hidden = page.locator("#t-list thead th", has_text="Duration")
    expect(hidden).not_to_be_visible()

    page.emulate_media(media="print")

    expect(hidden).to_be_visible()
    expect(page.locator(".only-print")).to_contain_text("Times in Europe/Berlin")
    for navigation in (".top-bar", ".bottom-bar", ".sidebar", "form .chips"):
        expect(page.locator(navigation).first).not_to_be_visible()


def test_phones_can_download_too(live_server, sign_in, number):
    page = sign_in("admin", PASSWORD, width=390, height=844)
    for address, files in (
        # Those with single calls have the page that asks for a reason, too.
        ("/reports/", 4),
        (f"/reports/numbers/{number.pk}/", 3),
        ("/reports/busy-hours/", 1),
        ("/reports/trend/", 2),
        ("/reports/calls/", 2),
    ):
        page.goto(f"{live_server.url}{address}")
        links = page.locator(".inline-list a:visible")
        assert links.count() == files
        with page.expect_download() as download:
            links.first.click()
        assert download.value.suggested_filename.endswith(".csv")
