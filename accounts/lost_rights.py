"""Ends the sessions of people who lose a right, are disabled or enabled, get another password or are deleted.

Receivers of Django's signals, so that it makes no difference where the change is made: in the admin, by a command or by
the shell. `calls.lost_access` does the same for access to numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models.signals import m2m_changed, post_save, pre_delete, pre_save

from accounts import sessions

RIGHTS = ("is_staff", "is_superuser")
FIELDS = (*RIGHTS, "is_active", "password")
# The attribute of a user who is saved, and whose sessions end with that.
_ENDS = "_ends_sessions"
REMOVED = frozenset({"post_remove", "pre_clear"})
ID = "accounts.lost_rights"


def connect() -> None:
    pre_save.connect(_compare_user, sender="auth.User", dispatch_uid=ID)
    post_save.connect(_user_saved, sender="auth.User", dispatch_uid=ID)
    pre_delete.connect(_user_deleted, sender="auth.User", dispatch_uid=ID)
    pre_delete.connect(_group_deleted, sender="auth.Group", dispatch_uid=ID)
    for table, owners, items in (
        ("auth.User_groups", "user", "user__groups"),
        ("auth.User_user_permissions", "user", "user__user_permissions"),
        ("auth.Group_permissions", "user__groups", "user__groups__permissions"),
    ):
        m2m_changed.connect(_removed_from_list(owners, items), sender=table, dispatch_uid=ID, weak=False)


def _compare_user(instance: Any, raw: bool, update_fields: Any, **_kwargs: Any) -> None:
    is_asked = not raw and instance.pk and (update_fields is None or not {*FIELDS}.isdisjoint(update_fields))
    before = type(instance)._base_manager.filter(pk=instance.pk).values(*FIELDS).first() if is_asked else None
    ends = before is not None and (
        any(before[name] and not getattr(instance, name) for name in RIGHTS)
        # Enabling, too: whatever was left of a session must not come back to life.
        or any(before[name] != getattr(instance, name) for name in ("is_active", "password"))
    )
    setattr(instance, _ENDS, ends)


def _user_saved(instance: Any, **_kwargs: Any) -> None:
    if getattr(instance, _ENDS, False):
        sessions.end(sessions.where(user=instance.pk))


def _user_deleted(instance: Any, **_kwargs: Any) -> None:
    sessions.end(sessions.where(user=instance.pk))


def _group_deleted(instance: Any, **_kwargs: Any) -> None:
    sessions.end(sessions.where(user__groups=instance.pk))


def _removed_from_list(owners: str, items: str) -> Callable[..., None]:
    """Return a receiver for lists of groups or permissions. `owners` finds sessions by the id of who has such a list,
    `items` by that of what is in it."""

    def receive(instance: Any, action: str, reverse: bool, pk_set: Any, **_kwargs: Any) -> None:
        if action not in REMOVED:
            return
        if not reverse:
            who = {owners: instance.pk}
        elif pk_set is None:  # it is removed from all lists
            who = {items: instance.pk}
        else:
            who = {f"{owners}__in": pk_set}
        sessions.end(sessions.where(**who))

    return receive
