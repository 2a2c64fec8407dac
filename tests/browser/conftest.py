"""Fixtures with a real Chromium. Console errors and Content-Security-Policy violations fail the test."""

import os

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.chromium import ARGUMENTS, find_fast_browser
from tests.ports import free_port

# Playwright runs an event loop in this thread; the database is never used inside it.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

# On a busy machine a browser takes long. Who waits for something that never comes, fails in any case.
PATIENCE_MS = 20_000
expect.set_options(timeout=PATIENCE_MS)

REFUSED = ("Failed to load resource", "Response Status Error Code")


@pytest.fixture(scope="session", autouse=True)
def _live_has_the_next_port():
    """Give the live server a port whose next one is free for the process `live`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_LIVE_TEST_SERVER_ADDRESS", f"localhost:{free_port()}")
        yield


@pytest.fixture(scope="session")
def launched():
    """Return a function that starts a Chromium."""
    with sync_playwright() as playwright:
        yield lambda program: playwright.chromium.launch(executable_path=program, args=ARGUMENTS)


@pytest.fixture(scope="session")
def chromium(launched):
    browser = launched(find_fast_browser())
    yield browser
    browser.close()


@pytest.fixture
def open_window(chromium):
    """Return a function that opens a window with its own cookies. All windows are checked for errors."""
    contexts, complaints = [], []

    def opened(width=1440, height=900, scheme="light"):
        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, accept_downloads=True, locale="en-GB"
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda message: complain(page, message.type, message.text))
        page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
        return page

    def complain(page, kind, text):
        # The browser and htmx log every 4xx and 5xx as an error; tests that expect one say so.
        if kind in {"error", "warning"} and not any(expected in text for expected in REFUSED):
            complaints.append(f"{page.url}: {text}")

    yield opened
    for context in contexts:
        context.close()
    assert not complaints, "\n".join(complaints)


@pytest.fixture
def sign_in(open_window, live_server):
    """Return a function that signs a user in and returns their window."""

    def signed_in(username, password, page=None, **window):
        page = page or open_window(**window)
        page.goto(f"{live_server.url}/")
        page.get_by_label("User name").fill(username)
        page.get_by_label("Password", exact=True).fill(password)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/reports/**")
        return page

    return signed_in
