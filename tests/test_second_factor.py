"""The second factor: who must have one, what no one reaches without it, and codes that work once."""

import re
import uuid
from urllib.parse import quote

import pytest
from allauth.mfa.models import Authenticator
from axes.models import AccessAttempt
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import get_resolver

from accounts import given_passwords
from calls.models import Right
from config import checks
from live.sessions import signed_in
from tests.access.addresses import addresses, with_names
from tests.factories import PASSWORD, give, make_number, make_staff, make_superuser, make_user
from tests.totp import BASE, code, recovery_codes, set_up, sign_in, with_factor

pytestmark = pytest.mark.django_db(transaction=True)

LIMIT = django_settings.AXES_FAILURE_LIMIT
CODE_PAGE = f"{BASE}authenticate/"
CHANGE_PASSWORD = "/accounts/password_change/"
TOO_MANY = "Too many attempts."
# The answer of a key, with parts that are too short.
SHORT = (
    '{"id": "YQ", "rawId": "YQ", "type": "public-key", '
    '"response": {"clientDataJSON": "e30", "authenticatorData": "YQ", "signature": "YQ"}}'
)
# What somebody reaches who must set up a second factor; the first addresses are in no session at all.
OPEN_TO_ALL = {"/tenios/posts", "/healthz", "/metrics"}
SETTING_UP = {f"{BASE}{page}" for page in ("", "app/", "security-keys/add/")} | {
    *("/accounts/reauthenticate/", CHANGE_PASSWORD, f"{CHANGE_PASSWORD}done/"),
    *("/accounts/invitation/", "/accounts/invitation/done/", "/accounts/sessions/left"),
}
LEAVING = {"/accounts/logout/", "/admin/logout/"}


@pytest.fixture(autouse=True)
def _for_staff(settings):
    settings.MFA_REQUIRED = "staff"


def enter(client, text):
    return client.post(CODE_PAGE, {"code": text})


def path_of(address):
    """Return a path that leads to the view of an address, whether or not there is such an object."""
    path = re.sub(r"\{(workbook|upload)\}", str(uuid.UUID(int=1)), with_names(address)).partition("?")[0]
    return re.sub(r"\{[^}]*\}|<[^>]*>", "1", path)


def is_signed_in(client):
    return "_auth_user_id" in client.session


@pytest.mark.parametrize("required", ["staff", "all", "none"])
def test_the_setting_says_who_must_have_a_second_factor(settings, required):
    settings.MFA_REQUIRED = required
    number = make_number()
    people = {name: make_user(name) for name in ("nothing", "figures", "calls")} | {"staff": make_staff(permissions=())}
    give(people["figures"], number)
    give(people["calls"], number, Right.CALLS)
    must = {"staff": {"calls", "staff"}, "all": {*people}, "none": set()}[required]

    for name, user in people.items():
        client = Client()
        sign_in(client, user.username, PASSWORD)
        answer = client.get("/reports/")
        assert (answer.status_code, answer.headers.get("Location")) == ((302, BASE) if name in must else (200, None)), (
            name
        )


def test_nothing_else_is_reached_before_a_second_factor_is_set_up(client):
    make_superuser("root")
    sign_in(client, "root", PASSWORD)
    paths = sorted({path_of(address) for address in addresses()} - LEAVING)
    asked = [(method, path) for method in (client.get, client.post) for path in paths]

    reached = {path for method, path in asked if method(path).headers.get("Location") != BASE}

    assert len(paths) > 100
    assert reached <= SETTING_UP | OPEN_TO_ALL
    assert is_signed_in(client)


def test_no_stream_is_opened_before_a_second_factor_is_set_up(client):
    number, anna = make_number(), make_user("anna")
    give(anna, number, Right.CALLS)
    sign_in(client, "anna", PASSWORD)
    assert signed_in(client.session.session_key) is None

    set_up(client)

    assert signed_in(client.session.session_key) == (anna, True)


def test_an_app_is_set_up_and_then_signs_in(client):
    root = make_superuser("root")
    assert sign_in(client, "root", PASSWORD, next="/reports/calls/")["Location"] == "/reports/calls/"
    assert "Set up a second factor to continue" in client.get(client.get("/reports/")["Location"]).content.decode()

    secret = set_up(client)
    assert len(recovery_codes(client)) == 10
    assert client.get("/reports/").status_code == client.get("/admin/").status_code == 200

    again = Client()
    answer = sign_in(again, "root", PASSWORD, next="/reports/calls/")
    assert answer["Location"] == CODE_PAGE
    assert not is_signed_in(again)
    assert again.get("/reports/")["Location"].startswith("/accounts/login/")
    assert enter(again, code(secret, 1))["Location"] == "/reports/calls/"
    assert again.session["_auth_user_id"] == str(root.pk)
    assert again.get("/admin/").status_code == 200


def test_a_code_works_once_and_none_older_than_it(client):
    secret = with_factor(make_superuser("root"), PASSWORD)
    used = code(secret, 1)
    sign_in(client, "root", PASSWORD)
    assert enter(client, used).status_code == 302

    for text in (used, code(secret)):
        other = Client()
        sign_in(other, "root", PASSWORD)
        assert "The code was not accepted." in enter(other, text).content.decode()
        assert not is_signed_in(other)


def test_the_code_that_set_up_the_app_does_not_sign_in(client):
    secret = with_factor(make_superuser("root"), PASSWORD)
    sign_in(client, "root", PASSWORD)

    assert enter(client, code(secret)).status_code == 200


def test_a_recovery_code_signs_in_once(client):
    make_superuser("root")
    sign_in(client, "root", PASSWORD)
    set_up(client)
    first, *others = recovery_codes(client)

    for text, signs_in in ((first, True), (first, False), (others[0], True)):
        other = Client()
        sign_in(other, "root", PASSWORD)
        assert (enter(other, text).status_code == 302) is is_signed_in(other) is signs_in


def test_the_secret_is_nowhere_in_the_database(client):
    make_superuser("root")
    sign_in(client, "root", PASSWORD)
    shown = re.search(r'class="secret">(\w+)<', client.get(f"{BASE}app/").content.decode())[1]
    assert shown not in str(client.session.items())

    secret = set_up(client)

    kept = str(list(Authenticator.objects.values_list("data", flat=True)))
    assert secret not in kept + str(client.session.items())
    assert not any(text in kept for text in recovery_codes(client))


def test_wrong_codes_are_counted_as_wrong_passwords_are(client):
    secret = with_factor(make_superuser("root"), PASSWORD)
    sign_in(client, "root", PASSWORD)
    answers = [enter(client, "nonsense") for _ in range(LIMIT)]

    assert [answer.status_code for answer in answers] == [200] * (LIMIT - 1) + [429]
    assert TOO_MANY in answers[-1].content.decode()
    assert 'action="/accounts/login/"' in answers[-1].content.decode()
    assert enter(client, code(secret, 1)).status_code == 429
    assert sign_in(Client(), "root", PASSWORD).status_code == 429
    assert not is_signed_in(client)
    assert AccessAttempt.objects.get().username == "root"


def test_tries_from_many_networks_count_together(client):
    secret = with_factor(make_superuser("root"), PASSWORD)
    sign_in(client, "root", PASSWORD)
    for n in range(LIMIT):
        client.post(CODE_PAGE, {"code": "nonsense"}, REMOTE_ADDR=f"198.51.100.{n}")
    AccessAttempt.objects.all().delete()

    assert enter(client, code(secret, 1)).status_code == 429
    assert not is_signed_in(client)


def test_the_right_code_ends_the_count(client):
    secret = with_factor(make_superuser("root"), PASSWORD)
    sign_in(client, "root", PASSWORD)
    for _ in range(LIMIT - 1):
        enter(client, "nonsense")

    assert enter(client, code(secret, 1)).status_code == 302
    assert "tries" not in Authenticator.objects.get(type="totp").data


def test_right_passwords_do_not_reset_the_count_of_wrong_codes():
    with_factor(make_superuser("root"), PASSWORD)
    for _ in range(LIMIT):
        client = Client()
        assert sign_in(client, "root", PASSWORD).status_code == 302
        answer = enter(client, "000000")

    assert answer.status_code == 429


@pytest.mark.parametrize("change", [{"password": "another"}, {"is_active": False}])
def test_a_sign_in_ends_if_the_password_changes_or_the_person_is_disabled_before_the_code(client, change):
    secret = with_factor(make_superuser("root"), PASSWORD)
    sign_in(client, "root", PASSWORD)
    User.objects.update(**change)

    assert enter(client, code(secret, 1))["Location"] == "/accounts/login/"
    assert client.get("/accounts/login/").status_code == 200
    assert not is_signed_in(client)


def test_a_factor_that_is_reset_before_the_code_leads_back_to_the_password(client):
    with_factor(make_superuser("root"), PASSWORD)
    sign_in(client, "root", PASSWORD)
    call_command("reset_mfa", "root")

    page = client.get(CODE_PAGE, follow=True)
    assert page.redirect_chain == [("/accounts/login/", 302)]
    sign_in(client, "root", PASSWORD)
    assert client.get("/reports/")["Location"] == BASE


def test_who_must_change_the_password_does_so_and_then_sets_up_a_second_factor(client):
    root = make_superuser("root")
    given_passwords.note_given(root)
    sign_in(client, "root", PASSWORD)
    pages = {"headers": {"sec-fetch-mode": "navigate"}}
    for address in ("/reports/", BASE, f"{BASE}app/", f"{BASE}security-keys/add/"):
        assert client.get(address, **pages)["Location"] == CHANGE_PASSWORD

    sent = {"old_password": PASSWORD} | dict.fromkeys(("new_password1", "new_password2"), "zwölf Kamele")
    assert client.post(CHANGE_PASSWORD, sent, **pages)["Location"] == f"{CHANGE_PASSWORD}done/"
    assert client.get(f"{CHANGE_PASSWORD}done/", **pages).status_code == 200
    assert client.get("/reports/", **pages)["Location"] == BASE
    set_up(client)
    assert client.get("/reports/", **pages).status_code == 200


@pytest.mark.parametrize(
    "credential", ["", "1", "null", "[]", "{}", '{"id": 1}', '{"response": {}, "type": "x"}', "{", SHORT]
)
def test_an_answer_that_no_key_gave_is_a_failure(client, credential):
    with_factor(make_superuser("root"), PASSWORD)
    sign_in(client, "root", PASSWORD)

    assert client.post(CODE_PAGE, {"credential": credential}).status_code == 200
    assert not is_signed_in(client)


def test_a_session_without_the_factor_ends_once_one_was_set_up_elsewhere(client):
    make_superuser("root")
    sign_in(client, "root", PASSWORD)
    with_factor(make_superuser("other"), PASSWORD)
    assert client.get("/reports/")["Location"] == BASE

    elsewhere = Client()
    sign_in(elsewhere, "root", PASSWORD)
    set_up(elsewhere)

    assert client.get("/reports/")["Location"] == "/accounts/login/"
    assert not is_signed_in(client)


def test_changing_factors_later_asks_again_and_a_password_is_not_enough(client):
    make_superuser("root")
    sign_in(client, "root", PASSWORD)
    secret = set_up(client)
    session = client.session
    session["second_factor"] = [session["second_factor"][0], 0.0]
    session.save()

    for page in ("app/remove/", "security-keys/add/", "recovery-codes/", "recovery-codes/new/", "recovery-codes/file/"):
        asked = client.get(client.get(f"{BASE}{page}")["Location"])
        assert asked["Location"] == f"{BASE}reauthenticate/?next={quote(f'{BASE}{page}', safe='')}", page
    assert client.get("/accounts/reauthenticate/")["Location"].startswith(f"{BASE}reauthenticate/")
    answer = client.post(f"{BASE}reauthenticate/", {"code": code(secret, 1), "next": f"{BASE}recovery-codes/"})
    assert answer["Location"] == f"{BASE}recovery-codes/"
    assert len(recovery_codes(client)) == 10
    assert client.get(f"{BASE}recovery-codes/file/")["Content-Type"] == "text/plain; charset=utf-8"


def test_who_removes_the_last_factor_sets_up_another_one(client):
    make_superuser("root")
    sign_in(client, "root", PASSWORD)
    set_up(client)
    assert client.post(f"{BASE}app/remove/")["Location"] == BASE

    assert not Authenticator.objects.exists()
    assert client.get("/reports/")["Location"] == BASE


def test_a_lost_factor_is_removed_by_a_command_which_ends_all_sessions(client, capsys, caplog):
    root = make_superuser("root")
    sign_in(client, "root", PASSWORD)
    set_up(client)
    other = Client()
    other.force_login(make_user("other"))

    call_command("reset_mfa", "root")

    assert "Removed the second factor of root" in capsys.readouterr().out
    assert f"The second factor of user {root.pk} was removed" in caplog.text
    assert not Authenticator.objects.exists()
    assert Session.objects.count() == 1
    sign_in(client, "root", PASSWORD)
    assert client.get("/reports/")["Location"] == BASE
    with pytest.raises(CommandError, match="There is no user nobody"):
        call_command("reset_mfa", "nobody")


def test_a_factor_that_cannot_be_decrypted_lets_nobody_in(client, settings, caplog):
    settings.ENCRYPTION_KEYS = ["one" * 12]
    root = make_superuser("root")
    secret = with_factor(root, PASSWORD)
    settings.ENCRYPTION_KEYS = ["two" * 12]
    sign_in(client, "root", PASSWORD)

    assert enter(client, code(secret, 1)).status_code == 200
    assert not is_signed_in(client)
    assert f"The second factor of user {root.pk} was encrypted with another ENCRYPTION_KEY" in caplog.text
    assert secret not in caplog.text


def test_only_the_pages_of_signing_in_are_there():
    pages = {address for address in addresses(get_resolver()) if address.startswith("accounts/")}
    assert not [page for page in pages if "signup" in page or "email" in page or "reset" in page or "social" in page]


def test_the_admin_leads_to_the_same_sign_in(client):
    make_staff("mona")

    assert client.get("/admin/login/?next=/admin/auth/")["Location"] == "/accounts/login/?next=/admin/auth/"
    assert client.post("/admin/login/", {"username": "mona", "password": PASSWORD})["Location"].startswith("/accounts/")
    assert not is_signed_in(client)


def test_a_page_at_an_address_says_where_keys_can_be_used(client):
    make_superuser("root")
    sign_in(client, "root", PASSWORD)
    at_address = client.get(BASE, headers={"host": "127.0.0.1:8000"}).content.decode()
    by_name = client.get(BASE, headers={"host": "localhost:8000"}).content.decode()

    assert f'href="http://localhost:8000{BASE}"' in at_address
    assert f'href="{BASE}security-keys/add/"' not in at_address
    assert f'href="{BASE}security-keys/add/"' in by_name


def test_a_deployment_without_second_factors_is_warned_about(settings):
    assert checks.second_factor() == []
    settings.MFA_REQUIRED = "none"
    assert [warning.id for warning in checks.second_factor()] == ["calltally.W041"]
