"""Access keys: made, judged and fingerprinted. The key itself is never stored."""

import hashlib
import hmac
import secrets
import string

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

ALPHABET = string.ascii_letters + string.digits
LEAST_LENGTH = 8
ADVISED_LENGTH = 20


def generate() -> str:
    """Return a new key: 32 letters and digits, 190 bits; none of them means anything to a shell or a double click."""
    return "".join(secrets.choice(ALPHABET) for _ in range(32))


def fingerprint(access_key: str) -> str:
    """Return the HMAC-SHA256 of a key under the installation's pepper, as 64 hexadecimal digits."""
    return hmac.new(
        settings.ACCESS_KEY_PEPPER.encode(), access_key.encode("utf-8", "surrogatepass"), hashlib.sha256
    ).hexdigest()


def validate(access_key: str) -> None:
    """Raise ValidationError where a key that staff brought cannot be used."""
    if len(access_key) < LEAST_LENGTH:
        raise ValidationError(
            _("An access key needs at least %(least)d characters; this one has %(length)d.")
            % {"least": LEAST_LENGTH, "length": len(access_key)},
            code="short",
        )
    if access_key != access_key.strip() or not access_key.isprintable():
        raise ValidationError(
            _("An access key cannot begin or end with a space, or hold a line break or anything else invisible."),
            code="spaces",
        )


def is_weak(access_key: str) -> bool:
    """Say whether a key is shorter than we advise."""
    return len(access_key) < ADVISED_LENGTH
