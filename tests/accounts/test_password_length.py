"""How long a new password must be: shorter ones are enough with a second factor."""

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from tests.factories import PASSWORD, make_staff, make_superuser, make_user
from tests.totp import set_up, sign_in

pytestmark = pytest.mark.django_db

ELEVEN, TWELVE, FOURTEEN, FIFTEEN = "zwölf Kamel", "zwölf Kamele", "zwölf Kamele!!", "zwölf Kamele am"
TOO_SHORT = "This password is too short. Use at least"


def refused(client, new):
    """Change the own password; return whether it was refused as too short."""
    sent = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    answer = client.post("/accounts/password_change/", sent)
    return answer.status_code == 200 and TOO_SHORT in answer.content.decode()


def test_without_a_second_factor_a_password_has_15_characters(client):
    client.force_login(make_user("anna"))
    page = client.get("/accounts/password_change/").content.decode()

    assert "At least 15 characters. 12 are enough for people who sign in with a second factor." in page
    assert [refused(client, new) for new in (TWELVE, FOURTEEN, FIFTEEN)] == [True, True, False]


def test_with_a_second_factor_12_are_enough(client):
    make_user("anna")
    sign_in(client, "anna", PASSWORD)
    set_up(client)

    assert [refused(client, new) for new in (ELEVEN, TWELVE)] == [True, False]


@pytest.mark.parametrize(("required", "make", "is_refused"), [
    ("staff", make_staff, False),
    ("staff", make_user, True),
    ("all", make_user, False),
    ("none", make_superuser, True),
])  # fmt: skip
def test_12_are_enough_for_people_who_must_have_one(client, settings, required, make, is_refused):
    settings.MFA_REQUIRED = required
    client.force_login(make("anna"))

    assert refused(client, TWELVE) is is_refused


@pytest.mark.parametrize(("required", "is_refused"), [("staff", True), ("all", False)])
def test_a_new_user_has_no_second_factor_yet(client, settings, required, is_refused):
    settings.MFA_REQUIRED = required
    make_superuser("root")
    sign_in(client, "root", PASSWORD)
    set_up(client)
    sent = {"username": "anna", "usable_password": "true", "password1": TWELVE, "password2": TWELVE}

    page = client.post("/admin/auth/user/add/", sent, follow=True).content.decode()

    assert (TOO_SHORT in page) is is_refused is not User.objects.filter(username="anna").exists()


def test_the_command_line_asks_for_the_same(monkeypatch, capsys):
    monkeypatch.setattr("getpass.getpass", lambda **_kwargs: TWELVE)
    make_user("anna")

    with pytest.raises(CommandError, match="Aborting password change"):
        call_command("changepassword", "anna")

    assert TOO_SHORT in capsys.readouterr().err


def test_what_is_wrong_with_a_new_password_is_said_at_it_and_what_to_do(client):
    client.force_login(make_user("anna"))
    sent = {"old_password": "wrong", "new_password1": ELEVEN, "new_password2": TWELVE}
    errors = client.post("/accounts/password_change/", sent).context["form"].errors
    assert errors["old_password"] == ["The current password is wrong. Enter it again."]
    assert errors["new_password1"][0].startswith(TOO_SHORT)
    assert errors["new_password2"] == ["This is not the same password. Enter the new one twice."]
