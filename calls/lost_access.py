"""Ends the sessions of people who lose access to numbers, at once or because its last day is over."""

from __future__ import annotations

from typing import Any

from django.db.models import F
from django.db.models.signals import post_delete, post_save, pre_save
from django.utils import timezone

from accounts import sessions

# The attribute of a row that is saved with less than before.
_LOSES = "_loses_access"
ID = "calls.lost_access"


def connect() -> None:
    pre_save.connect(_compare, sender="calls.NumberAccess", dispatch_uid=ID)
    post_save.connect(_saved, sender="calls.NumberAccess", dispatch_uid=ID)
    post_delete.connect(_deleted, sender="calls.NumberAccess", dispatch_uid=ID)


def end_sessions_of_ended_access() -> None:
    """End the sessions that began on a day on which their person had access that is over."""
    today = timezone.localdate()
    until = "user__number_access__until"
    sessions.end(sessions.where(**{f"{until}__lt": today, "signed_in_at__date__lte": F(until)}))


def _compare(instance: Any, raw: bool, **_kwargs: Any) -> None:
    before = None if raw else type(instance)._base_manager.filter(pk=instance.pk).first()
    is_same = before is not None and (before.user_id, before.destination_number_id) == (
        instance.user_id,
        instance.destination_number_id,
    )
    has_ended = instance.until is not None and instance.until < timezone.localdate()
    loses = before is not None and (not is_same or has_ended or bool(before.rights - instance.rights))
    setattr(instance, _LOSES, loses)


def _saved(instance: Any, **_kwargs: Any) -> None:
    if getattr(instance, _LOSES, False):
        sessions.end(sessions.where(user=instance.user_id))


def _deleted(instance: Any, origin: Any, **_kwargs: Any) -> None:
    """Who loses access together with the number has nothing left to see of it."""
    if getattr(origin, "model", type(origin)) is type(instance):
        sessions.end(sessions.where(user=instance.user_id))
