"""Calls that ring, in real tabs: one stream and one notification for all, cards that come and go, keyboard, phone."""

import re
import time

import pytest
from django.test import Client
from playwright.sync_api import expect

from contacts.models import CallNote, LinkTemplate
from live.models import Pop
from tests.browser.axe import findings
from tests.browser.live_process import let_pages_read, live_process
from tests.factories import PASSWORD, make_contact, make_number, make_user, map_variable, send
from tests.live.rings import map_to

pytestmark = pytest.mark.django_db(transaction=True)

CALLER = "+49 170 12345678"
CARD = ".ringing-bar .ring-card"
# Headless Chromium shows no notifications, so this notes them.
NOTES_NOTIFICATIONS = """
window.notified = [];
window.Notification = class extends EventTarget {
    static permission = "granted";
    constructor(title, options) {
        super();
        window.notified.push([title, options.body]);
        setTimeout(() => this.dispatchEvent(new Event("show")));
    }
    close() {}
};
"""


def wait_until(condition, within_s=10.0):
    until = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def live_port(live_server, settings):
    return let_pages_read(settings, live_server.thread.port)


@pytest.fixture
def live(live_port, settings):
    """The process `live` on the database of this test."""
    with live_process(settings, live_port) as process:
        yield process


@pytest.fixture
def number():
    return make_number(label="Hotline")


@pytest.fixture
def anna(number):
    """A person who answers at 1001, and sees only their own rings."""
    user = make_user("anna", first_name="Anna", last_name="Meyer")
    map_to(user, "1001")
    return user


def call(number, *kinds, name="call-1", **more):
    for kind in kinds:
        send(Client(), number, kind, call_uuid=name, correlation_id=name, destinationType="SIP_USER", **more)


def signed_in(sign_in, **window):
    page = sign_in("anna", PASSWORD, **window)
    page.context.add_init_script(NOTES_NOTIFICATIONS)
    page.reload()
    return page


def test_five_tabs_read_one_stream_and_show_one_notification(live_server, live, sign_in, number, anna):
    first = signed_in(sign_in)
    first.goto("about:blank")  # its stream has ended
    streams = []
    first.context.on("request", lambda request: "/live/events" in request.url and streams.append(request))
    pages = [first, *(first.context.new_page() for _ in range(4))]
    for page in pages:
        page.goto(f"{live_server.url}/reports/")
    assert len(streams) == 1
    leader = streams[0].frame.page

    call(number, "CALL_START", "INITIATE_FORWARD 1001")

    for page in pages:
        expect(page.locator(CARD)).to_contain_text(CALLER)
        expect(page.locator(CARD)).to_contain_text("calls Hotline, rings at")
    shown = [notified for page in pages for notified in page.evaluate("window.notified")]
    assert [title for title, _body in shown] == [CALLER]
    wait_until(lambda: Pop.objects.get().shown_at is not None)

    others, asked = [page for page in pages if page != leader], []
    first.context.on("request", lambda request: "/live/state" in request.url and asked.append(request))
    leader.close()
    # By the lock that a closed tab gives back, not because nothing has been heard for long: then a tab asks instead.
    wait_until(lambda: others[0].evaluate("true") and len(streams) == 2)
    assert not asked
    call(number, "CALL_START", "INITIATE_FORWARD 1001", name="call-2")
    for page in others:
        expect(page.locator(CARD)).to_have_count(2)


def test_a_card_says_who_answered_and_goes(live_server, live, sign_in, number, anna):
    page = signed_in(sign_in)
    page.goto(f"{live_server.url}/reports/glossary/")
    call(number, "CALL_START", "INITIATE_FORWARD 1001", "INITIATE_FORWARD 1002")
    expect(page.locator(CARD)).to_contain_text("First call from this number")
    expect(page.locator("#ringing-spoken")).to_contain_text(f"{CALLER} calls Hotline")

    call(number, "FORWARD_ANSWER 1002")

    expect(page.locator(CARD)).to_contain_text("Answered by someone else")
    expect(page.locator(CARD)).to_have_count(0)
    expect(page.locator("#ringing")).to_be_hidden()


def test_over_a_page_the_latest_answered_call_is_shown_and_on_my_calls_all(live_server, live, sign_in, number, anna):
    page = signed_in(sign_in)
    page.goto(f"{live_server.url}/reports/glossary/")
    for n in range(3):
        kinds = ("CALL_START", "INITIATE_FORWARD 1001", "FORWARD_ANSWER 1001")
        call(number, *kinds, name=f"call-{n}", caller_id_number=f"+491701234567{n}")
    expect(page.locator(CARD).filter(has_text="+49 170 12345672").filter(has_text="Answered")).to_have_count(1)
    expect(page.locator(CARD)).to_have_count(1)
    page.goto(f"{live_server.url}/live/")
    expect(page.locator("#rings-now .ring-card")).to_have_count(3)


def test_a_card_takes_no_focus_and_is_dismissed_by_keyboard_in_all_tabs(live_server, live, sign_in, number, anna):
    page = signed_in(sign_in)
    page.goto(f"{live_server.url}/live/")
    other = page.context.new_page()
    other.goto(f"{live_server.url}/reports/")
    other.get_by_role("link", name="Glossary").first.focus()
    call(number, "CALL_START", "INITIATE_FORWARD 1001")
    expect(other.locator(CARD)).to_have_count(1)
    expect(other.get_by_role("link", name="Glossary").first).to_be_focused()
    expect(page.locator("#rings-now .ring-card")).to_have_count(1)
    expect(page.locator("#ringing")).to_be_hidden()

    other.locator(CARD).get_by_role("link", name="Open").focus()
    other.keyboard.press("Tab")
    expect(other.locator(CARD).get_by_role("button", name="Dismiss")).to_be_focused()
    other.keyboard.press("Enter")

    expect(other.locator(CARD)).to_have_count(0)
    expect(other.locator("#main")).to_be_focused()
    expect(page.locator("#rings-now .ring-card")).to_have_count(0)


def test_three_calls_open_the_right_records_in_one_tab_of_the_crm(live_server, live, sign_in, number, anna):
    make_contact("Erika Muster", "+4917012345678", company="Muster GmbH", note="Calls back at noon", important=True)
    LinkTemplate.objects.create(name="CRM", url="https://crm.example/find?tel={caller}")
    map_variable(number)
    page = signed_in(sign_in)
    page.context.route(
        "https://crm.example/**",
        lambda route: route.fulfill(
            content_type="text/html", body=f"<h1>Record {route.request.url.split('?')[1]}</h1>"
        ),
    )
    page.goto(f"{live_server.url}/reports/glossary/")
    callers = ["+4917012345678", "+4917012345679", "+4917012345680"]
    for n, caller in enumerate(callers):
        typed = {"caller_id_number": caller, "collected_ticket": "4711"}
        call(number, "CALL_START", "INITIATE_FORWARD 1001", name=f"call-{n}", **typed)
        expect(page.locator(CARD)).to_have_count(n + 1)
    expect(page.locator(CARD).first).to_contain_text("Erika Muster Important")
    for text in ("Muster GmbH", CALLER, "Ticket 4711", "Calls back at noon"):
        expect(page.locator(CARD).first).to_contain_text(text)
    assert findings(page) == []

    links = page.locator(CARD).get_by_role("link", name="CRM")
    with page.context.expect_page() as opened:
        links.nth(0).click()
    for n, caller in enumerate(callers):
        links.nth(n).click()
        expect(opened.value.locator("h1")).to_have_text(f"Record tel={caller.replace('+', '%2B')}")

    assert len(page.context.pages) == 2
    wait_until(lambda: Pop.objects.filter(opened_at__isnull=False).count() == 3)


@pytest.mark.usefixtures("live", "anna")
@pytest.mark.parametrize("window", [{"width": 1440, "scheme": "light"}, {"width": 320, "scheme": "dark"}])
def test_a_note_is_written_on_the_card_by_keyboard_and_is_in_all_tabs(live_server, sign_in, number, window):
    page = signed_in(sign_in, **window)
    page.goto(f"{live_server.url}/reports/glossary/")
    other = page.context.new_page()
    other.goto(f"{live_server.url}/live/")
    call(number, "CALL_START", "INITIATE_FORWARD 1001")
    expect(page.locator(CARD)).to_contain_text("Ringing")
    expect(page.locator(CARD).locator("summary")).to_be_hidden()
    call(number, "FORWARD_ANSWER 1001")
    expect(page.locator(CARD)).to_contain_text("Answered")

    page.bring_to_front()
    page.locator(CARD).get_by_role("button", name="Dismiss").focus()
    for key in ("Tab", "Enter", "Tab", "c", "Tab"):
        page.keyboard.press(key)
    page.keyboard.type("Wants an offer")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(page.locator(CARD).get_by_role("status")).to_contain_text("Saved at")
    note = CallNote.objects.get()
    assert (note.user.username, note.result, note.text) == ("anna", "call_back", "Wants an offer")
    expect(other.locator("#rings-now").get_by_label("Note")).to_have_value("Wants an offer")
    expect(other.locator("#rings-now").get_by_label("Result")).to_have_value("call_back")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert findings(page) + findings(other) == []


def test_a_note_that_cannot_be_saved_stays_also_after_the_call_and_on_the_next_page(
    live_server, live, sign_in, number, anna
):
    page = signed_in(sign_in)
    page.goto(f"{live_server.url}/reports/glossary/")
    call(number, "CALL_START", "INITIATE_FORWARD 1001", "FORWARD_ANSWER 1001")
    page.locator(CARD).locator("summary").click()
    page.locator(CARD).get_by_label("Note").fill("Wants an offer")
    page.context.route("**/live/note", lambda route: route.abort())
    page.locator(CARD).get_by_role("button", name="Save note").click()
    expect(page.locator(CARD).get_by_role("status")).to_have_text("Not saved. The note stays here: try again.")

    call(number, "CALL_END")
    expect(page.locator(CARD)).to_contain_text("Call ended")
    page.locator("#main").focus()
    call(number, "CALL_START", "INITIATE_FORWARD 1001", name="call-2")
    expect(page.locator(CARD)).to_have_count(2)
    call(number, "CALL_END", name="call-2")
    expect(page.locator(CARD)).to_have_count(1)  # that of the call that ended last
    expect(page.locator(CARD).get_by_label("Note")).to_have_value("Wants an offer")

    page.goto(f"{live_server.url}/live/")
    row = page.locator("#last-calls")
    expect(row.get_by_label("Note")).to_have_value("Wants an offer")
    expect(row.get_by_role("status")).to_have_text("Not saved yet.")
    page.context.unroute("**/live/note")
    row.get_by_role("button", name="Save note").click()
    expect(row.get_by_role("status")).to_contain_text("Saved at")
    assert CallNote.objects.get().text == "Wants an offer"
    assert findings(page) == []


@pytest.mark.parametrize("window", [{"width": 1440, "scheme": "light"}, {"width": 320, "scheme": "dark"}])
def test_a_test_call_shows_what_a_call_looks_like(live_server, live, sign_in, anna, window):
    page = signed_in(sign_in, **window)
    page.goto(f"{live_server.url}/live/")
    expect(page.get_by_text("Connected: calls appear at once.")).to_be_visible()
    page.get_by_role("button", name="Test call").click()
    expect(page.locator("#rings-now .ring-card")).to_contain_text("Test call")
    faults = findings(page)
    other = page.context.new_page()
    other.goto(f"{live_server.url}/reports/")
    expect(other.locator(CARD)).to_contain_text("Test call")
    assert other.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert faults + findings(other) == []
    other.emulate_media(media="print")
    expect(other.locator("#ringing")).to_be_hidden()


def test_my_calls_says_that_it_is_connected_when_its_own_script_arrives_last(live_server, live, sign_in, anna):
    page = signed_in(sign_in)
    page.add_init_script(
        """window.drawn = 0; document.addEventListener("calltally:rings", () => { window.drawn += 1; });"""
    )
    held = []

    def hold(route):
        held.append(route)

    page.route("**/my-calls*.js", hold)
    page.goto(f"{live_server.url}/live/", wait_until="commit")
    # After the answer, and after the beginning of the stream.
    wait_until(lambda: page.evaluate("window.drawn") >= 2, within_s=30)
    held[0].continue_()
    expect(page.get_by_text("Connected: calls appear at once.")).to_be_visible()


def test_a_page_asks_again_when_it_gets_no_answer_to_its_first_question(live_server, live, sign_in, number, anna):
    page = signed_in(sign_in)
    refused = []

    def refuse(route):
        refused.append(route)
        if len(refused) == 1:
            route.fulfill(status=503)
        elif len(refused) == 2:
            route.abort()
        else:
            route.continue_()

    page.route("**/live/state", refuse)
    page.goto(f"{live_server.url}/live/")
    expect(page.get_by_text("Connected: calls appear at once.")).to_be_visible()
    call(number, "CALL_START", "INITIATE_FORWARD 1001")
    expect(page.locator("#rings-now .ring-card")).to_contain_text(CALLER)


def test_on_a_phone_my_calls_is_in_the_bottom_bar_and_its_table_fills_the_width(
    live_server, live, sign_in, number, anna
):
    make_contact("Erika Muster", "+4917012345678", customer_number="1001")
    call(number, "CALL_START", "INITIATE_FORWARD 1001", "FORWARD_ANSWER 1001", "CALL_END", name="call-0")
    page = signed_in(sign_in, width=320)
    call(number, "CALL_START", "INITIATE_FORWARD 1001")
    # Dates as on all pages, in 24 hours.
    expect(page.locator(CARD)).to_contain_text(re.compile(r"Last one: \d+ [A-Z][a-z]+,? \d\d:\d\d, "))
    expect(page.locator(CARD)).to_contain_text("Customer number 1001")
    call(number, "FORWARD_ANSWER 1001")
    expect(page.locator(CARD)).to_contain_text("Answered")
    call(number, "CALL_END")
    expect(page.locator(CARD)).to_contain_text("Call ended")

    page.locator(".bottom-bar").get_by_role("link", name="My calls").click()
    expect(page.locator(".bottom-bar > [aria-current=page]")).to_have_text("My calls")
    expect(page.locator("#last-calls [data-note] form")).not_to_have_count(0)
    filled = page.locator("#last-calls table").evaluate(
        """(table) => [...table.rows[1].cells].reduce((sum, cell) => sum + cell.offsetWidth, 0) / table.offsetWidth"""
    )
    assert filled == pytest.approx(1, abs=0.02)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    row = page.locator("#last-calls tbody tr").first
    expect(row.get_by_text("Hotline").locator("visible=true")).to_have_count(1)
    page.set_viewport_size({"width": 1280, "height": 900})
    expect(row.get_by_text("Hotline").locator("visible=true")).to_have_count(1)


def test_the_browser_is_asked_for_notifications_only_after_a_click(live_server, live, sign_in, anna):
    page = sign_in("anna", PASSWORD)
    page.context.add_init_script(
        'window.asked = 0; window.Notification = class { static permission = "default"; static async '
        'requestPermission() { window.asked += 1; Notification.permission = "granted"; } };'
    )
    page.goto(f"{live_server.url}/live/")
    expect(page.get_by_role("button", name="Allow notifications")).to_be_visible()
    assert page.evaluate("window.asked") == 0
    page.get_by_role("button", name="Allow notifications").click()
    expect(page.get_by_text("This browser may show notifications.")).to_be_visible()
    assert page.evaluate("window.asked") == 1


def test_without_the_stream_pages_ask_every_few_seconds_and_say_so(live_server, live_port, sign_in, number, anna):
    page = sign_in("anna", PASSWORD)
    page.clock.install()
    with page.expect_request("**/live/events"):
        page.goto(f"{live_server.url}/reports/")
    expect(page.locator("#ringing-late")).to_be_hidden()
    page.clock.run_for(25_000)
    expect(page.locator("#ringing-late")).to_contain_text("No live connection")


def test_who_is_named_at_a_destination_while_a_page_is_open_sees_calls_within_a_minute(live_server, live, sign_in):
    ben = make_user("ben")
    page = sign_in("ben", PASSWORD)
    page.clock.install()
    page.goto(f"{live_server.url}/reports/")
    page.wait_for_load_state("networkidle")
    map_to(ben, "1001")
    with page.expect_request("**/live/events"):
        page.clock.run_for(61_000)


def test_the_admin_shows_calls_too(live_server, live, sign_in, number):
    olga = make_user("olga", is_staff=True)
    map_to(olga, "1001")
    page = sign_in("olga", PASSWORD, width=320, scheme="dark")
    page.goto(f"{live_server.url}/admin/")
    call(number, "CALL_START", "INITIATE_FORWARD 1001", "FORWARD_ANSWER 1001")
    expect(page.locator(CARD)).to_contain_text(CALLER)
    page.locator(CARD).locator("summary").click()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert findings(page) == []
    page.locator(CARD).get_by_label("Note").fill("Wants an offer")
    page.locator(CARD).get_by_role("button", name="Save note").click()
    expect(page.locator(CARD).get_by_role("status")).to_contain_text("Saved at")


def test_people_without_connection_ask_for_no_stream(live_server, live, sign_in, number):
    make_user("ben")
    page = sign_in("ben", PASSWORD)
    page.wait_for_load_state("networkidle")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    for _ in range(2):
        page.goto(f"{live_server.url}/reports/")
        page.wait_for_load_state("networkidle")
    # Asked after signing in, and remembered.
    assert not [url for url in asked if "/live/events" in url or "/live/state" in url]
