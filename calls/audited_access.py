"""Entries of the audit about access to numbers: what a person was given, and what was taken away."""

from __future__ import annotations

from typing import Any

from django.db.models.signals import post_save, pre_delete, pre_save

from accounts.audit.actions import Action
from accounts.audit.entries import Subject, write
from calls.models import NumberAccess, Right

ALL_NUMBERS = "all numbers"


def connect() -> None:
    """Have each row that is saved or deleted write an entry."""
    pre_save.connect(_keep_stored, sender=NumberAccess, dispatch_uid="calls.audited_access.keep_stored")
    post_save.connect(_saved, sender=NumberAccess, dispatch_uid="calls.audited_access.saved")
    # Before: with a number or user that is deleted, it may go first.
    pre_delete.connect(_deleted, sender=NumberAccess, dispatch_uid="calls.audited_access.deleted")


def _keep_stored(instance: Any, **_kwargs: Any) -> None:
    stored = NumberAccess.objects.filter(pk=instance.pk).first() if instance.pk is not None else None
    instance.audited_before = _granted_by(stored) if stored else None


def _saved(instance: Any, **_kwargs: Any) -> None:
    before, after = instance.audited_before, _granted_by(instance)
    if before != after:
        write(Action.ACCESS_CHANGED, Subject.of(instance.user), before=before, after=after)


def _deleted(instance: Any, **_kwargs: Any) -> None:
    write(Action.ACCESS_CHANGED, Subject.of(instance.user), before=_granted_by(instance))


def _granted_by(access: NumberAccess) -> dict[str, Any]:
    """Return what a row grants, in the order of the rights."""
    number = access.destination_number
    return {
        "number": ALL_NUMBERS if number is None else str(number),
        "rights": [right.value for right in Right if right in access.rights],
        "until": access.until and access.until.isoformat(),
    }
