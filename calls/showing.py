"""Shows callers whole: one call at a time, for a reason, a limited number of times an hour.

Callers are masked everywhere, also for people with the right *callers*. With it they may have one shown. The audit
holds who had which call shown and why before the caller is shown."""

from __future__ import annotations

import time
import unicodedata
from datetime import timedelta
from typing import Any

from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.audit.actions import Action
from accounts.audit.entries import Subject, how_often, lock, write
from calls.masking import masked_text
from calls.models import Call

MOST_AN_HOUR = 50
HOUR = timedelta(hours=1)
LONGEST_REASON = 200
# In sessions: what was entered for what and when, while the person confirms who they are.
KEPT_AS, KEPT_S = "reason to show", 900


class NotShown(Exception):  # noqa: N818 (a state of the request)
    """A caller is not shown; the text says why, for the person who asked."""


def reason_of(text: str) -> str:
    """Return a reason as it is stored: phone numbers are hidden in it. Raise NotShown if it says nothing."""
    # Control, invisible and unpaired characters, which the database refuses or nobody reads.
    readable = "".join(" " if unicodedata.category(sign)[0] == "C" else sign for sign in text)
    reason = " ".join(readable.split())[:LONGEST_REASON]
    if not any(sign.isalnum() for sign in reason):
        raise NotShown(_("Enter why you need the whole number."))
    return masked_text(reason)


def keep_reason(session: SessionBase, of: str, text: str) -> None:
    """Keep a reason for what a person asked for, such as the address of a page; one that says nothing is not kept."""
    try:
        session[KEPT_AS] = [of, reason_of(text), time.time()]
    except NotShown:
        session.pop(KEPT_AS, None)


def kept_reason(session: SessionBase, of: str) -> str:
    """Return the reason that was kept for the same within the last 15 minutes; blank if there is none."""
    kept_of, reason, at = session.get(KEPT_AS) or ("", "", 0.0)
    return str(reason) if kept_of == of and 0 <= time.time() - at < KEPT_S else ""


def forget_reason(session: SessionBase) -> None:
    """Forget a kept reason, once it was used."""
    session.pop(KEPT_AS, None)


def show(call: Call, user: Any, reason: str) -> None:
    """Note in the audit that the caller of a call is shown to a person who may see it, and commit that.

    Raise NotShown without a reason, and after MOST_AN_HOUR callers within an hour."""
    stored = reason_of(reason)
    with transaction.atomic(durable=True):
        lock()  # so that of several requests at once none passes the limit
        if how_often(user.pk, Action.CALLER_SHOWN, HOUR) >= MOST_AN_HOUR:
            raise NotShown(
                _("You have had %(n)d callers shown within an hour, which is the limit. Try again later.")
                % {"n": MOST_AN_HOUR}
            )
        write(Action.CALLER_SHOWN, Subject.of(call, call.destination_number.e164), reason=stored)
