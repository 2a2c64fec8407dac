"""What several pages are made of: the filters, how far is counted, headline figures, what each page says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import cache_control

from calls.models import DestinationNumber
from reports import figures, periods
from reports.counting.outcomes import CALLBACK, Outcome
from reports.figures import Blocks, Cell, Coverage, Row
from reports.filters import session_filter
from reports.filters.presets import Preset
from reports.filters.report_filter import ReportForm
from reports.periods import Grain, Opening, Period
from reports.permissions import is_administrator
from reports.queries import comparison, counts, today
from reports.queries.comparison import Compared

STALE_AFTER = timedelta(minutes=2)
NUMBERS_IN_NAVIGATION = 12
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


def page_of(
    request: HttpRequest, template: str, page: dict[str, Any], choices: Sequence[DestinationNumber], asked: str = ""
) -> HttpResponse:
    """Answer with a page. `asked` is the question that its links to reports carry."""
    navigation = choices if len(choices) <= NUMBERS_IN_NAVIGATION else []
    context = {
        "page": page,
        "navigation": navigation,
        "choices": choices,
        "question": asked,
        "is_administrator": is_administrator(request.user),
    }
    return render(request, template, context)


def read_report(
    request: HttpRequest, *, number: DestinationNumber | None = None, is_for_others: bool = False, **options: Any
) -> ReportForm:
    """Read what a page of counts is asked: its own address, else the question that is remembered; and remember it.

    The page of a number asks for no other, and leaves those that are remembered as they are. A page that only hands the
    question on to others leaves out numbers that are not the person's."""
    query, is_recalled = session_filter.completed(request.GET, request.session)
    if number and "number" not in query:
        query = query.copy()
        query.setlist("number", session_filter.recalled(request.session).getlist("number"))
    ignores = is_recalled or is_for_others
    form = ReportForm(query, request.user, number=number, is_recalled=ignores, **options)
    if form.is_asked and not is_recalled and not form.errors:
        session_filter.remember(request, form.question_to_remember)
    return form


def passed_on(request: HttpRequest) -> str:
    """Return the question that a page hands on which asks none itself."""
    if not session_filter.is_asked(session_filter.completed(request.GET, request.session)[0]):
        return ""
    return read_report(request, is_for_others=True).question


def last_question(request: HttpRequest) -> str:
    """Return the question that is remembered, whatever the address asks."""
    kept = session_filter.recalled(request.session)
    return ReportForm(kept, request.user, is_recalled=True).question if kept else ""


def report(form: ReportForm, coverage: Coverage, now: Row) -> dict[str, Any]:
    """What every page of counts shows: the filters, the period, how far is counted, the chart and the blocks."""
    blocks = counts.blocks(coverage, form.period, now)
    return {
        "form": form,
        "period": form.period,
        "zone": settings.TIME_ZONE,
        **counted(),
        "includes_today": periods.today() in form.period,
        "now": now,
        "buckets": counts.by_bucket(coverage, form.period, form.grain),
        "outcomes": shown_outcomes(now),
        "chart_heading": CHART_HEADINGS[form.grain],
        "blocks": blocks,
        "block_sums": {key: sum_of(blocks, key) for key in ("blocks", "last_in_call", "lost")},
        "when": when_in_words(form),
        "unclassified_word": _("Not measured"),
        "unclassified_text": _("Offered calls of which it is not measured what they came to; so that rows add up."),
        "how_reached": _("How it is counted"),
        **last_day(form, coverage, now),
    }


def last_day(form: ReportForm, coverage: Coverage, now: Row) -> dict[str, Any]:
    """Where a period has no calls, the last day that has."""
    day = None if now.offered else counts.last_day_with_calls(coverage, opening=form.opening)
    return {"last_day": day, "last_day_query": form.query_with(period=Period(day, day)) if day else ""}


def counted() -> dict[str, Any]:
    """How far is counted, which every page of counts says."""
    counted_at = counts.counted_at()
    return {
        "counted_at": counted_at,
        "is_stale": counted_at is None or timezone.now() - counted_at > STALE_AFTER,
    }


def when_in_words(form: ReportForm) -> str:
    """The period as the end of a sentence."""
    if form.opening != Opening.ALL:
        return f"{_days_in_words(form)} {str(form.opening.label).lower()}"
    return _days_in_words(form)


def _days_in_words(form: ReportForm) -> str:
    period, today = form.period, periods.today()
    words = {
        Preset.TODAY: gettext("today"),
        Preset.YESTERDAY: gettext("yesterday"),
        Preset.THIS_MONTH: gettext("this month up to yesterday"),
        Preset.LAST_MONTH: gettext("last month"),
    }
    if form.preset:
        many = gettext("in the %(n)d days up to yesterday") % {"n": period.length}
        return words.get(form.preset, many)
    if period.last == today and period.length > 1:
        return gettext("in the last %(n)d days") % {"n": period.length}
    if period.length == 1:
        return gettext("on %(day)s") % {"day": period.label}
    return gettext("from %(period)s") % {"period": period.label}


def sum_of(blocks: Blocks, key: str) -> Cell:
    """Return the sum of a column; it is measured as far as its rows are, which all are alike in that."""
    cells: list[Cell] = [getattr(row, key) for row in blocks]
    if not cells or cells[0].value is None:
        return cells[0] if cells else Cell(0)
    return cells[0]._replace(value=sum(int(cell.value or 0) for cell in cells))


def shown_outcomes(now: Row) -> list[tuple[str, Any]]:
    """The outcomes as a chart stacks them; those that do not apply to any of the numbers are left away."""
    return [(key, label) for key, label in OUTCOMES if now[key].applies]


def compared_with(form: ReportForm, coverage: Coverage, rows: list[Row] | None = None) -> Compared | None:
    """The period beside the one before, number by number; None where nothing of it is over.

    `rows` are those of the numbers in the period, where they are known."""
    days = form.compared
    if days is None:
        return None
    return comparison.compare(coverage, days, rows if days.now == form.period else None)


def same_days_before(form: ReportForm, coverage: Coverage) -> list[Row]:
    """The same weekdays of the weeks before, where the period is short enough; up to now where it includes today."""
    days = form.compared
    if days is None or form.period.length > 7:
        return []
    return counts.same_days_before(coverage, days.now, periods.USUAL_WEEKS)


def headline(now: Row, compared: Compared | None, weeks: list[Row], *keys: str) -> list[dict[str, Any]]:
    """The figures on top, each beside that of the period before, and what is usual on the same weekdays."""
    return [
        {
            "key": str(key),
            "now": now[key],
            "pair": compared and compared.pair(key),
            "usual": today.usual_of(weeks, key),
            "kind": figures.KINDS.get(key, "count"),
            "is_outcome": key in Outcome.values,
        }
        for key in keys
    ]


def compared_in_words(compared: Compared | None, tiles: list[dict[str, Any]]) -> dict[str, str]:
    """What the figures on top are compared with; and how many numbers, where those of some are not."""
    if compared is None:
        return {"compared_days": "", "compared_numbers": ""}
    pairs = [tile["pair"] for tile in tiles if tile["pair"].of]
    left_out = any(pair.numbers < pair.of for pair in pairs)
    fewest, most = min((pair.numbers for pair in pairs), default=0), max((pair.numbers for pair in pairs), default=0)
    words = ""
    if left_out and len(compared.coverage) > 1:
        parts = {"n": fewest, "most": most, "all": max(pair.of for pair in pairs)}
        words = (
            gettext("Compared: %(n)d of %(all)d numbers, those measured in both periods")
            if fewest == most
            else gettext("Compared: %(n)d to %(most)d of %(all)d numbers, those measured in both periods")
        ) % parts
    return {"compared_days": compared.days.then.label, "compared_numbers": words}


def shown_outcome(one: Any, coverage: Coverage) -> str:
    """Return the outcome of an annotated call; blank where it is not measured for its number at that time."""
    if one.callback_id:
        return CALLBACK
    since = coverage.shown_from(one.destination_number, one.outcome)
    return one.outcome if since is not None and one.first_post_at >= since else ""
