"""The tab Forwarding and menu: forwards by type and ringing order, and the blocks of the routing plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from reports.queries import counts
from reports.queries import forwards as forward_figures
from reports.views.number.base import NumberPage, NumberReading, read_number, tab_of
from reports.views.shared import BlocksPage, personal


@require_safe
@login_required
@personal
def forwarding(request: HttpRequest, pk: int) -> HttpResponse:
    return tab_of(request, "forwarding.html", build_forwarding(read_number(request, pk)))


@dataclass(frozen=True, kw_only=True)
class ForwardingPage(NumberPage, BlocksPage):
    """What happened to calls in the routing plan."""

    forwards: forward_figures.Report

    name = "number_forwarding"
    files = "blocks counts calls"
    columns: ClassVar = forward_figures.COLUMNS


def build_forwarding(reading: NumberReading) -> ForwardingPage:
    """Build the tab."""
    period = reading.form.period
    return ForwardingPage(
        **reading.of_every_tab,
        forwards=forward_figures.read_forwards(reading.coverage, period, with_handovers=False),
        blocks=counts.blocks(reading.coverage, period, reading.totals),
    )
