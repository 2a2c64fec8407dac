"""People see and end their own sessions; who may change a user ends theirs."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client

from accounts.models import SignedInSession
from tests.factories import PASSWORD, allow, make_superuser, make_user
from tests.signing_in import CAFE, OFFICE, attempt

pytestmark = pytest.mark.django_db

PAGE = "/accounts/sessions/"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)
EDGE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 "
    "Edg/142.0.0.0"
)
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"


def signed_in(name, agent=FIREFOX, address=OFFICE):
    browser = Client(headers={"user-agent": agent, "sec-fetch-mode": "navigate"})
    assert attempt(browser, name, PASSWORD, address=address).status_code == 302
    return browser


def is_signed_in(browser):
    return browser.get("/reports/").status_code == 200


def session_of(name, agent):
    return SignedInSession.objects.get(user__username=name, user_agent=agent)


def page_of(browser, address=PAGE):
    return " ".join(browser.get(address).content.decode().split())


@pytest.fixture
def anna():
    return make_user("anna")


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox on Windows"),
        (SAFARI, "Safari on iPhone"),
        (EDGE, "Edge on Windows"),
        (CHROME, "Chrome on Linux"),
        ("curl/8.0", "Unknown browser"),
        ("Something (Macintosh; Intel Mac OS X 10_15_7)", "Unknown browser on macOS"),
        ("", "Unknown browser"),
    ],
)
def test_the_page_says_where_one_is_signed_in(anna, agent, words):
    here = signed_in("anna", agent, CAFE)

    page = page_of(here)

    assert f"{words} <span" in page
    assert CAFE in page
    assert "This browser" in page
    assert "You are not signed in anywhere else." in page


def test_a_session_is_ended_by_itself_and_all_others_together(anna):
    here, phone, laptop = signed_in("anna"), signed_in("anna", SAFARI), signed_in("anna", EDGE)
    make_user("mona")
    other = signed_in("mona")

    page = here.post(PAGE, {"end": session_of("anna", SAFARI).pk}, follow=True).content.decode()

    assert "1 session was ended." in page
    assert [is_signed_in(browser) for browser in (here, phone, laptop, other)] == [True, False, True, True]
    signed_in("anna", SAFARI)
    assert "2 sessions were ended." in here.post(PAGE, {"end": "all"}, follow=True).content.decode()
    assert [is_signed_in(browser) for browser in (here, laptop, other)] == [True, False, True]


def test_who_has_signed_out_is_not_listed(anna):
    here, phone = signed_in("anna"), signed_in("anna", SAFARI)
    assert "Safari on iPhone" in page_of(here)

    phone.post("/accounts/logout/")

    assert "Safari on iPhone" not in page_of(here)
    assert SignedInSession.objects.count() == 1


def test_the_own_session_may_be_ended_like_any(anna):
    here = signed_in("anna")

    answer = here.post(PAGE, {"end": session_of("anna", FIREFOX).pk}, follow=True)

    assert answer.redirect_chain[-1][0].startswith("/accounts/login/")


@pytest.mark.parametrize("named", ["theirs", "999999999", "9" * 30, "", "x", "-1"])
def test_the_session_of_another_person_is_missing_like_any_that_does_not_exist(anna, named):
    make_user("mona")
    here, other = signed_in("anna"), signed_in("mona", SAFARI)

    answer = here.post(PAGE, {"end": session_of("mona", SAFARI).pk if named == "theirs" else named})

    assert answer.status_code == 404
    assert is_signed_in(other)


@pytest.fixture
def user_admin(anna):
    editor = make_user("editor", is_staff=True)
    allow(editor, "auth.change_user", "auth.view_user")
    return signed_in("editor", EDGE)


def of(name):
    return f"/admin/auth/user/{User.objects.get(username=name).pk}/sessions/"


def test_who_may_change_a_user_ends_their_sessions_which_the_history_says(user_admin):
    desk, phone = signed_in("anna"), signed_in("anna", SAFARI)
    assert of("anna") in page_of(user_admin, of("anna").replace("sessions", "change"))
    assert "Safari on iPhone" in page_of(user_admin, of("anna"))

    user_admin.post(of("anna"), {"end": session_of("anna", SAFARI).pk})

    assert (is_signed_in(desk), is_signed_in(phone)) == (True, False)
    user_admin.post(of("anna"), {"end": "all"})
    assert not is_signed_in(desk)
    assert "anna is not signed in anywhere." in page_of(user_admin, of("anna"))
    assert LogEntry.objects.filter(object_id=str(User.objects.get(username="anna").pk)).count() == 2


def test_a_user_admin_does_not_end_those_of_a_superuser(user_admin):
    make_superuser("root")
    theirs = signed_in("root")
    for address in (of("root"), "/admin/auth/user/999999999/sessions/"):
        assert user_admin.get(address).status_code == user_admin.post(address, {"end": "all"}).status_code == 404

    # Nor by the page of somebody else.
    assert user_admin.post(of("anna"), {"end": session_of("root", FIREFOX).pk}).status_code == 404
    assert is_signed_in(theirs)


def test_who_may_only_view_users_sees_no_sessions(anna):
    viewer, theirs = make_user("viewer", is_staff=True), signed_in("anna")
    allow(viewer, "auth.view_user")
    browser = signed_in("viewer", EDGE)

    assert browser.get(of("anna")).status_code == browser.post(of("anna"), {"end": "all"}).status_code == 403
    assert of("anna") not in page_of(browser, of("anna").replace("sessions", "change"))
    assert is_signed_in(theirs)


def test_all_of_ones_own_in_the_admin_are_all_others(user_admin):
    phone = signed_in("editor", SAFARI)
    assert "Your session here" in page_of(user_admin, of("editor"))

    user_admin.post(of("editor"), {"end": "all"})

    assert (is_signed_in(user_admin), is_signed_in(phone)) == (True, False)
