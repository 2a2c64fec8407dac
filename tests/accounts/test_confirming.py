"""Who changes accounts or ends sessions proves again who they are, if they did so more than 15 minutes ago."""

import time
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.account.internal.flows.login import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.db.models import F
from django.test import Client

from accounts import second_factor
from accounts.models import SignedInSession
from contacts.models import ContactKey
from live import watcher
from live.models import BoardKey
from tests.factories import PASSWORD, make_staff, make_superuser, make_user
from tests.live.rings import map_to
from tests.live.streams import in_thread, run, stream
from tests.totp import BASE, code, set_up, sign_in

pytestmark = pytest.mark.django_db

SESSIONS, USERS, GROUPS = "/accounts/sessions/", "/admin/auth/user/", "/admin/auth/group/"
BY_PASSWORD, BY_CODE = "/accounts/reauthenticate/", f"{BASE}reauthenticate/"
OF_A_USER_ADMIN = [f"auth.{action}_{model}" for model in ("user", "group") for action in ("view", "add", "change")]
AGE_S = 16 * 60


def signed_in(name):
    browser = Client(headers={"sec-fetch-mode": "navigate"})
    assert sign_in(browser, name, PASSWORD).status_code == 302
    return browser


def is_signed_in(browser):
    return browser.get("/reports/").status_code == 200


def age(browser, age_s=AGE_S):
    """Let everything by which a person has proved who they are be so old."""
    session = browser.session
    if factor := session.get(second_factor.PASSED):
        session[second_factor.PASSED] = [factor[0], time.time() - age_s]
    for record in session.get(AUTHENTICATION_METHODS_SESSION_KEY, []):
        record["at"] = time.time() - age_s
    session.save()
    SignedInSession.objects.update(signed_in_at=F("signed_in_at") - timedelta(seconds=age_s))


def asked_at(answer):
    """Return the page that asks again, and the one to which it leads back."""
    address = urlsplit(answer.headers.get("Location", ""))
    return address.path, parse_qs(address.query).get("next", [""])[0]


@pytest.fixture
def anna():
    return make_user("anna")


# --- The own sessions ------------------------------------------------------------------------------


def test_ending_other_sessions_asks_for_the_password_first(anna):
    here, phone, laptop = signed_in("anna"), signed_in("anna"), signed_in("anna")
    age(here)

    answer = here.post(SESSIONS, {"end": "all"})
    assert asked_at(answer) == (BY_PASSWORD, SESSIONS)
    assert is_signed_in(phone)
    assert "The password is wrong" in here.post(BY_PASSWORD, {"password": "x", "next": SESSIONS}).content.decode()
    assert is_signed_in(phone)

    page = here.post(BY_PASSWORD, {"password": PASSWORD, "next": SESSIONS}, follow=True).content.decode()
    assert "Nothing was ended, because you had to confirm first that it is you." in page
    assert is_signed_in(phone)
    assert "2 sessions were ended." in here.post(SESSIONS, {"end": "all"}, follow=True).content.decode()
    assert [is_signed_in(browser) for browser in (here, phone, laptop)] == [True, False, False]
    phone = signed_in("anna")
    assert "1 session was ended." in here.post(SESSIONS, {"end": "all"}, follow=True).content.decode()


def test_who_has_a_factor_is_asked_for_it_and_a_password_does_not_do(anna):
    here, phone = signed_in("anna"), signed_in("anna")
    secret = set_up(here)
    age(here)
    this = SignedInSession.objects.order_by("pk").first()

    asked = here.post(SESSIONS, {"end": "all"})
    assert asked_at(here.get(asked["Location"])) == (BY_CODE, SESSIONS)
    assert here.post(BY_PASSWORD, {"password": PASSWORD, "next": SESSIONS})["Location"].startswith(BY_CODE)
    assert is_signed_in(phone)
    here.post(BY_CODE, {"code": code(secret, 1), "next": SESSIONS})
    here.post(SESSIONS, {"end": "all"})

    assert [is_signed_in(browser) for browser in (here, phone)] == [True, False]
    assert SignedInSession.objects.get().pk == this.pk


def test_the_own_session_ends_as_well_and_stays_ended(anna):
    here = signed_in("anna")
    age(here)
    here.post(BY_PASSWORD, {"password": PASSWORD, "next": SESSIONS})

    here.post(SESSIONS, {"end": SignedInSession.objects.get().pk})

    assert not is_signed_in(here)
    assert not SignedInSession.objects.exists()
    assert Session.objects.count() <= 1  # of the anonymous visit
    assert "_auth_user_id" not in str([row.get_decoded() for row in Session.objects.all()])


@pytest.mark.parametrize("page", ["app/remove/", "recovery-codes/new/"])
def test_what_was_sent_before_confirming_is_never_done_later(anna, page):
    here = signed_in("anna")
    secret = set_up(here)
    age(here)
    before = list(Authenticator.objects.order_by("pk").values())

    here.post(f"{BASE}{page}", headers={"calltallyproxy": "a-secret-of-the-proxy"})
    assert "a-secret-of-the-proxy" not in str(here.session.items())
    asked = here.get(here.get(f"{BASE}{page}")["Location"])  # later, by a link
    opened = here.post(BY_CODE, {"code": code(secret, 1), "next": asked_at(asked)[1]})

    assert opened["Location"] == f"{BASE}{page}"
    after = list(Authenticator.objects.order_by("pk").values())
    assert [(row["id"], row["type"]) for row in after] == [(row["id"], row["type"]) for row in before]
    codes = [row["data"] for rows in (before, after) for row in rows if row["type"] == "recovery_codes"]
    assert codes[0] == codes[-1]


def test_a_form_that_was_opened_in_time_may_be_sent_for_as_long_again(anna):
    root = make_superuser("root")
    here = signed_in("root")
    age(here, 20 * 60)

    assert asked_at(here.get(f"{USERS}{anna.pk}/change/"))[0] == BY_PASSWORD
    assert asked_at(here.post(f"{USERS}{anna.pk}/second-factor/"))[0] != BY_PASSWORD
    assert asked_at(here.post(USERS, {"action": "", "_selected_action": root.pk}))[0] != BY_PASSWORD


# --- A new key -------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [True, False])
def test_a_session_goes_on_under_a_new_key_and_the_old_one_is_of_no_use(anna, factor):
    here = signed_in("anna")
    secret = set_up(here) if factor else ""
    age(here)
    before, old = SignedInSession.objects.get(), Client(headers={"sec-fetch-mode": "navigate"})
    old.cookies["sessionid"] = here.cookies["sessionid"].value
    assert is_signed_in(old)

    sent = {"code": code(secret, 1)} if factor else {"password": PASSWORD}
    assert here.post(BY_CODE if factor else BY_PASSWORD, sent).status_code == 302

    after = SignedInSession.objects.get()
    assert (after.pk, after.signed_in_at, after.address) == (before.pk, before.signed_in_at, before.address)
    assert after.key_hash != before.key_hash
    assert not is_signed_in(old)
    assert is_signed_in(here)
    assert Session.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_stream_under_the_old_key_ends_and_begins_again_under_the_new_one(anna, monkeypatch):
    monkeypatch.setattr(watcher, "CHECK_EVERY_S", 0.0)
    map_to(anna, "1001")
    here = signed_in("anna")
    old = here.cookies["sessionid"].value

    async def test(live):
        async with stream(live, old) as browser:
            assert browser.status == 200
            await in_thread(here.post, BY_PASSWORD, {"password": PASSWORD})
            while (await browser.next())[0] != "end":
                pass
        for key, status in ((here.cookies["sessionid"].value, 200), (old, 403)):
            async with stream(live, key) as browser:
                assert browser.status == status

    run(test)


# --- Accounts in the admin -------------------------------------------------------------------------


@pytest.fixture
def editor():
    make_staff("editor", permissions=OF_A_USER_ADMIN)
    return signed_in("editor")


def pages(person):
    group = Group.objects.create(name="night shift")
    of_person = [
        f"{USERS}{person.pk}/{page}/" for page in ("change", "password", "second-factor", "sessions", "invite")
    ]
    return [f"{USERS}add/", *of_person, f"{GROUPS}{group.pk}/change/"]


def test_every_page_that_changes_a_user_or_a_group_asks_when_it_is_opened(anna, editor):
    asking = pages(anna)
    assert [editor.get(page).status_code for page in asking] == [200] * len(asking)
    age(editor)

    assert [asked_at(editor.get(page)) for page in asking] == [(BY_PASSWORD, page) for page in asking]
    assert editor.post(BY_PASSWORD, {"password": PASSWORD, "next": asking[1]})["Location"] == asking[1]
    assert [editor.get(page).status_code for page in asking] == [200] * len(asking)


def test_lists_histories_and_people_who_only_look_are_not_asked(anna, editor):
    age(editor)
    for page in (USERS, GROUPS, f"{USERS}{anna.pk}/history/"):
        assert editor.get(page).status_code == 200
    make_staff("viewer", permissions=["auth.view_user"])
    viewer = signed_in("viewer")
    age(viewer)

    assert viewer.get(f"{USERS}{anna.pk}/change/").status_code == 200


@pytest.mark.parametrize(("key", "model"), [("live/boardkey", BoardKey), ("contacts/contactkey", ContactKey)])
def test_pages_of_keys_that_sign_in_for_nobody_ask_too_before_one_is_made_or_revoked(key, model):
    permissions = [f"{key.replace('/', f'.{action}_')}" for action in ("view", "change")]
    make_staff("operator", permissions=permissions)
    browser, of_keys = signed_in("operator"), f"/admin/{key}/"
    row = model.objects.create(name="Wall", fingerprint="f", last4="1234")
    asking = [f"{of_keys}add/", f"{of_keys}{row.pk}/revoke/"]
    assert [browser.get(page).status_code for page in asking] == [200] * len(asking)
    age(browser, 31 * 60)

    assert [asked_at(browser.get(page)) for page in asking] == [(BY_PASSWORD, page) for page in asking]
    assert browser.get(of_keys).status_code == 200
    assert asked_at(browser.post(asking[0], {"name": "Other"})) == (BY_PASSWORD, asking[0])
    assert asked_at(browser.post(asking[1])) == (BY_PASSWORD, asking[1])
    assert model.objects.get().revoked_at is None


def test_what_a_page_sends_after_that_is_not_saved_which_is_said(anna, editor):
    page = f"{USERS}{anna.pk}/change/"
    new = "lampenschirm kaffeetasse"
    passwords = {"password1": new, "password2": new, "usable_password": "true", "set-password": "1"}
    before = User.objects.values().get(pk=anna.pk)
    age(editor, 31 * 60)

    assert asked_at(editor.post(page, {"username": "anna", "email": "mine@example.com"})) == (BY_PASSWORD, page)
    for address, sent in (
        (f"{USERS}{anna.pk}/password/", passwords),
        (f"{USERS}{anna.pk}/second-factor/", {}),
        (USERS, {"action": "delete_selected", "_selected_action": anna.pk, "post": "yes"}),
    ):
        assert asked_at(editor.post(address, sent)) == (BY_PASSWORD, address)
    assert new not in str(editor.session.items())
    assert User.objects.values().get(pk=anna.pk) == before
    text = editor.post(BY_PASSWORD, {"password": PASSWORD, "next": page}, follow=True).content.decode()
    assert "Nothing was saved, because you had to confirm first that it is you." in text
    assert User.objects.values().get(pk=anna.pk) == before


def test_who_may_not_open_the_admin_is_answered_as_before(anna):
    browser = signed_in("anna")
    fresh = [browser.post(page).status_code for page in (f"{USERS}{anna.pk}/change/", USERS)]
    age(browser)

    assert [browser.post(page).status_code for page in (f"{USERS}{anna.pk}/change/", USERS)] == fresh
    assert BY_PASSWORD not in browser.post(USERS).headers.get("Location", "")


def test_a_superuser_is_asked_for_the_factor(anna):
    make_superuser("root")
    browser = signed_in("root")
    secret = set_up(browser)
    age(browser)
    page = f"{USERS}{anna.pk}/change/"

    address = urlsplit(browser.get(page, follow=True).redirect_chain[-1][0])
    assert (address.path, parse_qs(address.query)["next"]) == (BY_CODE, [page])
    assert browser.post(BY_CODE, {"code": code(secret, 1), "next": page})["Location"] == page
    assert browser.get(page).status_code == 200
