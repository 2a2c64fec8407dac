"""In-memory cache of access keys, used to authenticate posts while the database is down."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from calls.keys import is_live, is_over

KEYS = """
SELECT access_key.fingerprint, number.e164, access_key.valid_from,
  least(access_key.expires_at, access_key.revoked_at) AS ends_at
FROM calls_accesskey AS access_key JOIN calls_destinationnumber AS number ON number.id = destination_number_id
"""
KEYS_OF = f"{KEYS} WHERE access_key.fingerprint = ANY(%s)"


class Verdict(enum.Enum):
    """The result of looking up a key without the database."""

    LIVE = "live"
    WRONG = "wrong"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CachedKey:
    e164: str
    valid_from: datetime
    ends_at: datetime | None

    def is_live(self, moment: datetime) -> bool:
        return is_live(moment, self.valid_from, self.ends_at)

    def is_over(self, moment: datetime) -> bool:
        return is_over(moment, self.ends_at)


class KeyCache:
    """The keys of all numbers by fingerprint, as last read from the database."""

    def __init__(self) -> None:
        self._keys: dict[str, list[CachedKey]] = {}

    def replace(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Replace the contents of the cache by the rows of KEYS."""
        self._keys = _by_fingerprint(rows)

    def add(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Add the rows of KEYS_OF to the cache."""
        self._keys = self._keys | _by_fingerprint(rows)

    def knows(self, fingerprint: str) -> bool:
        """Return whether a number has this key, live or not."""
        return fingerprint in self._keys

    def judge(self, fingerprint: str, destination_number: str | None, moment: datetime) -> Verdict:
        """Return whether a key admits a post for a number at a moment.

        WRONG is only a known key that has ended, which no later change can undo. A key that is not known, or known only
        for other numbers, may have been issued since the cache was read."""
        keys = self._keys.get(fingerprint)
        if not keys:
            return Verdict.UNKNOWN
        if any(key.is_live(moment) and destination_number in {None, key.e164} for key in keys):
            return Verdict.LIVE
        return Verdict.WRONG if all(key.is_over(moment) for key in keys) else Verdict.UNKNOWN


def _by_fingerprint(rows: Iterable[tuple[Any, ...]]) -> dict[str, list[CachedKey]]:
    keys: dict[str, list[CachedKey]] = {}
    for fingerprint, *of_key in rows:
        keys.setdefault(fingerprint, []).append(CachedKey(*of_key))
    return keys
