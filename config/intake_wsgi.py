"""The WSGI application of the intake process: TENIOS' posts and /healthz, and 404 for everything else.

It has no sessions, no templates and no URL configuration. Django's own WSGI handler is left out too: per request it
sends signals and closes database connections that the intake does not use."""

import os
from collections.abc import Callable, Iterable
from typing import Any

import django
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, JsonResponse
from django.utils.module_loading import import_string

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.intake_settings")
django.setup(set_prefix=False)


def not_found(request: HttpRequest) -> JsonResponse:
    """Answer every other address."""
    return JsonResponse({"error": "not_found"}, status=404)


for_machines: Callable[[Any], Any] = import_string("calls.watching.for_machines")
get_response: Callable[[HttpRequest], Any] = convert_exception_to_response(
    import_string("calls.middleware.posts_first")(not_found)
)


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer one request."""
    try:
        response = get_response(WSGIRequest(environ))
    except (LookupError, ValueError):  # a Content-Type names an encoding that does not exist
        response = JsonResponse({"error": "bad_header"}, status=400)
    response = for_machines(response)
    start_response(f"{response.status_code} {response.reason_phrase}", list(response.items()))
    return [response.content]
