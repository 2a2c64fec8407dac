"""Adds, replaces and removes single contacts of a source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection, transaction

from contacts.importing import Number
from contacts.models import Contact, ContactNumber

# One request at a time for a contact: two that add it would otherwise both find nothing.
LOCK_CONTACT = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 1))"


@transaction.atomic
def put(source: str, external_id: str, values: Mapping[str, Any], numbers: Sequence[Number]) -> tuple[Contact, bool]:
    """Add or replace a contact with its numbers; return it, and whether it is new. The same again writes nothing."""
    _lock(source, external_id)
    contact = _locked(source, external_id)
    is_new = contact is None
    if contact is None:
        contact = Contact.objects.create(source=source, external_id=external_id, **values)
    elif any(getattr(contact, name) != value for name, value in values.items()):
        for name, value in values.items():
            setattr(contact, name, value)
        contact.save()
    _put_numbers(contact, numbers)
    return contact, is_new


@transaction.atomic
def delete(source: str, external_id: str) -> bool:
    """Remove a contact; return whether there was one."""
    _lock(source, external_id)
    contact = _locked(source, external_id)
    if contact is None:
        return False
    contact.delete()
    return True


def _lock(source: str, external_id: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(LOCK_CONTACT, [f"{source} {external_id}"])


def _locked(source: str, external_id: str) -> Contact | None:
    # Locked before its numbers, as an import does; otherwise both could wait for each other.
    return Contact.objects.select_for_update().filter(source=source, external_id=external_id).first()


def _put_numbers(contact: Contact, numbers: Sequence[Number]) -> None:
    stored = {number.e164: number for number in ContactNumber.objects.filter(contact=contact)}
    wanted = {number.e164: number for number in numbers}
    if gone := [number.pk for e164, number in stored.items() if e164 not in wanted]:
        ContactNumber.objects.filter(pk__in=gone).delete()
    added = [
        ContactNumber(contact=contact, **number._asdict()) for e164, number in wanted.items() if e164 not in stored
    ]
    if added:
        ContactNumber.objects.bulk_create(added)
    for e164, number in wanted.items():
        known = stored.get(e164)
        if known and (known.has_extensions, known.label) != (number.has_extensions, number.label):
            known.has_extensions, known.label = number.has_extensions, number.label
            known.save()
