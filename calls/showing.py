"""Shows callers whole: one call at a time, for a reason, a limited number of times an hour.

Callers are masked everywhere, also for people with the right *callers*. With it they may have one shown. The audit
holds who had which call shown and why before the caller is shown."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.audit.actions import Action
from accounts.audit.entries import Subject, how_often, lock, write
from calls.masking import masked_text
from calls.models import Call

MOST_AN_HOUR = 50
HOUR = timedelta(hours=1)
LONGEST_REASON = 200


class NotShown(Exception):  # noqa: N818 (a state of the request)
    """A caller is not shown; the text says why, for the person who asked."""


def reason_of(text: str) -> str:
    """Return a reason as it is stored: phone numbers are hidden in it. Raise NotShown if it is blank."""
    reason = " ".join(text.split())[:LONGEST_REASON]
    if not reason:
        raise NotShown(_("Enter why you need the whole number."))
    return masked_text(reason)


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
