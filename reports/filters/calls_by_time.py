"""Filters of calls by time: days, times, weekdays, hours, opening hours; and simultaneous calls."""

from __future__ import annotations

from datetime import date, datetime
from functools import cached_property

from django.http import QueryDict
from django.utils.dateformat import format as formatted
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from calls.querysets import CallQuerySet
from reports import periods
from reports.filters.base import ChoicesFilter, Filter, FilterForm, Pairs
from reports.filters.presets import Preset
from reports.filters.readers import read_choice, read_day, read_moment, read_opening
from reports.filters.session_filter import DAYS, EVERY_DAY, NOT_KEPT
from reports.periods import USUAL_WEEKS, Opening, Period
from reports.queries import calls as call_queries
from reports.queries import concurrent_calls

PERIOD = gettext_lazy("Period")
WEEKDAYS_AND_HOURS = gettext_lazy("Weekdays and hours")
# One chip removes all filters by time other than whole days.
MOMENTS = "moments"


class DaysFilter(Filter):
    """Calls from the first to the last day, or in a named period."""

    names = ("from", "to", "period", "kept")
    heading = PERIOD
    first: date | None = None
    last: date | None = None
    named = ""
    # Whether they are a choice, which the session keeps; otherwise they are the default of a page that linked here.
    are_kept = True

    @classmethod
    def query_of(
        cls, first: date | None = None, last: date | None = None, named: str = "", *, are_kept: bool = True
    ) -> Pairs:
        """Return the pairs of the query string for days and a named period."""
        kept = "" if are_kept else NOT_KEPT
        texts = (first.isoformat() if first else "", last.isoformat() if last else "", named, kept)
        return [(name, text) for name, text in zip(cls.names, texts, strict=True) if text]

    def parse(self, query: QueryDict) -> None:
        errors = self.asked.errors
        self.first = read_day("from", query.get("from", ""), errors)
        self.last = read_day("to", query.get("to", ""), errors)
        known = [*Preset.values, DAYS, EVERY_DAY]
        self.named = read_choice("period", query, known, errors)
        if self.named in Preset.values and not (self.first or self.last or errors):
            period = Preset(self.named).period(periods.today())
            self.first, self.last = period.first, period.last
        self.are_kept = not (self.first or self.last) or query.get("kept") != NOT_KEPT
        if self.first and self.last and self.first > self.last:
            errors["from"] = _("The first day is after the last day. Swap them, or choose other days.")

    def to_query(self) -> Pairs:
        return self.query_of(self.first, self.last, self.named, are_kept=self.are_kept)

    def label(self) -> str:
        """Return the days; blank if times are set, because they are shown instead."""
        if self.asked[MomentsFilter].to_query():
            return ""
        if self.first and self.last and self.first <= self.last:
            return Period(self.first, self.last).label
        if self.first:
            return _("From %(day)s") % {"day": Period(self.first, self.first).label}
        return _("Until %(day)s") % {"day": Period(self.last, self.last).label} if self.last else ""

    def sheet_label(self) -> str:
        return "" if self.asked[MomentsFilter].to_query() else self.label() or _("All days")

    def apply(self, calls: CallQuerySet) -> CallQuerySet:
        first, last = listed_days(self.asked)
        if first:
            calls = calls.filter(first_post_at__gte=periods.day_start(first))
        return calls.filter(first_post_at__lt=periods.day_start(last + periods.DAY)) if last else calls


class WeeksFilter(Filter):
    """Instead of the chosen days, the same weekdays in the weeks before."""

    names = ("weeks",)
    heading = WEEKDAYS_AND_HOURS
    chip = MOMENTS
    weeks = 0

    def parse(self, query: QueryDict) -> None:
        errors, days = self.asked.errors, self.asked[DaysFilter]
        known = [str(n) for n in range(1, USUAL_WEEKS + 1)]
        self.weeks = int(read_choice("weeks", query, known, errors) or 0)
        if self.weeks and not (days.first and days.last):
            errors.setdefault("weeks", _("Choose the days whose previous weeks you want to see."))

    def to_query(self) -> Pairs:
        return [("weeks", str(self.weeks))] if self.weeks else []

    def label(self) -> str:
        words = ngettext("The same days of the week before", "The same days of the %(n)d weeks before", self.weeks)
        return words % {"n": self.weeks} if self.weeks else ""

    def apply(self, calls: CallQuerySet) -> CallQuerySet:
        days = self.asked[DaysFilter]
        if not (self.weeks and days.first and days.last):
            return calls
        return call_queries.weeks_before(calls, Period(days.first, days.last), self.weeks)


class MomentsFilter(Filter):
    """Calls from a time up to another."""

    names = ("start", "end")
    heading = PERIOD
    chip = MOMENTS
    start: datetime | None = None
    end: datetime | None = None

    @classmethod
    def query_of(cls, start: datetime | None, end: datetime | None) -> Pairs:
        """Return the pairs of the query string for these times."""
        moments = zip(cls.names, (start, end), strict=True)
        return [(name, moment.isoformat()) for name, moment in moments if moment]

    @property
    def period(self) -> Period | None:
        """The days of both times; None unless both are set."""
        if self.start and self.end and self.start < self.end:
            return Period(periods.day_of(self.start), periods.day_of(self.end))
        return None

    def parse(self, query: QueryDict) -> None:
        self.start = read_moment("start", query.get("start", ""), self.asked.errors)
        self.end = read_moment("end", query.get("end", ""), self.asked.errors)

    def to_query(self) -> Pairs:
        return self.query_of(self.start, self.end)

    def label(self) -> str:
        words = [periods.moment_label(moment) for moment in (self.start, self.end) if moment]
        if len(words) != 1:
            return " – ".join(words)
        return (_("From %(moment)s") if self.start else _("Before %(moment)s")) % {"moment": words[0]}

    def apply(self, calls: CallQuerySet) -> CallQuerySet:
        if self.start:
            calls = calls.filter(first_post_at__gte=self.start)
        return calls.filter(first_post_at__lt=self.end) if self.end else calls


def listed_days(asked: FilterForm) -> tuple[date | None, date | None]:
    """Return the first and last listed day. With `weeks`, they span all of the weeks before."""
    days, weeks = asked[DaysFilter], asked[WeeksFilter].weeks
    if not (weeks and days.first and days.last):
        return days.first, days.last
    return days.first - weeks * periods.WEEK, days.last - periods.WEEK


def listed_moments(asked: FilterForm) -> tuple[datetime | None, datetime | None]:
    """Return the start and end that days and times together leave."""
    first, last = listed_days(asked)
    starts = [asked[MomentsFilter].start, periods.day_start(first) if first else None]
    ends = [asked[MomentsFilter].end, periods.day_start(last + periods.DAY) if last else None]
    return (
        max((moment for moment in starts if moment), default=None),
        min((moment for moment in ends if moment), default=None),
    )


class WeekdayFilter(ChoicesFilter):
    """Calls by day of the week in the reports' time zone: 1 is Monday."""

    names = ("weekday",)
    heading = WEEKDAYS_AND_HOURS
    chip = MOMENTS

    def labels(self) -> dict[str, str]:
        # 1 January 2024 was a Monday.
        return {str(n): formatted(date(2024, 1, n), "l") for n in range(1, 8)}

    def label(self) -> str:
        return self.sheet_label()

    def apply(self, calls: CallQuerySet) -> CallQuerySet:
        return call_queries.on_weekdays(calls, [int(day) for day in self.chosen]) if self.chosen else calls


class HourFilter(ChoicesFilter):
    """Calls by hour of the day in the reports' time zone: 9 is from 9:00 to 10:00."""

    names = ("hour",)
    heading = WEEKDAYS_AND_HOURS
    chip = MOMENTS

    def labels(self) -> dict[str, str]:
        return {str(n): f"{n:02}:00 – {n + 1:02}:00" for n in range(24)}

    def label(self) -> str:
        return self.sheet_label()

    def apply(self, calls: CallQuerySet) -> CallQuerySet:
        return call_queries.in_hours(calls, [int(hour) for hour in self.chosen]) if self.chosen else calls


class OpeningFilter(Filter):
    """Calls inside or outside the opening hours of their numbers."""

    names = ("opening",)
    heading = gettext_lazy("Opening hours")
    opening = Opening.ALL

    @classmethod
    def query_of(cls, opening: Opening) -> Pairs:
        """Return the pairs of the query string for these hours."""
        return [] if opening == Opening.ALL else [(cls.names[0], opening.value)]

    def parse(self, query: QueryDict) -> None:
        self.opening = read_opening(query.get("opening", ""), self.asked.errors)

    def to_query(self) -> Pairs:
        return self.query_of(self.opening)

    def label(self) -> str:
        return "" if self.opening == Opening.ALL else str(self.opening.label)

    def sheet_label(self) -> str:
        return str(self.opening.label)

    def apply(self, calls: CallQuerySet) -> CallQuerySet:
        if self.opening == Opening.ALL:
            return calls
        return call_queries.by_opening_hours(calls, self.asked.numbers_listed, self.opening, *listed_days(self.asked))


class AtOnceFilter(Filter):
    """The calls of one number that were ongoing at the peak of a quarter-hour."""

    names = ("at_once",)
    heading = WEEKDAYS_AND_HOURS
    chip = MOMENTS
    moment: datetime | None = None

    def parse(self, query: QueryDict) -> None:
        self.moment = read_moment("at_once", query.get("at_once", ""), self.asked.errors)
        if self.moment and len(self.asked.numbers) != 1:
            self.asked.errors["at_once"] = _("Simultaneous calls are listed for one number only. Choose a number.")

    @cached_property
    def busiest_moment(self) -> datetime | None:
        """The time of the peak, read from the calls."""
        if not self.moment or self.asked.errors:
            return None
        return concurrent_calls.busiest_moment(self.asked.numbers[0], periods.quarter_hour_of(self.moment))

    def to_query(self) -> Pairs:
        return [("at_once", self.moment.isoformat())] if self.moment else []

    def label(self) -> str:
        if not self.moment:
            return ""
        moment = self.busiest_moment or self.moment
        return _("Ongoing at %(moment)s") % {"moment": periods.moment_label(moment, "%H:%M:%S")}

    def apply(self, calls: CallQuerySet) -> CallQuerySet:
        return call_queries.going_on_at(calls, self.busiest_moment) if self.moment else calls
