"""What a person may see of which number: rows of access, their last day, and who needs none."""

from datetime import date, datetime, timedelta

import pytest
from django.contrib.auth.models import AnonymousUser, Permission
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from calls.access import Rights
from calls.models import Call, DestinationNumber, NumberAccess, RefusedPost, Right
from tests.factories import give, make_number, make_superuser, make_user, take, take_back

pytestmark = pytest.mark.django_db(transaction=True)

OTHER, LATER = "+4930123456", "+4940123456"
FURTHER = [right for right in Right if right != Right.FIGURES]


@pytest.fixture
def number():
    return make_number(label="Hotline")


@pytest.fixture
def other():
    return make_number(OTHER, label="Shop")


@pytest.fixture
def user():
    return make_user("anna")


def seen(user, what):
    """Return the labels of the numbers that a user sees now; all ways to ask must agree."""
    if user.pk:
        user = type(user).objects.get(pk=user.pk)  # each request has its own, whose rights are read once
    visible = {number.pk: number.label for number in DestinationNumber.objects.visible_to(user, what)}
    rights, every = Rights.of(user), {number.pk for number in DestinationNumber.objects.all()}
    allowed = rights.numbers(what)
    assert {*visible} == (every if allowed is None else allowed & every)
    assert {*visible} == {pk for pk in every if rights.may(what, pk)}
    assert rights.everywhere(what) is (allowed is None)
    assert rights.anywhere(what) or not visible
    if user.is_active:
        assert Rights.of_each([user])[user.pk] == rights
    return {*visible.values()}


def test_without_access_nothing_is_seen(user, number):
    assert all(seen(user, what) == set() for what in Right)


def test_a_row_alone_shows_figures_of_its_number(user, number, other):
    give(user, number)

    assert seen(user, "figures") == {"Hotline"}
    assert all(seen(user, what) == set() for what in FURTHER)


@pytest.mark.parametrize("what", FURTHER)
def test_each_right_is_given_by_itself(user, number, other, what):
    needed = {"callers": ["calls"], "export": ["calls"]}.get(what, [])
    give(user, number, what, *needed)
    give(user, other)

    assert seen(user, "figures") == {"Hotline", "Shop"}
    assert seen(user, what) == {"Hotline"}
    assert all(seen(user, right) == set() for right in FURTHER if right not in {what, *needed})


def test_the_rights_of_all_numbers_and_of_one_add_up(user, number, other):
    give(user, None, "calls")
    give(user, number, "people")

    assert seen(user, "calls") == {"Hotline", "Shop"}
    assert seen(user, "people") == {"Hotline"}


def test_access_to_all_numbers_includes_those_that_are_added_later(user, number):
    give(user, None, "calls")
    rights = Rights.of(user)
    later = make_number(LATER, label="Later")

    assert seen(user, "calls") == {"Hotline", "Later"}
    assert rights.may("calls", later)


def test_access_to_each_number_does_not_include_those_that_are_added_later(user, number, other):
    for one in (number, other):
        give(user, one, "calls")
    make_number(LATER, label="Later")

    assert seen(user, "calls") == {"Hotline", "Shop"}
    assert not Rights.of(user).everywhere("calls")


def test_access_ends_after_its_last_day(user, number, other):
    today = timezone.localdate()
    give(user, number, "calls", until=today)
    give(user, other, "calls", until=today - timedelta(days=1))
    give(user, None, "people", until=today - timedelta(days=1))

    assert seen(user, "figures") == seen(user, "calls") == {"Hotline"}
    assert seen(user, "people") == set()
    assert [row.destination_number for row in NumberAccess.objects.of(user)] == [number]


@pytest.mark.parametrize(("now", "sees"), [("2026-03-01T22:59:59+00:00", True), ("2026-03-01T23:00:00+00:00", False)])
def test_a_day_ends_in_the_zone_of_the_reports(user, number, monkeypatch, now, sees):
    give(user, number, until=date(2026, 3, 1))
    monkeypatch.setattr(timezone, "now", lambda: datetime.fromisoformat(now))

    assert (seen(user, "figures") == {"Hotline"}) is sees


def test_access_that_ends_is_missing_in_an_open_session_and_taking_it_back_ends_the_session(client, user, number):
    access = give(user, number, "calls")
    client.force_login(user)
    assert client.get(f"/reports/numbers/{number.pk}/").status_code == 200

    NumberAccess.objects.filter(pk=access.pk).update(until=timezone.localdate() - timedelta(days=1))
    assert client.get(f"/reports/numbers/{number.pk}/").status_code == 404
    give(user, number, "calls")
    assert client.get(f"/reports/numbers/{number.pk}/").status_code == 200
    take_back(user, number)
    assert client.get(f"/reports/numbers/{number.pk}/")["Location"].startswith("/accounts/login/")
    client.force_login(user)
    assert client.get(f"/reports/numbers/{number.pk}/").status_code == 404


def test_disabled_users_see_nothing_and_what_they_had_when_they_are_enabled(user, number):
    root = make_superuser(is_active=False)
    give(user, None, *Right)
    user.is_active = False
    user.save()
    for nobody in (user, root, AnonymousUser()):
        assert all(seen(nobody, what) == set() for what in Right)
        assert not NumberAccess.objects.of(nobody).exists()
    assert Rights.of_each([user, root]) == {}

    user.is_active = True
    user.save()
    assert seen(user, "callers") == {"Hotline"}


def test_superusers_see_everything_without_access(number, other):
    root = make_superuser()

    assert all(seen(root, what) == {"Hotline", "Shop"} for what in Right)
    assert all(Rights.of(root).everywhere(what) for what in Right)
    assert not NumberAccess.objects.exists()


def test_staff_without_access_see_no_number(number):
    user = make_user("staff", is_staff=True)

    assert all(seen(user, what) == set() for what in Right)


def test_calls_are_seen_with_the_right_to_single_calls(user, number, other):
    for n, one in enumerate((number, other)):
        take(one, "CALL_START", timezone.now(), call_uuid=f"call-{n}", correlation_id=f"{n}")
    give(user, number)
    give(user, other, "calls")

    assert [call.destination_number for call in Call.objects.visible_to(user)] == [other]
    assert {call.destination_number for call in Call.objects.visible_to(user, "figures")} == {number, other}
    assert not Call.objects.visible_to(user, "callers").exists()
    assert Call.objects.visible_to(make_superuser(), "callers").count() == 2


@pytest.mark.parametrize("what", ["until", "user", "everything", ""])
def test_a_right_that_does_not_exist_is_an_error(user, number, what):
    for person in (user, make_superuser()):
        with pytest.raises(ValueError, match="is not a"):
            DestinationNumber.objects.visible_to(person, what)
        with pytest.raises(ValueError, match="is not a"):
            Call.objects.visible_to(person, what)
        with pytest.raises(ValueError, match="is not a"):
            Rights.of(person).may(what, number)


def test_rights_are_read_once(user, number, other, django_assert_num_queries):
    give(user, None, "calls")
    give(user, number, *Right)
    with django_assert_num_queries(1):
        rights = Rights.of(user)
    with django_assert_num_queries(3):
        assert list(DestinationNumber.objects.visible_to(user, "callers")) == [number]
        assert not Call.objects.visible_to(user).exists()
        assert not RefusedPost.objects.visible_to(user).exists()
    with django_assert_num_queries(0):
        assert Rights.of(user) is rights
        assert rights.may("people", number)
        assert not rights.may("people", other.pk)
        assert rights.numbers("people") == {number.pk}
        assert rights.numbers("calls") is None
        assert rights.may_each("calls", [number, other])
        assert not rights.may_each("people", [number, other])
    root = make_superuser()
    with django_assert_num_queries(1):
        Rights.of_each([user, root])
    with django_assert_num_queries(0):
        Rights.of(root)
        Rights.of(AnonymousUser())


@pytest.mark.parametrize("address", ["/reports/", "/reports/calls/", "/reports/busy-hours/", "/admin/calls/call/"])
def test_a_request_reads_the_rights_once(client, number, address):
    user = make_user("staff", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    give(user, number, *Right)
    client.force_login(user)
    for _request in range(2):
        with CaptureQueriesContext(connection) as queries:
            assert client.get(address).status_code == 200
        assert sum("calls_numberaccess" in query["sql"] for query in queries) == 1


@pytest.mark.parametrize("what", ["callers", "export"])
def test_some_rights_need_single_calls(user, number, what):
    access = NumberAccess(user=user, destination_number=number, **{what: True})
    with pytest.raises(ValidationError, match="need single calls"):
        access.full_clean()
    with pytest.raises(IntegrityError, match="number_access_needs_calls"), transaction.atomic():
        access.save()


@pytest.mark.parametrize("is_of_all", [True, False])
def test_there_is_one_row_for_each_user_and_number(user, number, is_of_all):
    of = None if is_of_all else number
    give(user, of)
    second = NumberAccess(user=user, destination_number=of)
    with pytest.raises(ValidationError, match="already has access"):
        second.full_clean()
    with pytest.raises(IntegrityError, match="number_access_once"), transaction.atomic():
        second.save()
    give(make_user("bert"), of)


def test_access_goes_with_its_number_and_stays_without_the_person_who_granted_it(user, number):
    root = make_superuser()
    access = give(user, number)
    NumberAccess.objects.filter(pk=access.pk).update(granted_by=root)
    root.delete()
    access.refresh_from_db()
    assert access.granted_by is None

    number.delete()
    assert not NumberAccess.objects.exists()


def test_a_row_says_whom_and_what_it_is_for(user, number):
    assert str(give(user, number)) == f"anna: {number}"
    assert str(give(user)) == "anna: all numbers"
    assert give(user, number, "calls", "people").rights == {Right.FIGURES, Right.CALLS, Right.PEOPLE}
