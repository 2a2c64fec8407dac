"""Whom calls were forwarded to, and who answered."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from reports import figures, permissions
from reports.counting.outcomes import Outcome
from reports.figures import Coverage
from reports.queries import counts
from reports.queries import forwards as forward_figures
from reports.views.shared import counted, last_day, page_of, personal, read_report, when_in_words

HEADLINE = (*forward_figures.COLUMNS, "handovers")


@require_safe
@login_required
@personal
def forwards(request: HttpRequest) -> HttpResponse:
    form = read_report(request)
    coverage = Coverage.of(form.numbers)
    now = counts.totals(coverage, form.period)
    found = forward_figures.of(coverage, form.period)
    cells = found.total.cells | {"handovers": found.handed_over}
    page = {
        "form": form,
        "period": form.period,
        "zone": settings.TIME_ZONE,
        **counted(),
        "when": when_in_words(form),
        "now": now,
        "chosen": form.selected,
        "forwards": found,
        "answered": [("outcome", Outcome.ANSWERED.value)],
        "figures": [(key, cells[key], figures.KINDS.get(key, "count")) for key in HEADLINE],
        "columns": [(key, figures.KINDS.get(key, "count")) for key in forward_figures.COLUMNS],
        "why_unnamed": permissions.why_destinations_are_hidden(request.user, len(found.destinations)),
        "download_query": form.download_query,
        **last_day(form, coverage, now),
    }
    return page_of(request, "reports/forwards.html", page, form.choices, form.question)
