"""Are the data of these numbers complete? For each number and local day, judged from counts.

A day of a number is

- **incomplete** if calls came, but a message that they imply did not come for all of them: the start, the end and the
  blocks of a call, the forwarding of an answered call, and answers where the weeks before predict them. It is also
  incomplete if no call came although at least 8 were expected (*silent*), by the four same weekdays before;
- **complete** if calls came and nothing of this is known to be missing;
- **no calls** if none came, and none had to be expected;
- **not set up** if no message had ever come for the number by the end of the day.

A box that is set to off is not expected. One call in twenty may lack its message, because a single lost message changes
no figure visibly. Days on which all hours are closed by the number's opening hours are never silent. Opening hours do
not matter otherwise: whole days are judged. Counts do not say of every call which messages came, so three things are
not seen: a silence that began and ended within one day, blocks or answers that are absent for part of a day and then
come again, and a missing end of calls that were forwarded but not answered, while the ends of others come.
Contradictory calls change no figure, so they do not make a day incomplete."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from functools import cached_property
from typing import NamedTuple

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from calls.models import Arrives, DestinationNumber, RequestType
from reports import periods
from reports.counting.measured import BITS
from reports.figures.coverage import Coverage
from reports.periods import Period
from reports.queries import counts, post_arrivals
from reports.queries.post_arrivals import LAST_POSTS, LEAST_USUAL, WEEKS, Silence

CALL_START, BLOCK_END, INITIATE_FORWARD, FORWARD_ANSWER, CALL_END = RequestType
# The share of a day's calls that may lack a message.
TOLERATED = 0.05

# Every call has these.
_OF_EACH_CALL = (CALL_START, BLOCK_END, CALL_END)
# By number and day: calls, those before the first message of a kind, and what says that a message is missing.
DAYS = f"""
SELECT destination_number_id, day, sum(offered)::int AS offered,
  {", ".join(f"sum(offered) FILTER (WHERE measured & {BITS[post]} = 0)::int" for post in _OF_EACH_CALL)},
  sum(answered)::int AS answered, sum(answered_after_start)::int AS answered_after_start,
  sum(ring_calls)::int AS ring_calls, sum(talk_calls)::int AS talk_calls, sum(missed)::int AS missed,
  sum(short)::int AS short, sum(in_progress)::int AS in_progress, sum(end_unknown)::int AS end_unknown,
  0 AS blocks, 0 AS bridges
FROM reports_daycounts WHERE destination_number_id = ANY(%(ids)s) AND day = ANY(%(days)s)
GROUP BY 1, 2
UNION ALL
SELECT destination_number_id, day, {"0, " * 12}sum(blocks)::int,
  coalesce(sum(blocks) FILTER (WHERE block_type = 'BRIDGE'), 0)::int
FROM reports_dayblockcounts WHERE destination_number_id = ANY(%(ids)s) AND day = ANY(%(judged)s)
GROUP BY 1, 2
"""


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

    @property
    def says(self) -> str:
        """The day and its state in words, with the reason if it is incomplete."""
        about = {"day": periods.day_label(self.day), "posts": ", ".join(str(post.label) for post in self.missing)}
        if self.state is State.COMPLETE:
            return _("%(day)s: complete") % about
        if self.state is State.NO_CALLS:
            return _("%(day)s: no calls") % about
        if self.state is State.NOT_SET_UP:
            return _("%(day)s: not set up") % about
        if self.is_silent:
            return _("%(day)s: incomplete, no calls although calls were expected") % about
        return _("%(day)s: incomplete, missing: %(posts)s") % about


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


def read(
    numbers: Iterable[DestinationNumber] | Coverage, period: Period, silences: Sequence[Silence] | None = None
) -> Completeness:
    """Return whether the data of these numbers are complete on each day of a period, in two statements.

    `silences` are the `post_arrivals.silent` of these numbers; if they are not passed, a third statement reads them.
    Days with a silence to judge need two or three more, whatever the number of numbers. Whole days are judged, also if
    the period is about opening hours; of today, what is over so far. A day after today is a day without calls."""
    numbers = list(dict.fromkeys(numbers))
    now = timezone.now()
    if silences is None:
        silences = post_arrivals.silent(numbers, now)
    counted, posts = _read(numbers, period)
    quiet = _Quiet.of(numbers, period, silences, counted, now)
    return Completeness(
        period,
        {number: _Judge(number, counted[number.pk], posts[number.pk], quiet, now).days(period) for number in numbers},
    )


_Posts = Mapping[str, tuple[datetime, datetime | None]]


class _Counted(NamedTuple):
    """The counts of one number on one day. `call_start` and so on are the calls before the first such message."""

    offered: int = 0
    call_start: int = 0
    block_end: int = 0
    call_end: int = 0
    answered: int = 0
    answered_after_start: int = 0
    ring_calls: int = 0
    talk_calls: int = 0
    missed: int = 0
    short: int = 0
    in_progress: int = 0
    end_unknown: int = 0
    blocks: int = 0
    bridges: int = 0


_NOTHING = _Counted()
_ByDay = dict[date, _Counted]


def _same_weekdays(day: date) -> list[date]:
    return [day - week * periods.WEEK for week in range(1, WEEKS + 1)]


def _read(
    numbers: Sequence[DestinationNumber], period: Period
) -> tuple[dict[int, _ByDay], dict[int, dict[str, tuple[datetime, datetime | None]]]]:
    """Return counts by number and day, and when each kind of message came first and last."""
    ids = [number.pk for number in numbers]
    # The week after shows which messages have stopped.
    after = [period.last + n * periods.DAY for n in range(1, 8)]
    days = {*period.days, *after, *(before for day in period.days for before in _same_weekdays(day))}
    counted: dict[int, _ByDay] = defaultdict(dict)
    posts: dict[int, dict[str, tuple[datetime, datetime | None]]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(DAYS, {"ids": ids, "days": sorted(days), "judged": period.days})
        for number_id, day, *values in cursor.fetchall():
            of_day = _Counted(*(value or 0 for value in values))
            known = counted[number_id].get(day)
            both = _Counted(*map(sum, zip(known, of_day, strict=True))) if known else of_day
            counted[number_id][day] = both
        cursor.execute(LAST_POSTS, [ids])
        for number_id, request_type, first, last in cursor.fetchall():
            posts[number_id][request_type] = (first, last)
    return counted, posts


@dataclass(frozen=True)
class _Quiet:
    """The days of numbers on which no call came although calls were expected."""

    days: frozenset[tuple[int, date]]

    @classmethod
    def of(
        cls,
        numbers: Sequence[DestinationNumber],
        period: Period,
        silences: Sequence[Silence],
        counted: Mapping[int, _ByDay],
        now: datetime,
    ) -> _Quiet:
        silent_since = {silence.number.pk: silence.since for silence in silences}
        last = min(period.last, periods.day_of(now) - periods.DAY)
        days: set[tuple[int, date]] = set()
        for number in numbers:
            of_number = counted[number.pk]
            since = silent_since.get(number.pk)
            for day in period.days:
                if day > last or of_number.get(day, _NOTHING).offered:
                    continue
                usual = sum(of_number.get(before, _NOTHING).offered for before in _same_weekdays(day)) / WEEKS
                # In a silence that goes on, a day need not have 8 expected calls of its own.
                if usual >= (1 if since and periods.day_of(since) < day else LEAST_USUAL):
                    days.add((number.pk, day))
        if days:
            affected = {number_id for number_id, _day in days}
            schedules = counts.schedules([number for number in numbers if number.pk in affected])
            days = {
                (number_id, day)
                for number_id, day in days
                if number_id not in schedules or schedules[number_id].spans_on(day)
            }
        # The rest of the day on which the silence began, and today.
        rests = [
            (number_id, max(since, periods.day_start(day)), min(now, periods.day_start(day + periods.DAY)))
            for number_id, since in silent_since.items()
            for day in {periods.day_of(since), periods.day_of(now)}
            if day in period and (number_id, day) not in days
        ]
        usual_of_rests = post_arrivals.usual_between(rests)
        days |= {
            (number_id, periods.day_of(start))
            for (number_id, start, _end), usual in zip(rests, usual_of_rests, strict=True)
            if usual >= LEAST_USUAL
        }
        return cls(frozenset(days))


@dataclass(frozen=True)
class _Judge:
    """Judges the days of one number."""

    number: DestinationNumber
    counted: _ByDay
    posts: _Posts
    quiet: _Quiet
    now: datetime

    def days(self, period: Period) -> list[NumberDay]:
        first = min((at for at, _last in self.posts.values()), default=None)
        first_day = periods.day_of(first) if first else date.max
        return [self._day(day, first_day) for day in period.days]

    @cached_property
    def expected(self) -> list[RequestType]:
        return [post for post in RequestType if self.number.arrives(post) != Arrives.OFF]

    def _day(self, day: date, first_day: date) -> NumberDay:
        of_day = self.counted.get(day, _NOTHING)
        # Counts decide too: a call of an unknown kind of message is a call.
        if day < first_day and not of_day.offered:
            return NumberDay(day, State.NOT_SET_UP)
        is_silent = (self.number.pk, day) in self.quiet.days
        missing = tuple(post for post in self.expected if self._is_missing(post, day, of_day)) if of_day.offered else ()
        if missing or is_silent:
            return NumberDay(day, State.INCOMPLETE, missing, is_silent)
        return NumberDay(day, State.COMPLETE if of_day.offered else State.NO_CALLS)

    def _is_missing(self, post: RequestType, day: date, of_day: _Counted) -> bool:
        if post == INITIATE_FORWARD:
            return self._lacks_forwards(of_day)
        if post == FORWARD_ANSWER:
            return self._lacks_answers(day, of_day)
        before_first: int = getattr(of_day, post.lower())
        if _too_many(before_first, of_day.offered) or self._has_stopped(post, day, of_day):
            return True
        if post == BLOCK_END:
            return not of_day.blocks and of_day.offered >= LEAST_USUAL
        if post == CALL_END:
            return self._lacks_ends(day, of_day)
        return _too_many(of_day.answered - of_day.answered_after_start, of_day.answered)

    def _has_stopped(self, post: RequestType, day: date, of_day: _Counted) -> bool:
        """Return whether a message came last on this day or before, although calls came on later days."""
        last = self.posts.get(post, (None, None))[1]
        if last is None or day < periods.day_of(last):
            return False
        later = sum(
            counts_of.offered - counts_of.in_progress
            for other, counts_of in self.counted.items()
            if other > periods.day_of(last) and (post != CALL_END or self._ends_are_due(other))
        )
        if day == periods.day_of(self.now) and post == CALL_END:
            return False
        # A call may have no block that ended, but not eight in a row.
        return later >= (LEAST_USUAL if post == BLOCK_END else 1)

    def _ends_are_due(self, day: date) -> bool:
        """Return whether all calls of a day would be closed by now."""
        return self.now >= periods.day_start(day + periods.DAY) + timedelta(hours=self.number.silent_after_h)

    def _lacks_ends(self, day: date, of_day: _Counted) -> bool:
        # Forwarded calls without an answer or an end count as missed, so nothing is known of them.
        known = of_day.offered - of_day.in_progress - of_day.missed
        going_on = of_day.answered - of_day.talk_calls if self._ends_are_due(day) else 0
        return _too_many(of_day.end_unknown + going_on, known)

    @staticmethod
    def _lacks_forwards(of_day: _Counted) -> bool:
        if _too_many(of_day.answered - of_day.ring_calls, of_day.answered):
            return True
        return of_day.bridges > of_day.short and not of_day.missed + of_day.ring_calls

    def _lacks_answers(self, day: date, of_day: _Counted) -> bool:
        """Return whether no call was answered although at least 8 answers were expected, by the weeks before."""
        if of_day.answered:
            return False
        before = [self.counted.get(other, _NOTHING) for other in _same_weekdays(day)]
        offered = sum(counts_of.offered for counts_of in before)
        answered = sum(counts_of.answered for counts_of in before)
        return bool(offered) and of_day.missed * answered / offered >= LEAST_USUAL


def _too_many(lacking: int, of: int) -> bool:
    return lacking > TOLERATED * of


def _together(days: Sequence[NumberDay]) -> State:
    states = {day.state for day in days}
    for state in (State.INCOMPLETE, State.COMPLETE, State.NO_CALLS):
        if state in states:
            return state
    return State.NOT_SET_UP
