"""Access keys: generating, fingerprinting and validating them, and when they are live. Keys are never stored."""

import hashlib
import hmac
import secrets
import string
from datetime import datetime

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext as _

ALPHABET = string.ascii_letters + string.digits
LEAST_LENGTH = 8
ADVISED_LENGTH = 20


def generate() -> str:
    """Return a new key: 32 letters and digits, 190 bits. None of them is special to a shell or ends a word."""
    return "".join(secrets.choice(ALPHABET) for _ in range(32))


def fingerprint(access_key: str) -> str:
    """Return the HMAC-SHA256 of a key under the installation's pepper, as 64 hexadecimal digits."""
    return hmac.new(
        settings.ACCESS_KEY_PEPPER.encode(), access_key.encode("utf-8", "surrogatepass"), hashlib.sha256
    ).hexdigest()


def validate(access_key: str) -> None:
    """Raise ValidationError if a key that staff entered cannot be used."""
    if len(access_key) < LEAST_LENGTH:
        raise ValidationError(
            _("An access key needs at least %(least)d characters. This one has %(length)d.")
            % {"least": LEAST_LENGTH, "length": len(access_key)},
            code="short",
        )
    if access_key != access_key.strip() or not access_key.isprintable():
        raise ValidationError(
            _("An access key cannot begin or end with a space or contain line breaks or other invisible characters."),
            code="spaces",
        )


def is_weak(access_key: str) -> bool:
    """Return whether a key is shorter than advised."""
    return len(access_key) < ADVISED_LENGTH


# A key is live, that is, it admits posts, from `valid_from` until it expires or is revoked. The rule is written three
# times: for Python, for the ORM and for SQL. A test compares them.


def is_over(moment: datetime, *ends: datetime | None) -> bool:
    """Return whether a key that ends at the earliest of these moments has ended; None means no end."""
    return any(end is not None and end <= moment for end in ends)


def is_live(moment: datetime, valid_from: datetime, *ends: datetime | None) -> bool:
    return valid_from <= moment and not is_over(moment, *ends)


def live_at(moment: datetime) -> Q:
    """Return the filter for keys that are live at a moment."""
    return Q(
        Q(expires_at=None) | Q(expires_at__gt=moment),
        Q(revoked_at=None) | Q(revoked_at__gt=moment),
        valid_from__lte=moment,
    )


def live_sql(moment: str) -> str:
    """Return an SQL condition: a row of the table `access_key` is live at a moment. `moment` is an SQL expression."""
    return (
        f"access_key.valid_from <= {moment}"
        f" AND (access_key.expires_at IS NULL OR access_key.expires_at > {moment})"
        f" AND (access_key.revoked_at IS NULL OR access_key.revoked_at > {moment})"
    )
