"""Outcomes and times of calls, in words and in SQL, as docs/figures.md defines them.

By time of receipt: P the first post, L the last, S the first CALL_START, F the first INITIATE_FORWARD, A the first
FORWARD_ANSWER, E the last CALL_END; Z: the call has fallen silent. Outcomes never read the clock, so counting the
same rows twice gives the same counts."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.db.models import Case, DurationField, ExpressionWrapper, F, Q, Value, When
from django.utils.translation import gettext_lazy as _

from calls.models import RequestType


class Outcome(models.TextChoices):
    """How a call ended. Every offered call has exactly one outcome; charts stack them in this order."""

    ANSWERED = "answered", _("Answered")
    SERVED_IN_PLAN = "served_in_plan", _("Handled automatically")
    MISSED = "missed", _("Not answered")
    ABANDONED = "abandoned", _("Hung up before ringing")
    SHORT = "short", _("Short call")
    IN_PROGRESS = "in_progress", _("Ongoing")
    END_UNKNOWN = "end_unknown", _("Outcome unknown")


# A call that a callback started is stored and listed, but does not count as offered.
CALLBACK = "callback"
CALLBACK_LABEL = _("Callback")
# The outcome of a call is not measured if a post that it depends on does not arrive.
NOT_MEASURED = "not_measured"
NOT_MEASURED_LABEL = _("Not measured")
# Further values of the filter by outcome in the list of calls.
MORE_OUTCOMES = {CALLBACK: CALLBACK_LABEL, NOT_MEASURED: NOT_MEASURED_LABEL}

DEFINITIONS = {
    Outcome.ANSWERED: _(
        "At least one destination answered, whether or not the call has ended. "
        "An announcement or a queue that picks up is no answer."
    ),
    Outcome.SERVED_IN_PLAN: _(
        "The call ended without forwarding, on a number whose calls do not go to people. The routing plan handled it."
    ),
    Outcome.MISSED: _(
        "The call was forwarded at least once and never answered. It has ended, or was closed without an end."
    ),
    Outcome.ABANDONED: _(
        "The caller hung up before any forwarding, on a number whose calls go to people, and not within the short-call "
        "limit."
    ),
    Outcome.SHORT: _(
        "The call was not answered and ended within the number's short-call limit (5 seconds unless set otherwise), "
        "even if it rang briefly."
    ),
    Outcome.IN_PROGRESS: _("The call has not ended yet. An answered call that is still going on counts as answered."),
    Outcome.END_UNKNOWN: _(
        "The call was closed without an end, an answer or forwarding, so it is not known how it ended."
    ),
}

# The posts that each outcome depends on: if one of them does not arrive, the outcome is not measured.
RESTS_ON: dict[str, tuple[RequestType, ...]] = {
    Outcome.ANSWERED: (RequestType.FORWARD_ANSWER,),
    Outcome.SERVED_IN_PLAN: (RequestType.CALL_END,),
    Outcome.MISSED: (RequestType.INITIATE_FORWARD, RequestType.FORWARD_ANSWER),
    Outcome.ABANDONED: (RequestType.CALL_END, RequestType.INITIATE_FORWARD),
    Outcome.SHORT: (RequestType.CALL_END, RequestType.CALL_START),
    Outcome.IN_PROGRESS: (RequestType.CALL_END,),
    Outcome.END_UNKNOWN: (RequestType.CALL_END,),
}

_seconds = Value(timedelta(seconds=1), output_field=DurationField())
_hours = Value(timedelta(hours=1), output_field=DurationField())


def _times(field: str, unit: Value) -> ExpressionWrapper:
    """Return a setting of the number as a duration."""
    return ExpressionWrapper(F(f"destination_number__{field}") * unit, output_field=DurationField())


def _between(start: str, end: str) -> ExpressionWrapper:
    return ExpressionWrapper(F(end) - F(start), output_field=DurationField())


_answered = Q(answered_at__isnull=False)
_ended = Q(ended_at__isnull=False)
_silent = Q(silent_at__isnull=False)
_forwarded = Q(forwarded_at__isnull=False)
_started = Q(call_start_at__isnull=False)
_brief = Q(last_post_at__lt=F("first_post_at") + _times("short_call_s", _seconds))

# The first condition that is true decides.
OUTCOME = Case(
    When(_answered, then=Value(Outcome.ANSWERED)),
    When(~_ended & ~_silent, then=Value(Outcome.IN_PROGRESS)),
    When(~_ended & _forwarded, then=Value(Outcome.MISSED)),
    When(~_ended, then=Value(Outcome.END_UNKNOWN)),
    When(~_forwarded & Q(destination_number__expects_forward=False), then=Value(Outcome.SERVED_IN_PLAN)),
    When(_started & _brief, then=Value(Outcome.SHORT)),
    When(_forwarded, then=Value(Outcome.MISSED)),
    default=Value(Outcome.ABANDONED),
    output_field=models.TextField(),
)

IS_OFFERED = Q(callback_id="")

IS_ANSWERED_AFTER_START = _answered & _started
# The caller's waiting time: A - P, for calls whose CALL_START arrived.
TIME_TO_ANSWER = Case(When(IS_ANSWERED_AFTER_START, then=_between("first_post_at", "answered_at")))
# A - F; null if the answer came first.
RING_TIME = Case(When(forwarded_at__lte=F("answered_at"), then=_between("forwarded_at", "answered_at")))
# E - A, approximate: E may be the end of the routing plan. Null if E is missing, before A, or too long after it.
TALK_TIME = Case(
    When(
        ended_at__gte=F("answered_at"),
        ended_at__lte=F("answered_at") + _times("silent_after_h", _hours),
        then=_between("answered_at", "ended_at"),
    )
)
# The caller's wait whether or not a person answered: until the answer, else until the end (E - P). Null without
# CALL_START or the end, and for calls that the routing plan handled.
WAITED = Case(
    When(IS_ANSWERED_AFTER_START, then=_between("first_post_at", "answered_at")),
    When(
        ~_answered & _started & _ended & (_forwarded | Q(destination_number__expects_forward=True)),
        then=_between("first_post_at", "ended_at"),
    ),
)
# Answered within the number's service level.
IN_TIME = IS_ANSWERED_AFTER_START & Q(answered_at__lte=F("first_post_at") + _times("service_level_s", _seconds))
