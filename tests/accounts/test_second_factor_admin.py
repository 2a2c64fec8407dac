"""Who has a second factor, and its reset, in the admin and on the page System status."""

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.admin.models import LogEntry
from django.test import Client

from calls.models import Right
from tests.factories import PASSWORD, give, make_number, make_staff, make_superuser, make_user
from tests.totp import set_up, sign_in, with_factor

pytestmark = pytest.mark.django_db

USERS = "/admin/auth/user/"
OF_A_USER_ADMIN = [f"auth.{name}" for name in ("view_user", "change_user")]


@pytest.fixture
def editor(client):
    """A user who may change users, and nothing else; signed in."""
    user = make_staff("editor", permissions=OF_A_USER_ADMIN)
    client.force_login(user)
    return user


def as_superuser(client):
    """Sign a superuser in, who sets up a second factor."""
    make_superuser("root")
    sign_in(client, "root", PASSWORD)
    set_up(client)


def page_of(person):
    return f"{USERS}{person.pk}/second-factor/"


def names(client, query=""):
    return {user.username for user in client.get(f"{USERS}{query}").context["cl"].queryset}


def test_the_list_shows_and_filters_who_has_one_and_who_lacks_one(client, settings):
    settings.MFA_REQUIRED = "staff"
    as_superuser(client)
    with_factor(make_staff("has"), PASSWORD)
    make_staff("lacks")
    give(make_user("sees calls"), make_number(), Right.CALLS)
    make_user("none")
    make_staff("disabled", is_active=False)

    assert names(client, "?second_factor=yes") == {"has", "root"}
    assert names(client, "?second_factor=no") == {"lacks", "sees calls", "none", "disabled"}
    assert names(client, "?second_factor=missing") == {"lacks", "sees calls"}
    in_order = client.get(f"{USERS}?o=-6").context["cl"].result_list
    assert {person.username for person in in_order[:2]} == {"has", "root"}


def test_a_user_admin_resets_a_lost_factor_which_ends_all_sessions(client, editor, caplog):
    anna = make_user("anna")
    with_factor(anna, PASSWORD)
    theirs = Client()
    theirs.force_login(anna)
    assert page_of(anna) in client.get(f"{USERS}{anna.pk}/change/").content.decode()
    page = client.get(page_of(anna)).content.decode()
    assert "An authenticator app, set up on" in page

    answer = client.post(page_of(anna), follow=True)

    assert "The second factor of anna was removed" in answer.content.decode()
    assert not Authenticator.objects.exists()
    assert theirs.get("/reports/").status_code == 302
    assert client.get(USERS).status_code == 200
    assert "Second factor reset" in LogEntry.objects.get(object_id=str(anna.pk)).change_message
    assert f"The second factor of user {anna.pk} was removed by user {editor.pk}" in caplog.text
    assert "There is nothing to reset." in client.get(page_of(anna)).content.decode()


def test_who_has_more_than_the_editor_and_superusers_are_left_alone(client, editor):
    operator = make_staff("operator", permissions=["calls.change_destinationnumber"])
    root = make_superuser("root")
    for person in (operator, root):
        with_factor(person, PASSWORD)

    assert "may do or see more than you" in client.post(page_of(operator)).content.decode()
    assert client.post(page_of(root)).status_code == 404
    assert Authenticator.objects.filter(type="totp").count() == 2


def test_the_own_factor_is_changed_on_the_own_page(client, editor):
    set_up(client)

    assert "You change your own" in client.post(page_of(editor)).content.decode()
    assert Authenticator.objects.filter(type="totp").exists()


def test_who_may_only_look_at_users_resets_nothing(client):
    client.force_login(make_staff("viewer", permissions=["auth.view_user"]))
    anna = make_user("anna")
    with_factor(anna, PASSWORD)

    assert client.post(page_of(anna)).status_code == client.get(page_of(anna)).status_code == 403
    assert page_of(anna) not in client.get(f"{USERS}{anna.pk}/change/").content.decode()
    assert Authenticator.objects.filter(type="totp").exists()


@pytest.mark.parametrize(
    ("required", "says"),
    [
        ("none", "A password is enough to sign in"),
        ("staff", "2 people have to set up a second factor"),
        ("all", "3 people have to set up a second factor"),
    ],
)
def test_the_page_system_says_how_many_people_have_to_set_one_up(client, settings, required, says):
    give(make_user("sees calls"), make_number(), Right.CALLS)
    make_staff("staff")
    make_user("figures")
    as_superuser(client)
    settings.MFA_REQUIRED = required

    assert says in client.get("/reports/system/").content.decode()
