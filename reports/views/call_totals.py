"""How many calls a list has, where that can be said quickly, and how many of each outcome there are to choose.

From counts, if the list is one of counted calls; else the calls are counted, up to MOST_COUNTED."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count

from reports import periods
from reports.counting.outcomes import IS_OFFERED, NOT_MEASURED, Outcome
from reports.figures.cells import Row
from reports.figures.coverage import Coverage
from reports.filters.call_filter import CallFilter
from reports.filters.call_paging import PageOfCalls
from reports.filters.calls_by_course import CallbackFilter, OutcomeFilter
from reports.filters.calls_by_time import OpeningFilter
from reports.periods import Period
from reports.queries import counts
from reports.views.readable import Readable

# Counting this many calls takes some milliseconds.
MOST_COUNTED = 10_000
# Names of filters of which counts know, and of those by which calls are found in the order of an index.
_OF_COUNTS = {"from", "to", "period", "kept", "number", "opening", "outcome", "callbacks"}
_OF_AN_INDEX = {"from", "to", "period", "kept", "start", "end", "number", "callbacks"}


@dataclass(frozen=True)
class Total(Readable):
    """The number of calls of a list. With `is_more` there are more than that; it is None if not counted.

    Of these, `callbacks` are callbacks, which figures do not count; 0 for a list of calls of one outcome."""

    calls: int | None
    is_more: bool = False
    callbacks: int = 0


@dataclass(frozen=True)
class Totals(Readable):
    """The total of a list, and the calls of each outcome that it would have with only this outcome chosen."""

    total: Total
    by_outcome: dict[str, int]


def totals_of(call_filter: CallFilter, listed: PageOfCalls, coverage: Coverage) -> Totals:
    """Return the totals of a list, of which one page was read."""
    row = _counted(call_filter, coverage)
    by_outcome = {} if row is None else _by_outcome(row)
    return Totals(_total(call_filter, listed, row, by_outcome), by_outcome)


def _counted(call_filter: CallFilter, coverage: Coverage) -> Row | None:
    """Return the counts of the numbers, days and hours of a list; None if it has other filters."""
    names = {name for name, _value in call_filter.pairs()}
    if call_filter.errors or not names <= _OF_COUNTS or not coverage.numbers:
        return None
    period = call_filter.period
    if period is None:
        if names & {"from", "to"} or coverage.first_day > periods.today():
            return None
        period = Period(coverage.first_day, periods.today(), call_filter[OpeningFilter].opening)
    numbers = coverage.only(*call_filter.numbers_listed)
    [row] = counts.in_buckets(numbers, period, [periods.whole(period)], counts.OF_CHART)
    return row


def _by_outcome(row: Row) -> dict[str, int]:
    """Return how many calls have each outcome, as far as it is measured, as the list does."""
    known = {outcome: row[outcome].value for outcome in Outcome.values}
    return {outcome: int(calls) for outcome, calls in known.items() if calls is not None} | {
        NOT_MEASURED: row.unclassified
    }


def _total(call_filter: CallFilter, listed: PageOfCalls, row: Row | None, by_outcome: dict[str, int]) -> Total:
    mixed = not call_filter[OutcomeFilter].chosen
    if not listed.newer and not listed.older:
        callbacks = sum(bool(call.callback_id) for call in listed.calls) if mixed else 0
        return Total(len(listed.calls), callbacks=callbacks)
    if row is not None and (total := _from_counts(call_filter, row, by_outcome)) is not None:
        # Calls of the last seconds are not counted yet.
        return Total(total if total > len(listed.calls) else None)
    if not {name for name, _value in call_filter.pairs()} <= _OF_AN_INDEX:
        return Total(None)
    found = call_filter.calls().values("pk", "callback_id")[: MOST_COUNTED + 1]
    counted = found.aggregate(calls=Count("pk"), callbacks=Count("pk", filter=~IS_OFFERED))
    if counted["calls"] > MOST_COUNTED:
        return Total(MOST_COUNTED, is_more=True)
    return Total(counted["calls"], callbacks=counted["callbacks"] if mixed else 0)


def _from_counts(call_filter: CallFilter, row: Row, by_outcome: dict[str, int]) -> int | None:
    """Return the total of a list by its counts; None if it has calls that are not counted."""
    chosen: Sequence[str] = call_filter[OutcomeFilter].chosen
    if not chosen:
        return row.offered if call_filter[CallbackFilter].are_left_out else None
    found = [by_outcome.get(outcome) for outcome in chosen]
    return None if None in found else sum(count for count in found if count is not None)
