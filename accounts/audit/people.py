"""Entries about sign-ins, users, groups and permissions, by Django's signals, which the shell sends as well."""

from __future__ import annotations

from typing import Any

from allauth.account.internal.flows.login import get_authentication_records
from axes.helpers import get_client_username
from django.contrib.auth.hashers import is_password_usable
from django.contrib.auth.models import Group, User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save
from django.http import HttpRequest

from accounts.audit import actors, failures
from accounts.audit.actions import Action
from accounts.audit.actors import Actor
from accounts.audit.entries import Subject, write
from accounts.signin import address_of

FIELDS = ("username", "first_name", "last_name", "email", "is_active", "is_staff", "is_superuser")
# What is added to users and groups, by the table that holds it.
LISTS: dict[Any, str] = {
    User.groups.through: "groups",
    User.user_permissions.through: "permissions",
    Group.permissions.through: "permissions",
}


def connect() -> None:
    """Have Django's signals write entries."""
    user_logged_in.connect(_signed_in, dispatch_uid="accounts.audit.signed_in")
    user_logged_out.connect(_signed_out, dispatch_uid="accounts.audit.signed_out")
    user_login_failed.connect(_sign_in_failed, dispatch_uid="accounts.audit.sign_in_failed")
    pre_save.connect(_keep_stored, sender=User, dispatch_uid="accounts.audit.keep_stored")
    post_save.connect(_user_saved, sender=User, dispatch_uid="accounts.audit.user_saved")
    post_delete.connect(_user_deleted, sender=User, dispatch_uid="accounts.audit.user_deleted")
    for through in LISTS:
        m2m_changed.connect(_list_changed, sender=through, dispatch_uid=f"accounts.audit.{through.__name__}")


def _signed_in(request: HttpRequest, user: Any, **_kwargs: Any) -> None:
    used = {"second_factor": _factor_of(request, user)}
    write(Action.SIGNED_IN, Subject.of(user), actor=Actor.of_request(request, user), after=used)


def _factor_of(request: HttpRequest, user: Any) -> str:
    """Return what a person used after the password: `totp`, `webauthn`, `recovery_codes` or `none`."""
    steps = get_authentication_records(request, user)
    return str(steps[-1].get("type", "none")) if steps else "none"


def _signed_out(request: HttpRequest, user: Any, **_kwargs: Any) -> None:
    if user is not None and user.pk is not None:
        write(Action.SIGNED_OUT, Subject.of(user), actor=Actor.of_request(request, user))


def _sign_in_failed(credentials: dict[str, Any], request: HttpRequest | None = None, **_kwargs: Any) -> None:
    if request is not None:
        failures.note(Action.SIGN_IN_FAILED, address_of(request), get_client_username(request, credentials) or "")


def _keep_stored(instance: Any, update_fields: Any = None, **_kwargs: Any) -> None:
    """Keep on the instance what is stored of a user before they are saved."""
    instance.audited_before = None
    is_of_others = update_fields is not None and not {*FIELDS, "password"} & {*update_fields}
    if instance.pk is not None and not is_of_others:
        stored = User._base_manager.filter(pk=instance.pk).values(*FIELDS, "password")
        instance.audited_before = stored.first()


def _user_saved(instance: Any, created: bool, update_fields: Any = None, **_kwargs: Any) -> None:
    stored, instance.audited_before = instance.audited_before, None
    if created:
        write(Action.USER_CREATED, Subject.of(instance), after=_fields_of(instance))
        return
    if stored is None:
        return
    names = [name for name in FIELDS if update_fields is None or name in update_fields]
    changed = [name for name in names if stored[name] != getattr(instance, name)]
    if changed:
        before, after = (
            {name: of(name) for name in changed} for of in (stored.get, lambda name: getattr(instance, name))
        )
        write(Action.USER_CHANGED, Subject.of(instance), before=before, after=after)
    if stored["password"] != instance.password and not _is_hashed_again(instance, update_fields):
        _note_password(instance)


def _note_password(user: Any) -> None:
    actor = actors.current()
    is_own, is_usable = actor.id == user.pk, is_password_usable(user.password)
    has_to_change = is_usable and actor.id is not None and not is_own
    set_by = {"by": "the person" if is_own else "another", "usable": is_usable, "has_to_change_it": has_to_change}
    write(Action.PASSWORD_SET, Subject.of(user), after=set_by)


def _is_hashed_again(user: Any, update_fields: Any) -> bool:
    """Return whether Django stores the same password in a newer form, as it does at a sign-in."""
    return set(update_fields or ()) == {"password"} and user._password is None and is_password_usable(user.password)


def _user_deleted(instance: Any, **_kwargs: Any) -> None:
    write(Action.USER_DELETED, Subject.of(instance), before=_fields_of(instance))


def _fields_of(user: Any) -> dict[str, Any]:
    return {name: getattr(user, name) for name in FIELDS}


def _list_changed(sender: Any, instance: Any, action: str, model: Any, pk_set: Any, **_kwargs: Any) -> None:
    """Note what was added to a list of a user or group, or removed from it, by name."""
    rows = model._base_manager.all()
    if action == "pre_clear":
        own, other = (field for field in sender._meta.get_fields() if field.is_relation and field.related_model)
        if own.related_model is not type(instance):
            own, other = other, own
        pk_set = sender._base_manager.filter(**{own.name: instance}).values_list(f"{other.name}_id", flat=True)
    elif action not in {"post_add", "post_remove"}:
        return
    if names := sorted(str(row) for row in rows.filter(pk__in=pk_set)):
        listed = {LISTS[sender]: names}
        is_added = action == "post_add"
        write(
            Action.PERMISSIONS_CHANGED,
            Subject.of(instance),
            before=None if is_added else listed,
            after=listed if is_added else None,
        )
