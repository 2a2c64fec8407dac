"""The page of one number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from calls.models import DestinationNumber, RequestType
from reports import figures, periods
from reports.counting import measured
from reports.counting.outcomes import Outcome
from reports.figures import Cell, Coverage, Row, State
from reports.filters.report_filter import ReportForm
from reports.periods import Grain, Period
from reports.queries import concurrent_calls, counts, durations, forwards, service_level, today
from reports.queries.durations import TimesClass
from reports.views.shared import (
    compared_in_words,
    compared_with,
    headline,
    page_of,
    personal,
    read_report,
    report,
    same_days_before,
)


@require_safe
@login_required
@personal
def number(request: HttpRequest, pk: int) -> HttpResponse:
    destination_number = get_object_or_404(DestinationNumber.objects.visible_to(request.user), pk=pk)
    form = read_report(request, number=destination_number)
    coverage = Coverage.of([destination_number])
    now = counts.totals(coverage, form.period)
    compared = compared_with(form, coverage, [replace(now, number=destination_number)])
    then = compared.then[0] if compared else None
    usual = same_days_before(form, coverage)
    # The table of weeks has whole days, also where the period includes today.
    whole_weeks = usual if compared and compared.days.now == form.period else _whole_weeks(form, coverage)
    each = durations.of(coverage, form.period)
    before = durations.of(coverage, compared.days.then) if compared else dict.fromkeys(durations.KEYS, durations.NONE)
    tiles = headline(now, compared, usual, "offered", *_headline_of(coverage, destination_number))
    page = report(form, coverage, now)
    # A column of a time that is not measured would be one of zeros.
    classed = [key for key in CLASSED if now[key].is_measured]
    at_once = concurrent_calls.of(coverage, form.period, [row.bucket for row in page["buckets"]])
    page |= {
        "number": destination_number,
        "figures": tiles,
        **compared_in_words(compared, tiles),
        "without_start": _without_start(now),
        "calls_query": f"{form.query}&{urlencode({'number': destination_number.e164})}",
        "download_query": f"{form.download_query}&{urlencode({'number': destination_number.e164})}",
        "grain_queries": [(grain, form.query_with(by=grain)) for grain in _grains_for(form.period)],
        "times": [
            (key, each[key], then[key] if then else Cell(None, State.EMPTY), before[key], _took(key))
            for key in durations.KEYS
        ],
        "classes": _classes(each, classed, durations.BOUNDS),
        "classed": [(key, figures.FIGURES[key].label, each[key].calls, _took(key)) for key in classed],
        "talk_classes": _classes(each, ["talk"], durations.TALK_BOUNDS),
        "took_talk": _took("talk"),
        "lines": _lines(destination_number, each["time_to_answer"]),
        "levels": [_level(row) for row in page["buckets"]],
        "level": _level(now),
        "aim": destination_number.service_level_aim,
        "reaches_aim": service_level.is_reached(destination_number, now["service_level"].value),
        "points_short": service_level.points_short(destination_number, now["service_level"].value),
        "at_once": at_once,
        "most_at_once": concurrent_calls.highest(at_once),
        "ends_arrive": coverage.arrives_from(destination_number, RequestType.CALL_END) <= form.period.start,
        "forwards": forwards.of(coverage, form.period, with_handovers=False),
        "columns": [(key, figures.KINDS.get(key, "count")) for key in forwards.COLUMNS],
        "weeks": whole_weeks,
        "weeks_sum": _sum_of_weeks(whole_weeks),
        "week_keys": ["offered", *_outcomes_of(coverage, destination_number)],
        "posts": _posts(destination_number, coverage),
    }
    return page_of(request, "reports/number.html", page, form.choices, form.question)


def _whole_weeks(form: ReportForm, coverage: Coverage) -> list[Row]:
    if form.period.length > 7:
        return []
    return counts.same_days_before(coverage, form.period, periods.USUAL_WEEKS)


def _classes(
    each: dict[str, durations.Times], keys: Sequence[str], bounds: Sequence[int]
) -> list[tuple[TimesClass, list[tuple[str, int, list[tuple[str, str]]]]]]:
    """Each class with its calls by kind of time, and what lists them."""
    return [
        (one, [(key, one.calls[key], _took(key, one)) for key in keys]) for one in durations.classes(each, keys, bounds)
    ]


def _took(key: str, one: TimesClass | None = None) -> list[tuple[str, str]]:
    """The filters of the list of calls for those that took as long as a class says, or have that time at all."""
    bounds = {"over": one.above, "upto": one.to} if one else {}
    return [("took", key), *((name, str(bound)) for name, bound in bounds.items() if bound is not None)]


CLASSED = ("time_to_answer", "ring")
# A share of fewer calls is left out of the line.
LEAST_CALLS = 10


def _level(row: Row) -> dict[str, Any]:
    """The service level of a stretch, with its two sides, and as a line draws it."""
    level = row["service_level"]
    in_time, whole = _in_time(row), level.whole
    drawn = level.value if (whole or 0) >= LEAST_CALLS else None
    return {"row": row, "cell": level, "in_time": in_time, "whole": whole, "drawn": drawn and round(drawn * 100, 1)}


def _sum_of_weeks(weeks: list[Row]) -> dict[str, Cell]:
    """The weeks together, as far as each figure is measured in them."""
    if not weeks:
        return {}
    found = {}
    for key, first in weeks[0].cells.items():
        cells = [row[key] for row in weeks if row[key].is_measured]
        if not cells:
            found[key] = first
        elif key in figures.KINDS:
            value, whole = today.usual_of(weeks, key), sum(cell.whole or 0 for cell in cells)
            found[key] = Cell(value, State.EMPTY if value is None else State.MEASURED, whole=whole)
        else:
            found[key] = Cell(sum(int(cell.value or 0) for cell in cells))
    return found


def _lines(destination_number: DestinationNumber, waits: durations.Times) -> list[dict[str, Any]]:
    """The lines in the distribution of waiting: median, nine tenths, and the number's limit."""
    named = [
        (gettext("median"), waits.median),
        (gettext("90 %"), waits.ninetieth),
        (gettext("limit"), destination_number.service_level_s),
    ]
    return [{"name": f"{name} {s} s", "at": durations.place(s)} for name, s in named if s is not None]


def _outcomes_of(coverage: Coverage, destination_number: DestinationNumber) -> list[str]:
    """The four outcomes that tell most of a number."""
    if coverage.applies(destination_number, Outcome.ANSWERED):
        return [Outcome.ANSWERED, Outcome.MISSED, Outcome.ABANDONED, Outcome.SHORT]
    return [Outcome.SERVED_IN_PLAN, Outcome.SHORT, Outcome.IN_PROGRESS, Outcome.END_UNKNOWN]


def _headline_of(coverage: Coverage, destination_number: DestinationNumber) -> list[str]:
    """The figures on top beside offered: those of the overview, or what a number without forwards comes to."""
    if coverage.applies(destination_number, Outcome.ANSWERED):
        return [Outcome.ANSWERED, Outcome.MISSED, Outcome.ABANDONED, "service_level", "time_to_answer"]
    return [*_outcomes_of(coverage, destination_number), "talk"]


def _in_time(now: Row) -> int | None:
    """The calls above the line of the service level."""
    level = now["service_level"]
    return None if level.value is None else round(level.value * (level.whole or 0))


def _without_start(now: Row) -> int:
    """The answered calls that stand on neither side of the service level; 0 where it covers other calls than they."""
    level, answered, lost = now["service_level"], now["answered"], now["lost"]
    if level.value is None or level.since or answered.since or lost.since or None in (answered.value, lost.value):
        return 0
    return int((answered.value or 0) + (lost.value or 0)) - (level.whole or 0)


def _grains_for(period: Period) -> list[Grain]:
    """Return the ways to cut a period that leave something to look at."""
    if period.length == 1:
        return [Grain.HOUR, Grain.QUARTER_HOUR]
    if period.length <= 7:
        return [Grain.DAY, Grain.HOUR, Grain.QUARTER_HOUR]
    return [Grain.DAY, Grain.WEEK, Grain.MONTH]


def _posts(destination_number: DestinationNumber, coverage: Coverage) -> list[dict[str, Any]]:
    """Which of the five posts of a number arrive, and since when."""
    rows = []
    for post in RequestType:
        since = coverage.arrives_from(destination_number, post)
        rows.append(
            {
                "post": post.value,
                "box": figures.BOXES[post],
                "arrives": since != measured.NEVER,
                "since": since if since not in (measured.ALWAYS, measured.NEVER) else None,
                "setting": destination_number.arrives(post),
            }
        )
    return rows
