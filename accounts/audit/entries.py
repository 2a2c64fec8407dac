"""Writes entries of the audit, one at a time: a lock makes sure that each follows the last one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Model
from django.utils import timezone

from accounts.audit import actors, chain
from accounts.audit.actions import Action
from accounts.audit.actors import Actor
from accounts.models import AuditEntry

# The key of the advisory lock. It is held until the transaction ends, so entries are written late in one.
LOCK = 0x43545F61756474


@dataclass(frozen=True)
class Subject:
    """What an entry is about: the label of a model, the id, and a name that is neither a caller nor a secret."""

    type: str = ""
    id: str = ""
    name: str = ""

    @classmethod
    def of(cls, row: Model, name: str | None = None) -> Subject:
        """Return a row as a subject, by its text unless a name is given."""
        return cls(row._meta.label_lower, str(row.pk), str(row) if name is None else name)


NOTHING = Subject()


@transaction.atomic
def write(
    action: Action | str,
    about: Subject = NOTHING,
    *,
    actor: Actor | None = None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    rows: int | None = None,
    size: int | None = None,
    reason: str = "",
    at: datetime | None = None,
    carried: dict[str, Any] | None = None,
) -> AuditEntry:
    """Add an entry to the audit, in the transaction of what it is about if there is one.

    `actor` is who does it, by default who sent the request or runs the command. No text may be a caller or a secret."""
    who = actor or actors.current()
    key_id, key = chain.newest_key()
    entry = AuditEntry(
        at=at or timezone.now(),
        actor_id=who.id,
        actor=chain.storable(who.name)[:200],
        address=who.address,
        action=str(action),
        object_type=about.type,
        object_id=chain.storable(about.id)[:100],
        object=chain.storable(about.name)[:300],
        before=chain.storable(before),
        after=chain.storable(after),
        rows=rows,
        bytes=size,
        reason=chain.storable(reason)[:500],
        carried=carried,
        key_id=key_id,
    )
    lock()
    _append(entry, key)
    return entry


def lock() -> None:
    """Let no other transaction add an entry until this one ends, so that what is counted before a write stays true."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


def how_often(actor_id: int | None, action: Action, within: timedelta, **fields: Any) -> int:
    """Return how often a person did something in the time before now, by entries with these fields."""
    since = timezone.now() - within
    return AuditEntry.objects.filter(actor_id=actor_id, action=str(action), at__gt=since, **fields).count()


def _append(entry: AuditEntry, key: bytes) -> None:
    """Store an entry as the one that follows the last one."""
    last = AuditEntry.objects.order_by("-position").values_list("position", "checksum").first()
    position, entry.previous = last or (0, "")
    entry.position = position + 1
    entry.checksum = chain.checksum(entry, key)
    entry.save(force_insert=True)
