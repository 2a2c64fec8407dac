"""Second factors and sessions in the audit: who set up, removed, reset and ended what."""

import pytest
from allauth.mfa.models import Authenticator
from django.core.management import call_command
from django.db import IntegrityError, connection
from django.test import Client

from accounts.models import AuditEntry, SignedInSession
from tests.factories import PASSWORD, make_superuser
from tests.owner import as_owner
from tests.totp import BASE, code, set_up, shown, sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(client):
    make_superuser("root")
    sign_in(client, "root", PASSWORD)
    return client


def entry(action):
    return AuditEntry.objects.get(action=action)


def test_an_app_is_noted_when_it_is_set_up_removed_and_reset(root):
    secret = set_up(root)
    made = entry("factor_set_up")
    assert (made.actor, made.object, made.after) == ("root", "root", {"kind": "totp"})
    assert secret not in str([*AuditEntry.objects.values()])

    root.post(f"{BASE}app/remove/")
    removed = entry("factor_removed")
    assert (removed.actor, removed.before) == ("root", {"kind": "totp"})

    call_command("reset_mfa", "root")
    reset = entry("factors_reset")
    assert (reset.actor_id, reset.object) == (None, "root")


@pytest.mark.parametrize(("page", "action"), [("app/", "factor_set_up"), ("app/remove/", "factor_removed")])
def test_a_factor_changes_only_together_with_its_entry(root, page, action):
    secret = set_up(root) if action == "factor_removed" else shown(root)
    had = Authenticator.objects.filter(type="totp").exists()
    refuse = f"ALTER TABLE accounts_auditentry ADD CONSTRAINT no_entry CHECK (action <> '{action}') NOT VALID"
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(refuse)  # until the transaction of the test ends

    with pytest.raises(IntegrityError):
        root.post(f"{BASE}{page}", {"code": code(secret)})

    assert Authenticator.objects.filter(type="totp").exists() is had


@pytest.mark.parametrize("page", ["/accounts/sessions/", "/admin/auth/user/{}/sessions/"])
def test_sessions_that_are_ended_on_a_page_are_noted(root, page):
    for _n in range(2):
        sign_in(Client(), "root", PASSWORD)
    user = SignedInSession.objects.first().user

    root.post(page.format(user.pk), {"end": "all"})

    ended = entry("sessions_ended")
    assert (ended.actor, ended.object, ended.rows) == ("root", "root", 2)
