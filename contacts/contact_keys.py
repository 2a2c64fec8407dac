"""Creates and revokes the keys with which other systems write contacts. A key is returned once."""

from __future__ import annotations

from datetime import timedelta

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from calls import keys
from contacts.models import ContactKey

NOTED_EVERY = timedelta(minutes=1)


def create_key(name: str, source: str) -> str:
    """Create a key for the contacts of a source. Return the key: it is never shown again. Raise ValidationError."""
    return issue(ContactKey(name=name.strip(), source=source))


def issue(contact_key: ContactKey) -> str:
    """Store a new row with a key. Return the key: it is never shown again. Raise ValidationError."""
    key = keys.generate()
    contact_key.fingerprint, contact_key.last4 = keys.fingerprint(key), key[-4:]
    contact_key.full_clean()
    contact_key.save()
    return key


def revoke_key(name: str) -> bool:
    """Refuse a key from now on; return whether it was live. Raise ValidationError if there is none of this name."""
    if ContactKey.objects.filter(name=name, revoked_at=None).update(revoked_at=timezone.now()):
        return True
    if ContactKey.objects.filter(name=name).exists():
        return False
    live = ContactKey.objects.filter(revoked_at=None).values_list("name", flat=True)
    raise ValidationError(
        _("There is no key “%(name)s”. Keys in use: %(names)s.") % {"name": name, "names": ", ".join(live) or "–"},
        code="name",
    )


def live_key(key: str) -> ContactKey | None:
    """Return the row of a key that may be used; None for any other text."""
    return ContactKey.objects.filter(fingerprint=keys.fingerprint(key), revoked_at=None).first()


def note_use(contact_key: ContactKey) -> None:
    """Note that a key was used, to the minute: not each request writes."""
    now = timezone.now()
    if contact_key.last_used_at is None or now - contact_key.last_used_at >= NOTED_EVERY:
        ContactKey.objects.filter(pk=contact_key.pk).update(last_used_at=now)
