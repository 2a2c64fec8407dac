"""The WSGI application of the intake process: TENIOS' posts and /healthz, and 404 for everything else.

It has no sessions, no templates and no URL configuration. Django's own WSGI handler is left out too: per request it
sends signals and closes database connections that the intake does not use."""

import os
from collections.abc import Callable, Iterable
from typing import Any

import django
from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, JsonResponse
from django.utils.module_loading import import_string

from config.shares import Kind, Shares, kind_of, refuse_probe

if not settings.configured:  # in tests they are configured already
    # Not only as a default: a shell may have set it to config.settings.
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.intake_settings"
django.setup(set_prefix=False)


def not_found(request: HttpRequest) -> JsonResponse:
    """Answer all other addresses."""
    return JsonResponse({"error": "not_found"}, status=404)


shares = Shares(settings.WEB_THREADS)  # config.serve sets it to the number of threads of this process
for_machines: Callable[[Any], Any] = import_string("calls.monitoring_access.for_machines")
get_response: Callable[[HttpRequest], Any] = convert_exception_to_response(
    import_string("calls.middleware.posts_first")(not_found)
)


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer a request. Only a few probes may hold a thread, because each may wait for a database that is down."""
    if kind_of(environ.get("PATH_INFO", "")) is not Kind.PROBE:
        return answer(environ, start_response)
    if shares.take(Kind.PROBE):
        return refuse_probe(start_response)
    try:
        return answer(environ, start_response)
    finally:
        shares.give_back(Kind.PROBE)


def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    try:
        response = get_response(WSGIRequest(environ))
    except (LookupError, ValueError):  # a Content-Type names an encoding that does not exist
        response = JsonResponse({"error": "bad_header"}, status=400)
    response = for_machines(response)
    start_response(f"{response.status_code} {response.reason_phrase}", list(response.items()))
    return [response.content]
