"""Who may see what in reports. `calls.access` has a person's rights, `visible_to` of the querysets limits rows by them.

`numbers` are always those that are asked for: a right counts if the person has it for each of them, because figures of
several numbers cannot be shown in part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from calls.access import Rights
from calls.models import DestinationNumber, Right


def opens_admin(user: Any) -> bool:
    """Return whether a person may open the admin: links to it and TENIOS' own terms are shown to them.

    The admin decides what they see there. Being staff gives no right in reports."""
    return bool(user.is_active and user.is_staff)


def ends_when_idle(user: Any) -> bool:
    """Return whether a session of a person ends when it is not used: they may have callers shown, or open the admin."""
    rights = Rights.of_each([user]).get(user.pk, Rights())  # as they are now
    return opens_admin(user) or rights.anywhere(Right.CALLERS)


def may_administer(user: Any) -> bool:
    """Return whether a person may set up numbers and their keys in the admin."""
    return opens_admin(user) and bool(user.has_perm("calls.change_destinationnumber"))


def may_see_system(user: Any) -> bool:
    """Return whether a person may see the state of the installation, which leads to pages of the admin."""
    return opens_admin(user) and bool(user.has_perm("calls.view_system"))


def opens_contacts(user: Any) -> bool:
    """Return whether a person may see all contacts in the admin."""
    return opens_admin(user) and bool(
        user.has_perm("contacts.view_contact") or user.has_perm("contacts.change_contact")
    )


def may_list_calls(user: Any) -> bool:
    """Return whether a person may see the single calls of any number."""
    return Rights.of(user).anywhere(Right.CALLS)


def may_see_destinations(user: Any, numbers: Sequence[DestinationNumber]) -> bool:
    """Return whether a person may see figures of single destinations of these numbers at all."""
    return Rights.of(user).may_each(Right.PEOPLE, numbers)


def why_destinations_are_hidden(user: Any, numbers: Sequence[DestinationNumber], destinations: int) -> str:
    """Return why the figures of this many destinations are not shown one by one; blank if they are."""
    rights, least = Rights.of(user), settings.FORWARDS_LEAST_DESTINATIONS
    if not rights.may_each(Right.PEOPLE, numbers):
        if of_some := _names(numbers, rights, Right.PEOPLE):
            return _(
                "To protect employees, you see single destinations of some numbers only. Choose only these: "
                "%(numbers)s."
            ) % {"numbers": of_some}
        return _("To protect employees, you do not see single destinations.")
    if destinations < least:
        return _(
            "To protect employees, single destinations are shown only if at least %(least)d of them were tried. Here "
            "there were %(n)d."
        ) % {"least": least, "n": destinations}
    return ""


def may_export_calls(user: Any, numbers: Sequence[DestinationNumber]) -> bool:
    """Return whether a person may download the single calls of these numbers."""
    return not why_export_is_refused(user, numbers)


def why_export_is_refused(user: Any, numbers: Sequence[DestinationNumber]) -> str:
    """Return why a person may not download the single calls of these numbers; blank if they may."""
    rights = Rights.of(user)
    if not rights.anywhere(Right.EXPORT):
        return _("You may not download single calls.")
    if rights.may_each(Right.EXPORT, numbers):
        return ""
    if of_some := _names(numbers, rights, Right.EXPORT):
        return _("You may download single calls of some numbers only. Choose only these: %(numbers)s.") % {
            "numbers": of_some
        }
    return _("You may not download single calls of these numbers.")


def may_have_callers(rights: Rights, number: DestinationNumber) -> bool:
    """Return whether a person may have the callers of a number in files, which takes two rights."""
    return rights.may(Right.CALLERS, number) and rights.may(Right.EXPORT, number)


def why_whole_callers_are_refused(user: Any, numbers: Sequence[DestinationNumber]) -> str:
    """Return why a person may have whole callers of none of these numbers in a download; blank if they may of some."""
    if why := why_export_is_refused(user, numbers):
        return why
    rights = Rights.of(user)
    if any(may_have_callers(rights, number) for number in numbers):
        return ""
    return _("You may not download whole callers of these numbers.")


def _names(numbers: Sequence[DestinationNumber], rights: Rights, right: Right) -> str:
    """Return the names of those numbers for which a person has a right."""
    return ", ".join(number.name for number in numbers if rights.may(right, number))
