"""A page warns before its session ends, and at the end leads to the sign-in page and back."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.db.models import F
from django.utils import timezone
from playwright.sync_api import expect

from accounts.models import SignedInSession
from tests.factories import PASSWORD, make_number, make_staff

pytestmark = pytest.mark.django_db(transaction=True)

PAGES = ("/reports/?period=yesterday", "/live/", "/admin/auth/user/")


def leave_idle_for(left_s):
    """Let the session end so many seconds from now."""
    idle = timedelta(minutes=settings.SESSION_IDLE_MINUTES)
    SignedInSession.objects.update(last_used_at=timezone.now() - idle + timedelta(seconds=left_s))


def left_s():
    return SignedInSession.objects.get().left_s


def ask(page):
    """Let the page ask how long its session goes on, as after a stream that was refused."""
    page.evaluate("document.dispatchEvent(new Event('calltally:refused'))")


@pytest.fixture
def staff():
    make_number()
    return make_staff("anna")


@pytest.mark.parametrize("address", PAGES)
def test_a_page_warns_and_stays_signed_in_or_leads_back_after_the_sign_in(live_server, sign_in, staff, address):
    page = sign_in("anna", PASSWORD)
    page.goto(f"{live_server.url}{address}")
    warning = page.locator("#session-end")
    expect(warning).to_be_hidden()

    leave_idle_for(90)
    ask(page)
    expect(warning).to_contain_text("You will be signed out soon")
    assert page.title().startswith("Signing out soon")
    page.get_by_role("button", name="Stay signed in").click()
    expect(warning).to_be_hidden()
    assert left_s() > 1700

    leave_idle_for(4)
    ask(page)
    expect(warning).to_be_visible()
    page.wait_for_url("**/login/**")
    expect(page.get_by_text("Your session has ended.")).to_be_visible()
    page.get_by_label("User name").fill("anna")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**{address}")


def test_a_key_is_use_and_a_page_that_refreshes_itself_is_none(live_server, sign_in, staff):
    page = sign_in("anna", PASSWORD)
    page.clock.install()
    page.goto(f"{live_server.url}/reports/")
    SignedInSession.objects.update(last_used_at=F("last_used_at") - timedelta(minutes=20))
    with page.expect_response(lambda answer: "/reports/" in answer.url):
        page.clock.run_for(61_000)  # it asks for new figures
    assert left_s() < 700

    with page.expect_response("**/accounts/sessions/left"):
        page.keyboard.press("Shift")

    assert left_s() > 1700


def test_a_session_is_ended_from_another_browser(live_server, sign_in, staff):
    here, there = sign_in("anna", PASSWORD), sign_in("anna", PASSWORD)
    there.goto(f"{live_server.url}/live/")
    here.goto(f"{live_server.url}/accounts/sessions/")

    here.get_by_role("button", name="End all others").click()

    expect(here.get_by_text("1 session was ended.")).to_be_visible()
    ask(there)
    expect(there.get_by_text("Your session has ended.")).to_be_visible()


def test_the_warning_fits_on_a_phone(live_server, sign_in, staff):
    page = sign_in("anna", PASSWORD, width=320, height=640, scheme="dark")
    leave_idle_for(90)
    ask(page)
    warning = page.locator("#session-end")
    expect(warning).to_be_visible()

    box = warning.bounding_box()

    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 320
