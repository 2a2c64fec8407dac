"""Verifies the chain of entries: what was changed, removed or put in another order is found."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Any

from accounts.audit import chain
from accounts.audit.actions import Action
from accounts.models import AuditEntry


class Broken(Exception):  # noqa: N818 (a state of the chain)
    """The chain does not verify; the text says where."""


@dataclass(frozen=True)
class Head:
    """The end of a chain: number of entries, and position and checksum of the last one."""

    entries: int = 0
    position: int = 0
    checksum: str = ""

    def __str__(self) -> str:
        return f"{self.position}:{self.checksum}"


def head() -> Head:
    """Return the head as it is stored, without verifying anything."""
    last = AuditEntry.objects.order_by("-position").values_list("position", "checksum").first()
    return Head(AuditEntry.objects.count(), *last) if last else Head()


def verify(known: str = "") -> Head:
    """Verify all entries; return the head. Raise Broken.

    `known` is a head that was logged earlier: the chain has to contain it, or name it as expired."""
    before, first = Head(), None
    expired: dict[int, str] = {}
    contains_known = not known
    for entries, entry in enumerate(AuditEntry.objects.order_by("position").iterator(1_000), start=1):
        key = chain.key_of(entry.key_id)
        if key is None:
            raise Broken(
                f"entry {entry.position} was signed with a key that is in neither ENCRYPTION_KEY nor SECRET_KEY"
            )
        if not hmac.compare_digest(chain.checksum(entry, key), entry.checksum):
            raise Broken(f"entry {entry.position} was changed")
        if first is None:
            first = entry
        elif entry.position != before.position + 1:
            raise Broken(f"entries {before.position + 1} to {entry.position - 1} are missing")
        elif entry.previous != before.checksum:
            raise Broken(f"entry {entry.position} does not follow entry {before.position}")
        if entry.action == Action.AUDIT_EXPIRED and entry.carried is None:
            named: Any = entry.after
            expired[named["position"]] = named["checksum"]
        before = Head(entries, entry.position, entry.checksum)
        contains_known = contains_known or known == str(before)
    if first is not None and (first.position > 1 or first.previous):
        if expired.get(first.position - 1) != first.previous:
            raise Broken(f"entries before {first.position} are missing, and no entry says that they expired")
        contains_known = contains_known or _is_before(known, first.position)
    if not contains_known:
        raise Broken(f"the entry {known}, which was the last one once, is missing")
    return before


def _is_before(known: str, position: int) -> bool:
    text = known.partition(":")[0]
    return text.isascii() and text.isdigit() and int(text) < position
