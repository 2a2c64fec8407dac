"""How the installation stands, for staff."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from calls.models import DestinationNumber
from reports import monitoring
from reports.permissions import is_administrator
from reports.views.shared import page_of, passed_on, personal


@require_safe
@login_required
@personal
def system(request: HttpRequest) -> HttpResponse:
    """How the installation stands, for staff."""
    if not is_administrator(request.user):
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
    choices = list(DestinationNumber.objects.visible_to(request.user))
    return page_of(request, "reports/system.html", page, choices, passed_on(request))
