"""Are the data of these numbers complete? For each number and local day, judged from counts.

- *incomplete*: calls came, but a message that they imply did not: the start, the end and the blocks of calls, the
  forwarding of answered ones, answers that the weeks before predict. Or no call came although at least 8 were expected.
- *complete*: calls came, and nothing of this is known.
- *no calls*: none came, and none had to be expected. On a day that opening hours close, none has to be.
- *not set up*: no message had ever come for the number by the end of the day.

A box that is set to off is not expected. One call of a day, or one in twenty, may lack a message, unless all do.
docs/figures.md, *Complete data*, has the rules for each message, and what counts cannot show."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property, lru_cache
from operator import add
from typing import NamedTuple

from django.db import connection
from django.utils import timezone

from calls.models import Arrives, DestinationNumber, RequestType
from reports import periods
from reports.counting.measured import BITS
from reports.figures.completeness import Completeness, NumberDay, State
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
  {", ".join(f"sum(CASE WHEN measured & {BITS[post]} = 0 THEN offered ELSE 0 END)::int" for post in _OF_EACH_CALL)},
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


def read(
    numbers: Iterable[DestinationNumber] | Coverage, period: Period, silences: Sequence[Silence] | None = None
) -> Completeness:
    """Return whether the data of these numbers are complete on each day of a period, in two statements.

    `silences` are the `post_arrivals.silent` of these numbers; if they are not passed, a third statement reads them.
    Silences and messages that stopped need a few more, whatever the number of numbers. Whole days are judged, also if
    the period is about opening hours; of today, what is over so far. A day after today is a day without calls."""
    numbers = list(dict.fromkeys(numbers))
    now = timezone.now()
    if silences is None:
        silences = post_arrivals.silent(numbers, now)
    counted, posts = _read(numbers, period)
    quiet = _Quiet.of(numbers, period, silences, counted, now)
    stopped = _stopped(numbers, counted, posts, now)
    return Completeness(
        period,
        {
            number: _Judge(number, counted[number.pk], posts[number.pk], stopped, quiet, now).days(period)
            for number in numbers
        },
    )


_Posts = Mapping[str, tuple[datetime, datetime | None]]
# The first day on which messages of a number that stopped are missing, by id and kind.
_Stopped = Mapping[tuple[int, RequestType], date]


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


# Cached: each number asks for the same days.
@lru_cache(maxsize=1024)
def _same_weekdays(day: date) -> tuple[date, ...]:
    return tuple(day - week * periods.WEEK for week in range(1, WEEKS + 1))


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
            of_day = _Counted._make(values)
            known = counted[number_id].get(day)
            both = _Counted._make(map(add, known, of_day)) if known else of_day
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
        usual_of_rests = post_arrivals.calls_between(rests, range(1, WEEKS + 1))
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
    stopped: _Stopped
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
        has_stopped = self.stopped.get((self.number.pk, post), date.max) <= day
        if _too_many(before_first, of_day.offered) or has_stopped:
            return True
        if post == BLOCK_END:
            return not of_day.blocks and of_day.offered >= LEAST_USUAL
        if post == CALL_END:
            return self._lacks_ends(day, of_day)
        return _too_many(of_day.answered - of_day.answered_after_start, of_day.answered)

    def _lacks_ends(self, day: date, of_day: _Counted) -> bool:
        # Forwarded calls without an answer or an end count as missed, so nothing is known of them.
        known = of_day.offered - of_day.in_progress - of_day.missed
        going_on = of_day.answered - of_day.talk_calls if _ends_are_due(self.number, day, self.now) else 0
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


def _stopped(
    numbers: Sequence[DestinationNumber],
    counted: Mapping[int, _ByDay],
    posts: Mapping[int, _Posts],
    now: datetime,
) -> _Stopped:
    """Return since which day messages of each call are missing, because none came in later calls."""
    spans = {}
    for number in numbers:
        for post in _OF_EACH_CALL:
            last = posts[number.pk].get(post, (None, None))[1]
            if last is None:
                continue
            last_day = periods.day_of(last)
            later = sum(
                of_day.offered - of_day.in_progress
                for day, of_day in counted[number.pk].items()
                if day > last_day and (post != CALL_END or _ends_are_due(number, day, now))
            )
            # A call may have no block that ended, but not eight in a row.
            if later >= (LEAST_USUAL if post == BLOCK_END else 1):
                # The calls of the quarter-hour itself may have it.
                after = periods.quarter_hour_of(last) + periods.QUARTER_HOUR
                spans[number.pk, post] = (number.pk, after, periods.day_start(last_day + periods.DAY))
    calls = post_arrivals.calls_between(list(spans.values()))
    return {
        place: periods.day_of(end) - (periods.DAY if later_that_day else timedelta())
        for (place, (_id, _after, end)), later_that_day in zip(spans.items(), calls, strict=True)
    }


def _ends_are_due(number: DestinationNumber, day: date, now: datetime) -> bool:
    """Return whether all calls of a day would be closed by now."""
    return now >= periods.day_start(day + periods.DAY) + timedelta(hours=number.silent_after_h)


def _too_many(lacking: int, of: int) -> bool:
    return lacking > 0 and (lacking == of or lacking > max(1, TOLERATED * of))
