"""The admin pages of contact keys: a key is shown once, notes its use, and is revoked for good."""

import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from calls import keys
from contacts.models import ContactKey
from tests.factories import make_contact_key, make_user

pytestmark = pytest.mark.django_db

KEYS = "/admin/contacts/contactkey/"


@pytest.fixture
def operator(client):
    user = make_user("olga", is_staff=True)
    user.groups.add(Group.objects.get(name="operator"))
    client.force_login(user)
    return user


def put(key):
    return Client().put(
        "/api/contacts/erp/17",
        {"name": "Anna"},
        content_type="application/json",
        headers={"authorization": f"Bearer {key}"},
    )


def test_a_key_is_shown_once_and_writes_contacts_of_its_source(client, operator):
    page = client.post(f"{KEYS}add/", {"name": " Odoo ", "source": "erp"})
    (key,) = re.findall(r'<code id="contact-key" translate="no">([^<]+)</code>', page.content.decode())
    assert "no-store" in page["Cache-Control"]
    assert "/api/contacts/erp/ID</code>" in page.content.decode()
    assert put(key).status_code == 201

    row = ContactKey.objects.get()
    assert (row.name, row.fingerprint, row.last4) == ("Odoo", keys.fingerprint(key), key[-4:])
    for address in (KEYS, f"{KEYS}{row.pk}/change/", f"{KEYS}{row.pk}/history/"):
        shown = client.get(address).content.decode()
        assert key not in shown
    assert LogEntry.objects.get().object_repr == f"Odoo (…{key[-4:]})"


@pytest.mark.parametrize(("source", "words"), [("My ERP", "lower-case"), ("", "required")])
def test_a_source_that_cannot_be_is_an_error_of_the_form(client, operator, source, words):
    assert words in client.post(f"{KEYS}add/", {"name": "Odoo", "source": source}).content.decode()
    assert not ContactKey.objects.exists()


def test_its_last_use_is_noted_to_the_minute(client, operator):
    key = make_contact_key("erp")
    assert ContactKey.objects.get().last_used_at is None
    put(key)
    first = ContactKey.objects.get().last_used_at
    put(key)
    assert ContactKey.objects.get().last_used_at == first
    ContactKey.objects.update(last_used_at=timezone.now() - timedelta(minutes=2))
    put(key)
    assert ContactKey.objects.get().last_used_at > first


def test_a_key_is_revoked_after_a_question_and_stays_in_the_list(client, operator):
    key = make_contact_key("erp", "Odoo")
    row = ContactKey.objects.get()
    revoke = f"{KEYS}{row.pk}/revoke/"
    assert revoke in client.get(f"{KEYS}{row.pk}/change/").content.decode()
    assert "can then no longer write contacts" in client.get(revoke).content.decode()
    assert put(key).status_code == 201

    assert client.post(revoke)["Location"] == KEYS
    assert put(key).status_code == 401
    assert LogEntry.objects.get().change_message == "Revoked."
    assert revoke not in client.get(f"{KEYS}{row.pk}/change/").content.decode()
    assert "already revoked" in client.get(revoke, follow=True).content.decode()
    assert "Odoo" in client.get(f"{KEYS}?state=revoked").content.decode()
    assert "Odoo" not in client.get(f"{KEYS}?state=live").content.decode()
