"""Encryption of secrets that Calltally has to send to other systems, before they are stored.

The key is ENCRYPTION_KEY, so a copy of the database alone does not give them away."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class NotReadable(Exception):  # noqa: N818 (named for what the text is)
    """The text was encrypted with a key that is not known any more."""


def encrypt(text: str) -> str:
    """Return a text encrypted with the first key."""
    return _keys().encrypt(text.encode()).decode()


def decrypt(encrypted: str) -> str:
    """Return the text that was encrypted with any of the keys; raise NotReadable if with none of them."""
    try:
        return _keys().decrypt(encrypted.encode()).decode()
    except InvalidToken:
        raise NotReadable from None


def _keys() -> MultiFernet:
    """Return the keys of the setting, then one made of SECRET_KEY: the only one until ENCRYPTION_KEY is set, and what
    was encrypted until then stays readable."""
    return MultiFernet([_key(secret) for secret in (*settings.ENCRYPTION_KEYS, settings.SECRET_KEY)])


@lru_cache  # the settings have a few; a key is needed for each delivery
def _key(secret: str) -> Fernet:
    return Fernet(urlsafe_b64encode(hmac.digest(secret.encode(), b"calltally: secrets at rest", "sha256")))
