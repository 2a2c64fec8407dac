"""A session ends after some hours, and without use earlier for people who see callers or open the admin."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings as settings_of_django
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts import second_factor, sessions
from accounts.models import SignedInSession
from accounts.tasks import end_old_sessions
from calls.models import Right
from live import watcher
from tests.factories import PASSWORD, give, make_number, make_staff, make_superuser, make_user
from tests.live.rings import map_to
from tests.live.streams import run, session_of, stream
from tests.totp import BASE, code, with_factor
from tests.totp import sign_in as enter_password

pytestmark = pytest.mark.django_db(transaction=True)

OPENED = {"sec-fetch-mode": "navigate"}
# What pages ask by themselves: htmx, scripts, and both in browsers that send no Sec-Fetch-Mode.
ASKED = [
    {"sec-fetch-mode": "cors", "hx-request": "true"},
    {"sec-fetch-mode": "same-origin", "accept": "text/html"},
    {"hx-request": "true", "accept": "text/html"},
    {"accept": "application/json"},
]
ASKED_AT = ("/reports/", "/live/state", "/live/board/state", "/accounts/sessions/left")
LEFT = "/accounts/sessions/left"


class Clock:
    def __init__(self, monkeypatch):
        now, self.ahead = timezone.now, timedelta()
        monkeypatch.setattr(timezone, "now", lambda: now() + self.ahead)

    def step(self, **time):
        self.ahead += timedelta(**time)


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def sees_callers():
    user = make_user("anna")
    give(user, make_number(), Right.CALLS, Right.CALLERS)
    return user


def sees_figures():
    user = make_user("anna")
    give(user, make_number(), Right.CALLS, Right.PEOPLE, Right.EXPORT)
    return user


def sign_in(user):
    """Sign in by the page; return the browser."""
    browser = Client()
    browser.force_login(user)
    return browser


def is_signed_in(browser, headers=OPENED):
    answer = browser.get("/reports/", headers=headers)
    assert answer.status_code in {200, 302}
    return answer.status_code == 200


@pytest.mark.parametrize("make", [sees_figures, sees_callers])
def test_it_ends_some_hours_after_the_sign_in_however_much_it_is_used(settings, clock, make):
    settings.SESSION_HOURS = 2
    browser = sign_in(make())
    for _ in range(7):
        clock.step(minutes=17)
        assert is_signed_in(browser)

    clock.step(minutes=2)

    assert not is_signed_in(browser)


@pytest.mark.parametrize("make", [sees_callers, make_superuser, lambda: make_staff(permissions=["auth.view_user"])])
def test_without_use_it_ends_earlier_for_who_sees_callers_or_opens_the_admin(clock, make):
    browser = sign_in(make())
    clock.step(minutes=29)
    assert is_signed_in(browser)
    clock.step(minutes=29)
    assert is_signed_in(browser)
    clock.step(minutes=31)

    assert not is_signed_in(browser)
    assert not Session.objects.exists()


def test_people_who_see_no_callers_stay_signed_in_without_use(clock):
    browser = sign_in(sees_figures())

    clock.step(hours=11)

    assert is_signed_in(browser)


@pytest.mark.parametrize("headers", ASKED)
def test_what_pages_ask_by_themselves_is_no_use(clock, headers):
    browser = sign_in(sees_callers())
    for _ in range(6):
        clock.step(minutes=4)
        assert {browser.get(address, headers=headers).status_code for address in ASKED_AT} == {200}
    clock.step(minutes=7)

    assert {browser.get(address, headers=headers).status_code for address in ASKED_AT} & {200, 204} == set()


def test_keys_and_clicks_are_use_which_the_page_tells(clock):
    browser = sign_in(sees_callers())
    clock.step(minutes=20)
    assert browser.get(LEFT).json() == {"left_s": pytest.approx(600, abs=30), "ends_by_idling": True}

    assert browser.post(LEFT).json()["left_s"] == pytest.approx(1800, abs=30)

    clock.step(minutes=20)
    assert is_signed_in(browser)


def test_a_page_is_told_when_the_hours_are_over(clock, settings):
    settings.SESSION_HOURS = 1
    browser = sign_in(sees_callers())
    clock.step(minutes=25)
    browser.post(LEFT)
    clock.step(minutes=25)

    assert browser.post(LEFT).json() == {"left_s": pytest.approx(600, abs=30), "ends_by_idling": False}
    clock.step(minutes=11)
    assert browser.post(LEFT).status_code == 401


def test_use_is_written_at_most_once_a_minute(clock):
    browser = sign_in(sees_callers())
    began = SignedInSession.objects.get().last_used_at
    clock.step(seconds=50)
    is_signed_in(browser)
    assert SignedInSession.objects.get().last_used_at == began

    clock.step(seconds=20)
    is_signed_in(browser)

    assert SignedInSession.objects.get().last_used_at > began + timedelta(minutes=1)


def test_a_right_that_is_given_meanwhile_counts_from_the_next_use_on(clock):
    user = sees_figures()
    browser = sign_in(user)
    give(user, None, Right.CALLS, Right.CALLERS)
    clock.step(minutes=2)
    assert is_signed_in(browser)

    clock.step(minutes=31)

    assert not is_signed_in(browser)


def test_the_sign_in_page_says_so_and_leads_back(clock):
    user = sees_callers()
    browser = sign_in(user)
    clock.step(minutes=31)

    page = browser.get("/reports/calls/?period=today", headers=OPENED, follow=True)

    assert "Your session has ended" in page.content.decode()
    ((place, _status),) = page.redirect_chain
    sent = {"username": user.username, "password": PASSWORD, "next": parse_qs(urlsplit(place).query)["next"][0]}
    assert browser.post("/accounts/login/", sent)["Location"] == "/reports/calls/?period=today"


def test_the_sign_in_page_says_so_to_who_opened_the_admin_too(clock):
    browser = sign_in(make_superuser())
    clock.step(minutes=31)

    page = browser.get("/admin/auth/user/", headers=OPENED, follow=True)

    assert "Your session has ended" in page.content.decode()
    assert parse_qs(urlsplit(page.redirect_chain[-1][0]).query)["next"] == ["/admin/auth/user/"]


def test_a_session_begins_after_the_second_factor_and_use_keeps_it_with_that_factor(clock, settings):
    settings.MFA_REQUIRED = "staff"
    user = make_superuser()
    secret = with_factor(user, PASSWORD)
    SignedInSession.objects.all().delete()
    browser = Client()
    enter_password(browser, user.username, PASSWORD)
    assert not SignedInSession.objects.exists()
    assert browser.post(LEFT).status_code == 401

    assert browser.post(f"{BASE}authenticate/", {"code": code(secret, 1)}).status_code == 302

    assert SignedInSession.objects.get().key_hash == sessions.hash_of(browser.session.session_key)
    clock.step(minutes=20)
    assert browser.post(LEFT).json()["left_s"] == pytest.approx(1800, abs=30)
    clock.step(minutes=20)
    assert is_signed_in(browser)
    assert second_factor.passed_s_ago(user, browser.session) is not None
    assert browser.get("/accounts/sessions/").context["page"].this == SignedInSession.objects.get()
    clock.step(minutes=31)
    assert not is_signed_in(browser)


def test_signing_out_and_a_first_visit_are_no_ended_session():
    browser = sign_in(sees_callers())
    browser.post("/accounts/logout/")

    assert "Your session has ended" not in browser.get("/reports/", follow=True).content.decode()


def test_a_session_of_a_version_without_limits_signs_in_once_more():
    browser = sign_in(sees_callers())
    SignedInSession.objects.all().delete()

    assert not is_signed_in(browser)
    assert not Session.objects.exists()


def test_what_is_left_of_ended_sessions_is_deleted_each_hour(clock, settings):
    assert settings.CELERY_BEAT_SCHEDULE["end-old-sessions"]["schedule"] == 3600
    user = sees_callers()
    idle, gone, used = sign_in(user), sign_in(user), sign_in(user)
    gone.session.delete()  # past the models
    clock.step(minutes=20)
    is_signed_in(used)
    clock.step(minutes=20)

    end_old_sessions()

    assert (Session.objects.count(), SignedInSession.objects.count()) == (1, 1)
    assert (is_signed_in(used), is_signed_in(idle)) == (True, False)


@pytest.mark.parametrize("query", ["", "board=1"])
def test_a_stream_ends_with_its_session_and_does_not_keep_it_alive(monkeypatch, clock, query):
    monkeypatch.setattr(watcher, "CHECK_EVERY_S", 0.0)
    monkeypatch.setattr("live.board.caster.CHECK_EVERY_S", 0.0)
    user = sees_callers()
    map_to(user, "1001")
    session = session_of(user)

    async def test(live):
        async with stream(live, session, query=query) as browser:
            assert browser.status == 200
            clock.step(minutes=31)
            while (await browser.next())[0] != "end":
                pass
        async with stream(live, session, query=query) as browser:
            assert browser.status == 403

    run(test)


def test_what_a_page_asks_by_itself_with_an_old_key_deletes_no_new_cookie(client):
    name = settings_of_django.SESSION_COOKIE_NAME
    client.cookies[name] = "gone" * 8
    for mode, is_deleted in (("cors", False), ("navigate", True)):
        answer = client.get("/live/state", headers={"Sec-Fetch-Mode": mode})
        assert (name in answer.cookies) is is_deleted, mode
