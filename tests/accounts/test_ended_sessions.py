"""Sessions end at once when their person is disabled, loses a right, gets another password or is deleted."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts.models import SignedInSession
from accounts.tasks import end_old_sessions
from calls.models import NumberAccess, Right
from calls.tasks import end_sessions_of_ended_access
from live import watcher
from tests.factories import PASSWORD, allow, give, make_number, make_user
from tests.live.rings import map_to
from tests.live.streams import in_thread, run, session_of, stream

pytestmark = pytest.mark.django_db(transaction=True)

USERS = "/admin/auth/user/"
FORMS = ("%Y-%m-%d", "%H:%M:%S")


@pytest.fixture
def anna():
    """A person with a right of each kind."""
    user = make_user("anna", is_staff=True, is_superuser=True)
    user.groups.add(Group.objects.create(name="Team"))
    Group.objects.get(name="Team").permissions.add(permission("view_call"))
    allow(user, "calls.view_destinationnumber")
    give(user, make_number(), Right.CALLS, Right.CALLERS)
    return user


def permission(codename):
    return Permission.objects.get(codename=codename)


def signed_in(user):
    browser = Client()
    browser.force_login(user)
    return browser


def is_signed_in(browser):
    return browser.get("/reports/").status_code == 200


def set_user(**fields):
    def change(user):
        for name, value in fields.items():
            setattr(user, name, value)
        user.save()

    return change


def set_access(**fields):
    def change(user):
        access = user.number_access.get()
        for name, value in fields.items():
            setattr(access, name, value)
        access.save()

    return change


LOSES = {
    "disabled": set_user(is_active=False),
    "no staff": set_user(is_staff=False),
    "no superuser": set_user(is_superuser=False),
    "out of a group": lambda user: user.groups.clear(),
    "out of a group, from its side": lambda user: Group.objects.get(name="Team").user_set.set([]),
    "group deleted": lambda user: Group.objects.get(name="Team").delete(),
    "group loses a permission": lambda user: Group.objects.get(name="Team").permissions.set([]),
    "permission": lambda user: user.user_permissions.set([]),
    "access": lambda user: NumberAccess.objects.filter(user=user).delete(),
    "a right of the access": set_access(callers=False),
    "access over": set_access(until=timezone.localdate() - timedelta(days=1)),
}
KEEPS = {
    "more staff": set_user(is_staff=True),
    "a name": set_user(first_name="Anna", email="anna@example.com"),
    "another group": lambda user: user.groups.add(Group.objects.create(name="Others")),
    "a permission": lambda user: allow(user, "calls.view_callevent"),
    "more access": set_access(export=True, people=True),
    "access with a last day": set_access(until=timezone.localdate() + timedelta(days=1)),
    "number deleted": lambda user: user.number_access.get().destination_number.delete(),
}


@pytest.mark.parametrize("how", LOSES)
def test_losing_a_right_ends_all_sessions_of_this_person_and_no_other(anna, how):
    here, there, other = signed_in(anna), signed_in(anna), signed_in(make_user("other"))

    LOSES[how](User.objects.get(pk=anna.pk))

    assert {is_signed_in(here), is_signed_in(there)} == {False}
    assert is_signed_in(other)
    assert (Session.objects.count(), SignedInSession.objects.count()) == (1, 1)


@pytest.mark.parametrize("how", KEEPS)
def test_what_takes_nothing_away_ends_no_session(anna, how):
    browser = signed_in(anna)

    KEEPS[how](User.objects.get(pk=anna.pk))

    assert is_signed_in(browser)


def test_who_is_disabled_and_enabled_again_is_signed_out(anna):
    browser = signed_in(anna)
    set_user(is_active=False)(anna)
    set_user(is_active=True)(anna)

    assert not is_signed_in(browser)


def test_no_session_is_left_for_who_was_disabled_past_the_models(anna):
    asked, not_asked = signed_in(anna), signed_in(anna)
    User.objects.filter(pk=anna.pk).update(is_active=False)
    assert not is_signed_in(asked)
    anna.refresh_from_db()
    set_user(is_active=True)(anna)

    assert {is_signed_in(asked), is_signed_in(not_asked)} == {False}


def test_a_user_admin_who_disables_and_enables_someone_has_ended_their_sessions():
    person, editor = make_user("mona"), make_user("editor", is_staff=True)
    allow(editor, "auth.view_user", "auth.change_user")
    theirs, editing = signed_in(person), signed_in(editor)

    for boxes, is_active in (({}, False), ({"is_active": "on"}, True)):
        answer = editing.post(f"{USERS}{person.pk}/change/", {"username": "mona", **boxes})
        assert answer.status_code == 302
        assert User.objects.get(pk=person.pk).is_active is is_active

    assert not is_signed_in(theirs)
    assert is_signed_in(editing)


def test_who_takes_a_right_from_themselves_signs_in_again(anna):
    """The answer to the request that ended the session is no error."""
    browser = signed_in(anna)
    now = timezone.localtime()
    dates = {f"{name}_{n}": f"{now:{form}}" for name in ("last_login", "date_joined") for n, form in enumerate(FORMS)}
    sent = {"username": "anna", "is_active": "on", "is_staff": "on", **dates}

    assert browser.post(f"{USERS}{anna.pk}/change/", sent).status_code == 302

    assert not User.objects.get(pk=anna.pk).is_superuser
    assert not is_signed_in(browser)


def test_a_password_ends_all_sessions_and_the_own_one_all_others(anna):
    here, there = signed_in(anna), signed_in(anna)
    new = "zebrastreifen regenrinne"
    sent = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    began = SignedInSession.objects.order_by("pk").first().signed_in_at

    assert here.post("/accounts/password_change/", sent).status_code == 302

    assert (is_signed_in(here), is_signed_in(there)) == (True, False)
    assert SignedInSession.objects.get().signed_in_at == began
    anna.refresh_from_db()
    anna.set_password(PASSWORD)
    anna.save()
    assert not is_signed_in(here)
    assert not Session.objects.exists()


def test_a_browser_in_which_somebody_else_signs_in_has_one_session(anna):
    browser = signed_in(anna)
    make_user("mona")

    browser.force_login(anna)
    assert SignedInSession.objects.count() == 1
    browser.post("/accounts/logout/")
    browser.post("/accounts/login/", {"username": "mona", "password": PASSWORD})

    assert is_signed_in(browser)
    assert Session.objects.count() == 1
    end_old_sessions()
    assert SignedInSession.objects.get().user.username == "mona"


def test_nothing_is_left_of_the_sessions_of_a_deleted_user():
    person = make_user("mona")
    signed_in(person)

    person.delete()

    assert not Session.objects.exists()
    assert not SignedInSession.objects.exists()


def test_access_whose_last_day_is_over_ends_the_sessions_of_that_day(anna, monkeypatch, settings):
    assert settings.CELERY_BEAT_SCHEDULE["end-sessions-of-ended-access"]["schedule"] == 3600
    give(anna, None, until=timezone.localdate())
    before = signed_in(anna)
    end_sessions_of_ended_access()
    assert is_signed_in(before)
    now = timezone.now
    tomorrow = timezone.localtime().replace(hour=0, minute=1) + timedelta(days=1)
    SignedInSession.objects.update(last_used_at=tomorrow)
    monkeypatch.setattr(timezone, "now", lambda: tomorrow)
    after = signed_in(anna)

    end_sessions_of_ended_access()

    assert is_signed_in(after)
    monkeypatch.setattr(timezone, "now", now)
    assert not is_signed_in(before)


def test_a_stream_ends_with_a_right_that_is_taken_away(anna, monkeypatch):
    monkeypatch.setattr(watcher, "CHECK_EVERY_S", 0.0)
    map_to(anna, "1001")
    session = session_of(anna)

    async def test(live):
        async with stream(live, session) as browser:
            assert (await browser.next())[0] == "state"
            await in_thread(LOSES["access"], anna)
            assert await browser.next() == ("end", None)

    run(test)
