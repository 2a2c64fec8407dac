"""Dashboards and downloads. Each view reads the request, asks, answers; what is personal is never stored on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods, require_safe

from calls.models import Call, DestinationNumber, RequestType
from reports import (
    arrivals,
    callforms,
    exports,
    figures,
    hours,
    monitoring,
    periods,
    querysets,
    timeline,
    today,
    workbooks,
)
from reports.callforms import CallFilter
from reports.figures import Blocks, Cell, Coverage, Row
from reports.forms import ReportForm
from reports.hours import HourOfWeek, Shown, Week
from reports.models import FirstPost
from reports.outcomes import CALLBACK, Outcome
from reports.periods import Grain, Period

Asked = TypeVar("Asked", ReportForm, CallFilter)
Answer = Callable[[HttpRequest, Asked], HttpResponseBase]

STALE_AFTER = timedelta(minutes=2)
NUMBERS_IN_NAVIGATION = 12
MOST_ATTENTION = 4
# What people see is theirs alone, and gone from every cache on the way once they sign out.
personal = cache_control(private=True, no_store=True)

CHART_HEADINGS = {
    Grain.QUARTER_HOUR: _("Calls by quarter-hour"),
    Grain.HALF_HOUR: _("Calls by half-hour"),
    Grain.HOUR: _("Calls by hour"),
    Grain.DAY: _("Calls by day"),
    Grain.WEEK: _("Calls by week"),
    Grain.MONTH: _("Calls by month"),
}
OUTCOMES = [(outcome.value, outcome.label) for outcome in Outcome]


@require_safe
def home(_request: HttpRequest) -> HttpResponse:
    return redirect("overview")


@require_safe
@login_required
@personal
def overview(request: HttpRequest) -> HttpResponse:
    form = ReportForm(request.GET, request.user)
    if not Call.objects.filter(destination_number__in=form.choices).exists():
        return _first_run(request, form.choices)
    coverage = Coverage.of(form.numbers)
    now = querysets.totals(coverage, form.period)
    rows = querysets.by_number(coverage, form.period)
    page = _report(form, coverage, now) | {
        "attention": _attention(form.choices),
        "today": today.so_far(coverage, timezone.now()) if periods.today() in form.period else None,
        "numbers": sorted(rows, key=_most_lost_first),
        "sparks": querysets.offered_by_day(coverage, _four_weeks()),
        "figures": _figures(
            now,
            querysets.totals(coverage, form.period.previous()),
            "offered",
            Outcome.ANSWERED,
            Outcome.MISSED,
            Outcome.ABANDONED,
            "service_level",
            "time_to_answer",
        ),
        "chosen": form.selected,
        "calls_query": form.query_with(),
        "number_query": urlencode({"from": form.period.first, "to": form.period.last}),
        "left_out": _left_out(rows),
    }
    return _page(request, "reports/overview.html", page, form.choices)


@require_safe
@login_required
@personal
def number(request: HttpRequest, pk: int) -> HttpResponse:
    destination_number = get_object_or_404(DestinationNumber.objects.visible_to(request.user), pk=pk)
    query = request.GET.copy()
    # The number stands in the path; one in the query string would name another.
    query.pop("number", None)
    form = ReportForm(query, request.user)
    coverage = Coverage.of([destination_number])
    now = querysets.totals(coverage, form.period)
    then = querysets.totals(coverage, form.period.previous())
    page = _report(form, coverage, now) | {
        "number": destination_number,
        "figures": _figures(
            now,
            then,
            "offered",
            *_outcomes_of(coverage, destination_number),
            "talk",
        ),
        "then": then,
        "in_time": _in_time(now),
        "without_start": _without_start(now),
        "calls_query": f"{form.query}&{urlencode({'number': destination_number.e164})}",
        "download_query": f"{form.download_query}&{urlencode({'number': destination_number.e164})}",
        "grain_queries": [(grain, form.query_with(by=grain)) for grain in _grains_for(form.period)],
        "times": ["time_to_answer", "ring", "talk"],
        "posts": _posts(destination_number, coverage),
    }
    return _page(request, "reports/number.html", page, form.choices)


@require_safe
@login_required
@personal
def coverage(request: HttpRequest) -> HttpResponse:
    """Which posts arrive, number by number: why a figure is not measured, and what to tick."""
    choices = list(DestinationNumber.objects.visible_to(request.user))
    covered = Coverage.of(choices)
    arriving = arrivals.of_numbers(choices)
    silent = arrivals.silent(choices, timezone.now())
    needing = {one for one in choices if any(arrival.needs_somebody for arrival in arriving[one])}
    needing |= {silence.number for silence in silent}
    page = {
        "numbers": [
            {
                "number": one,
                "arrivals": arriving[one],
                "silence": next((silence for silence in silent if silence.number == one), None),
                "unmeasured": [
                    figure.label
                    for figure in figures.FIGURES.values()
                    if covered.shown_from(one, figure.key) == figures.NEVER
                ],
            }
            for one in sorted(choices, key=lambda one: one not in needing)
        ],
        "needing": sum(one.needs_somebody for rows in arriving.values() for one in rows) + len(silent),
        "zone": settings.TIME_ZONE,
        **_counted(),
    }
    return _page(request, "reports/coverage.html", page, choices)


@require_safe
@login_required
@personal
def definitions(request: HttpRequest) -> HttpResponse:
    """Every figure in words, and the posts it rests on."""
    page = {
        "figures": [
            {"figure": figure, "posts": [post.value for post in figure.rests_on]} for figure in figures.FIGURES.values()
        ]
    }
    return _page(request, "reports/definitions.html", page, list(DestinationNumber.objects.visible_to(request.user)))


@require_safe
@login_required
@personal
def when(request: HttpRequest) -> HttpResponse:
    """The week by its hours, and the period by its intervals."""
    shown = next((one for one in Shown if one.value == request.GET.get("show")), Shown.OFFERED)
    form = ReportForm(request.GET, request.user, unbounded=True, kept=[("show", shown.value)])
    grain = form.by or Grain.HALF_HOUR
    coverage = Coverage.of(form.numbers)
    now = querysets.totals(coverage, form.period)
    week = hours.of_week(coverage, form.period, now, timezone.now())
    of_day = grain not in periods.OF_DAYS and form.period.length > 1
    listed = hours.last_day(form.period, timezone.now()) if of_day else form.period
    intervals = querysets.by_bucket(coverage, listed, grain)
    page = {
        "form": form,
        "period": form.period,
        "previous": form.period.previous(),
        "zone": settings.TIME_ZONE,
        **_counted(),
        "own_period": not any(preset.current for preset in form.presets()),
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
        "sum": querysets.totals(coverage, listed) if of_day else now,
        "intervals": _without_empty_ends(intervals) if grain not in periods.OF_DAYS else intervals,
        "folded": grain not in periods.OF_DAYS,
        "chosen": form.selected,
        "outcomes": _shown_outcomes(now),
        "download_query": form.query_with(listed, by=grain, kept=[]),
        **_last_day(form, coverage, now),
    }
    return _page(request, "reports/when.html", page, form.choices)


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
    # Where some numbers, or some of the time, are left out, no address says which calls were counted.
    is_whole = not (now[MAPPED[shown]].left_out or now[MAPPED[shown]].since)

    def cell(one: HourOfWeek) -> dict[str, Any]:
        query = _query_of(one, shown, form) if is_whole else ""
        calls = one.calls(shown)
        return {
            "cell": one,
            "step": hours.step(one, shown, most),
            "calls": calls,
            **_words_of(one, shown),
            "query": query,
        }

    return [
        {
            "name": hours.WEEKDAYS[weekday - 1],
            "cells": [cell(one) for one in cells],
            "sum": cell(week.of_days[weekday]),
        }
        for weekday, cells in week.rows
    ] + [{"name": _("Week"), "cells": [cell(week.of_hours[hour]) for hour in week.hours], "sum": cell(week.whole)}]


def _words_of(one: HourOfWeek, shown: Shown) -> dict[str, Any]:
    if one.calls(shown) is None:
        return {"text": "–", "title": gettext("not measured")}
    if shown is Shown.REACHED:
        share = one.reached
        text = "–" if share is None else f"{round(share * 100)}"
        return {"text": text, "title": gettext("%(n)d of %(all)d") % {"n": one.answered or 0, "all": one.wanted or 0}}
    mean = one.mean(shown) or 0.0
    text = "0" if not mean else "<1" if mean < 1 else str(int(mean + 0.5))
    return {"text": text, "title": gettext("%(n)d in %(times)d") % {"n": one.calls(shown) or 0, "times": one.times}}


def _query_of(one: HourOfWeek, shown: Shown, form: ReportForm) -> str:
    """Return the address of exactly the calls that a cell is of; nothing where there are none to list."""
    if not one.calls(shown):
        return ""
    pairs = [("from", form.period.first.isoformat()), ("to", form.period.last.isoformat())]
    pairs += [("weekday", str(one.weekday))] * bool(one.weekday) + [("hour", str(one.hour))] * (one.hour >= 0)
    pairs += [("number", number.e164) for number in form.selected]
    return urlencode(pairs + callforms.COUNTED_AS[MAPPED[shown]])


def _without_empty_ends(rows: list[Row]) -> list[Row]:
    """Leave out what lies before the first call and after the last one."""
    with_calls = [n for n, row in enumerate(rows) if row.offered]
    return rows[with_calls[0] : with_calls[-1] + 1] if with_calls else []


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@personal
def calls(request: HttpRequest) -> HttpResponse:
    """List calls. A search is posted, kept in the session, and stands in the address as a token only."""
    if request.method == "POST":
        posted = request.POST.copy()
        posted["search"] = callforms.keep_search(request.session, request.POST.get("q", ""))
        query = CallFilter.raw_query(posted)
        return redirect(f"{reverse('calls')}?{query}" if query else "calls")
    asked = CallFilter(request.GET, request.user, request.session)
    found = asked.page(request.GET)
    coverage = Coverage.of(asked.choices)
    page = {
        "filter": asked,
        "found": found,
        "rows": [(call, _shown_outcome(call, coverage)) for call in found.calls],
        "outcomes": OUTCOMES,
        "callback": CALLBACK,
        "flags": callforms.FLAGS.items(),
        "block": figures.block_label(asked.block or asked.last_block),
        "zone": settings.TIME_ZONE,
    }
    return _page(request, "reports/calls.html", page, asked.choices)


@require_safe
@login_required
@personal
def call(request: HttpRequest, pk: int) -> HttpResponse:
    choices = list(DestinationNumber.objects.visible_to(request.user))
    visible = callforms.as_offered(Call.objects.filter(destination_number__in=choices))
    one = get_object_or_404(visible, pk=pk)
    events = timeline.events_of(one)
    page = {
        "call": one,
        "outcome": _shown_outcome(one, Coverage.of([one.destination_number])),
        "events": events,
        "bar": timeline.scale_bar(one),
        "variables": timeline.variables_of(events),
        "remarks": timeline.remarks_on(one, events),
        "answered_by": next((e.destination for e in events if e.request_type == RequestType.FORWARD_ANSWER), ""),
        "most": timeline.MOST_EVENTS,
        "zone": settings.TIME_ZONE,
        **_neighbours(one),
    }
    return _page(request, "reports/call.html", page, choices)


@require_safe
@login_required
@personal
def system(request: HttpRequest) -> HttpResponse:
    """How the installation stands, for staff."""
    if not request.user.is_staff:
        raise PermissionDenied
    state = monitoring.State.now()
    findings = monitoring.findings(state)
    page = {
        "findings": findings,
        "troubles": [finding for finding in findings if not finding.is_well],
        "version": settings.VERSION,
        "zone": settings.TIME_ZONE,
        "asked_at": timezone.now(),
    }
    return _page(request, "reports/system.html", page, list(DestinationNumber.objects.visible_to(request.user)))


def _four_weeks() -> Period:
    """The four weeks up to yesterday: whole days alone say how many calls come."""
    yesterday = periods.today() - periods.DAY
    return Period(yesterday - 27 * periods.DAY, yesterday)


def _attention(choices: list[DestinationNumber]) -> list[dict[str, Any]]:
    """What a manager should look at, whatever the filters: numbers gone silent, posts that do not arrive."""
    address = reverse("coverage")
    silent = arrivals.silent(choices, timezone.now())
    lacking = [one for rows in arrivals.of_numbers(choices).values() for one in rows if one.needs_somebody]
    found = [{"text": one.says, "do": "", "href": f"{address}#n-{one.number.pk}"} for one in silent]
    found += [{"text": one.says, "do": one.advice, "href": f"{address}#n-{one.number.pk}"} for one in lacking]
    more = len(found) - MOST_ATTENTION
    if more > 0:
        text = ngettext("%(n)d thing more.", "%(n)d things more.", more) % {"n": more}
        found = [*found[:MOST_ATTENTION], {"text": text, "do": "", "href": address}]
    return found


# --- Downloads ---------------------------------------------------------------------------------


def _download_of(read: Callable[[HttpRequest], Asked]) -> Callable[[Answer[Asked]], Callable[..., HttpResponseBase]]:
    """Make views of functions that answer with a file to what `read` makes of a request, where that could be read."""

    def make(answer: Answer[Asked]) -> Callable[..., HttpResponseBase]:
        @require_safe
        @login_required
        @personal
        @wraps(answer)
        def view(request: HttpRequest) -> HttpResponseBase:
            asked = read(request)
            return _bad_query(asked.errors) if asked.errors else answer(request, asked)

        return view

    return make


_of_a_report = _download_of(lambda request: ReportForm(request.GET, request.user, download=True))
_of_calls = _download_of(lambda request: CallFilter(request.GET, request.user, request.session))


@_of_a_report
def counts_csv(request: HttpRequest, form: ReportForm) -> HttpResponseBase:
    pieces = exports.counts_csv(form.numbers, form.period, form.grain, excel=_is_for_excel(request))
    return exports.download(exports.filename("counts", form.period), pieces)


@_of_a_report
def blocks_csv(request: HttpRequest, form: ReportForm) -> HttpResponseBase:
    pieces = exports.blocks_csv(form.numbers, form.period, form.grain, excel=_is_for_excel(request))
    return exports.download(exports.filename("blocks", form.period), pieces)


@_of_a_report
def planner_csv(_request: HttpRequest, form: ReportForm) -> HttpResponseBase:
    return exports.download(exports.filename("planner", form.period), exports.planner_csv(form.numbers, form.period))


@_of_calls
def calls_csv(request: HttpRequest, asked: CallFilter) -> HttpResponseBase:
    pieces = exports.calls_csv(asked.calls(), excel=_is_for_excel(request))
    return exports.download(exports.filename("calls", asked.period), pieces)


@_of_a_report
def counts_xlsx(_request: HttpRequest, form: ReportForm) -> HttpResponseBase:
    pieces = exports.counts_csv(form.numbers, form.period, form.grain)
    return _workbook(exports.filename("counts", form.period, "xlsx"), pieces, _said_of(form))


@_of_a_report
def blocks_xlsx(_request: HttpRequest, form: ReportForm) -> HttpResponseBase:
    pieces = exports.blocks_csv(form.numbers, form.period, form.grain)
    return _workbook(exports.filename("blocks", form.period, "xlsx"), pieces, _said_of(form))


@_of_calls
def calls_xlsx(_request: HttpRequest, asked: CallFilter) -> HttpResponseBase:
    name = exports.filename("calls", asked.period, "xlsx")
    return _workbook(name, exports.calls_csv(asked.calls()), asked.pairs("search"))


def _said_of(form: ReportForm) -> list[tuple[str, str]]:
    numbers = ", ".join(str(one) for one in form.numbers) if form.selected else gettext("all that you may see")
    return [
        (gettext("Period"), form.period.label),
        (gettext("Numbers"), numbers),
        (gettext("Cut by"), str(form.grain.label)),
    ]


def _workbook(name: str, pieces: exports.Pieces, filters: Sequence[tuple[str, str]]) -> HttpResponseBase:
    try:
        return workbooks.workbook(pieces, name, filters)
    except workbooks.TooLong:
        text = gettext("Excel holds 1,048,575 rows, and these are more. Choose a shorter period, or take the CSV.")
        return _bad_query({"to": text})


def _is_for_excel(request: HttpRequest) -> bool:
    return request.GET.get("format") == "excel"


def _bad_query(errors: dict[str, str]) -> HttpResponse:
    """A download that ignored a filter would be taken for another; so it says what it could not read."""
    return HttpResponse("\n".join(errors.values()) + "\n", status=400, content_type="text/plain; charset=utf-8")


# --- What the pages are made of ------------------------------------------------------------------


def _page(
    request: HttpRequest, template: str, page: dict[str, Any], choices: Sequence[DestinationNumber]
) -> HttpResponse:
    navigation = choices if len(choices) <= NUMBERS_IN_NAVIGATION else []
    return render(request, template, {"page": page, "navigation": navigation, "choices": choices})


def _report(form: ReportForm, coverage: Coverage, now: Row) -> dict[str, Any]:
    """What every page of counts shows: the filters, the period, how far is counted, the chart and the blocks."""
    blocks = querysets.blocks(coverage, form.period)
    return {
        "form": form,
        "period": form.period,
        "previous": form.period.previous(),
        "zone": settings.TIME_ZONE,
        **_counted(),
        "includes_today": periods.today() in form.period,
        "now": now,
        "buckets": querysets.by_bucket(coverage, form.period, form.grain),
        "outcomes": _shown_outcomes(now),
        "chart_heading": CHART_HEADINGS[form.grain],
        "blocks": blocks,
        "block_sums": {key: _sum_of(blocks, key) for key in ("blocks", "last_in_call", "lost")},
        "when": _when(form),
        "unclassified_word": _("Not measured"),
        "unclassified_text": _("Offered calls of which it is not measured what they came to; so that rows add up."),
        "how_reached": _("How it is counted"),
        "own_period": not any(preset.current for preset in form.presets()),
        **_last_day(form, coverage, now),
    }


def _last_day(form: ReportForm, coverage: Coverage, now: Row) -> dict[str, Any]:
    """Where a period has no calls, the last day that has."""
    day = None if now.offered else querysets.last_day_with_calls(coverage)
    return {"last_day": day, "last_day_query": form.query_with(Period(day, day)) if day else ""}


def _counted() -> dict[str, Any]:
    """How far is counted, which every page of counts says."""
    counted_at = querysets.counted_at()
    return {
        "counted_at": counted_at,
        "is_stale": counted_at is None or timezone.now() - counted_at > STALE_AFTER,
    }


def _when(form: ReportForm) -> str:
    """The period as the end of a sentence."""
    first, last, today = form.period.first, form.period.last, periods.today()
    if first == last == today:
        return gettext("today")
    if first == last == today - periods.DAY:
        return gettext("yesterday")
    if last == today and form.period.length > 1:
        return gettext("in the last %(n)d days") % {"n": form.period.length}
    if first == last:
        return gettext("on %(day)s") % {"day": form.period.label}
    return gettext("from %(period)s") % {"period": form.period.label}


def _sum_of(blocks: Blocks, key: str) -> Cell:
    """Return the sum of a column; it is measured as far as its rows are, which all are alike in that."""
    cells: list[Cell] = [getattr(row, key) for row in blocks]
    if not cells or cells[0].value is None:
        return cells[0] if cells else Cell(0)
    return replace(cells[0], value=sum(int(cell.value or 0) for cell in cells))


def _left_out(rows: list[Row]) -> list[str]:
    """Say which numbers totals leave out, and for want of which posts."""
    found = []
    for row in rows:
        posts = dict.fromkeys(post for cell in row.cells.values() if cell.not_measured for post in cell.missing)
        if posts and row.offered and row.number:
            found.append(
                gettext("%(number)s sends no %(posts)s") % {"number": row.number.name, "posts": ", ".join(posts)}
            )
    return found


def _shown_outcomes(now: Row) -> list[tuple[str, Any]]:
    """The outcomes as a chart stacks them; those that do not apply to any of the numbers are left away."""
    return [(key, label) for key, label in OUTCOMES if now[key].applies]


def _outcomes_of(coverage: Coverage, destination_number: DestinationNumber) -> list[str]:
    """The four outcomes that tell most of a number."""
    if coverage.applies(destination_number, Outcome.ANSWERED):
        return [Outcome.ANSWERED, Outcome.MISSED, Outcome.ABANDONED, Outcome.SHORT]
    return [Outcome.SERVED_IN_PLAN, Outcome.SHORT, Outcome.IN_PROGRESS, Outcome.END_UNKNOWN]


def _figures(now: Row, before: Row, *keys: str) -> list[dict[str, Any]]:
    return [
        {
            "key": str(key),
            "now": now[key],
            "before": before[key],
            "kind": figures.KINDS.get(key, "count"),
            "is_outcome": key in Outcome.values,
        }
        for key in keys
    ]


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


def _most_lost_first(row: Row) -> tuple[float, int, str]:
    return -(row.lost.value or 0), -row.offered, row.number.name.casefold() if row.number else ""


def _posts(destination_number: DestinationNumber, coverage: Coverage) -> list[dict[str, Any]]:
    """Which of the five posts of a number arrive, and since when."""
    rows = []
    for post in RequestType:
        since = coverage.arrives_from(destination_number, post)
        rows.append(
            {
                "post": post.value,
                "box": figures.BOXES[post],
                "arrives": since != figures.NEVER,
                "since": since if since not in (figures.ALWAYS, figures.NEVER) else None,
                "setting": destination_number.arrives(post),
            }
        )
    return rows


def _shown_outcome(one: Any, coverage: Coverage) -> str:
    """Return the outcome of an annotated call; blank where it is not measured for its number at that time."""
    if one.callback_id:
        return CALLBACK
    since = coverage.shown_from(one.destination_number, one.outcome)
    return one.outcome if since is not None and one.first_post_at >= since else ""


def _neighbours(one: Call) -> dict[str, int | None]:
    """Return the calls of the same number before and after this one."""
    same: QuerySet[Call] = Call.objects.filter(destination_number=one.destination_number_id)
    at, pk = one.first_post_at, one.pk
    earlier = same.filter(first_post_at__lte=at).exclude(first_post_at=at, id__gte=pk)
    later = same.filter(first_post_at__gte=at).exclude(first_post_at=at, id__lte=pk)
    return {
        "earlier": earlier.order_by("-first_post_at", "-id").values_list("pk", flat=True).first(),
        "later": later.order_by("first_post_at", "id").values_list("pk", flat=True).first(),
    }


# What cannot be seen without each of the five posts.
UNSEEN_WITHOUT = {
    RequestType.CALL_START: _("calls that never get further; the caller's whole wait"),
    RequestType.BLOCK_END: _("where callers give up"),
    RequestType.INITIATE_FORWARD: _("missed, abandoned, ring time, service level"),
    RequestType.FORWARD_ANSWER: _("answered, service level, every time"),
    RequestType.CALL_END: _("missed, abandoned, short calls, talk time"),
}


def _first_run(request: HttpRequest, choices: list[DestinationNumber]) -> HttpResponse:
    """The page before the first call: for staff the next step, for others whom to ask."""
    newest = max(choices, key=lambda choice: choice.created_at, default=None)
    seen: dict[str, datetime] = dict(
        FirstPost.objects.filter(destination_number=newest).values_list("request_type", "quarter_hour")
    )
    page = {
        "newest": newest,
        "keys": [key for key in newest.access_keys.all() if key.is_live()] if newest else [],
        "posts_url": f"{settings.PUBLIC_URL}/tenios/posts" if settings.PUBLIC_URL else "",
        "here_url": request.build_absolute_uri("/tenios/posts"),
        "boxes": [
            {"box": figures.BOXES[post], "post": post.value, "unseen": UNSEEN_WITHOUT[post], "seen": post.value in seen}
            for post in RequestType
        ],
    }
    return _page(request, "reports/first_run.html", page, choices)
