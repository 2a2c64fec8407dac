"""Invitations: who has no password gets a link by mail, with which they choose one, once and for a while."""

import re
from datetime import timedelta
from smtplib import SMTPServerDisconnected

import pytest
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.core.mail.backends.locmem import EmailBackend
from django.test import Client

from tests.factories import make_staff, make_superuser

pytestmark = pytest.mark.django_db(transaction=True)

USERS = "/admin/auth/user/"
OWN = "zebrastreifen regenrinne"
LINK = re.compile(r"https://calls\.example\.com(/accounts/invitation/\?\S+)")


@pytest.fixture(autouse=True)
def _mail(settings):
    settings.SENDS_MAIL, settings.DEFAULT_FROM_EMAIL = True, "calltally@example.com"
    settings.PUBLIC_URL = "https://calls.example.com"


@pytest.fixture
def editor(client):
    client.force_login(make_superuser("editor"))


def add(client, **sent):
    sent = {"username": "anna", "email": "anna@example.com", "usable_password": "false"} | sent
    return client.post(f"{USERS}add/", sent, follow=True).content.decode()


def link_in(mail):
    return LINK.search(mail.body)[1]


def choose(browser, password=OWN):
    return browser.post("/accounts/invitation/", {"new_password1": password, "new_password2": password})


def test_a_new_user_gets_a_link_chooses_a_password_and_signs_in(client, editor, mailoutbox, caplog):
    page = add(client)
    (mail,) = mailoutbox
    assert "An invitation was sent to anna. The link is valid for 3 days." in page
    assert (mail.to, "Your user name is anna." in mail.body) == (["anna@example.com"], True)

    theirs = Client()
    opened = theirs.get(link_in(mail))
    assert opened.headers["Location"] == "/accounts/invitation/"
    form = theirs.get("/accounts/invitation/")
    assert (form.headers["Referrer-Policy"], "no-store" in form.headers["Cache-Control"]) == ("same-origin", True)
    assert "little more than “passwort”" in choose(theirs, "Passwort2026!").content.decode()
    assert choose(theirs).headers["Location"] == "/accounts/invitation/done/"

    assert theirs.post("/accounts/login/", {"username": "anna", "password": OWN}).status_code == 302
    assert theirs.get("/reports/").status_code == 200
    assert Client().get(link_in(mail)).status_code == 410
    assert choose(theirs).status_code == 410
    token = link_in(mail).rpartition("token=")[2]
    assert token not in caplog.text


def test_a_link_ends_with_the_next_invitation_with_time_and_when_the_person_is_disabled(
    client, editor, mailoutbox, settings, monkeypatch
):
    add(client)
    person = User.objects.get(username="anna")
    assert "Invite by mail" in client.get(f"{USERS}{person.pk}/change/").content.decode()
    assert "anna@example.com" in client.get(f"{USERS}{person.pk}/invite/").content.decode()
    client.post(f"{USERS}{person.pk}/invite/")
    first, second = map(link_in, mailoutbox)

    assert Client().get(first).status_code == 410
    assert Client().get(second).status_code == 302

    now = default_token_generator._now()
    with monkeypatch.context() as later:
        later.setattr(default_token_generator, "_now", lambda: now + timedelta(days=3, minutes=1))
        assert Client().get(second).status_code == 410
    User.objects.update(is_active=False)
    assert Client().get(second).status_code == 410


@pytest.mark.parametrize("query", ["token=x", "token=x&person=1", "token=&person=99999999999999999999999", "person=1"])
def test_other_links_are_not_valid(client, query):
    make_superuser()
    answer = client.get(f"/accounts/invitation/?{query}")

    assert (answer.status_code, "This link is not valid" in answer.content.decode()) == (410, True)


def test_an_invitation_needs_an_address(client, editor, mailoutbox):
    assert "Enter the address to which the invitation is sent." in add(client, email="")
    assert not User.objects.filter(username="anna").exists()
    assert not mailoutbox


def test_without_a_mail_server_the_page_says_what_to_do(client, editor, settings, mailoutbox):
    settings.SENDS_MAIL = False
    assert "a mail server has to be set up (EMAIL_URL)" in client.get(f"{USERS}add/").content.decode()

    assert "Set a password for anna, and pass it on." in add(client, email="")
    person = User.objects.get(username="anna")
    client.post(f"{USERS}{person.pk}/invite/")

    assert not mailoutbox


def test_a_mail_that_does_not_leave_is_said_and_the_user_stays(client, editor, monkeypatch):
    def refuse(*_args):
        raise SMTPServerDisconnected

    monkeypatch.setattr(EmailBackend, "send_messages", refuse)

    assert "The invitation of anna could not be sent." in add(client)
    assert not User.objects.get(username="anna").has_usable_password()


def test_who_has_a_password_or_more_than_the_editor_is_not_invited(client, mailoutbox):
    rights = ("view_user", "add_user", "change_user")
    client.force_login(make_staff("editor", permissions=[f"auth.{name}" for name in rights]))
    operator = make_staff("operator", permissions=["calls.change_destinationnumber"], email="operator@example.com")

    assert "has a password already" in client.post(f"{USERS}{operator.pk}/invite/").content.decode()
    operator.set_unusable_password()
    operator.save()
    assert "may do or see more than you" in client.post(f"{USERS}{operator.pk}/invite/").content.decode()
    assert client.get(f"{USERS}{make_superuser().pk}/invite/").status_code == 404
    assert not mailoutbox
