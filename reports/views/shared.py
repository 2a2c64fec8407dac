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
from reports import figures, periods, querysets, today
from reports.figures import Blocks, Cell, Coverage, Row, State
from reports.forms import ReportForm
from reports.outcomes import CALLBACK, Outcome
from reports.periods import Grain, Opening, Period

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
    request: HttpRequest, template: str, page: dict[str, Any], choices: Sequence[DestinationNumber]
) -> HttpResponse:
    navigation = choices if len(choices) <= NUMBERS_IN_NAVIGATION else []
    return render(request, template, {"page": page, "navigation": navigation, "choices": choices})


def report(form: ReportForm, coverage: Coverage, now: Row) -> dict[str, Any]:
    """What every page of counts shows: the filters, the period, how far is counted, the chart and the blocks."""
    blocks = querysets.blocks(coverage, form.period, now)
    return {
        "form": form,
        "period": form.period,
        "previous": form.period.previous(),
        "zone": settings.TIME_ZONE,
        **counted(),
        "includes_today": periods.today() in form.period,
        "now": now,
        "buckets": querysets.by_bucket(coverage, form.period, form.grain),
        "outcomes": shown_outcomes(now),
        "chart_heading": CHART_HEADINGS[form.grain],
        "blocks": blocks,
        "block_sums": {key: sum_of(blocks, key) for key in ("blocks", "last_in_call", "lost")},
        "when": when_in_words(form),
        "unclassified_word": _("Not measured"),
        "unclassified_text": _("Offered calls of which it is not measured what they came to; so that rows add up."),
        "how_reached": _("How it is counted"),
        "own_period": not any(preset.current for preset in form.presets()),
        **last_day(form, coverage, now),
    }


def last_day(form: ReportForm, coverage: Coverage, now: Row) -> dict[str, Any]:
    """Where a period has no calls, the last day that has."""
    day = None if now.offered else querysets.last_day_with_calls(coverage, opening=form.opening)
    return {"last_day": day, "last_day_query": form.query_with(Period(day, day)) if day else ""}


def counted() -> dict[str, Any]:
    """How far is counted, which every page of counts says."""
    counted_at = querysets.counted_at()
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


def sum_of(blocks: Blocks, key: str) -> Cell:
    """Return the sum of a column; it is measured as far as its rows are, which all are alike in that."""
    cells: list[Cell] = [getattr(row, key) for row in blocks]
    if not cells or cells[0].value is None:
        return cells[0] if cells else Cell(0)
    return cells[0]._replace(value=sum(int(cell.value or 0) for cell in cells))


def shown_outcomes(now: Row) -> list[tuple[str, Any]]:
    """The outcomes as a chart stacks them; those that do not apply to any of the numbers are left away."""
    return [(key, label) for key, label in OUTCOMES if now[key].applies]


def same_days_before(form: ReportForm, coverage: Coverage) -> list[Row]:
    """The same weekdays of the weeks before, where the period is short enough to be compared with them."""
    return querysets.same_days_before(coverage, form.period, periods.USUAL_WEEKS) if form.period.length <= 7 else []


def headline(coverage: Coverage, now: Row, before: Row, weeks: list[Row], *keys: str) -> list[dict[str, Any]]:
    """The figures on top, each beside that of the period before, and what is usual on the same weekdays."""
    # Before the first call there is nothing to compare with.
    is_known = before.bucket is not None and periods.day_of(before.bucket.start) >= coverage.first_day
    return [
        {
            "key": str(key),
            "now": now[key],
            "before": before[key] if is_known else Cell(None, State.NOT_MEASURED),
            "usual": today.usual_of(weeks, key),
            "kind": figures.KINDS.get(key, "count"),
            "is_outcome": key in Outcome.values,
        }
        for key in keys
    ]


def shown_outcome(one: Any, coverage: Coverage) -> str:
    """Return the outcome of an annotated call; blank where it is not measured for its number at that time."""
    if one.callback_id:
        return CALLBACK
    since = coverage.shown_from(one.destination_number, one.outcome)
    return one.outcome if since is not None and one.first_post_at >= since else ""
