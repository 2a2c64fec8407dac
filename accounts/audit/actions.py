"""What entries of the audit are about. docs/security.md has the same list; docs/changing.md says how to add one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext_lazy as _


class Action(StrEnum):
    """The key of an action, as it is stored."""

    SIGNED_IN = "signed_in"
    SIGNED_OUT = "signed_out"
    SIGN_IN_FAILED = "sign_in_failed"
    LOCKED_OUT = "locked_out"
    UNLOCKED = "unlocked"
    USER_CREATED = "user_created"
    USER_CHANGED = "user_changed"
    USER_DELETED = "user_deleted"
    USER_INVITED = "user_invited"
    PASSWORD_SET = "password_set"  # noqa: S105 (no password)
    FACTOR_SET_UP = "factor_set_up"
    FACTOR_REMOVED = "factor_removed"
    FACTORS_RESET = "factors_reset"
    SESSIONS_ENDED = "sessions_ended"
    PERMISSIONS_CHANGED = "permissions_changed"
    ACCESS_CHANGED = "access_changed"
    OBJECT_ADDED = "object_added"
    OBJECT_CHANGED = "object_changed"
    OBJECT_DELETED = "object_deleted"
    COMMAND_RUN = "command_run"
    EXPORT_ASKED = "export_asked"
    EXPORT_BEGUN = "export_begun"
    EXPORT_ENDED = "export_ended"
    SEARCHED = "searched"
    CALLER_SHOWN = "caller_shown"
    CALLS_JOINED = "calls_joined"
    AUDIT_EXPIRED = "audit_expired"
    AUDIT_MERGED = "audit_merged"


@dataclass(frozen=True)
class Described:
    """How pages name an action, and what its entries hold beside time, person and address."""

    label: Any
    holds: Any


ACTIONS: dict[Action, Described] = {
    Action.SIGNED_IN: Described(
        _("signed in"), _("the user, and whether with an app, a security key, a recovery code or no second factor")
    ),
    Action.SIGNED_OUT: Described(_("signed out"), _("the user")),
    Action.SIGN_IN_FAILED: Described(
        _("sign-in failed"), _("the user, or a checksum of an unknown name; how many more failed within the hour")
    ),
    Action.LOCKED_OUT: Described(_("locked out"), _("the user, or a checksum of an unknown name")),
    Action.UNLOCKED: Described(_("unlocked"), _("the user, or a checksum of an unknown name; how many failures")),
    Action.USER_CREATED: Described(_("user created"), _("the user: names, email address, whether active and staff")),
    Action.USER_CHANGED: Described(_("user changed"), _("what changed of the user, before and after")),
    Action.USER_DELETED: Described(_("user deleted"), _("the user, as they were")),
    Action.USER_INVITED: Described(_("user invited"), _("the user")),
    Action.PASSWORD_SET: Described(_("password set"), _("whose, and by whom; no password")),
    Action.FACTOR_SET_UP: Described(_("second factor set up"), _("whose, and whether it is an app or a key")),
    Action.FACTOR_REMOVED: Described(_("second factor removed"), _("whose, and whether it was an app or a key")),
    Action.FACTORS_RESET: Described(
        _("second factor reset"), _("whose; all of it was removed, and their sessions ended")
    ),
    Action.SESSIONS_ENDED: Described(_("sessions ended"), _("whose, on the page of sessions, and how many")),
    Action.PERMISSIONS_CHANGED: Described(
        _("permissions changed"), _("groups and permissions of a user or group that were added or removed, by name")
    ),
    Action.ACCESS_CHANGED: Described(
        _("access to numbers changed"), _("user and number, the rights before and after, the last day")
    ),
    Action.OBJECT_ADDED: Described(_("added"), _("what was added in the admin, and its settings")),
    Action.OBJECT_CHANGED: Described(
        _("changed"), _("what was changed in the admin or done there: settings before and after, keys by their end")
    ),
    Action.OBJECT_DELETED: Described(_("deleted"), _("what was deleted in the admin")),
    Action.COMMAND_RUN: Described(_("command run"), _("the command, what it was asked to do, and its result")),
    Action.EXPORT_ASKED: Described(
        _("workbook requested"),
        _("which file is made in the background, with which filters; with whole callers the reason"),
    ),
    Action.EXPORT_BEGUN: Described(
        _("download begun"), _("which file, with which filters; with whole callers the reason; no search text")
    ),
    Action.EXPORT_ENDED: Described(
        _("download ended"), _("rows and bytes that were sent, and whether it was complete")
    ),
    Action.SEARCHED: Described(_("searched"), _("a checksum of the text, and whether it can be a caller")),
    Action.CALLER_SHOWN: Described(
        _("caller shown"), _("the call whose caller was shown whole, and the reason that the person gave")
    ),
    Action.CALLS_JOINED: Described(
        _("calls joined"), _("how many calls were joined with others that turned out to be the same call")
    ),
    Action.AUDIT_EXPIRED: Described(
        _("old entries deleted"), _("the position and checksum of the last entry that was deleted, and how many")
    ),
    Action.AUDIT_MERGED: Described(
        _("entries kept at a restore"), _("how many entries of before and of the backup were put together")
    ),
}


def label_of(key: str) -> str:
    """Return the label of an action; the key itself for one of another version."""
    return str(ACTIONS[Action(key)].label) if key in set(Action) else key
