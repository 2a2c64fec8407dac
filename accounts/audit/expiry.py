"""Deletes entries that are older than AUDIT_MONTHS. An entry names the last one of them, so the rest still verifies."""

from __future__ import annotations

import logging
from datetime import datetime

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from accounts.audit import verification
from accounts.audit.actions import Action
from accounts.audit.actors import Actor
from accounts.audit.entries import write
from accounts.models import AuditEntry

logger = logging.getLogger("calltally.audit")


def log_head() -> None:
    """Log the end of the chain: someone who removes the last entries cannot change logs that are kept elsewhere."""
    head = verification.head()
    if head.entries:
        logger.info("audit: %d entries, head %s", head.entries, head)


def oldest() -> datetime:
    """Return the time before which entries are too old."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s - make_interval(months => %s)", [timezone.now(), settings.AUDIT_MONTHS])
        moment: datetime = cursor.fetchone()[0]
    return moment


@transaction.atomic
def expire() -> int:
    """Delete all entries before the first one that is not older than AUDIT_MONTHS; return how many.

    Entries are deleted from the beginning only, so one that was carried over by a restore may stay longer."""
    limit = oldest()
    kept = AuditEntry.objects.filter(at__gte=limit).order_by("position").values_list("position", flat=True).first()
    old = AuditEntry.objects.filter(at__lt=limit, **({} if kept is None else {"position__lt": kept}))
    last = old.order_by("-position").first()
    if last is None:
        return 0
    named = {"position": last.position, "checksum": last.checksum}
    write(Action.AUDIT_EXPIRED, actor=Actor(), after=named, rows=old.count())
    with connection.cursor() as cursor:
        cursor.execute("SELECT accounts_expire_audit()")
        return int(cursor.fetchone()[0])
