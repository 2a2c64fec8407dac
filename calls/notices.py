"""Notices of posts that were refused, came from addresses that are not listed, or could not be stored.

They are shown to those whose permissions let them do something about it, of the numbers that they may see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db import connection
from django.urls import reverse
from django.utils.translation import gettext, ngettext

from calls import phones
from calls.access import Rights
from calls.ingest import intake
from calls.ingest.sender_policy import FOREIGN
from calls.ingest.spool import SpoolError
from calls.models import Reason, RefusedPost, Right

MOST_SHOWN = 3
LOOKED_AT = 1_000  # newest posts
# The addresses that are not listed and sent some of the newest posts.
FOREIGN_POSTS = """
SELECT flag, count(*) FROM (SELECT flags FROM calls_callevent ORDER BY ingest_id DESC LIMIT %s) AS newest
CROSS JOIN unnest(flags) AS flag WHERE flag LIKE %s GROUP BY flag ORDER BY count(*) DESC, flag
"""


@dataclass(frozen=True)
class Notice:
    text: str
    address: str = ""  # the page to see and fix it


# Each returns the notices for a user. Apps above add theirs.
further_notices: list[Callable[[Any], list[Notice]]] = []


def for_user(user: Any) -> list[Notice]:
    """Return the notices for this user, only those they may do something about."""
    shown = []
    if user.has_perm("calls.view_refusedpost"):
        shown += _refused(user)
    # The newest posts are those of all numbers.
    if user.has_perm("calls.view_senderpolicy") and Rights.of(user).everywhere(Right.FIGURES):
        shown += _foreign()
    if user.has_perm("calls.view_system"):
        shown += _in_spool()
    for more in further_notices:
        shown += more(user)
    return shown


def _refused(user: Any) -> list[Notice]:
    summed_up = list(RefusedPost.objects.visible_to(user).waiting().summed_up()[: MOST_SHOWN + 1])
    page = reverse("admin:calls_refusedpost_changelist")
    found = []
    for row in summed_up[:MOST_SHOWN]:
        about = {"posts": row["posts"], "reason": Reason(row["reason"]).label}
        if row["destination_number"]:
            about["number"] = phones.readable(row["destination_number"])
            text = ngettext(
                "%(posts)d message for %(number)s was rejected. Reason: %(reason)s.",
                "%(posts)d messages for %(number)s were rejected. Reason: %(reason)s.",
                row["posts"],
            )
        else:
            text = ngettext(
                "%(posts)d message without a number was rejected. Reason: %(reason)s.",
                "%(posts)d messages without a number were rejected. Reason: %(reason)s.",
                row["posts"],
            )
        chosen = {"state": "waiting", "reason": row["reason"], "destination_number": row["destination_number"]}
        found.append(Notice(text % about, f"{page}?{urlencode(chosen)}"))
    if len(summed_up) > MOST_SHOWN:
        found.append(Notice(gettext("More messages were rejected."), f"{page}?state=waiting"))
    return found


def _foreign() -> list[Notice]:
    with connection.cursor() as cursor:
        cursor.execute(FOREIGN_POSTS, [LOOKED_AT, f"{FOREIGN}%"])
        rows = cursor.fetchall()
    return [
        Notice(
            ngettext(
                "%(posts)d recent message came from %(address)s, which is not in the list of sender addresses.",
                "%(posts)d recent messages came from %(address)s, which is not in the list of sender addresses.",
                posts,
            )
            % {"posts": posts, "address": flag.removeprefix(FOREIGN)},
            reverse("admin:calls_senderpolicy_changelist"),
        )
        for flag, posts in rows[:MOST_SHOWN]
    ]


def _in_spool() -> list[Notice]:
    try:
        held = intake.held_in_spool()
    except SpoolError as error:
        return [Notice(gettext("Messages cannot be kept on disk (%(error)s).") % {"error": error})]
    found = []
    if held.oldest_s > intake.OLD_S:
        text = ngettext(
            "%(posts)d message has been waiting to be stored for %(minutes)d min. Run `drain_spool --show`.",
            "%(posts)d messages are waiting to be stored, the oldest for %(minutes)d min. Run `drain_spool --show`.",
            held.waiting,
        )
        found.append(Notice(text % {"posts": held.waiting, "minutes": held.oldest_s // 60}))
    if held.set_aside:
        text = ngettext(
            "%(posts)d message was accepted, but the database rejected it. Run `drain_spool --show`.",
            "%(posts)d messages were accepted, but the database rejected them. Run `drain_spool --show`.",
            held.set_aside,
        )
        found.append(Notice(text % {"posts": held.set_aside}))
    return found
