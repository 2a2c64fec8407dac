"""The live board in real windows: figures that change, the red bar, and a screen on the wall with its key."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import expect

from live.board import pages
from live.models import BoardKey
from tests.browser.axe import findings
from tests.browser.live_process import let_pages_read, live_process
from tests.factories import PASSWORD, make_board_key, make_number, make_superuser, make_user, send
from tests.live.boards import ON

pytestmark = pytest.mark.django_db(transaction=True)

CALLER = "+4917012345678"
# Where the content of cells ends.
RIGHT_EDGES = """cells => cells.map(
  cell => Math.round(cell.getBoundingClientRect().right - parseFloat(getComputedStyle(cell).paddingRight)))"""


@pytest.fixture(autouse=True)
def _read_anew():
    """Read the figures of this test, not those that the process keeps."""
    pages.figures.cache_clear()
    yield
    pages.figures.cache_clear()


@pytest.fixture
def numbers():
    return [make_number(f"+4922155400{n}", label=label, **ON) for n, label in ((301, "Ask"), (302, "Buy"))]


def figure(page, name, key):
    return page.locator(f"tr:has([data-name]:text-is('{name}')) [data-figure={key}] [data-value]")


def call(number, *kinds):
    send(Client(), number, *kinds)


def test_figures_change_by_the_stream_on_the_page_and_on_a_screen_whose_key_leaves_the_address(
    live_server, settings, sign_in, open_window, numbers
):
    make_user(numbers=numbers)
    key = make_board_key(numbers[1])
    with live_process(settings, let_pages_read(settings, live_server.thread.port)):
        page = sign_in("manager", PASSWORD)
        page.goto(f"{live_server.url}/live/board")
        kiosk = open_window(1920, 1080)
        asked = []
        kiosk.on("request", lambda request: asked.append(request.url))
        kiosk.goto(f"{live_server.url}/live/board?kiosk=1")  # asks for the key; then the link is opened
        kiosk.goto(f"{live_server.url}/live/board?kiosk=1#key={key}")
        for window in (page, kiosk):
            expect(figure(window, "Buy", "ringing")).to_have_text("0")
        assert kiosk.url == f"{live_server.url}/live/board?kiosk=1"
        assert not any(key in address.partition("#")[0] for address in asked)

        call(numbers[1], "CALL_START", "INITIATE_FORWARD 1001")
        for window in (page, kiosk):
            expect(figure(window, "Buy", "ringing")).to_have_text("1")
            expect(figure(window, "All numbers", "ringing")).to_have_text("1")
        call(numbers[1], "FORWARD_ANSWER 1001")
        for window in (page, kiosk):
            expect(figure(window, "Buy", "talking")).to_have_text("1")
            expect(figure(window, "Buy", "wait")).to_have_text("–")
        call(numbers[1], "CALL_END")
        expect(figure(kiosk, "Buy", "talking")).to_have_text("0")
        assert not any("/live/board/state" in address for address in asked)
        assert CALLER not in kiosk.content()
        assert kiosk.locator("a:not(.skip-link)").count() == 0


def test_the_page_asks_while_there_is_no_stream_and_says_in_red_since_when_it_is_not_live(
    live_server, sign_in, numbers
):
    make_user(numbers=numbers)
    page = sign_in("manager", PASSWORD)
    page.clock.install()
    page.goto(f"{live_server.url}/live/board")
    bar = page.locator("[data-stale]")
    expect(bar).to_be_hidden()
    call(numbers[0], "CALL_START")

    with page.expect_response("**/live/board/state"):
        page.clock.run_for(10_000)
    expect(figure(page, "Ask", "in_plan")).to_have_text("1")
    expect(bar).to_be_hidden()

    page.route("**/live/board/state", lambda route: route.abort())
    page.clock.run_for(20_000)
    expect(bar).to_be_visible()
    assert bar.inner_text().startswith("Not live since ")
    assert page.locator("#board").evaluate("board => board.classList.contains('is-stale')")
    assert findings(page) == []

    page.unroute("**/live/board/state")
    page.clock.run_for(10_000)
    expect(bar).to_be_hidden()


def test_a_screen_whose_key_was_revoked_says_so_and_shows_no_figures_any_more(live_server, open_window, numbers):
    kiosk = open_window(1920, 1080)
    kiosk.clock.install()
    kiosk.goto(f"{live_server.url}/live/board?kiosk=1")
    kiosk.get_by_label("Board key").fill(make_board_key())
    kiosk.get_by_role("button", name="Show the board").click()
    expect(figure(kiosk, "Ask", "in_plan")).to_have_text("0")

    BoardKey.objects.update(revoked_at=timezone.now())
    kiosk.clock.run_for(30_000)

    expect(kiosk.get_by_role("alert")).to_contain_text("The key of this screen was revoked or has expired.")
    expect(kiosk.locator("#board")).to_have_count(0)


@pytest.mark.parametrize("width", [320, 1920])
def test_a_screen_shows_more_numbers_than_fit_one_page_after_the_other(live_server, open_window, width):
    names = [make_number(f"+4922155400{n}", label=f"Störungsannahme {n}", **ON).name for n in range(300, 320)]
    kiosk = open_window(width, 1080, scheme="dark")
    kiosk.clock.install()
    kiosk.goto(f"{live_server.url}/live/board?kiosk=1#key={make_board_key()}")
    shown = kiosk.locator("[data-rows] tr:visible [data-name]")
    expect(shown.first).to_have_text(names[0])

    seen = set(shown.all_inner_texts())
    assert 1 < len(seen) < 20
    while len(seen) < 20:
        kiosk.clock.run_for(12_500)
        seen |= set(shown.all_inner_texts())
    assert seen == set(names)
    if width == 1920:
        sizes = figure(kiosk, names[0], "in_plan").evaluate("cell => parseFloat(getComputedStyle(cell).fontSize)")
        # A digit is 0.73 of its size high: 42 px are 2 cm on a screen of 43 inches, enough for four metres.
        assert sizes * 0.73 >= 41
        assert kiosk.evaluate("document.documentElement.scrollHeight <= innerHeight")
        headings, cells = kiosk.locator("#board thead th"), kiosk.locator("#board [data-all] tr > *")
        assert headings.evaluate_all(RIGHT_EDGES) == cells.evaluate_all(RIGHT_EDGES)
        # All headings have one line.
        line = "one => one.clientHeight < 2.5 * parseFloat(getComputedStyle(one).fontSize)"
        assert all(heading.evaluate(line) for heading in headings.all())


def test_a_key_asks_for_single_numbers_only_where_it_is_not_for_all(live_server, sign_in, numbers):
    make_superuser()
    page = sign_in("superuser", PASSWORD)
    page.goto(f"{live_server.url}/admin/live/boardkey/add/")
    offered = page.get_by_text("Available numbers")
    expect(offered).to_be_visible()
    page.get_by_label("All numbers", exact=True).check()
    expect(offered).to_be_hidden()
