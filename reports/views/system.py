"""The state of the installation, for those who run it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from calls.models import DestinationNumber
from reports import monitoring, second_factors
from reports.permissions import may_see_system
from reports.views.shared import Page, page_of, passed_on, personal


@require_safe
@login_required
@personal
def system(request: HttpRequest) -> HttpResponse:
    if not may_see_system(request.user):
        raise PermissionDenied
    choices = list(DestinationNumber.objects.visible_to(request.user))
    return page_of(request, "reports/system.html", build_system_page(), choices, passed_on(request))


@dataclass(frozen=True, kw_only=True)
class SystemPage(Page):
    """The state of the installation, part by part."""

    findings: Sequence[monitoring.Finding]
    version: str
    asked_at: datetime

    @property
    def troubles(self) -> list[monitoring.Finding]:
        return [finding for finding in self.findings if not finding.is_well]


def build_system_page() -> SystemPage:
    """Build the page from the state of this moment."""
    state = monitoring.State.now()
    further = [second_factors.finding()] if state.counted else []
    return SystemPage(
        zone=settings.TIME_ZONE,
        findings=[*monitoring.findings(state), *further],
        version=settings.VERSION,
        asked_at=timezone.now(),
    )
