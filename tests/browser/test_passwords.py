"""Pages of signing in and of passwords fit their window and their paper, and are accessible, with errors as well."""

import re

import pytest
from django.core import mail

from accounts import given_passwords, invitations
from tests.browser.axe import findings
from tests.browser.fitting import faults
from tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db(transaction=True)

NAME = "M" * 60
NEW = "four random words of today"


@pytest.fixture
def look():
    """Return a function that keeps what is wrong with the open page; at the end there must be nothing."""
    faulty = []

    def looked(page):
        faulty.extend([*findings(page), *faults(page, page.url)])
        page.set_viewport_size({"width": 320, "height": 700})

    yield looked
    assert not faulty, "\n".join(faulty)


def enter(page, button, *texts):
    """Fill the fields of a form from above, and send it."""
    fields = page.locator("form .text-input")
    for place, text in enumerate(texts):
        fields.nth(place).fill(text)
    with page.expect_navigation():
        page.get_by_role("button", name=button).click()


def test_the_sign_in_page(live_server, open_window, look, settings):
    settings.AXES_FAILURE_LIMIT = 2
    page = open_window(width=320, height=700, scheme="dark")
    page.goto(f"{live_server.url}/accounts/login/?ended=1")
    look(page)
    enter(page, "Sign in", NAME, "wrong")
    assert "The user name or password is wrong." in page.content()
    look(page)
    while "Too many attempts." not in page.content():
        enter(page, "Sign in", NAME, "wrong")
    look(page)


def test_the_page_that_changes_a_password(live_server, open_window, look):
    given_passwords.note_given(make_user(NAME))
    page = open_window(width=320, height=700, scheme="dark")
    page.goto(f"{live_server.url}/accounts/login/")
    enter(page, "Sign in", NAME, PASSWORD)
    assert "Someone else has set your password." in page.content()
    look(page)
    enter(page, "Change password", "wrong", "Passwort2026!", NAME)
    look(page)
    enter(page, "Change password", PASSWORD, NEW, NEW)
    look(page)


def test_the_pages_of_an_invitation(live_server, open_window, look):
    invitations.invite(make_user(NAME, email="m@example.com"), live_server.url)
    page = open_window(width=320, height=700, scheme="dark")
    page.goto(re.search(r"http\S+", mail.outbox[0].body)[0])
    look(page)
    enter(page, "Set password", "short", "shorter")
    look(page)
    enter(page, "Set password", NEW, NEW)
    look(page)
