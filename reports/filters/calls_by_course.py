"""Filters of calls by number and by course: outcome, blocks, destinations, durations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from calls import posts
from calls.models import DestinationNumber
from calls.querysets import CallQuerySet
from contacts.agents import labelled
from reports import periods, permissions
from reports.counting import outcomes
from reports.counting.outcomes import Outcome
from reports.figures.block_types import block_label
from reports.figures.coverage import Coverage
from reports.figures.definitions import FIGURES
from reports.filters.base import ChoiceFilter, ChoicesFilter, Filter, Pairs
from reports.filters.calls_by_time import OpeningFilter, WeeksFilter, listed_moments
from reports.filters.readers import read_choice, read_numbers, read_seconds
from reports.periods import Period
from reports.queries import calls as call_queries
from reports.queries import forwards

TIMES = gettext_lazy("Waiting and talking")


class NumberFilter(Filter):
    """Calls of some of the numbers whose single calls the user may see."""

    names = ("number",)
    heading = gettext_lazy("Numbers")

    @classmethod
    def query_of(cls, numbers: Sequence[DestinationNumber]) -> Pairs:
        """Return the pairs of the query string for these numbers."""
        return [(cls.names[0], number.e164) for number in numbers]

    def parse(self, query: QueryDict) -> None:
        """Raise Http404 for a number that the user may not see or that does not exist."""
        asked = self.asked
        named = read_numbers(query.getlist("number"), asked.visible, ignore_others=asked.is_recalled)
        asked.numbers = [number for number in named if number in asked.choices]
        asked.withheld = [number for number in named if number not in asked.choices]
        if asked.withheld:
            names = ", ".join(number.name for number in asked.withheld)
            asked.errors["number"] = _("You may not see single calls of: %(numbers)s.") % {"numbers": names}

    def to_query(self) -> Pairs:
        return self.query_of(self.asked.numbers)

    def sheet_label(self) -> str:
        return ", ".join(str(number) for number in self.asked.numbers) or _("All numbers you have access to")

    def apply(self, calls: CallQuerySet) -> CallQuerySet:
        return calls.filter(destination_number__in=self.asked.numbers_listed)


class OutcomeFilter(ChoicesFilter):
    """Calls by the outcome that is shown for them; also callbacks, and calls whose outcome is not measured."""

    names = ("outcome",)
    heading = gettext_lazy("Outcome")
    has_field = True

    @classmethod
    def query_of(cls, *wanted: str) -> Pairs:
        """Return the pairs of the query string for these outcomes."""
        return [(cls.names[0], outcome) for outcome in wanted]

    def labels(self) -> dict[str, Any]:
        return {**dict(Outcome.choices), **outcomes.MORE_OUTCOMES}

    @property
    def are_lost(self) -> bool:
        """Whether exactly the lost calls are asked for."""
        return sorted(self.chosen) == sorted(outcome for _name, outcome in FIGURES["lost"].listed_as)

    def label(self) -> str:
        return str(FIGURES["lost"].label) if self.are_lost else self.sheet_label()

    def apply(self, calls: CallQuerySet) -> CallQuerySet:
        if not self.chosen:
            return calls
        coverage = self.asked.coverage.only(*self.asked.numbers_listed)
        return call_queries.with_outcomes(calls, self.chosen, coverage, listed_moments(self.asked)[0])


class FlagFilter(ChoicesFilter):
    """Calls by what is unusual about their posts."""

    names = ("flag",)
    heading = gettext_lazy("Remarks")
    has_field = True

    def labels(self) -> dict[str, Any]:
        return {
            "contradicts": _("Contradictory data"),
            "weak": _("Uncertain match"),
            "odd": _("Unusual data"),
        }

    def apply(self, calls: CallQuerySet) -> CallQuerySet:
        if "weak" in self.chosen:
            calls = calls.filter(weakly_identified=True)
        if "odd" in self.chosen:
            calls = calls.filter(has_odd_posts=True)
        return calls.contradicting() if "contradicts" in self.chosen else calls


class CallbackFilter(Filter):
    """All calls except those that a callback started."""

    names = ("callbacks",)
    heading = gettext_lazy("Callbacks")
    has_field = True
    are_left_out = False

    @classmethod
    def query_of(cls) -> Pairs:
        """Return the pairs of the query string for all calls except callbacks."""
        return [(cls.names[0], "no")]

    def parse(self, query: QueryDict) -> None:
        self.are_left_out = query.get("callbacks") == "no"

    def to_query(self) -> Pairs:
        return self.query_of() if self.are_left_out else []

    def sheet_label(self) -> str:
        return _("Not included") if self.are_left_out else ""

    def apply(self, calls: CallQuerySet) -> CallQuerySet:
        return call_queries.without_callbacks(calls) if self.are_left_out else calls


class BlockFilter(Filter):
    """Calls that passed a block, or that ended unanswered after it."""

    names = ("block", "last_block")
    chip = "block"
    block = last_block = ""

    def parse(self, query: QueryDict) -> None:
        # Shortened as stored texts are, so that they match.
        self.block, self.last_block = (posts.bounded(query.get(name, "")) for name in self.names)

    def to_query(self) -> Pairs:
        return [(name, getattr(self, name)) for name in self.names if getattr(self, name)]

    def chip_label(self) -> str:
        if self.block:
            return _("Passed %(block)s") % {"block": block_label(self.block)}
        return (
            _("Ended without an answer, last block %(block)s") % {"block": block_label(self.last_block)}
            if self.last_block
            else ""
        )

    def sheet_rows(self) -> Iterable[tuple[str, str]]:
        yield _("Passed block"), block_label(self.block) if self.block else ""
        yield _("Last block"), block_label(self.last_block) if self.last_block else ""

    def apply(self, calls: CallQuerySet) -> CallQuerySet:
        if self.block:
            calls = call_queries.passing_block(calls, self.block)
        return call_queries.ended_unanswered_after_block(calls, self.last_block) if self.last_block else calls


class DestinationFilter(Filter):
    """Calls by the destination that was tried, tried first, or answered first. This is data about single people.

    The address has a token of the destination, which is looked up among those of the numbers that are listed."""

    names = ("tried", "tried_first", "answered_by")
    heading = gettext_lazy("Destination")
    chip = "destination"
    labels = {
        "tried": gettext_lazy("Tried at %(destination)s"),
        "tried_first": gettext_lazy("Tried first at %(destination)s"),
        "answered_by": gettext_lazy("Answered by %(destination)s"),
    }
    keep = {
        "tried": call_queries.tried,
        "tried_first": call_queries.tried_first,
        "answered_by": call_queries.answered_by,
    }
    # By name of the filter: what the address has, and the name of the destination as far as the person may know it.
    tokens: dict[str, str]
    destinations: dict[str, str]
    # The days that are listed; people change from day to day.
    first: date
    last: date

    def parse(self, query: QueryDict) -> None:
        asked = self.asked
        self.tokens = {name: text for name in self.names if (text := query.get(name, "").strip())}
        self.destinations = {}
        if self.tokens and not permissions.may_see_destinations(asked.user, asked.numbers_listed):
            for name in self.tokens:
                asked.errors[name] = _("To protect employees, you may not list calls of single destinations.")
            self.tokens = {}
        # Other texts, such as a number that a person typed, are never written into an address.
        unknown = [name for name, text in self.tokens.items() if not forwards.TOKEN.fullmatch(text)]
        if unknown:
            self._refuse(unknown)
        elif self.tokens and not asked.errors:
            self._look_up()

    def _look_up(self) -> None:
        """Read which destinations the tokens stand for.

        Report an error if the chosen numbers and days have so few destinations that they stand for single people."""
        asked = self.asked
        if asked[WeeksFilter].weeks:  # days that lie apart
            asked.errors["weeks"] = _("Calls of single destinations can be listed for consecutive days only.")
            return
        start, end = listed_moments(asked)
        first = periods.day_of(start) if start else call_queries.EARLIEST
        last = periods.day_of(end - timedelta.resolution) if end else max(periods.today(), first)
        self.first, self.last = first, max(first, last)
        period = Period(first, self.last, asked[OpeningFilter].opening)
        names = forwards.names_of(Coverage.read(asked.numbers_listed), period)
        if why := permissions.why_destinations_are_hidden(asked.user, asked.numbers_listed, len(names)):
            asked.errors[next(iter(self.tokens))] = why
            return
        by_token = {forwards.token(name): name for name in names}
        if not by_token.keys() >= set(self.tokens.values()):
            # Destinations of other days, so that one can go from a week to the next.
            others = forwards.names_at_any_time([number.pk for number in asked.numbers_listed])
            by_token |= {forwards.token(name): name for name in others}
        self.destinations = {name: by_token[text] for name, text in self.tokens.items() if text in by_token}
        self._refuse([name for name in self.tokens if name not in self.destinations])

    def _refuse(self, unknown: Iterable[str]) -> None:
        """Report the filters that name no destination of the numbers that are listed, and leave them out."""
        for name in unknown:
            self.asked.errors[name] = _("This link names a destination that these numbers do not have.")
            del self.tokens[name]

    def to_query(self) -> Pairs:
        return list(self.tokens.items())

    def label(self) -> str:
        return ", ".join(
            str(self.labels[kind]) % {"destination": self._readable(name)} for kind, name in self.destinations.items()
        )

    def chip_label(self) -> str:
        """Return the label, also if the destination must not be named: the chip removes the filter."""
        return self.label() or (_("Single destination") if self.tokens else "")

    def _readable(self, name: str) -> str:
        destination, destination_type = forwards.parted(name)
        names = self.asked.agents.between(destination, destination_type, self.first, self.last)
        return labelled(names, destination) or _("without a name")

    def apply(self, calls: CallQuerySet) -> CallQuerySet:
        for kind, name in self.destinations.items():
            calls = self.keep[kind](calls, name)
        return calls


class DurationFilter(Filter):
    """Calls with a known time (such as talk time), and its length."""

    names = ("took", "over", "upto")
    heading = TIMES
    chip = "time"
    took = ""
    over_s: int | None = None
    upto_s: int | None = None

    def parse(self, query: QueryDict) -> None:
        errors, known = self.asked.errors, list(call_queries.TIMES)
        self.took = read_choice("took", query, known, errors)
        self.over_s, self.upto_s = (read_seconds(name, query.get(name, ""), errors) for name in ("over", "upto"))
        if (self.over_s is not None or self.upto_s is not None) and not self.took:
            errors.setdefault(
                "took", _("Choose the time that the seconds are of: %(known)s.") % {"known": ", ".join(known)}
            )

    def to_query(self) -> Pairs:
        bounds = [("over", self.over_s), ("upto", self.upto_s)]
        pairs = [("took", self.took)] if self.took else []
        return [*pairs, *((name, str(seconds)) for name, seconds in bounds if seconds is not None)]

    def label(self) -> str:
        if not self.took:
            return ""
        if self.over_s is not None and self.upto_s is not None:
            words = _("%(time)s over %(over)d s and up to %(upto)d s")
        elif self.over_s is not None:
            words = _("%(time)s over %(over)d s")
        elif self.upto_s is not None:
            words = _("%(time)s up to %(upto)d s")
        else:
            words = _("%(time)s known")
        return words % {"time": FIGURES[self.took].label, "over": self.over_s, "upto": self.upto_s}

    def apply(self, calls: CallQuerySet) -> CallQuerySet:
        return call_queries.taking(calls, self.took, self.over_s, self.upto_s) if self.took else calls


class MeasuredFilter(ChoiceFilter):
    """Calls for which a figure is measured, for each number from its own time on."""

    names = ("measured",)
    heading = TIMES
    chip = "time"

    def labels(self) -> dict[str, Any]:
        return {key: figure.label for key, figure in FIGURES.items()}

    def label(self) -> str:
        return _("Only where “%(figure)s” is measured") % {"figure": super().label()} if self.chosen else ""

    def apply(self, calls: CallQuerySet) -> CallQuerySet:
        if not self.chosen:
            return calls
        return call_queries.as_far_as_measured(calls, self.chosen, self.asked.numbers_listed)


class ServiceLevelFilter(ChoiceFilter):
    """Calls by service level: answered in time, counted by it, or answered but not counted."""

    names = ("level",)
    heading = TIMES
    chip = "time"

    @classmethod
    def query_of(cls, side: str) -> Pairs:
        """Return the pairs of the query string for one of these groups."""
        return [(cls.names[0], side)]

    def labels(self) -> dict[str, Any]:
        return {
            "in_time": _("Answered in time"),
            "counted": _("Counted in the service level"),
            "neither": _("Answered, start not reported"),
        }

    def apply(self, calls: CallQuerySet) -> CallQuerySet:
        return call_queries.of_service_level(calls, self.chosen) if self.chosen else calls
