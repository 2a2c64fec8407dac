"""What a process remembers of access keys, so that it can judge posts while the database is away."""

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
    """What can be said of a key without the database."""

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
    """The keys of all numbers, by their fingerprint, as they were when they were last read."""

    def __init__(self) -> None:
        self._keys: dict[str, list[CachedKey]] = {}

    def replace(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Remember the rows of KEYS, and nothing else."""
        self._keys = _by_fingerprint(rows)

    def add(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Remember the rows of KEYS_OF, beside all else."""
        self._keys = self._keys | _by_fingerprint(rows)

    def knows(self, fingerprint: str) -> bool:
        """Whether a key is that of any number, live or not."""
        return fingerprint in self._keys

    def judge(self, fingerprint: str, destination_number: str | None, moment: datetime) -> Verdict:
        """Say whether a key admits a post for a number at a moment.

        Wrong is only a key that was known and is over, which no later change undoes. One that is not known, or known
        for other numbers, may have been issued since."""
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
