"""What browsers ask of the pages' processes: what rings now, what was shown, and a test."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import split_domain_port
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from live import feed, notes, queries, rings
from live.models import Pop
from live.people import is_connected
from reports.views.shared import personal

POLL_S = 5
# A page never shows more rings at once.
MOST_IDS = 500
LARGEST_BODY = 16 * 1024


@require_safe
@login_required
@personal
def state(request: HttpRequest) -> HttpResponse:
    """Return whether calls can ring for the person, where the stream is, and what rings now."""
    user: Any = request.user
    (message,) = queries.states_of([user.pk])
    return JsonResponse(
        {
            "connected": is_connected(user),
            "stream_url": stream_url(request),
            "rings": message.data["rings"],
            "at": message.data["at"],
            "profile": queries.profile_of(user),
            "poll_s": POLL_S,
        }
    )


def stream_url(request: HttpRequest) -> str:
    """Return the address of the stream: of the same site, or at LIVE_PORT of the same host where nothing is in front
    of the processes."""
    if not settings.LIVE_PORT:
        return "/live/events"
    host, _port = split_domain_port(request.get_host())
    return f"{request.scheme}://{host}:{settings.LIVE_PORT}/live/events"


@require_POST
@login_required
@personal
def shown(request: HttpRequest) -> HttpResponse:
    """Note which rings of the person were on a screen, and which they opened. Others' rings are not touched."""
    try:
        asked: Any = json.loads(request.body) if len(request.body) <= LARGEST_BODY else None
        ids = {name: [int(pk) for pk in asked.get(name, [])][:MOST_IDS] for name in ("shown", "opened")}
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return HttpResponse(status=400)
    user: Any = request.user
    own, now = Pop.objects.filter(user=user, why_not__in=rings.RINGS), timezone.now()
    own.filter(pk__in=[*ids["shown"], *ids["opened"]], shown_at=None).update(shown_at=now, why_not=rings.SHOWN)
    own.filter(pk__in=ids["opened"], opened_at=None).update(opened_at=now)
    return HttpResponse(status=204)


@require_POST
@login_required
@personal
def test(request: HttpRequest) -> HttpResponse:
    """Let a made-up call ring for the person alone."""
    user: Any = request.user
    with transaction.atomic():
        revision = feed.next_revision()
        Pop.objects.create(user=user, is_test=True, rang_at=timezone.now(), revision=revision)
    return HttpResponse(status=204)


@require_POST
@login_required
@personal
def note(request: HttpRequest) -> JsonResponse:
    """Store the person's note on the call of one of their rings; the answer is the note, or what is wrong with it."""
    written, form = notes.save(request.user, request.POST.get("ring", ""), request.POST)
    if form is not None:
        errors = [message for messages in form.errors.values() for message in messages]
        return JsonResponse({"errors": errors}, status=400)
    return JsonResponse(written)
