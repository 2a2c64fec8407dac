"""Whether the data of numbers are complete: day by day, together, and in words. docs/figures.md has the rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from functools import cached_property
from typing import NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from calls.models import DestinationNumber, RequestType
from reports import periods
from reports.periods import Period

# Days that are named one by one.
MOST_DAYS = 5


class State(Enum):
    """Whether a number's data are complete."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    NO_CALLS = "no_calls"
    NOT_SET_UP = "not_set_up"

    do_not_call_in_templates = True

    @property
    def label(self) -> str:
        return {
            State.COMPLETE: _("complete"),
            State.INCOMPLETE: _("incomplete"),
            State.NO_CALLS: _("no calls"),
            State.NOT_SET_UP: _("not set up"),
        }[self]


class NumberDay(NamedTuple):
    """One local day of one number."""

    day: date
    state: State
    # The messages that are missing for calls of this day.
    missing: tuple[RequestType, ...] = ()
    is_silent: bool = False


@dataclass(frozen=True)
class Completeness:
    """Whether the data of some numbers are complete in a period: number by number, day by day."""

    period: Period
    days: Mapping[DestinationNumber, Sequence[NumberDay]]

    @cached_property
    def states(self) -> dict[DestinationNumber, State]:
        """The state of each number over the whole period: incomplete if one day is."""
        return {number: _together(days) for number, days in self.days.items()}

    @cached_property
    def incomplete(self) -> list[DestinationNumber]:
        return [number for number, state in self.states.items() if state is State.INCOMPLETE]

    @cached_property
    def numbers(self) -> int:
        """How many numbers are judged: all that are set up, also those without calls."""
        return sum(state is not State.NOT_SET_UP for state in self.states.values())

    @property
    def complete(self) -> int:
        """How many of them lack nothing. No calls, where none were expected, is complete."""
        return self.numbers - len(self.incomplete)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is known to be missing. False if no number is set up."""
        return bool(self.numbers) and not self.incomplete

    @property
    def is_ahead(self) -> bool:
        """Whether none of the days has begun."""
        return self.period.first > periods.today()

    def of_last_day(self) -> Completeness:
        """Return the last day of the period by itself."""
        last = self.period.of_days(self.period.last, self.period.last)
        return Completeness(last, {number: days[-1:] for number, days in self.days.items()})

    @property
    def says(self) -> str:
        """The whole as a short sentence; blank if no number is set up."""
        if not self.numbers:
            return ""
        yesterday = periods.today() - periods.DAY
        about = {"complete": self.complete, "n": self.numbers, "days": self.period.label}
        if self.period.first == self.period.last == yesterday:
            words = (
                ngettext(
                    "Complete for yesterday, %(complete)d of %(n)d number",
                    "Complete for yesterday, %(complete)d of %(n)d numbers",
                    self.numbers,
                )
                if self.is_complete
                else ngettext(
                    "Incomplete for yesterday: %(complete)d of %(n)d number is complete",
                    "Incomplete for yesterday: %(complete)d of %(n)d numbers are complete",
                    self.numbers,
                )
            )
        else:
            words = (
                ngettext(
                    "Complete for %(days)s, %(complete)d of %(n)d number",
                    "Complete for %(days)s, %(complete)d of %(n)d numbers",
                    self.numbers,
                )
                if self.is_complete
                else ngettext(
                    "Incomplete for %(days)s: %(complete)d of %(n)d number is complete",
                    "Incomplete for %(days)s: %(complete)d of %(n)d numbers are complete",
                    self.numbers,
                )
            )
        return words % about


def reasons(days: Sequence[NumberDay]) -> list[str]:
    """Return why days of a number are incomplete: each reason once, with its days; the latest reason first."""
    by_reason: dict[tuple[tuple[RequestType, ...], bool], list[date]] = {}
    for day in reversed(days):
        if day.state is State.INCOMPLETE:
            by_reason.setdefault((day.missing, day.is_silent), []).append(day.day)
    return [_reason(missing, sorted(days_of)) for (missing, _is_silent), days_of in by_reason.items()]


def _reason(missing: Sequence[RequestType], days: Sequence[date]) -> str:
    about = {
        "n": len(days),
        "days": ", ".join(map(periods.day_label, days)),
        "last": periods.day_label(days[-1]),
        "posts": ", ".join(str(post.label) for post in missing),
    }
    if len(days) <= MOST_DAYS:
        if missing:
            return _("Missing on %(days)s: %(posts)s.") % about
        return _("No calls on %(days)s, although calls were expected.") % about
    if missing:
        return _("Missing on %(n)d days, last on %(last)s: %(posts)s.") % about
    return _("No calls on %(n)d days, last on %(last)s, although calls were expected.") % about


def _together(days: Sequence[NumberDay]) -> State:
    states = {day.state for day in days}
    for state in (State.INCOMPLETE, State.COMPLETE, State.NO_CALLS):
        if state in states:
            return state
    return State.NOT_SET_UP
