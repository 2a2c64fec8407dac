"""Pages without a menu, around passwords and second factors, have a way to sign out."""

import pytest
from django.test import Client

from accounts import given_passwords
from tests.factories import PASSWORD, make_superuser, make_user
from tests.totp import BASE, set_up, sign_in, with_factor

pytestmark = pytest.mark.django_db

SIGNS_OUT = 'action="/accounts/logout/"'
PAGES = [
    *("/accounts/password_change/", "/accounts/password_change/done/", BASE, f"{BASE}app/remove/"),
    *(f"{BASE}security-keys/add/", f"{BASE}recovery-codes/", f"{BASE}recovery-codes/new/", f"{BASE}reauthenticate/"),
]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_without_a_menu_says_who_is_signed_in_and_signs_out(client, page):
    make_superuser("root")
    sign_in(client, "root", PASSWORD)
    set_up(client)

    text = client.get(page).content.decode()

    assert "Signed in as root." in text
    assert text.count(SIGNS_OUT) == 1


def test_so_do_the_pages_that_someone_has_to_pass(client, settings):
    settings.MFA_REQUIRED = "staff"
    given = make_user("given")
    given_passwords.note_given(given)
    sign_in(client, "given", PASSWORD)
    lacking = Client()
    make_superuser("root")
    sign_in(lacking, "root", PASSWORD)

    assert client.get("/accounts/password_change/").content.decode().count(SIGNS_OUT) == 1
    assert lacking.get(BASE).content.decode().count(SIGNS_OUT) == 1
    assert lacking.get("/accounts/reauthenticate/").content.decode().count(SIGNS_OUT) == 1


def test_the_sign_in_page_has_none_and_who_is_asked_for_the_factor_can_go_back_to_it(client):
    assert SIGNS_OUT not in client.get("/accounts/login/").content.decode()
    with_factor(make_superuser("root"), PASSWORD)
    sign_in(client, "root", PASSWORD)
    page = client.get(f"{BASE}authenticate/").content.decode()
    assert "Back to the sign-in page" in page
    assert "Signed in as" not in page

    assert client.post("/accounts/logout/", follow=True).redirect_chain == [("/accounts/login/", 302)]
    assert 'name="password"' in client.get("/accounts/login/").content.decode()
