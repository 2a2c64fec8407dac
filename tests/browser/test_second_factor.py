"""A security key in a real browser: set up and used to sign in. The pages hold our Content-Security-Policy."""

import pytest
from playwright.sync_api import expect

from tests.browser.axe import findings
from tests.factories import PASSWORD, make_superuser
from tests.totp import BASE, code

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _for_staff(settings):
    settings.MFA_REQUIRED = "staff"


def plug_in(page):
    """Give a window a security key."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "usb",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def enter_password(page, live_server):
    page.goto(f"{live_server.url}/accounts/login/")
    page.get_by_label("User name").fill("root")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def test_a_security_key_is_added_and_signs_in(live_server, open_window):
    make_superuser("root")
    page = open_window(width=390, height=800)
    plug_in(page)
    enter_password(page, live_server)
    page.wait_for_url(f"**{BASE}")
    page.get_by_role("link", name="Add a key").click()
    page.get_by_label("Name of the key").fill("Blue key")
    page.get_by_role("button", name="Add").click()
    page.wait_for_url(f"**{BASE}recovery-codes/")
    page.get_by_role("link", name="go on").click()
    page.wait_for_url("**/reports/**")

    page.goto(f"{live_server.url}{BASE}")
    expect(page.get_by_text("Blue key")).to_be_visible()
    page.context.clear_cookies()
    enter_password(page, live_server)
    page.wait_for_url(f"**{BASE}authenticate/")
    page.get_by_role("button", name="Use a security key").click()
    page.wait_for_url("**/reports/**")


def test_a_key_that_was_not_used_is_said_on_the_page(live_server, open_window):
    make_superuser("root")
    page = open_window()
    enter_password(page, live_server)
    page.get_by_role("link", name="Add a key").click()
    page.evaluate("() => { navigator.credentials.create = () => Promise.reject(new DOMException('cancelled')) }")
    page.get_by_role("button", name="Add").click()

    expect(page.get_by_text("The security key was not used.")).to_be_visible()


def test_an_app_is_set_up_with_what_the_page_shows_and_pages_are_accessible(live_server, open_window):
    make_superuser("root")
    violations = []
    page = open_window(width=320, height=700, scheme="dark")
    enter_password(page, live_server)
    page.wait_for_url(f"**{BASE}")
    violations += findings(page)
    page.get_by_role("link", name="Set up an app").click()
    assert page.locator("img.qr-code").evaluate("image => image.complete && image.naturalWidth > 100")
    violations += findings(page)
    page.get_by_text("Cannot scan it?").click()
    page.get_by_label("Code", exact=True).fill(code(page.locator("code.secret").inner_text()))
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(f"**{BASE}recovery-codes/")
    violations += findings(page)
    page.context.clear_cookies()
    enter_password(page, live_server)
    page.wait_for_url(f"**{BASE}authenticate/")
    violations += findings(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert not violations, "\n".join(violations)
