"""What pages ask about their session."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods

from accounts import sessions


@require_http_methods(["GET", "HEAD", "POST"])
@cache_control(private=True, no_store=True)
def left(request: HttpRequest) -> JsonResponse:
    """Return for how long the session goes on; 401 if it has ended. A POST says that the person uses it."""
    session: Any = getattr(request, "signed_in_session", None)
    if session is None:
        return JsonResponse({}, status=401)
    if request.method == "POST":
        sessions.note_use(session, request.user)
    return JsonResponse({"left_s": session.left_s, "ends_by_idling": session.ends_by_idling})
