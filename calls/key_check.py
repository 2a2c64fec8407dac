"""Says whether messages with an access key are accepted for a number, by what the intake itself judges by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from calls import keys
from calls.ingest.key_cache import KEYS_OF, KeyCache, Verdict
from calls.models import AccessKey, DestinationNumber


@dataclass(frozen=True)
class KeyCheck:
    """The result for one number. Nothing was sent, and nothing is counted."""

    number: DestinationNumber
    is_accepted: bool
    says: str


def check_key(number: DestinationNumber, access_key: str, user: Any) -> KeyCheck:
    """Judge a key, as it is entered in TENIOS, for a number and now.

    Other numbers with the key are named only if `user` sees them."""
    fingerprint, now = keys.fingerprint(access_key.strip()), timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(KEYS_OF, [[fingerprint]])
        cache = KeyCache()
        cache.add(cursor.fetchall())
    if cache.judge(fingerprint, number.e164, now) is Verdict.LIVE:
        says = _("The key is known, active and issued to %(number)s: messages with it are accepted.")
        return KeyCheck(number, True, says % {"number": number})
    return KeyCheck(number, False, _why_not(number, fingerprint, user))


def _why_not(number: DestinationNumber, fingerprint: str, user: Any) -> str:
    own = number.access_keys.filter(fingerprint=fingerprint).first()
    if own is not None:
        return _of_own(own)
    visible = DestinationNumber.objects.visible_to(user).order_by("search_key", "e164")
    others = [str(other) for other in visible.filter(access_keys__fingerprint=fingerprint).distinct()]
    if others:
        return _(
            "This key is not issued to %(number)s, but to: %(others)s. Create a key for %(number)s and choose “Use an "
            "existing key”."
        ) % {"number": number, "others": ", ".join(others)}
    return _(
        "This key is not issued to %(number)s: messages with it are rejected. Compare it with the one in TENIOS, or "
        "create a key and choose “Use an existing key”."
    ) % {"number": number}


def _of_own(key: AccessKey) -> str:
    """Return why a key of the number does not admit messages now."""
    values = {"key": key, "from": date_format(timezone.localtime(key.valid_from), "DATETIME_FORMAT")}
    if key.revoked_at is None and key.valid_from > timezone.now():
        return _("The key %(key)s is valid from %(from)s. Until then messages with it are rejected.") % values
    if key.revoked_at is not None:
        return _("The key %(key)s was revoked: messages with it are rejected. Create a new one.") % values
    return _("The key %(key)s has expired: messages with it are rejected. Create a new one.") % values
