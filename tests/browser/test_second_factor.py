"""A security key in a real browser: set up and used to sign in. The pages hold our Content-Security-Policy."""

import pytest
from playwright.sync_api import expect

from accounts.models import AuditEntry
from tests.browser.axe import findings
from tests.browser.fitting import faults
from tests.factories import PASSWORD, make_superuser
from tests.totp import BASE, code

pytestmark = pytest.mark.django_db(transaction=True)

STEPS = (
    *("", "app/remove/", "recovery-codes/", "recovery-codes/new/", "reauthenticate/"),
    "security-keys/reauthenticate/",
)


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
    page.get_by_role("link", name="I have saved them, continue").click()
    page.wait_for_url("**/reports/**")

    page.goto(f"{live_server.url}{BASE}")
    expect(page.get_by_text("Blue key")).to_be_visible()
    page.context.clear_cookies()
    enter_password(page, live_server)
    page.wait_for_url(f"**{BASE}authenticate/")
    page.get_by_role("button", name="Use a security key").click()
    page.wait_for_url("**/reports/**")
    signed_in = AuditEntry.objects.filter(action="signed_in").first()
    assert signed_in.after == {"second_factor": "webauthn"}
    page.goto(f"{live_server.url}/accounts/reauthenticate/")
    page.wait_for_url(f"**{BASE}security-keys/reauthenticate/")
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


def test_each_step_fits_and_is_accessible(live_server, open_window):
    make_superuser("root")
    page, name = open_window(width=320, height=700, scheme="dark"), "K" * 60
    plug_in(page)
    faulty = []

    def look(step=None):
        if step is not None:
            page.goto(f"{live_server.url}{BASE}{step}")
        faulty.extend([*findings(page), *faults(page, page.url)])
        page.set_viewport_size({"width": 320, "height": 700})

    enter_password(page, live_server)
    page.wait_for_url(f"**{BASE}")
    look()
    page.get_by_role("link", name="Set up an app").click()
    assert page.locator("img.qr-code").evaluate("image => image.complete && image.naturalWidth > 100")
    look()
    page.get_by_label("Code", exact=True).fill("000000")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("The code was not accepted.")).to_be_visible()
    look()
    page.get_by_label("Code", exact=True).fill(code(page.locator("code.secret").inner_text()))
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(f"**{BASE}recovery-codes/")
    look()
    look("security-keys/add/")
    page.get_by_label("Name of the key").fill(name)
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_text(name)).to_be_visible()
    for step in STEPS:
        look(step)
    page.goto(f"{live_server.url}{BASE}")
    page.get_by_role("link", name=f"Remove {name}").click()
    look()
    page.context.clear_cookies()
    enter_password(page, live_server)
    page.wait_for_url(f"**{BASE}authenticate/")
    look()
    assert not faulty, "\n".join(faulty)
