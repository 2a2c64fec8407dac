"""Names of downloads, which tell their filters: `counts-by-hour-2026-09-15-inside-hotline-koln.csv`."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.text import slugify

from calls.models import DestinationNumber
from reports.filters.call_filter import CallFilter
from reports.filters.calls_by_course import CallbackFilter, NumberFilter, OutcomeFilter
from reports.filters.calls_by_time import DaysFilter, OpeningFilter
from reports.filters.report_filter import ReportForm
from reports.periods import Grain, Opening, Period

LONGEST_NAME = 40
# What the name of a file of calls tells; other filters are only said to be set. What was searched for may be a caller.
_TOLD = (DaysFilter, OpeningFilter, NumberFilter, OutcomeFilter, CallbackFilter)
_LOST = {"missed", "abandoned"}


def file_name(what: str, period: Period | None, ending: str = "csv", more: Sequence[str] = ()) -> str:
    """Return the name of a download: `counts-2026-09-09-2026-09-15.csv`, or without days if there is no period."""
    days = dict.fromkeys([period.first.isoformat(), period.last.isoformat()] if period else [])
    hours = [period.opening.value] if period and period.opening != Opening.ALL else []
    return f"{'-'.join([what, *days, *hours, *more])}.{ending}"


def name_of_report(kind: str, form: ReportForm, period: Period, ending: str, *, has_steps: bool) -> str:
    """Return the name of a report's file. Days are the usual time step and not named."""
    is_named = has_steps and form.grain != Grain.DAY
    what = f"{kind}-by-{form.grain.value}" if is_named else kind
    return file_name(what, period, ending, _numbers(form.selected))


def name_of_calls(call_filter: CallFilter, ending: str, *, whole: bool = False) -> str:
    """Return the name of a file of single calls. It never has the text that was searched for."""
    chosen = call_filter[OutcomeFilter].chosen
    outcomes = ["lost"] if set(chosen) == _LOST else list(chosen)
    is_narrower = any(one.to_query() for one in call_filter.filters() if type(one) not in _TOLD)
    more = [*outcomes, *_numbers(call_filter.numbers), *["filtered"] * is_narrower]
    return file_name("calls-whole" if whole else "calls", call_filter.period, ending, more)


def _numbers(selected: Sequence[DestinationNumber]) -> list[str]:
    """Return how a name tells the selected numbers: nothing for all of them, the name of one, else how many."""
    if len(selected) > 1:
        return [f"{len(selected)}-numbers"]
    # A name without a Latin letter leaves nothing.
    return [slugify(one.name)[:LONGEST_NAME].strip("-") or slugify(one.e164) for one in selected]
