"""Who has a password that someone else set reaches nothing but the page that changes it."""

import re

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from accounts.models import GivenPassword
from tests.access.addresses import addresses, with_names
from tests.factories import PASSWORD, make_number, make_staff, make_superuser, make_user
from tests.live.streams import run, session_of, stream

pytestmark = pytest.mark.django_db

USERS = "/admin/auth/user/"
CHANGE = "/accounts/password_change/"
GIVEN, OWN = "lampenschirm kaffeetasse", "zebrastreifen regenrinne"
# What a browser sends when it opens a page, and what an older one sends.
PAGES = [{"sec-fetch-mode": "navigate"}, {"accept": "text/html,*/*"}]
SCRIPTS = [{"sec-fetch-mode": "cors", "accept": "text/html"}, {"accept": "*/*"}, {}]
# Addresses that know no sessions, and those that stay open.
WITHOUT_SESSIONS = {"/tenios/posts", "/healthz"}
STAY_OPEN = {CHANGE, "/accounts/logout/", "/admin/logout/"}


@pytest.fixture
def editor(client):
    superuser = make_superuser("editor")
    client.force_login(superuser)
    return superuser


def set_password(client, person, password=GIVEN):
    sent = {"password1": password, "password2": password, "usable_password": "true", "set-password": "1"}
    return client.post(f"{USERS}{person.pk}/password/", sent, follow=True)


def signed_in(name, password):
    """Sign in by the page; return the browser."""
    browser = Client(headers={"sec-fetch-mode": "navigate"})
    assert browser.post("/accounts/login/", {"username": name, "password": password}).status_code == 302
    return browser


def change(browser, old, new):
    return browser.post(CHANGE, {"old_password": old, "new_password1": new, "new_password2": new})


@pytest.fixture
def given(client, editor):
    """A superuser whose password someone else has set."""
    person = make_superuser("anna")
    set_password(client, person)
    person.refresh_from_db()  # a session belongs to one password
    return person


def test_a_new_user_is_led_to_the_page_that_changes_the_password_and_then_goes_on(client, editor):
    sent = {"username": "anna", "usable_password": "true", "password1": GIVEN, "password2": GIVEN}
    page = client.post(f"{USERS}add/", sent, follow=True).content.decode()
    assert "anna has to choose one of their own at the first sign-in" in page
    theirs = signed_in("anna", GIVEN)

    assert theirs.get("/reports/").headers["Location"] == CHANGE
    assert "Someone else has set your password" in theirs.get(CHANGE).content.decode()
    assert "Choose another one" in change(theirs, GIVEN, GIVEN).content.decode()
    assert theirs.get("/reports/").status_code == 302
    assert change(theirs, GIVEN, OWN).headers["Location"] == f"{CHANGE}done/"

    assert theirs.get("/reports/").status_code == 200
    assert signed_in("anna", OWN).get("/reports/").status_code == 200
    assert "Someone else" not in theirs.get(CHANGE).content.decode()


def test_a_password_that_is_set_again_has_to_be_changed_again(client, editor):
    person = make_user("anna")
    theirs = signed_in("anna", PASSWORD)
    assert theirs.get("/reports/").status_code == 200

    set_password(client, person)

    assert theirs.get("/reports/").headers["Location"].startswith("/accounts/login/")
    assert signed_in("anna", GIVEN).get("/reports/").headers["Location"] == CHANGE


def test_every_address_is_closed_but_the_page_and_signing_out(given):
    theirs = Client()
    theirs.force_login(given)

    wrong = []
    for address in sorted(addresses()):
        path = re.sub(r"\{[^}]*\}", "1", with_names(address))
        if path.partition("?")[0] in WITHOUT_SESSIONS | STAY_OPEN:
            continue
        for method in ("get", "post"):
            answers = [getattr(theirs, method)(path, headers=headers) for headers in PAGES]
            if [answer.headers.get("Location") for answer in answers] != [CHANGE] * len(PAGES):
                wrong.append(f"{method} {path}: a page is not led to {CHANGE}")
            if {getattr(theirs, method)(path, headers=headers).status_code for headers in SCRIPTS} != {403}:
                wrong.append(f"{method} {path}: a script is not refused")
    assert not wrong


def test_they_may_sign_out(given):
    theirs = Client()
    theirs.force_login(given)

    assert theirs.post("/accounts/logout/").status_code == 302
    assert theirs.get("/reports/").headers["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("meanwhile", [{"is_active": False}, {"password": "another"}])
def test_a_session_that_has_ended_leads_to_the_sign_in_page(given, meanwhile):
    theirs = Client(headers=PAGES[0])
    theirs.force_login(given)
    User.objects.filter(pk=given.pk).update(**meanwhile)

    answer = theirs.get(CHANGE, follow=True)

    assert (answer.status_code, "Sign in" in answer.content.decode()) == (200, True)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("query", ["", "board=1"])
def test_the_streams_of_live_are_closed_until_it_is_changed(given, editor, query):
    make_number()
    marked, free = session_of(given), session_of(editor)

    async def test(live):
        for session, statuses in ((marked, {403}), (free, {200, 204})):
            async with stream(live, session, query=query) as browser:
                assert browser.status in statuses

    run(test)


def test_changing_the_own_password_keeps_this_session_and_ends_all_others():
    make_user("anna")
    here, there = signed_in("anna", PASSWORD), signed_in("anna", PASSWORD)

    assert change(here, PASSWORD, OWN).status_code == 302

    assert here.get("/reports/").status_code == 200
    assert there.get("/reports/").headers["Location"].startswith("/accounts/login/")


def test_the_own_password_is_set_only_where_the_current_one_is_asked_for(client, editor):
    answer = set_password(client, editor)

    assert answer.redirect_chain == [(CHANGE, 302)]
    assert client.get(f"{USERS}{editor.pk}/password/")["Location"] == CHANGE
    assert signed_in("editor", PASSWORD).get("/reports/").status_code == 200


def test_a_password_that_is_refused_or_taken_away_marks_no_one(client, editor):
    person = make_user("anna")

    set_password(client, person, "Passwort2026!")
    assert signed_in("anna", PASSWORD).get("/reports/").status_code == 200

    set_password(client, person)
    client.post(f"{USERS}{person.pk}/password/", {"usable_password": "false", "unset-password": "1"})
    assert not GivenPassword.objects.exists()


def test_who_may_not_set_a_password_marks_no_one(client):
    client.force_login(make_staff("viewer", permissions=["auth.view_user"]))
    person = make_user("anna")

    assert set_password(client, person).status_code == 403
    assert signed_in("anna", PASSWORD).get("/reports/").status_code == 200


def test_superusers_of_the_command_line_chose_their_own(monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", OWN)
    call_command("createsuperuser", username="admin", email="", interactive=False)

    assert signed_in("admin", OWN).get("/admin/").status_code == 200


def test_the_admin_leads_to_the_page_for_everybody(client, editor):
    assert client.get("/admin/password_change/").headers["Location"] == CHANGE


def test_a_user_who_never_signed_in_can_still_be_deleted(client, editor):
    person = make_user("anna")
    set_password(client, person)

    client.post(f"{USERS}{person.pk}/delete/", {"post": "yes"})

    assert not User.objects.filter(pk=person.pk).exists()
