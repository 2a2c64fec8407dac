"""The checksums of entries: an HMAC over all fields of an entry and the checksum of the one before.

The key is derived from ENCRYPTION_KEY, or from SECRET_KEY where that is not set, so someone who writes to the database
alone cannot compute a checksum. All keys that ENCRYPTION_KEY lists, and SECRET_KEY, still verify."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from django.conf import settings

# All fields that a checksum covers, in this order, which must not change.
COVERED = (
    *("position", "at", "actor_id", "actor", "address", "action", "object_type", "object_id", "object"),
    *("before", "after", "rows", "bytes", "reason", "carried", "key_id", "previous"),
)
LONGEST_TEXT = 4_000


def newest_key() -> tuple[str, bytes]:
    """Return the key that new entries are signed with, and its id."""
    return next(iter(_keys().items()))


def key_of(key_id: str) -> bytes | None:
    """Return the key of an id; None if the settings do not have it any more."""
    return _keys().get(key_id)


def checksum(entry: Any, key: bytes) -> str:
    """Return the checksum of an entry, as 64 hexadecimal digits."""
    values = [_written(getattr(entry, name)) for name in COVERED]
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def pseudonym(text: str) -> str:
    """Return an HMAC of a text that no entry may hold, such as a caller: the same for the same text and key."""
    _key_id, key = newest_key()
    return hmac.new(key, b"pseudonym:" + text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:24]


def storable(value: Any) -> Any:
    """Return a value as JSON of the database holds it unchanged: without NUL and lone surrogates, floats as texts."""
    if isinstance(value, dict):
        return {storable(str(key)): storable(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [storable(part) for part in value]
    if value is None or isinstance(value, bool | int):
        return value
    text = str(value).replace("\0", "").encode("utf-8", "replace").decode()
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"


def _written(value: Any) -> Any:
    return value.astimezone(UTC).isoformat(timespec="microseconds") if isinstance(value, datetime) else value


def _keys() -> dict[str, bytes]:
    return dict(_derived(secret) for secret in (*settings.ENCRYPTION_KEYS, settings.SECRET_KEY))


@lru_cache  # the settings have a few
def _derived(secret: str) -> tuple[str, bytes]:
    key = hmac.digest(secret.encode(), b"calltally: audit", "sha256")
    return hashlib.sha256(key).hexdigest()[:8], key
