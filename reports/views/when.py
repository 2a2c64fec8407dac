"""The week by its hours, and a period by its intervals."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from reports import periods
from reports.figures import Coverage, Row
from reports.filters import call_filter
from reports.filters.report_filter import ReportForm
from reports.periods import Grain, Opening
from reports.queries import counts, hours_of_week
from reports.queries.hours_of_week import HourOfWeek, Shown, Week
from reports.views.shared import counted, last_day, page_of, personal, read_report, shown_outcomes


@require_safe
@login_required
@personal
def when(request: HttpRequest) -> HttpResponse:
    """The week by its hours, and the period by its intervals."""
    shown = next((one for one in Shown if one.value == request.GET.get("show")), Shown.OFFERED)
    form = read_report(request, unbounded=True, kept=[("show", shown.value)])
    grain = form.by or Grain.HALF_HOUR
    coverage = Coverage.of(form.numbers)
    now = counts.totals(coverage, form.period)
    week = hours_of_week.of_week(coverage, form.period, now, timezone.now())
    of_day = grain not in periods.OF_DAYS and form.period.length > 1
    listed = hours_of_week.last_day(form.period, timezone.now()) if of_day else form.period
    intervals = counts.by_bucket(coverage, listed, grain)
    page = {
        "form": form,
        "period": form.period,
        "zone": settings.TIME_ZONE,
        **counted(),
        "now": now,
        "week": week,
        "shown": shown,
        "shows": [(one, SHOWN[one], form.query_with(kept=[("show", one.value)])) for one in Shown],
        "map": _map(week, shown, form, now),
        "figure": MAPPED[shown],
        "busiest": week.busiest(),
        "worst": week.worst(),
        "grain": grain,
        "grains": [(one, INTERVALS[one], form.query_with(by=one)) for one in Grain],
        "listed": listed,
        "is_one_day": of_day or form.period.length == 1,
        "sum": counts.totals(coverage, listed) if of_day else now,
        "intervals": _without_empty_ends(intervals) if grain not in periods.OF_DAYS else intervals,
        "folded": grain not in periods.OF_DAYS,
        "chosen": form.selected,
        "counts": ["offered", *(key for key, _label in shown_outcomes(now))],
        "means": ["service_level", "time_to_answer", "ring", "talk"],
        "period_query": form.query_with(kept=[]),
        "download_query": form.query_with(period=listed, by=grain, kept=[]),
        **last_day(form, coverage, now),
    }
    return page_of(request, "reports/when.html", page, form.choices, form.question)


SHOWN = {
    Shown.OFFERED: _("Offered"),
    Shown.REACHED: _("Reached, %"),
    Shown.MISSED: _("Missed"),
    Shown.LOST: _("Lost"),
}


# The figure whose calls a cell of the map leads to.
MAPPED = {Shown.OFFERED: "offered", Shown.REACHED: "answered", Shown.MISSED: "missed", Shown.LOST: "lost"}


INTERVALS = {
    Grain.QUARTER_HOUR: _("15 min"),
    Grain.HALF_HOUR: _("30 min"),
    Grain.HOUR: _("60 min"),
    Grain.DAY: _("Day"),
    Grain.WEEK: _("Week"),
    Grain.MONTH: _("Month"),
}


def _map(week: Week, shown: Shown, form: ReportForm, now: Row) -> list[dict[str, Any]]:
    """The cells of the map, row by row: words, colour, and the address of their calls."""
    most = week.most(shown)
    covered = now[shown.value]
    # Where some numbers, or some of the time, are left out.
    measured = [("measured", shown.value)] if covered.left_out or covered.since else []

    def cell(one: HourOfWeek) -> dict[str, Any]:
        query = _query_of(one, shown, form, measured)
        calls = one.calls(shown)
        return {
            "cell": one,
            "step": hours_of_week.step(one, shown, most),
            "calls": calls,
            **_words_of(one, shown),
            "query": query,
        }

    return [
        {
            "name": hours_of_week.WEEKDAYS[weekday - 1],
            "cells": [cell(one) for one in cells],
            "sum": cell(week.of_days[weekday]),
        }
        for weekday, cells in week.rows
    ] + [{"name": _("Week"), "cells": [cell(week.of_hours[hour]) for hour in week.hours], "sum": cell(week.whole)}]


def _words_of(one: HourOfWeek, shown: Shown) -> dict[str, Any]:
    if one.calls(shown) is None:
        return {"text": "–", "title": gettext("not measured")}
    if not one.times and not one.offered:
        return {"text": "", "title": gettext("did not occur in this period")}
    if shown is Shown.REACHED:
        share = one.reached
        text = "–" if share is None else f"{round(share * 100)}"
        return {"text": text, "title": gettext("%(n)d of %(all)d") % {"n": one.answered or 0, "all": one.wanted or 0}}
    mean = one.mean(shown) or 0.0
    text = "0" if not mean else "<1" if mean < 1 else str(int(mean + 0.5))
    return {"text": text, "title": gettext("%(n)d in %(times)d") % {"n": one.calls(shown) or 0, "times": one.times}}


def _query_of(one: HourOfWeek, shown: Shown, form: ReportForm, measured: list[tuple[str, str]]) -> str:
    """Return the address of exactly the calls that a cell is of; nothing where there are none to list."""
    if not one.calls(shown):
        return ""
    pairs = [("from", form.period.first.isoformat()), ("to", form.period.last.isoformat())]
    pairs += [("weekday", str(one.weekday))] * bool(one.weekday) + [("hour", str(one.hour))] * (one.hour >= 0)
    pairs += [("number", number.e164) for number in form.selected]
    if form.opening != Opening.ALL:
        pairs.append(("opening", form.opening.value))
    return urlencode(pairs + call_filter.COUNTED_AS[MAPPED[shown]] + measured)


def _without_empty_ends(rows: list[Row]) -> list[Row]:
    """Leave out what lies before the first call and after the last one."""
    with_calls = [n for n, row in enumerate(rows) if row.offered]
    return rows[with_calls[0] : with_calls[-1] + 1] if with_calls else []
