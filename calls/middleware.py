"""The first middleware: passes posts straight to their view, without sessions, cookies, host checks and redirects.

A second one sets the scheme of requests for pages."""

import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from rest_framework.response import Response

from accounts.addresses import scheme_of
from calls.health import healthz
from calls.ingest import metrics
from calls.monitoring_access import for_machines
from calls.views import receive_post


def _answer_post(request: HttpRequest) -> HttpResponse:
    began = time.perf_counter()
    answer = receive_post(request)
    if isinstance(answer, Response):
        answer.render()  # no other code renders it
    answer._has_been_logged = True  # type: ignore[attr-defined]  # in calls.ingest.post_log, rate-limited
    metrics.count_post(answer.status_code, time.perf_counter() - began)
    return answer


DIRECT = {settings.POSTS_PATH: _answer_post, f"{settings.POSTS_PATH}/": _answer_post, "/healthz": healthz}


def posts_first(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    def middleware(request: HttpRequest) -> HttpResponseBase:
        direct = DIRECT.get(request.path_info)
        return for_machines(direct(request)) if direct else get_response(request)

    return middleware


def vouched_scheme(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """With PROXY_SECRET, set the META variable that SECURE_PROXY_SSL_HEADER names; no header can set it."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if settings.PROXY_SECRET:
            request.META[settings.VOUCHED_SCHEME] = scheme_of(request.META, settings.PROXY_SECRET)
        return get_response(request)

    return middleware
