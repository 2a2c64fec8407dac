"""A device in which a person signed in before is not locked with its network, and guessing from it is stopped too."""

import time

import pytest
from django.conf import settings as django_settings
from django.core import signing

from tests.factories import PASSWORD, make_staff, make_user
from tests.signing_in import CAFE, HOME, OFFICE, SIGN_IN, attempt, fail

pytestmark = pytest.mark.django_db

LIMIT = 10  # as documented in docs/security.md
COOKIE = django_settings.DEVICE_COOKIE_NAME


def sign_in(client, username="mona", **how):
    """Sign in and out again; return the cookie of the device."""
    assert attempt(client, username=username, password=PASSWORD, **how).status_code == 302
    client.post("/accounts/logout/")
    assert not client.session.get("_auth_user_id")
    return client.cookies[COOKIE]


def lock(client_class, username="mona", address=OFFICE):
    """Lock a name in a network, by a stranger's browser."""
    assert fail(client_class(), LIMIT, username=username, address=address).status_code == 429


@pytest.fixture
def stranger():
    from django.test import Client

    return Client


def test_a_known_device_signs_in_where_a_stranger_locked_the_name(client, stranger):
    make_staff("mona")
    sign_in(client, address=HOME)
    lock(stranger)

    assert attempt(stranger(), password=PASSWORD).status_code == 429
    assert attempt(client).status_code == 200
    assert attempt(client, password=PASSWORD).status_code == 302


def test_a_known_device_signs_in_where_the_network_is_locked(client, stranger, settings):
    settings.NETWORK_FAILURE_LIMIT = 5
    make_user("mona")
    sign_in(client)
    for n in range(5):
        attempt(stranger(), username=f"somebody-{n}")

    assert attempt(stranger(), password=PASSWORD).status_code == 429
    assert attempt(client, password=PASSWORD).status_code == 302


def test_a_device_that_fails_too_often_is_locked_like_any_other(client, stranger):
    make_user("mona")
    sign_in(client)
    lock(stranger)

    assert [attempt(client).status_code for _ in range(LIMIT)] == [200] * (LIMIT - 1) + [429]
    assert attempt(client, password=PASSWORD).status_code == 429
    assert attempt(client, password=PASSWORD, address=HOME).status_code == 302


def test_the_failures_of_a_device_count_wherever_it_is(client, stranger):
    make_user("mona")
    sign_in(client)
    for n in range(LIMIT):
        assert attempt(client, address=f"203.0.113.{n}").status_code == 200
    lock(stranger, address=CAFE)

    assert attempt(client, password=PASSWORD, address=CAFE).status_code == 429


def test_a_success_resets_the_count_of_the_device(client, stranger):
    make_user("mona")
    lock(stranger)
    for _ in range(2):
        sign_in(client, address=HOME)
        assert fail(client, LIMIT - 1).status_code == 200


def test_the_device_of_another_person_is_not_exempt(client, stranger):
    make_user("mona")
    make_user("Mona")
    make_user("nina")
    sign_in(client, "nina")
    sign_in(client, "Mona")
    lock(stranger)

    assert attempt(client, password=PASSWORD).status_code == 429


def test_several_people_use_a_device_and_the_first_of_five_is_forgotten(client, stranger, settings):
    settings.AXES_FAILURE_LIMIT = 3
    names = ["mona", "nina", "olga", "paula", "rita"]
    for name in names:
        make_user(name)
    for name in ["nina", *names]:  # who signs in again is the last one
        sign_in(client, name, address=HOME)

    def signs_in(name):
        fail(stranger(), 3, username=name)
        return attempt(client, username=name, password=PASSWORD).status_code == 302

    cookie = client.cookies[COOKIE].value
    kept = {}
    for name in names:
        client.cookies.clear()
        client.cookies[COOKIE] = cookie
        kept[name] = signs_in(name)
    assert kept == {"mona": False, "nina": True, "olga": True, "paula": True, "rita": True}


def test_a_changed_password_ends_the_device(client, stranger):
    mona = make_user("mona")
    sign_in(client)
    lock(stranger)
    mona.set_password("another-long-password")
    mona.save()

    assert attempt(client, password="another-long-password").status_code == 429


def test_an_expired_cookie_is_no_device(client, stranger, monkeypatch):
    make_user("mona")
    for days, status in ((366, 429), (364, 302)):
        with monkeypatch.context() as patch:
            then = signing.b62_encode(int(time.time()) - days * 24 * 3600)
            patch.setattr(signing.TimestampSigner, "timestamp", lambda _self, then=then: then)
            sign_in(client, address=HOME)
        fail(stranger(), LIMIT)

        assert attempt(client, password=PASSWORD).status_code == status


def tampered(cookie):
    device, moment, signature = cookie.split(":")
    other = ("B" if device[0] == "A" else "A") + device[1:]
    return {
        "empty": "",
        "any text": "mona",
        "not ASCII": "mönä:ü:ß",
        "another id": f"{other}:{moment}:{signature}",
        "another time": f"{device}:zzzzzz:{signature}",
        "no signature": f"{device}:{moment}:{'A' * 43}",
        "in the middle of others": ".".join(["x"] * 9 + [cookie]),
        "huge": "." * 3000 + "A:" * 400,
    }


@pytest.mark.parametrize("what", list(tampered("A:B:C")))
def test_a_forged_cookie_is_no_device_and_no_error(client, stranger, what):
    make_user("mona")
    cookie = tampered(sign_in(client).value)[what]
    lock(stranger)
    client.cookies.clear()
    client.cookies[COOKIE] = cookie

    assert attempt(client, password=PASSWORD).status_code == 429
    assert len(sign_in(client, address=HOME).value) < 300
    assert attempt(client, password=PASSWORD).status_code == 302


def test_the_cookie_lasts_a_year_and_says_nothing(client):
    mona = make_user("mona")
    cookie = sign_in(client)
    again = sign_in(client)

    assert (cookie["max-age"], cookie["path"], cookie["domain"]) == (365 * 24 * 3600, "/", "")
    assert (cookie["httponly"], cookie["samesite"], cookie["secure"]) == (True, "Lax", "")
    device, moment, _signature = cookie.value.split(":")
    assert device == again.value.split(":")[0]  # so that failures of the device still count
    assert abs(signing.b62_decode(moment) - time.time()) < 600
    assert not {"mona", str(mona.pk)} & set(cookie.value.split(":"))


def test_only_a_sign_in_sets_the_cookie(client):
    make_user("mona")
    assert COOKIE not in attempt(client).cookies
    assert COOKIE not in client.get(SIGN_IN).cookies
    assert COOKIE in attempt(client, password=PASSWORD).cookies
    assert COOKIE not in client.get("/reports/").cookies
