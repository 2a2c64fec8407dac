"""Who may see what in reports. `visible_to` of the querysets in calls says which numbers a person sees."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _


def is_administrator(user: Any) -> bool:
    """Return whether a person sees every number, the state of the installation, and links to the admin."""
    return bool(user.is_staff)


def may_see_destinations(user: Any) -> bool:
    """Return whether a person may see figures of single destinations at all."""
    return bool(is_administrator(user) or settings.FORWARDS_FOR_MANAGERS)


def why_destinations_are_hidden(user: Any, destinations: int) -> str:
    """Return why the figures of this many destinations are not shown one by one; blank if they are."""
    least = settings.FORWARDS_LEAST_DESTINATIONS
    if not may_see_destinations(user):
        return _("Only administrators see single destinations, to protect employees.")
    if destinations < least:
        return _(
            "To protect employees, single destinations are shown only if at least %(least)d of them were tried. Here "
            "there were %(n)d."
        ) % {"least": least, "n": destinations}
    return ""
