"""Sign-ins, users and permissions leave entries in the audit; a flood of failed ones stays bounded."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.contrib.auth.tokens import default_token_generator
from django.core.management import call_command
from django.db.models import F
from django.test import Client

from accounts import invitations
from accounts.models import AuditEntry, CappedEntries
from accounts.tasks import keep_audit
from tests.factories import PASSWORD, make_superuser, make_user
from tests.signing_in import OFFICE, attempt, fail
from tests.totp import BASE, code, recovery_codes, sign_in, with_factor

pytestmark = pytest.mark.django_db


def entries(*actions):
    return AuditEntry.objects.filter(action__in=actions).order_by("position")


def test_signing_in_and_out_names_the_person_and_the_address(client):
    mona = make_user("mona")
    attempt(client, password=PASSWORD)
    client.post("/accounts/logout/", REMOTE_ADDR=OFFICE)
    rows = entries("signed_in", "signed_out").values_list("action", "actor_id", "actor", "address", "object_id")
    assert list(rows) == [(action, mona.pk, "mona", OFFICE, str(mona.pk)) for action in ("signed_in", "signed_out")]


def test_signing_in_says_which_second_factor_was_used(client):
    anna = make_user("anna")
    secret = with_factor(anna, PASSWORD)
    sign_in(client, "anna", PASSWORD)
    client.post(f"{BASE}authenticate/", {"code": code(secret, 1)})
    codes = recovery_codes(client)
    again = Client()
    sign_in(again, "anna", PASSWORD)
    again.post(f"{BASE}authenticate/", {"code": codes[0]})

    used = [entry.after for entry in entries("signed_in")]
    assert used == [{"second_factor": kind} for kind in ("none", "totp", "recovery_codes")]


def test_a_failed_sign_in_names_a_user_but_no_unknown_name(client):
    mona = make_user("mona")
    fail(client, 1)
    fail(client, 2, username="Winter2026!secret")
    known, *unknown = entries("sign_in_failed")
    assert (known.actor_id, known.actor, known.object_id, known.object) == (None, "", str(mona.pk), "mona")
    assert unknown[0].object == unknown[1].object
    assert "Winter2026" not in str([*AuditEntry.objects.values()])


def test_a_lock_is_an_entry(client):
    make_user("mona")
    fail(client, 12)
    assert [entry.object for entry in entries("locked_out")] == ["mona"]


def test_a_flood_of_failures_is_counted_and_added_up_after_the_hour(client):
    fail(client, 9, username="first")
    for name in range(31):
        fail(client, 1, username=f"name{name}")
    assert entries("sign_in_failed").count() == 10
    CappedEntries.objects.update(hour=F("hour") - timedelta(hours=1))
    keep_audit()
    keep_audit()
    *_first, last = entries("sign_in_failed")
    assert (entries("sign_in_failed").count(), last.rows, last.address) == (11, 30, OFFICE)


def test_a_flood_from_many_networks_stays_bounded(client):
    for network in range(220):
        fail(client, 1, username="x", address=f"203.0.{network}.1")
    assert entries("sign_in_failed").count() == 210
    assert CappedEntries.objects.count() == 201


def test_users_are_noted_by_name_with_what_changed_and_stay_when_they_are_deleted(client):
    editor = make_superuser("editor")
    client.force_login(editor)
    person = User.objects.create_user("anna", password=PASSWORD)
    group = Group.objects.create(name="night shift")
    group.permissions.add(Permission.objects.get(codename="view_user"))
    form = {"username": "anna", "is_staff": "on", "groups": [group.pk], "access-rows": ""}
    form |= {"date_joined_0": "2026-01-01", "date_joined_1": "00:00"}
    assert client.post(f"/admin/auth/user/{person.pk}/change/", form, REMOTE_ADDR=OFFICE).status_code == 302
    changed = entries("user_changed").get()
    assert (changed.actor, changed.address, changed.object) == ("editor", OFFICE, "anna")
    assert (changed.before, changed.after) == (
        {"is_active": True, "is_staff": False},
        {"is_active": False, "is_staff": True},
    )
    assert entries("permissions_changed").last().after == {"groups": ["night shift"]}
    person.groups.clear()
    assert entries("permissions_changed").last().before == {"groups": ["night shift"]}
    person.delete()
    assert entries("user_deleted").get().before["username"] == "anna"
    assert entries("user_created").filter(object="anna").exists()


def test_set_passwords_are_noted_without_the_password(client):
    make_superuser("editor")
    person = make_user("mona")
    client.force_login(User.objects.get(username="editor"))
    new = {"password1": "lampenschirm kaffeetasse", "password2": "lampenschirm kaffeetasse", "usable_password": "true"}
    client.post(f"/admin/auth/user/{person.pk}/password/", {**new, "set-password": "1"})
    entry = entries("password_set").get()
    assert (entry.actor, entry.object) == ("editor", "mona")
    assert entry.after == {"by": "another", "usable": True, "has_to_change_it": True}
    assert "lampenschirm" not in str([*AuditEntry.objects.values()])


def test_a_password_that_is_only_hashed_again_is_not_set(client, settings):
    make_user("mona")
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher", *settings.PASSWORD_HASHERS]
    attempt(client, password=PASSWORD)
    assert User.objects.get().password.startswith("pbkdf2")
    assert not entries("password_set").exists()


def test_a_command_is_named_as_the_operator_who_ran_it(monkeypatch):
    monkeypatch.setattr("sys.argv", ["manage.py", "createsuperuser"])
    call_command("createsuperuser", username="root", email="", interactive=False, verbosity=0)
    entry = entries("user_created").get()
    assert (entry.actor_id, entry.actor, entry.after["is_superuser"]) == (None, "manage.py createsuperuser", True)


def test_a_password_that_an_invited_person_chooses_is_noted_as_their_own(client, settings):
    settings.SENDS_MAIL = True
    person = User.objects.create(username="anna", email="anna@example.com")
    invitations.invite(person, "https://calls.example.com")
    client.get("/accounts/invitation/", {"person": person.pk, "token": default_token_generator.make_token(person)})
    new = {"new_password1": "zebrastreifen regenrinne", "new_password2": "zebrastreifen regenrinne"}
    assert client.post("/accounts/invitation/", new).status_code == 302
    entry = entries("password_set").last()
    assert (entry.actor, entry.actor_id, entry.object) == ("anna", person.pk, "anna")
    assert entry.after == {"by": "the person", "usable": True, "has_to_change_it": False}


def test_passwords_and_rights_that_do_not_change_leave_no_entry(client):
    person = make_user("mona")
    before = AuditEntry.objects.count()
    person.save()
    assert AuditEntry.objects.count() == before
