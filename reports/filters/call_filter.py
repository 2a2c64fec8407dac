"""Reads the filter of the list of calls, keeps a search out of the address, and pages without counting everything."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.contrib.sessions.backends.base import SessionBase
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, ExtractHour, ExtractIsoWeekDay, ExtractMinute, TruncDate
from django.http import QueryDict
from django.utils.dateformat import format as formatted
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from calls import phones, posts, search
from calls.models import Call, CallEvent, DestinationNumber, RequestType
from calls.opening_hours import Schedule
from calls.querysets import CallQuerySet
from reports import periods, permissions
from reports.counting import outcomes
from reports.counting.count_tables import AT_ONCE_S
from reports.counting.measured import ALWAYS, NEVER
from reports.counting.outcomes import Outcome
from reports.figures import FIGURES, Coverage
from reports.filters import session_filter
from reports.filters.presets import Preset
from reports.filters.readers import (
    read_choice,
    read_choices,
    read_day,
    read_moment,
    read_numbers,
    read_opening,
    read_seconds,
)
from reports.filters.session_filter import DAYS, EVERY_DAY
from reports.periods import USUAL_WEEKS, Opening, Period
from reports.queries import concurrent_calls, counts, forwards

CALLS_ON_A_PAGE = 50
# No call is older: holidays are looked up from there on where no first day is asked for.
EARLIEST = date(2015, 1, 1)
SEARCHES_KEPT = 20
LONGEST_SEARCH = 200

LOST = (Outcome.MISSED, Outcome.ABANDONED)
# What in an address lists exactly the calls that a count is of.
COUNTED_AS: dict[str, list[tuple[str, str]]] = {
    "offered": [("callbacks", "no")],
    **{outcome.value: [("outcome", outcome.value)] for outcome in Outcome},
    "unclassified": [("outcome", outcomes.NOT_MEASURED)],
    "lost": [("outcome", outcome.value) for outcome in LOST],
    "block_calls": [("callbacks", "no")],
    "last_in_call": [("callbacks", "no")],
    "block_lost": [("outcome", outcome.value) for outcome in LOST],
    "tried": [("callbacks", "no")],
    "forward_answers": [("callbacks", "no")],
    "handovers": [("callbacks", "no")],
    "took": [("callbacks", "no")],
    "in_time": [("level", "in_time")],
    "level_of": [("level", "counted")],
    "without_start": [("level", "neither")],
}

# What may stand in an address.
ADDRESSED = (
    "from", "to", "period", "start", "end", "weekday", "hour", "opening", "number", "outcome", "flag", "callbacks",
    "block", "last_block", "tried", "tried_first", "answered_by", "took", "over", "upto", "level",
    "measured", "at_once", "weeks", "search",
)  # fmt: skip
# Of these, what the form has fields for.
IN_FORM = {"outcome", "flag", "callbacks", "search"}

# A kind of time, of which `over` and `upto` are bounds in seconds.
TIMES = {"time_to_answer": outcomes.TIME_TO_ANSWER, "ring": outcomes.RING_TIME, "talk": outcomes.TALK_TIME}
# The calls that stand above the line of a service level, those that stand below it, and those answered whose start was
# not posted, so that nobody knows how long they waited.
LEVELS = {
    "in_time": outcomes.IN_TIME,
    "counted": outcomes.IS_ANSWERED_AFTER_START | Q(came_to__in=LOST),
    "neither": Q(came_to=Outcome.ANSWERED) & ~outcomes.IS_ANSWERED_AFTER_START,
}
LEVEL_WORDS = {
    "in_time": gettext_lazy("answered in time"),
    "counted": gettext_lazy("counted by the service level"),
    "neither": gettext_lazy("answered, start not posted"),
}

FLAGS = {
    "contradicts": gettext_lazy("Posts contradict each other"),
    "weak": gettext_lazy("Weakly identified"),
    "odd": gettext_lazy("Odd posts"),
}

_block_ends = CallEvent.objects.filter(call=OuterRef("pk"), request_type=RequestType.BLOCK_END)
LAST_BLOCK = Subquery(_block_ends.order_by("-received_at", "-ingest_id").values("block_type")[:1])


_tried = CallEvent.objects.filter(call=OuterRef("pk"), request_type=RequestType.INITIATE_FORWARD)
_answered = CallEvent.objects.filter(call=OuterRef("pk"), request_type=RequestType.FORWARD_ANSWER)


def _whose_first(calls: CallQuerySet, events: QuerySet[CallEvent], name: str, kind: str) -> CallQuerySet:
    """Keep the calls of which the first of some events names a destination."""
    first = events.order_by("received_at", "ingest_id")
    destination, destination_type = forwards.parted(name)
    found: CallQuerySet = calls.alias(
        **{
            f"{kind}_destination": Subquery(first.values("destination")[:1]),
            f"{kind}_type": Subquery(first.values("destination_type")[:1]),
        }
    ).filter(**{f"{kind}_destination": destination, f"{kind}_type": destination_type})
    return found


def _tried_before_others(calls: CallQuerySet, name: str) -> CallQuerySet:
    """Keep the calls in which no other destination was tried at once with the first."""
    destination, destination_type = forwards.parted(name)
    first_at = Subquery(_tried.order_by("received_at", "ingest_id").values("received_at")[:1])
    others = _tried.exclude(destination=destination, destination_type=destination_type)
    at_once = others.filter(received_at__lte=OuterRef("first_tried_at") + timedelta(seconds=AT_ONCE_S))
    found: CallQuerySet = calls.alias(first_tried_at=first_at).exclude(Exists(at_once))
    return found


def _count_of(request_type: str) -> Coalesce:
    events = CallEvent.objects.filter(call=OuterRef("pk"), request_type=request_type).order_by()
    return Coalesce(Subquery(events.values("call").annotate(n=Count("pk")).values("n")), 0)


def days_of(start: datetime, end: datetime) -> tuple[date, date] | None:
    """Return the first and the last local day of a stretch; None where it is not of whole days."""
    first, after = periods.day_of(start), periods.day_of(end)
    if periods.day_start(first) != start or periods.day_start(after) != end:
        return None
    return first, after - periods.DAY


def opening_of(schedule: Schedule, first: date, last: date) -> Q:
    """Return the condition that a call came inside opening hours, for calls with `local_day`, `local_weekday` and
    `local_minute`, of the days from `first` to `last`."""
    single = {day: spans for day, spans in schedule.days.items() if first <= day <= last}
    other_days = {*single, *schedule.holidays(first, last)}
    weekly = Q(pk__in=[])
    for weekday, spans in schedule.weekly.items():
        for opens, closes in spans:
            weekly |= Q(local_weekday=weekday, local_minute__gte=opens, local_minute__lt=closes)
    found = weekly & ~Q(local_day__in=other_days) if other_days else weekly
    for day, spans in single.items():
        for opens, closes in spans:
            found |= Q(local_day=day, local_minute__gte=opens, local_minute__lt=closes)
    return found


def as_offered(calls: QuerySet[Call]) -> QuerySet[Call]:
    """Annotate calls with what a list shows of them."""
    return calls.select_related("destination_number").annotate(
        outcome=outcomes.OUTCOME,
        time_to_answer=outcomes.TIME_TO_ANSWER,
        ring_time=outcomes.RING_TIME,
        talk_time=outcomes.TALK_TIME,
        lasted=F("last_post_at") - F("first_post_at"),
        last_block=LAST_BLOCK,
        blocks=_count_of(RequestType.BLOCK_END),
        forwards=_count_of(RequestType.INITIATE_FORWARD),
    )


@dataclass(frozen=True)
class Page:
    """Some calls, newest first, and the query strings that lead on; empty where there is nothing more."""

    calls: Sequence[Call]
    newer: str
    older: str


class CallFilter:
    """What a person asked for, never outside what they may see.

    What cannot be read is left out and said in `errors`, by name of the field; the list is then empty, for a list that
    ignores a filter would mislead. A number that is not theirs is answered like one that does not exist: Http404."""

    def __init__(self, query: QueryDict, user: Any, session: SessionBase, *, is_recalled: bool = False) -> None:
        """Of a question that `is_recalled`, numbers that are no longer the person's are left out."""
        self.errors: dict[str, str] = {}
        self.choices: list[DestinationNumber] = list(DestinationNumber.objects.visible_to(user))
        self.numbers = read_numbers(query.getlist("number"), self.choices, ignore_others=is_recalled)
        self.first = read_day("from", query.get("from", ""), self.errors)
        self.last = read_day("to", query.get("to", ""), self.errors)
        self.named = read_choice("period", query, [*Preset.values, DAYS, EVERY_DAY], self.errors)
        if self.named in Preset.values and not (self.first or self.last or self.errors):
            named = Preset(self.named).period(periods.today())
            self.first, self.last = named.first, named.last
        if self.first and self.last and self.first > self.last:
            self.errors["from"] = _("The first day is after the last. Swap them, or choose others.")
        # Of the days asked for those of so many weeks before, instead.
        self.weeks = int(read_choice("weeks", query, [str(n) for n in range(1, USUAL_WEEKS + 1)], self.errors) or 0)
        if self.weeks and not (self.first and self.last):
            self.errors.setdefault("weeks", _("Say of which days the same of the weeks before are asked for."))
        self.start = read_moment("start", query.get("start", ""), self.errors)
        self.end = read_moment("end", query.get("end", ""), self.errors)
        # Of the reports' zone: 1 is Monday, 9 is from nine to ten.
        self.weekdays = read_choices("weekday", query.getlist("weekday"), [str(n) for n in range(1, 8)], self.errors)
        self.hours = read_choices("hour", query.getlist("hour"), [str(n) for n in range(24)], self.errors)
        self.outcomes = read_choices(
            "outcome", query.getlist("outcome"), [*Outcome.values, *outcomes.MORE_OUTCOMES], self.errors
        )
        self.flags = read_choices("flag", query.getlist("flag"), list(FLAGS), self.errors)
        self.opening = read_opening(query.get("opening", ""), self.errors)
        self.without_callbacks = query.get("callbacks") == "no"
        # As they are stored, so that what was posted is found.
        self.block = posts.bounded(query.get("block", ""))
        self.last_block = posts.bounded(query.get("last_block", ""))
        self.tried = self._read_destination("tried", query.get("tried", ""), user)
        self.tried_first = self._read_destination("tried_first", query.get("tried_first", ""), user)
        self.answered_by = self._read_destination("answered_by", query.get("answered_by", ""), user)
        self._check_group(user)
        self.took = read_choice("took", query, list(TIMES), self.errors)
        self.over, self.upto = (read_seconds(name, query.get(name, ""), self.errors) for name in ("over", "upto"))
        if (self.over is not None or self.upto is not None) and not self.took:
            self.errors.setdefault(
                "took", _("Seconds are of a time: say which, %(known)s.") % {"known": ", ".join(TIMES)}
            )
        # A figure: only the calls of which it is measured, each number from its own moment on.
        self.measured = read_choice("measured", query, list(FIGURES), self.errors)
        self.level = read_choice("level", query, list(LEVELS), self.errors)
        # Those that went on at the busiest moment of a quarter-hour.
        self.at_once = read_moment("at_once", query.get("at_once", ""), self.errors)
        if self.at_once and len(self.numbers) != 1:
            self.errors["at_once"] = _("Calls go on at once at one number. Choose one.")
        self.token = query.get("search", "")[:40]
        self.search = self._read_search(session)

    # --- What it says -------------------------------------------------------------------------

    def pairs(self, *without: str) -> list[tuple[str, str]]:
        """Return the filters as an address holds them. A search is a token there, never what was searched for."""
        pairs: list[tuple[str, str]] = []
        for name, day in (("from", self.first), ("to", self.last)):
            if day:
                pairs.append((name, day.isoformat()))
        if self.named:
            pairs.append(("period", self.named))
        for name, moment in (("start", self.start), ("end", self.end)):
            if moment:
                pairs.append((name, moment.isoformat()))
        pairs += [("weekday", weekday) for weekday in self.weekdays]
        pairs += [("hour", hour) for hour in self.hours]
        pairs += [("number", number.e164) for number in self.numbers]
        pairs += [("outcome", outcome) for outcome in self.outcomes]
        pairs += [("flag", flag) for flag in self.flags]
        if self.opening != Opening.ALL:
            pairs.append(("opening", self.opening.value))
        if self.without_callbacks:
            pairs.append(("callbacks", "no"))
        for name, text in (
            ("block", self.block),
            ("last_block", self.last_block),
            ("tried", self.tried),
            ("tried_first", self.tried_first),
            ("answered_by", self.answered_by),
            ("took", self.took),
            ("over", "" if self.over is None else str(self.over)),
            ("upto", "" if self.upto is None else str(self.upto)),
            ("level", self.level),
            ("measured", self.measured),
            ("at_once", self.at_once.isoformat() if self.at_once else ""),
            ("weeks", str(self.weeks or "")),
            ("search", self.token),
        ):
            if text:
                pairs.append((name, text))
        return [pair for pair in pairs if pair[0] not in without]

    def query(self, *without: str, **more: str) -> str:
        """Return the query string of these filters."""
        query = QueryDict(mutable=True)
        for name, value in [*self.pairs(*without), *more.items()]:
            query.appendlist(name, value)
        return query.urlencode()

    @property
    def without_field(self) -> list[tuple[str, str]]:
        """The filters that the form has no field for, and hands on."""
        return self.pairs(*IN_FORM)

    @property
    def query_without_search(self) -> str:
        return self.query("search")

    @property
    def query_without_block(self) -> str:
        return self.query("block", "last_block")

    @property
    def query_without_destinations(self) -> str:
        return self.query("tried", "tried_first", "answered_by")

    @property
    def destinations_label(self) -> str:
        """Say the destinations asked for, in words."""
        words = [
            (self.tried, _("tried at %(destination)s")),
            (self.tried_first, _("tried first at %(destination)s")),
            (self.answered_by, _("answered by %(destination)s")),
        ]
        return ", ".join(
            text % {"destination": phones.readable(forwards.parted(name)[0])} for name, text in words if name
        )

    @property
    def query_without_times(self) -> str:
        return self.query("took", "over", "upto", "level", "measured")

    @property
    def times_label(self) -> str:
        """Say how long calls were to take, on which side of the service level, and as far as what is measured."""
        words = []
        if self.took:
            bounds = [
                text % {"s": seconds}
                for text, seconds in ((_("over %(s)d s"), self.over), (_("at most %(s)d s"), self.upto))
                if seconds is not None
            ]
            words.append(f"{str(FIGURES[self.took].label).lower()} {' '.join(bounds) or _('known')}")
        if self.level:
            words.append(str(LEVEL_WORDS[self.level]))
        if self.measured:
            words.append(_("where “%(figure)s” is measured") % {"figure": FIGURES[self.measured].label})
        return ", ".join(words)

    @property
    def query_without_moments(self) -> str:
        return self.query("start", "end", "weekday", "hour", "at_once", "weeks")

    @cached_property
    def _busiest_moment(self) -> datetime | None:
        if not self.at_once or self.errors:
            return None
        return concurrent_calls.busiest_moment(self.numbers[0], periods.quarter_hour_of(self.at_once))

    @property
    def at_once_label(self) -> str:
        """Say which moment it is that calls went on at, in words."""
        if not self.at_once:
            return ""
        moment = self._busiest_moment or self.at_once
        return _("going on at %(moment)s") % {"moment": periods.moment_label(moment, "%H:%M:%S")}

    @property
    def hours_label(self) -> str:
        """Say the weekdays and hours asked for, in words."""
        days = [formatted(date(2024, 1, int(weekday)), "l") for weekday in self.weekdays]  # that January began on one
        clocks = [f"{int(hour):02}:00 – {int(hour) + 1:02}:00" for hour in self.hours]
        weeks = ngettext("the same days of the week before", "the same days of the %(n)d weeks before", self.weeks)
        more = [self.at_once_label, weeks % {"n": self.weeks} if self.weeks else ""]
        return ", ".join([*days, *clocks, *filter(None, more)])

    @staticmethod
    def raw_query(posted: QueryDict) -> str:
        """Return the query string of filters as they were posted, also of those that cannot be read, so that the
        page says so; nothing else that was posted gets into an address."""
        query = QueryDict(mutable=True)
        for name in ADDRESSED:
            query.setlist(name, [value for value in posted.getlist(name) if value.strip()])
        return query.urlencode()

    @property
    def period(self) -> Period | None:
        """The days asked for, where both ends are."""
        first, last = self._days()
        return Period(first, last, self.opening) if first and last and not self.errors else None

    @property
    def is_empty(self) -> bool:
        return not self.pairs("period") and not self.errors

    @property
    def question(self) -> str:
        """The question that the list asks of reports too; nothing where it is of the calls of a count.

        Such a list is left for the question from which it was reached."""
        names = {name for name, _value in self.pairs("search")}
        if self.errors or self.named == EVERY_DAY or not names:
            return ""
        if not self.named and not names <= set(session_filter.NAMES):
            return ""
        wanted = [pair for pair in self.pairs() if pair[0] in session_filter.NAMES and pair != ("period", DAYS)]
        return urlencode(wanted)

    @property
    def question_to_remember(self) -> str:
        """The question as it is asked on another day: a named period moves on."""
        if self.named not in Preset.values:
            return self.question
        days = Preset(self.named).period(periods.today())
        moves_on = (self.first, self.last) == (days.first, days.last)
        return urlencode([pair for pair in parse_qsl(self.question) if not (moves_on and pair[0] in {"from", "to"})])

    @property
    def period_label(self) -> str:
        """Say the days and times asked for, in words."""
        if self.start or self.end:
            words = [periods.moment_label(moment) for moment in (self.start, self.end) if moment]
            if self.start and self.end:
                return " – ".join(words)
            return (_("from %(moment)s") if self.start else _("before %(moment)s")) % {"moment": words[0]}
        if self.first and self.last and self.first <= self.last:
            return Period(self.first, self.last).label
        if self.first:
            return _("from %(day)s") % {"day": Period(self.first, self.first).label}
        return _("to %(day)s") % {"day": Period(self.last, self.last).label} if self.last else ""

    # --- What it finds ------------------------------------------------------------------------

    def calls(self) -> QuerySet[Call]:
        """Return the calls that were asked for, in no order."""
        if self.errors:
            return Call.objects.none()
        calls = Call.objects.filter(destination_number__in=self.numbers or self.choices)
        start, end = self._moments()
        if start:
            calls = calls.filter(first_post_at__gte=start)
        if end:
            calls = calls.filter(first_post_at__lt=end)
        calls = self._of_the_weeks_before(self._of_the_week(calls))
        if self.opening != Opening.ALL:
            calls = self._opened(calls)
        if self.without_callbacks:
            calls = calls.filter(outcomes.IS_OFFERED)
        if self.outcomes:
            calls = calls.alias(came_to=outcomes.OUTCOME).filter(self._came_to())
        if "weak" in self.flags:
            calls = calls.filter(weakly_identified=True)
        if "odd" in self.flags:
            calls = calls.filter(has_odd_posts=True)
        if "contradicts" in self.flags:
            calls = calls.contradicting()
        if self.block:
            calls = calls.filter(Exists(_block_ends.filter(block_type=self.block)))
        if self.last_block:
            calls = calls.filter(ended_at__isnull=False, answered_at=None)
            calls = calls.alias(last_block_type=LAST_BLOCK).filter(last_block_type=self.last_block)
        calls = self._as_far_as_measured(self._going_on(self._took(self._forwarded(calls))))
        return search.narrowed(calls, search.readings(self.search)) if self.search else calls

    @property
    def searched_label(self) -> str:
        """Say what was searched for, in words."""
        return search.in_words(search.readings(self.search)) if self.search else ""

    def _came_to(self) -> Q:
        """Return the condition that a call came to one of the outcomes asked for."""
        wanted = Q(outcomes.IS_OFFERED, came_to__in=self.outcomes)
        if outcomes.CALLBACK in self.outcomes:
            wanted |= ~outcomes.IS_OFFERED
        if outcomes.NOT_MEASURED in self.outcomes:
            wanted |= self._not_measured()
        return wanted

    def _not_measured(self) -> Q:
        """Return the condition that it is not measured, for its number at its time, what an offered call came to."""
        coverage = Coverage.of(self.numbers or self.choices)
        until: dict[tuple[str, datetime], list[int]] = {}
        for number in coverage:
            for outcome in Outcome:
                since = coverage.shown_from(number, outcome)
                until.setdefault((outcome.value, NEVER if since is None else since), []).append(number.pk)
        wanted = Q(pk__in=[])
        for (came_to, since), ids in until.items():
            if since != ALWAYS:
                calls = Q(destination_number__in=ids, came_to=came_to)
                wanted |= calls if since == NEVER else calls & Q(first_post_at__lt=since)
        return outcomes.IS_OFFERED & wanted

    def _forwarded(self, calls: CallQuerySet) -> CallQuerySet:
        """Keep the calls in which the destinations asked for were tried, were tried first, or answered first."""
        if self.tried:
            destination, destination_type = forwards.parted(self.tried)
            calls = calls.filter(Exists(_tried.filter(destination=destination, destination_type=destination_type)))
        if self.tried_first:
            calls = _tried_before_others(_whose_first(calls, _tried, self.tried_first, "first_tried"), self.tried_first)
        if self.answered_by:
            calls = _whose_first(calls, _answered, self.answered_by, "first_answered")
        return calls

    def _took(self, calls: CallQuerySet) -> CallQuerySet:
        """Keep the calls that took as long as was asked for, and stand where it was asked on the service level."""
        if self.took:
            calls = calls.alias(took=TIMES[self.took]).filter(took__isnull=False)
        if self.over is not None:
            calls = calls.filter(took__gt=timedelta(seconds=self.over))
        if self.upto is not None:
            calls = calls.filter(took__lte=timedelta(seconds=self.upto))
        if self.level:
            calls = calls.alias(came_to=outcomes.OUTCOME).filter(outcomes.IS_OFFERED, LEVELS[self.level])
        return calls

    def _going_on(self, calls: CallQuerySet) -> CallQuerySet:
        """Keep the calls that went on at the busiest moment of the quarter-hour asked for."""
        if not self.at_once:
            return calls
        moment = self._busiest_moment
        return calls.filter(concurrent_calls.going_on(moment)) if moment else calls.none()

    def _as_far_as_measured(self, calls: CallQuerySet) -> CallQuerySet:
        """Keep the calls that a figure covers, as counts do: of each number since the figure is shown for it."""
        if not self.measured:
            return calls
        coverage = Coverage.of(self.numbers or self.choices)
        by_moment: dict[datetime, list[int]] = {}
        for number in coverage:
            since = coverage.shown_from(number, self.measured)
            if since is not None and since != NEVER:
                by_moment.setdefault(since, []).append(number.pk)
        wanted = Q(pk__in=[])
        for since, ids in by_moment.items():
            of_numbers = Q(destination_number__in=ids)
            wanted |= of_numbers if since == ALWAYS else of_numbers & Q(first_post_at__gte=since)
        return calls.filter(wanted)

    def page(self, cursor: QueryDict) -> Page:
        """Return the calls before or after a cursor. It names a call, so no call is shown twice or left out."""
        calls = as_offered(self.calls())
        newest_first = ("-first_post_at", "-id")
        if place := _place(cursor.get("after", "")):
            at, pk = place
            newer_ones = calls.filter(first_post_at__gte=at).exclude(first_post_at=at, id__lte=pk)
            found = list(newer_ones.order_by("first_post_at", "id")[: CALLS_ON_A_PAGE + 1])
            if len(found) > CALLS_ON_A_PAGE:
                found = found[CALLS_ON_A_PAGE - 1 :: -1]
                return Page(found, self.query(after=_cursor(found[0])), self.query(before=_cursor(found[-1])))
            # Less than a page above: show the first page whole.
            place = None
        elif place := _place(cursor.get("before", "")):
            at, pk = place
            calls = calls.filter(first_post_at__lte=at).exclude(first_post_at=at, id__gte=pk)
        found = list(calls.order_by(*newest_first)[: CALLS_ON_A_PAGE + 1])
        more, found = len(found) > CALLS_ON_A_PAGE, found[:CALLS_ON_A_PAGE]
        return Page(
            found,
            self.query(after=_cursor(found[0])) if found and place else "",
            self.query(before=_cursor(found[-1])) if more else "",
        )

    def _days(self) -> tuple[date | None, date | None]:
        """Return the first day and the last; of the weeks before, those of all of them together."""
        if not (self.weeks and self.first and self.last):
            return self.first, self.last
        return self.first - self.weeks * periods.WEEK, self.last - periods.WEEK

    def _moments(self) -> tuple[datetime | None, datetime | None]:
        first, last = self._days()
        starts = [self.start, periods.day_start(first) if first else None]
        ends = [self.end, periods.day_start(last + periods.DAY) if last else None]
        return (
            max((moment for moment in starts if moment), default=None),
            min((moment for moment in ends if moment), default=None),
        )

    def _of_the_week(self, calls: CallQuerySet) -> CallQuerySet:
        """Keep the calls of the weekdays and hours asked for, local time."""
        if self.weekdays:
            weekday = ExtractIsoWeekDay("first_post_at", tzinfo=periods.zone())
            calls = calls.alias(weekday=weekday).filter(weekday__in=[int(text) for text in self.weekdays])
        if self.hours:
            hour = ExtractHour("first_post_at", tzinfo=periods.zone())
            calls = calls.alias(hour=hour).filter(hour__in=[int(text) for text in self.hours])
        return calls

    def _of_the_weeks_before(self, calls: CallQuerySet) -> CallQuerySet:
        """Keep the calls of the same days of the weeks before, where those are asked for."""
        if not (self.weeks and self.first and self.last):
            return calls
        wanted = Q(pk__in=[])
        for gap in (week * periods.WEEK for week in range(1, self.weeks + 1)):
            start, end = periods.day_start(self.first - gap), periods.day_start(self.last - gap + periods.DAY)
            wanted |= Q(first_post_at__gte=start, first_post_at__lt=end)
        return calls.filter(wanted)

    def _opened(self, calls: CallQuerySet) -> CallQuerySet:
        """Keep the calls that came inside the opening hours of their number, or outside of them."""
        numbers = self.numbers or self.choices
        by_schedule: dict[Schedule | None, list[int]] = {}
        schedules = counts.schedules(numbers)
        for number in numbers:
            by_schedule.setdefault(schedules.get(number.pk), []).append(number.pk)
        wanted = Q(pk__in=[])
        for schedule, ids in by_schedule.items():
            of_numbers = Q(destination_number__in=ids)
            if schedule is None:
                # Without opening hours a number is always open.
                wanted |= of_numbers if self.opening == Opening.INSIDE else Q(pk__in=[])
            else:
                first, last = self._days()
                until = last or periods.today() + periods.DAY
                is_open = opening_of(schedule, (first or EARLIEST) - periods.DAY, until + periods.DAY)
                wanted |= of_numbers & (is_open if self.opening == Opening.INSIDE else ~is_open)
        local = TruncDate("first_post_at", tzinfo=periods.zone())
        minute = ExtractHour("first_post_at", tzinfo=periods.zone()) * 60 + ExtractMinute(
            "first_post_at", tzinfo=periods.zone()
        )
        weekday = ExtractIsoWeekDay("first_post_at", tzinfo=periods.zone())
        return calls.alias(local_day=local, local_minute=minute, local_weekday=weekday).filter(wanted)

    # --- How it is read -----------------------------------------------------------------------

    def _read_destination(self, name: str, text: str, user: Any) -> str:
        """Return a destination with its type; figures of single destinations are not for everybody."""
        if text and not permissions.may_see_destinations(user):
            self.errors[name] = _("Calls of single destinations are listed for staff only.")
            return ""
        return posts.bounded(text)

    def _check_group(self, user: Any) -> None:
        """See that among the numbers and days asked for no small group is told apart."""
        named = [name for name in ("tried", "tried_first", "answered_by") if getattr(self, name)]
        if not named or self.errors:
            return
        if self.weeks:  # days that lie apart
            self.errors["weeks"] = _("Calls of single destinations are listed of days that follow each other.")
            return
        start, end = self._moments()
        first = periods.day_of(start) if start else EARLIEST
        last = periods.day_of(end - timedelta.resolution) if end else max(periods.today(), first)
        period = Period(first, max(first, last), self.opening)
        tried = forwards.destinations_of(Coverage.of(self.numbers or self.choices), period)
        if why := permissions.why_destinations_are_hidden(user, tried):
            self.errors[named[0]] = why

    def _read_search(self, session: SessionBase) -> str:
        if not self.token:
            return ""
        search: str = dict(session.get("searches", [])).get(self.token, "")
        if not search:
            self.errors["search"] = _("That search is no longer known here. Search again.")
        return search


def keep_search(session: SessionBase, text: str) -> str:
    """Keep what was searched for in the session; return the token that stands for it in the address."""
    text = text.replace("\0", "").strip()[:LONGEST_SEARCH]
    if not text:
        return ""
    kept = session.get("searches", [])
    for token, before in kept:
        if before == text:
            return str(token)
    token = secrets.token_urlsafe(9)
    session["searches"] = [*kept, [token, text]][-SEARCHES_KEPT:]
    return token


_MICROSECOND = timedelta(microseconds=1)


def _cursor(call: Call) -> str:
    return f"{(call.first_post_at - periods.EPOCH) // _MICROSECOND}-{call.pk}"


def _place(cursor: str) -> tuple[datetime, int] | None:
    """Return the moment and id a cursor names; None for what is no cursor, which leads to the first page."""
    at, _dash, pk = cursor.partition("-")
    if not (at.isascii() and at.isdigit() and len(at) < 18 and pk.isascii() and pk.isdigit() and len(pk) < 19):
        return None
    try:
        return periods.EPOCH + int(at) * _MICROSECOND, int(pk)
    except OverflowError:
        return None
