"""Second factors and sessions in the audit: who set up, removed, reset and ended what."""

import pytest
from django.core.management import call_command
from django.test import Client

from accounts.models import AuditEntry, SignedInSession
from tests.factories import PASSWORD, make_superuser
from tests.totp import BASE, set_up, sign_in

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


@pytest.mark.parametrize("page", ["/accounts/sessions/", "/admin/auth/user/{}/sessions/"])
def test_sessions_that_are_ended_on_a_page_are_noted(root, page):
    for _n in range(2):
        sign_in(Client(), "root", PASSWORD)
    user = SignedInSession.objects.first().user

    root.post(page.format(user.pk), {"end": "all"})

    ended = entry("sessions_ended")
    assert (ended.actor, ended.object, ended.rows) == ("root", "root", 2)
