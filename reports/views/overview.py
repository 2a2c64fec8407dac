"""The morning page, and the page before the first call."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from calls.models import DestinationNumber, RequestType
from reports import figures, periods
from reports.counting.outcomes import Outcome
from reports.figures import Coverage, Row
from reports.filters import session_filter
from reports.models import FirstPost
from reports.periods import Opening, Period
from reports.queries import counts, post_arrivals, service_level, today
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

MOST_ATTENTION = 4
# The figures on top.
TILES = ("offered", Outcome.ANSWERED, Outcome.MISSED, Outcome.ABANDONED, "service_level", "time_to_answer")


@require_safe
def home(_request: HttpRequest) -> HttpResponse:
    return redirect("overview")


@require_safe
@login_required
@personal
def overview(request: HttpRequest) -> HttpResponse:
    form = read_report(request)
    everything = Coverage.of(form.choices)
    # A call may have none of the five posts, but others.
    if not everything.first_posts and counts.last_day_with_calls(everything) is None:
        return _first_run(request, form.choices)
    coverage = everything.only(*form.numbers)
    now = counts.totals(coverage, form.period)
    rows = counts.by_number(coverage, form.period)
    compared = compared_with(form, coverage, rows)
    tiles = headline(now, compared, same_days_before(form, coverage), *TILES)
    # Presets end yesterday: today goes on beside them.
    is_live = form.period.first <= periods.today() and form.period.last >= periods.today() - periods.DAY
    page = report(form, coverage, now) | {
        "attention": _attention(everything, form.question),
        "is_live": is_live,
        "today": today.so_far(coverage, timezone.now(), form.opening) if is_live else None,
        "numbers": sorted(rows, key=_most_lost_first),
        "sparks": counts.offered_by_day(coverage, _four_weeks(form.opening)),
        "figures": tiles,
        **compared_in_words(compared, tiles),
        "chosen": form.selected,
        "calls_query": form.query_with(),
        "left_out": _left_out(rows),
    }
    return page_of(request, "reports/overview.html", page, form.choices, form.question)


def _four_weeks(opening: Opening) -> Period:
    """The four weeks up to yesterday: whole days alone say how many calls come."""
    yesterday = periods.today() - periods.DAY
    return Period(yesterday - 27 * periods.DAY, yesterday, opening)


def _attention(everything: Coverage, asked: str) -> list[dict[str, Any]]:
    """What a manager should look at, whatever the filters: silent numbers, those below their aim, missing posts.

    Links carry the question that is asked, but for a service level of its own days."""
    address = session_filter.carry(reverse("coverage"), asked)
    silent = post_arrivals.silent(everything.numbers, timezone.now())
    lacking = [
        one for rows in post_arrivals.of_numbers(everything.numbers).values() for one in rows if one.needs_somebody
    ]
    found = [{"text": one.says, "do": "", "href": f"{address}#n-{one.number.pk}"} for one in silent]
    found += [
        {
            "text": one.says,
            "do": "",
            "href": f"{reverse('number', args=[one.number.pk])}?from={one.period.first}&to={one.period.last}"
            "#service-level",
        }
        for one in service_level.below(everything)
    ]
    found += [{"text": one.says, "do": one.advice, "href": f"{address}#n-{one.number.pk}"} for one in lacking]
    more = len(found) - MOST_ATTENTION
    if more > 0:
        text = ngettext("%(n)d thing more.", "%(n)d things more.", more) % {"n": more}
        found = [*found[:MOST_ATTENTION], {"text": text, "do": "", "href": address}]
    return found


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


def _most_lost_first(row: Row) -> tuple[float, int, str]:
    return -(row.lost.value or 0), -row.offered, row.number.name.casefold() if row.number else ""


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
        "posts_url": settings.PUBLIC_URL + settings.POSTS_PATH if settings.PUBLIC_URL else "",
        "here_url": request.build_absolute_uri(settings.POSTS_PATH),
        "boxes": [
            {"box": figures.BOXES[post], "post": post.value, "unseen": UNSEEN_WITHOUT[post], "seen": post.value in seen}
            for post in RequestType
        ],
    }
    return page_of(request, "reports/first_run.html", page, choices)
