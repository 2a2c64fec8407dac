"""Issues, rotates and revokes access keys. A key is returned once; only its fingerprint is stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from calls import keys, phones, posts
from calls.models import AccessKey, DestinationNumber

MOST_LIVE_KEYS = 3
OVERLAP = timedelta(days=14)
# PostgreSQL stores times that Python cannot read: one typing error in a year would break every page that shows the key.
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


@transaction.atomic
def issue_key(
    number: DestinationNumber,
    *,
    access_key: str = "",
    valid_from: datetime | None = None,
    expires_at: datetime | None = None,
) -> str:
    """Issue a key for a number, generated unless `access_key` is given. Return the key: it is never shown again.

    Raise ValidationError if the key cannot be used, or if three keys of the number are live already."""
    access_key = access_key.strip()
    if access_key:
        _validate_given(access_key, number)
    else:
        access_key = keys.generate()
    _lock(number)
    now = timezone.now()
    valid_from = valid_from or now
    if not all(EARLIEST <= moment <= LATEST for moment in (valid_from, expires_at or now)):
        raise ValidationError(
            _("Enter a time between the years 2000 and 2200. Leave the end blank if the key does not expire."),
            code="times",
        )
    if expires_at is not None and expires_at <= max(valid_from, now):
        raise ValidationError(_("A key cannot expire in the past or before it becomes valid."), code="expires")
    fingerprint = keys.fingerprint(access_key)
    known = number.access_keys.filter(fingerprint=fingerprint).first()
    if known is not None:
        raise ValidationError(
            _("%(number)s already has this key (%(state)s). Use another key or create a new one.")
            % {"number": number.readable, "state": known.state},
            code="known",
        )
    _make_room(number, now)
    number.access_keys.create(
        fingerprint=fingerprint, last4=access_key[-4:], valid_from=valid_from, expires_at=expires_at
    )
    return access_key


@transaction.atomic
def rotate_key(number: DestinationNumber, *, access_key: str = "", overlap: timedelta = OVERLAP) -> str:
    """Issue a new key and let the live ones expire after `overlap`, or earlier if they would have anyway.

    Return the new key: it is never shown again. Raise ValidationError as issue_key does."""
    if overlap < timedelta(0):
        raise ValidationError(_("The overlap cannot be negative."), code="overlap")
    _lock(number)
    now = timezone.now()
    ends_at = now + overlap
    number.access_keys.live_at(now).filter(Q(expires_at=None) | Q(expires_at__gt=ends_at)).update(expires_at=ends_at)
    # It counts only keys that are still live: with an overlap of 0, the three that were live do not count.
    return issue_key(number, access_key=access_key)


@transaction.atomic
def admit_key(number: DestinationNumber, fingerprint: str, *, since: datetime) -> None:
    """Admit posts for a number by a key from `since` on, of which only the fingerprint is known.

    An expired key of the number is extended by 14 days from now. Raise ValidationError if the key was revoked, or if
    three keys of the number are live already."""
    _lock(number)
    now = timezone.now()
    known = number.access_keys.filter(fingerprint=fingerprint).first()
    if known is None:
        _make_room(number, now)
        number.access_keys.create(fingerprint=fingerprint, last4="", valid_from=since)
        return
    if known.revoked_at is not None:
        raise ValidationError(
            _("The key %(key)s was revoked. This cannot be undone. Create a new key and enter it in TENIOS.")
            % {"key": known},
            code="revoked",
        )
    if not known.is_live():
        _make_room(number, now)
        known.expires_at = known.expires_at and now + OVERLAP
    known.valid_from = min(known.valid_from, since)
    known.save()


def revoke_key(key: AccessKey) -> None:
    """Refuse posts with this key from now on. A key that is revoked already is not changed."""
    now = timezone.now()
    if AccessKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now):
        key.revoked_at = now


def _lock(number: DestinationNumber) -> None:
    """Lock the number until the transaction ends, so that its keys are issued one at a time."""
    # NO KEY: a plain FOR UPDATE would block posts of the number, which reference it by a foreign key.
    DestinationNumber.objects.select_for_update(no_key=True).get(pk=number.pk)


def _make_room(number: DestinationNumber, now: datetime) -> None:
    if _live_or_coming(number, now) >= MOST_LIVE_KEYS:
        raise ValidationError(
            _("%(number)s already has %(most)d active keys, the maximum. Revoke one first.")
            % {"number": number.readable, "most": MOST_LIVE_KEYS},
            code="most_live_keys",
        )


def _live_or_coming(number: DestinationNumber, now: datetime) -> int:
    return number.access_keys.filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None).count()


def _validate_given(access_key: str, number: DestinationNumber) -> None:
    keys.validate(access_key)
    is_a_number = access_key.startswith(("+", "00")) and phones.e164(access_key)
    if is_a_number or number.e164 in {phones.e164(access_key), phones.e164(f"+{access_key}")}:
        raise ValidationError(
            _("A phone number cannot be used as an access key because it is not secret."), code="phone"
        )
    # Keys are removed from payloads by their value: if a key were a word of the posts, payloads would lose that word.
    if access_key.casefold() in posts.WORDS:
        raise ValidationError(
            _("TENIOS uses this word in its messages, so it cannot be used as an access key."), code="word"
        )
