"""Puts the entries that a database had before a restore together with those of the backup: none is lost.

A restore moves the table into a schema of its own, KEPT. The longer of the two chains goes on; entries that only the
other one has are added to its end, with their own times."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from accounts.audit import chain, expiry
from accounts.audit.actions import Action
from accounts.audit.actors import Actor
from accounts.audit.entries import Subject, write
from accounts.models import AuditEntry

# config.backups names it as well.
KEPT = "calltally_audit"
TABLE = AuditEntry._meta.db_table
COLUMNS = ", ".join(str(field.column) for field in AuditEntry._meta.concrete_fields)


@dataclass(frozen=True)
class Merged:
    """How many entries there were before the restore and in the backup, and how many of one chain the other got."""

    before: int
    restored: int
    carried: int


def merge() -> Merged | None:
    """Merge what a restore has kept; return None if there is nothing. Safe to run twice."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [f"{KEPT}.{TABLE}"])
        if not cursor.fetchone()[0]:
            return None
        restored, kept = list(AuditEntry.objects.order_by("position")), _kept()
        others = restored
        if len(kept) < len(restored):
            others = kept
        else:
            # Only the owner of the table can do this.
            cursor.execute(f"ALTER TABLE {TABLE} DISABLE TRIGGER USER")
            cursor.execute(f"DELETE FROM {TABLE}")
            cursor.execute(f"INSERT INTO {TABLE} ({COLUMNS}) SELECT {COLUMNS} FROM {KEPT}.{TABLE}")
            cursor.execute(f"ALTER TABLE {TABLE} ENABLE TRIGGER USER")
        carried = _carry(others)
        cursor.execute(f"DROP SCHEMA {KEPT} CASCADE")
        merged = Merged(len(kept), len(restored), carried)
        write(Action.AUDIT_MERGED, actor=Actor(), after=vars(merged))
        return merged


def _kept() -> list[AuditEntry]:
    return list(AuditEntry.objects.raw(f"SELECT {COLUMNS} FROM {KEPT}.{TABLE} ORDER BY position"))


def _carry(others: list[AuditEntry]) -> int:
    """Add the entries that the chain does not have and that are not too old; return how many."""
    known = {_first_checksum(entry) for entry in AuditEntry.objects.only("checksum", "carried")}
    oldest = expiry.oldest()
    carried = 0
    for entry in others:
        if _first_checksum(entry) in known or entry.at < oldest:
            continue
        write(
            entry.action,
            Subject(entry.object_type, entry.object_id, entry.object),
            actor=Actor(entry.actor_id, entry.actor, entry.address),
            before=entry.before,
            after=entry.after,
            rows=entry.rows,
            size=entry.bytes,
            reason=entry.reason,
            at=entry.at,
            carried=entry.carried or _origin(entry),
        )
        carried += 1
    return carried


def _first_checksum(entry: AuditEntry) -> str:
    """Return the checksum that an entry had when it was written, in whichever chain."""
    return str((entry.carried or {}).get("checksum", entry.checksum))


def _origin(entry: AuditEntry) -> dict[str, Any]:
    """Return where an entry was before, and whether its checksum was right: the new one would hide it."""
    key = chain.key_of(entry.key_id)
    is_genuine = key is not None and hmac.compare_digest(chain.checksum(entry, key), entry.checksum)
    names = ("position", "previous", "key_id", "checksum")
    return {name: getattr(entry, name) for name in names} | {"is_genuine": is_genuine}
