"""What became of a call, in sentences, as the page of the call says it. It names only destinations it is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from reports.counting.outcomes import CALLBACK, Outcome
from reports.figures.cells import Cell
from reports.templatetags.formats import time_of_day

# More destinations are counted, not named.
MOST_NAMED = 3


@dataclass(frozen=True)
class Tried:
    """The names of the destinations that a call was forwarded to, blank where they are hidden.

    How many of them were different is hidden with them."""

    names: Sequence[str] = ()

    def in_words(self) -> str:
        """Return them as a part of a sentence; blank if there are none, or if they are hidden."""
        if not self.names or not all(self.names):
            return ""
        *first, last = self.names
        rest = len(self.names) - MOST_NAMED
        if rest > 0:
            words = ngettext("%(names)s and %(n)d more", "%(names)s and %(n)d more", rest)
            return words % {"names": ", ".join(self.names[:MOST_NAMED]), "n": rest}
        return _("%(names)s and %(last)s") % {"names": ", ".join(first), "last": last} if first else last


def sentences(call: Any, outcome: str, waited: Cell, tried: Tried, answered_by: str) -> list[str]:
    """Return what became of an annotated call with this shown outcome, which is blank if it is not measured."""
    wait = "" if waited.value is None else in_words(waited.value)
    who = tried.in_words()
    said = {
        Outcome.ANSWERED: lambda: _answered(answered_by, wait, _talk(call)),
        Outcome.MISSED: lambda: _missed(tried, who, wait, _rang(call)),
        Outcome.ABANDONED: lambda: _abandoned(wait),
        Outcome.SHORT: lambda: _short(wait),
        Outcome.SERVED_IN_PLAN: lambda: _served(call),
        Outcome.IN_PROGRESS: lambda: _ongoing(call, tried, who),
        Outcome.END_UNKNOWN: lambda: _("Outcome unknown."),
        CALLBACK: lambda: _callback(call, answered_by, _talk(call)),
    }
    if outcome not in said:
        first = _(
            "The outcome is not measured, because the messages from TENIOS that show it do not arrive for this number."
        )
    else:
        first = said[outcome]()
    return [first, *_afterwards(call, outcome)]


def in_words(seconds: float) -> str:
    """Return a time for a sentence: `17 s`, `4 min 18 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 100:
        return _("%(seconds)d s") % {"seconds": whole}
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return _("%(minutes)d min %(seconds)d s") % {"minutes": minutes, "seconds": rest}
    hours, minutes = divmod(minutes, 60)
    return _("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": minutes}


def rang_for(call: Any) -> timedelta | None:
    """Return from the first forwarding of a call that was not answered to its end; None if one is missing."""
    if call.answered_at or not call.forwarded_at or not call.ended_at or call.ended_at < call.forwarded_at:
        return None
    span: timedelta = call.ended_at - call.forwarded_at
    return span


def _rang(call: Any) -> str:
    span = rang_for(call)
    return "" if span is None else in_words(span.total_seconds())


def _talk(call: Any) -> str:
    return "" if call.talk_time is None else in_words(call.talk_time.total_seconds())


def _answered(who: str, wait: str, talk: str) -> str:
    words = {
        (True, True, True): _("Answered by %(who)s after %(wait)s; talked %(talk)s."),
        (True, True, False): _("Answered by %(who)s after %(wait)s."),
        (True, False, True): _("Answered by %(who)s; talked %(talk)s."),
        (True, False, False): _("Answered by %(who)s."),
        (False, True, True): _("Answered after %(wait)s; talked %(talk)s."),
        (False, True, False): _("Answered after %(wait)s."),
        (False, False, True): _("Answered; talked %(talk)s."),
        (False, False, False): _("Answered."),
    }
    return words[bool(who), bool(wait), bool(talk)] % {"who": who, "wait": wait, "talk": talk}


def _missed(tried: Tried, who: str, wait: str, ring: str) -> str:
    parts, n = {"who": who, "wait": wait, "ring": ring}, len(tried.names)
    if not who:
        hidden = {
            (True, True): _("Not answered. The caller waited %(wait)s; it rang for %(ring)s."),
            (True, False): _("Not answered. The caller waited %(wait)s."),
            (False, True): _("Not answered. It rang for %(ring)s."),
            (False, False): _("Not answered."),
        }
        return hidden[bool(wait), bool(ring)] % parts
    if wait and ring:
        words = ngettext(
            "Not answered. The caller waited %(wait)s; %(who)s rang for %(ring)s.",
            "Not answered. The caller waited %(wait)s; %(who)s rang for %(ring)s.",
            n,
        )
    elif ring:
        words = ngettext("Not answered. %(who)s rang for %(ring)s.", "Not answered. %(who)s rang for %(ring)s.", n)
    elif wait:
        words = ngettext(
            "Not answered. The caller waited %(wait)s; %(who)s rang.",
            "Not answered. The caller waited %(wait)s; %(who)s rang.",
            n,
        )
    else:
        words = ngettext("Not answered. %(who)s rang.", "Not answered. %(who)s rang.", n)
    return words % parts


def _abandoned(wait: str) -> str:
    if wait:
        return _("Hung up after %(wait)s, before any destination rang.") % {"wait": wait}
    return _("Hung up before any destination rang.")


def _short(wait: str) -> str:
    if wait:
        return _("Short call. The caller hung up after %(wait)s.") % {"wait": wait}
    return _("Short call.")


def _served(call: Any) -> str:
    span = in_words((call.ended_at - call.first_post_at).total_seconds())
    return _("Handled automatically by the routing plan; it took %(time)s.") % {"time": span}


def _ongoing(call: Any, tried: Tried, who: str) -> str:
    parts = {"moment": time_of_day(call.first_post_at), "who": who}
    if not who:
        return _("Ongoing since %(moment)s.") % parts
    words = ngettext(
        "Ongoing since %(moment)s. %(who)s rang.", "Ongoing since %(moment)s. %(who)s rang.", len(tried.names)
    )
    return words % parts


def _callback(call: Any, who: str, talk: str) -> str:
    parts = {"who": who, "talk": talk}
    if call.answered_at:
        words = {
            (True, True): _("Callback, answered by %(who)s; talked %(talk)s."),
            (True, False): _("Callback, answered by %(who)s."),
            (False, True): _("Callback, answered; talked %(talk)s."),
            (False, False): _("Callback, answered."),
        }
        return words[bool(who), bool(talk)] % parts
    return _("Callback, not answered.") if call.ended_at else _("Callback.")


def _afterwards(call: Any, outcome: str) -> list[str]:
    """Say that the end was not reported, where the outcome does not say so, and that callbacks are not counted."""
    more = [_("It is listed but not counted.")] if outcome == CALLBACK else []
    if call.ended_at or outcome == Outcome.IN_PROGRESS:
        return more
    if call.silent_at:
        return [*more, _("The end was not reported, so the call was closed without an end.")]
    return [*more, _("The end has not been reported yet.")]
