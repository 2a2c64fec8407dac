"""Why a ring was not shown, in a sentence, and what to do about it in another."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from live.models import WhyNot

# The ring was sent, but no page said that it showed it.
UNSEEN = ""

SENTENCES: dict[str, tuple[Any, Any]] = {
    UNSEEN: (
        _("It was sent, but no open page showed it."),
        _("Keep a page of Calltally visible, or allow notifications on My calls."),
    ),
    WhyNot.LATE: (
        _("The message from TENIOS came more than 10 seconds late."),
        _("If this happens often, your administrator looks at System: messages wait there to be stored."),
    ),
    WhyNot.ENDED: (
        _("The call was over before it could be shown."),
        _("Nothing to do: the caller hung up, or someone else answered at once."),
    ),
    WhyNot.OVER: (
        _("It no longer rang there when the message was read."),
        _("Nothing to do: the call was answered, or rang elsewhere by then."),
    ),
    WhyNot.CALLBACK: (
        _("It is a callback, which Calltally started for you."),
        _("Nothing to do: callbacks are not shown, because you know whom you call."),
    ),
    WhyNot.ALREADY_RINGING: (
        _("This call was already shown to you and still rang."),
        _("Nothing to do: one call is shown once."),
    ),
    WhyNot.NUMBER_OFF: (
        _("Calls to this number are not shown."),
        _("Your administrator can change this in the admin under Rings of numbers."),
    ),
    WhyNot.SWITCHED_OFF: (
        _("The person has switched it off."),
        _("Tick “Show calls that ring for me” on My calls."),
    ),
    WhyNot.NOT_CONNECTED: (
        _("No page of Calltally was open."),
        _("Sign in and keep one page open while you work. One tab is enough, also in the background."),
    ),
}
_OTHER = (_("It was not shown."), _("Ask your administrator."))


def happened(code: str) -> str:
    """Return what happened, as a sentence."""
    return str(SENTENCES.get(code, _OTHER)[0])


def advice(code: str) -> str:
    """Return what to do about it, as a sentence."""
    return str(SENTENCES.get(code, _OTHER)[1])
