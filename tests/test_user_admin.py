"""Users and groups in the admin: people give only what they have; users who did anything are disabled, not deleted."""

import re
from html import unescape

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import ProtectedError

from tests.factories import make_staff, make_superuser, make_user

pytestmark = pytest.mark.django_db

USERS = "/admin/auth/user/"
GROUPS = "/admin/auth/group/"
OF_A_USER_ADMIN = ("view_user", "add_user", "change_user", "delete_user", "view_group", "change_group")
NEW_PASSWORD = "battery staple horse"


def permission(codename):
    return Permission.objects.get(codename=codename)


def make_group(name, *codenames):
    group = Group.objects.create(name=name)
    group.permissions.set(map(permission, codenames))
    return group


@pytest.fixture
def user_admin(client):
    """A user who may change users and groups, and nothing else; signed in."""
    editor = make_staff("editor", permissions=[f"auth.{name}" for name in OF_A_USER_ADMIN])
    client.force_login(editor)
    return editor


def page_of(client, person, **data):
    """Open the page of a user, or send it."""
    address = f"{USERS}{person.pk}/change/"
    return client.post(address, data, follow=True) if data else client.get(address)


def text_of(page):
    return unescape(re.sub(r"<[^>]+>", " ", page.content.decode()))


def state_of(person):
    """Return everything that the database holds of what a user is and may do."""
    row = User.objects.filter(pk=person.pk).values().get()
    return (
        row,
        set(person.groups.values_list("name", flat=True)),
        set(person.user_permissions.values_list("codename", flat=True)),
    )


# --- People give only what they have ---------------------------------------------------------------


def test_a_user_admin_sees_no_box_for_superusers_and_nothing_that_they_lack(client, user_admin):
    make_group("people", "view_user")
    make_group("operators", "change_destinationnumber")

    page = page_of(client, make_user())

    fields = page.context["adminform"].form.fields
    assert "is_superuser" not in fields
    offered = {group.name for group in fields["groups"].queryset}
    assert "people" in offered
    assert not offered & {"operators", "operator", "data protection"}
    assert {row.codename for row in fields["user_permissions"].queryset} == set(OF_A_USER_ADMIN)
    assert "superuser" not in text_of(page)
    assert "operators" not in text_of(client.get(USERS)) + text_of(client.get(GROUPS))


def test_a_superuser_may_give_every_group_and_every_permission_that_does_anything(client):
    client.force_login(make_superuser())
    make_group("operators", "change_destinationnumber")

    fields = page_of(client, make_user()).context["adminform"].form.fields

    assert fields["groups"].queryset.filter(name="operators").exists()
    of_no_page = Permission.objects.filter(content_type__app_label__in=["account", "mfa"])
    assert of_no_page
    assert set(fields["user_permissions"].queryset) == set(Permission.objects.all()) - set(of_no_page)


def test_no_page_makes_a_superuser_and_a_superuser_takes_that_away(client):
    client.force_login(make_superuser())
    person, other = make_user(), make_superuser("mastermind")
    sent = {"username": person.username, "is_active": "on", **dates_of(person)}

    page = page_of(client, person, **sent, is_superuser="on")
    assert "Nothing was saved" in text_of(page)
    assert "is_superuser" not in page.context["adminform"].form.fields
    page_of(client, other, username="mastermind", is_active="on", **dates_of(other))

    assert User.objects.filter(is_superuser=True).get().username == "superuser"
    assert "Is no superuser any more" in text_of(client.get(f"{USERS}{other.pk}/history/"))


def test_superusers_do_not_exist_for_a_user_admin(client, user_admin):
    superuser = make_superuser("mastermind")
    before = state_of(superuser)

    assert "mastermind" not in text_of(client.get(USERS))
    assert "mastermind" not in text_of(client.get(USERS, {"is_active__exact": 1}))
    for action in ("change", "delete", "history"):
        answers = [client.get(f"{USERS}{pk}/{action}/", follow=True) for pk in (superuser.pk, 99999)]
        assert [answer.redirect_chain for answer in answers] == [[("/admin/", 302)]] * 2
        assert client.post(f"{USERS}{superuser.pk}/{action}/", {"post": "yes"}).status_code in {302, 405}
    for pk in (superuser.pk, 99999):
        passwords = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"}
        assert client.get(f"{USERS}{pk}/password/").status_code == 404
        assert client.post(f"{USERS}{pk}/password/", passwords | {"set-password": "1"}).status_code == 404
    assert state_of(superuser) == before


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"is_superuser": "on"}, "superuser status"),
        ({"groups": ["operators"]}, "not one of the available choices"),
        ({"user_permissions": ["change_destinationnumber"]}, "not one of the available choices"),
    ],
)
def test_a_form_that_gives_more_changes_nothing_and_says_so(client, user_admin, sent, said):
    group = make_group("operators", "change_destinationnumber")
    ids = {"operators": group.pk, "change_destinationnumber": permission("change_destinationnumber").pk}
    person = make_user()
    before = state_of(person)
    data = {name: value if value == "on" else [ids[one] for one in value] for name, value in sent.items()}

    page = page_of(client, person, username="renamed", is_active="on", **data)

    assert said in text_of(page)
    assert state_of(person) == before
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("name", ["is_superuser", "is_staff", "groups"])
def test_a_new_user_is_created_without_any_permission(client, user_admin, name):
    sent = {"username": "new", "usable_password": "true", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    value = str(make_group("people", "view_user").pk) if name == "groups" else "on"

    page = client.post(f"{USERS}add/", sent | {name: value})
    assert "Nothing was saved" in text_of(page)
    assert not User.objects.filter(username="new").exists()

    client.post(f"{USERS}add/", sent)
    new = User.objects.get(username="new")
    assert (new.is_superuser, new.is_staff, new.get_all_permissions()) == (False, False, set())


@pytest.mark.parametrize("sent", [{"is_superuser": "on"}, {"groups": "people"}, {"user_permissions": "delete_group"}])
def test_a_user_admin_cannot_raise_themselves(client, user_admin, sent):
    ids = {"people": make_group("people", "view_user").pk, "delete_group": permission("delete_group").pk}
    before = state_of(user_admin)

    page = page_of(client, user_admin, **{name: ids.get(value, value) for name, value in sent.items()})

    assert "Nothing was saved" in text_of(page)
    assert state_of(user_admin) == before


def test_groups_and_permissions_that_the_editor_may_not_give_stay(client, user_admin):
    person = make_user()
    people, operators = make_group("people", "view_user"), make_group("operators", "change_destinationnumber")
    person.groups.add(operators)
    person.user_permissions.add(permission("view_call"))

    page_of(client, person, first_name="Anna", is_active="on", groups=[people.pk])

    row, groups, permissions = state_of(person)
    assert (row["first_name"], groups, permissions) == ("Anna", {"people", "operators"}, {"view_call"})
    page_of(client, person, first_name="Anna", is_active="on")
    assert state_of(person)[1] == {"operators"}


def test_the_password_of_who_has_more_is_not_set(client, user_admin):
    person = make_staff("operator", permissions=["calls.change_destinationnumber"])
    before = state_of(person)
    passwords = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true", "set-password": "1"}

    answer = client.post(f"{USERS}{person.pk}/password/", passwords, follow=True)
    assert "may do or see more than you" in text_of(answer)
    assert state_of(person) == before

    # Neither are their name and address changed, by which they could be sent a new one.
    assert "Nothing was saved" in text_of(page_of(client, person, email="me@example.com", is_active="on"))
    assert state_of(person) == before

    equal = make_user("equal")
    client.post(f"{USERS}{equal.pk}/password/", passwords)
    equal.refresh_from_db()
    assert equal.check_password(NEW_PASSWORD)


def test_who_has_more_is_disabled_but_not_enabled(client, user_admin):
    person = make_staff("operator", permissions=["calls.change_destinationnumber"])

    page_of(client, person, first_name="Anna")
    person.refresh_from_db()
    assert not person.is_active

    assert "Nothing was saved" in text_of(page_of(client, person, first_name="Anna", is_active="on"))
    person.refresh_from_db()
    assert not person.is_active


def test_the_list_uses_the_words_of_the_form(client, user_admin):
    page = text_of(client.get(USERS))
    assert "By May sign in" in page
    assert page.count("May open the settings") >= 2  # a column and a filter
    assert "taff status" not in page


@pytest.mark.parametrize(
    "query", ["is_superuser__exact=1", "groups__id__exact=1", "password__startswith=p", "user_permissions__id__exact=1"]
)
def test_the_list_is_filtered_only_by_what_it_offers(client, user_admin, query):
    assert client.get(f"{USERS}?{query}").status_code == 400


def test_a_group_gets_only_permissions_of_the_editor(client, user_admin):
    group = make_group("people", "view_user")
    more = permission("change_destinationnumber")

    page = client.post(f"{GROUPS}{group.pk}/change/", {"name": "people", "permissions": [more.pk]})
    assert "not one of the available choices" in text_of(page)
    assert [row.codename for row in group.permissions.all()] == ["view_user"]

    hidden = make_group("operators", "change_destinationnumber")
    assert client.get(f"{GROUPS}{hidden.pk}/change/").status_code == 302
    client.post(f"{GROUPS}{hidden.pk}/change/", {"name": "renamed"})
    hidden.refresh_from_db()
    assert hidden.name == "operators"


# --- Disabled, not deleted -------------------------------------------------------------------------


def test_who_did_anything_is_not_deleted_and_the_page_says_what_to_do(client):
    client.force_login(make_superuser())
    person = make_staff("operator", permissions=["auth.view_user"])
    content_type = ContentType.objects.get_for_model(User)
    LogEntry.objects.create(
        user=person, content_type=content_type, object_id="1", object_repr="user", action_flag=2, change_message="Did."
    )

    for answer in (
        client.post(f"{USERS}{person.pk}/delete/", {"post": "yes"}),
        client.post(USERS, {"action": "delete_selected", "_selected_action": [person.pk], "post": "yes"}),
    ):
        assert "to disable this user instead" in text_of(answer)
    with pytest.raises(ProtectedError), transaction.atomic():
        person.delete()
    assert User.objects.filter(pk=person.pk).exists()
    assert LogEntry.objects.filter(user=person).exists()


def test_who_only_signed_in_is_not_deleted_either(client):
    person = make_user()
    client.force_login(person)
    client.force_login(make_superuser())

    client.post(f"{USERS}{person.pk}/delete/", {"post": "yes"})

    assert User.objects.filter(pk=person.pk).exists()


def test_who_did_nothing_is_deleted(client):
    client.force_login(make_superuser())
    person = make_user()
    person.groups.add(make_group("people"))

    client.post(f"{USERS}{person.pk}/delete/", {"post": "yes"})

    assert not User.objects.filter(pk=person.pk).exists()


@pytest.mark.parametrize("address", ["/reports/", "/admin/"])
def test_disabling_ends_access_at_once(client, user_admin, address):
    person = make_staff("operator", permissions=["auth.view_user"])
    theirs = type(client)()
    theirs.force_login(person)
    assert theirs.get(address).status_code == 200

    page_of(client, person, username="operator", is_staff="on")

    assert theirs.get(address).status_code == 302


# --- The history -----------------------------------------------------------------------------------


def test_the_history_says_by_name_what_changed(client):
    client.force_login(make_superuser())
    person, group = make_user(), make_group("operators", "change_destinationnumber")

    page_of(client, person, username=person.username, is_staff="on", groups=[group.pk], **dates_of(person))

    words = text_of(client.get(f"{USERS}{person.pk}/history/"))
    for said in ("Disabled", "May open the settings", "Added to the group operators"):
        assert said in words


def test_the_history_leaves_out_what_the_reader_may_not_see(client, user_admin):
    person, group = make_user(), make_group("operators", "change_destinationnumber")
    client.force_login(make_superuser())
    page_of(client, person, username=person.username, is_active="on", groups=[group.pk], **dates_of(person))

    client.force_login(user_admin)

    assert "operators" not in text_of(client.get(f"{USERS}{person.pk}/history/"))


def test_the_history_of_a_group_says_which_permissions_changed(client):
    client.force_login(make_superuser())
    group, added = make_group("people", "view_user"), permission("view_call")

    client.post(f"{GROUPS}{group.pk}/change/", {"name": "people", "permissions": [added.pk]})

    words = text_of(client.get(f"{GROUPS}{group.pk}/history/"))
    assert f"Permission “{added}” added" in words
    assert f"Permission “{permission('view_user')}” removed" in words


def dates_of(person):
    """Return the fields of a user's dates, which a superuser's form has."""
    return {"date_joined_0": f"{person.date_joined:%Y-%m-%d}", "date_joined_1": f"{person.date_joined:%H:%M:%S}"}


# --- The rest of the admin -------------------------------------------------------------------------


def test_staff_without_a_permission_see_an_empty_admin(client):
    client.force_login(make_staff("nobody", permissions=[]))

    page = client.get("/admin/")
    assert page.context["app_list"] == []
    for app in ("auth", "calls", "reports"):
        assert client.get(f"/admin/{app}/").status_code == 404
    assert client.get(USERS).status_code == client.get(GROUPS).status_code == 403


def test_the_address_of_any_object_is_closed_to_who_may_not_open_it(client, user_admin):
    content_type = ContentType.objects.get_for_model(User).pk
    superuser = make_superuser("mastermind")
    for pk in (superuser.pk, 99999):
        assert client.get(f"/admin/r/{content_type}/{pk}/").status_code == 404
    assert client.get("/admin/r/99999/1/").status_code == client.get("/admin/r/x/1/").status_code == 404
