"""Why a ring was not shown, and what to do about it, in a sentence each."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from live.models import WhyNot

# The ring was sent, but no page said that it showed it.
UNSEEN = ""

HAPPENED = {UNSEEN: _("It was sent, but no open page showed it."), **dict(WhyNot.choices)}
ADVICE = {
    UNSEEN: _("Keep a page of Calltally visible, or allow notifications on My calls."),
    WhyNot.LATE: _(
        "If this happens often, your administrator looks at System status: messages wait there to be stored."
    ),
    WhyNot.ENDED: _("Nothing to do: the caller hung up, or someone else answered at once."),
    WhyNot.OVER: _("Nothing to do: the call was answered, or rang elsewhere by then."),
    WhyNot.CALLBACK: _("Nothing to do: callbacks are not shown, because the person called is known."),
    WhyNot.ALREADY_RINGING: _("Nothing to do: one call is shown once."),
    WhyNot.NUMBER_OFF: _("Your administrator can change this in the admin under Rings of numbers."),
    WhyNot.SWITCHED_OFF: _("Tick “Show calls that ring for me” on My calls."),
    WhyNot.NOT_CONNECTED: _(
        "Sign in and keep one page open while you work. One tab is enough, also in the background."
    ),
    WhyNot.FAILED: _("Tell your administrator: this is an error of Calltally. Other calls are not affected."),
}


def happened(code: str) -> str:
    """Return what happened, as a sentence."""
    return str(HAPPENED[code])


def advice(code: str) -> str:
    """Return what to do about it, as a sentence."""
    return str(ADVICE[code])
