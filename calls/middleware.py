"""The first middleware: TENIOS' posts go straight to their view, past sessions, cookies, hosts and redirects."""

import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase

from calls import metrics
from calls.views import healthz, receive_post


def _answer_post(request: HttpRequest) -> HttpResponse:
    began = time.perf_counter()
    answer: HttpResponse = receive_post(request).render()  # nothing behind us renders it
    answer._has_been_logged = True  # type: ignore[attr-defined]  # by us, in calls.postlog, and sparingly
    metrics.count_post(answer.status_code, time.perf_counter() - began)
    return answer


DIRECT = {"/tenios/posts": _answer_post, "/tenios/posts/": _answer_post, "/healthz": healthz}


def posts_first(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    def middleware(request: HttpRequest) -> HttpResponseBase:
        return DIRECT.get(request.path_info, get_response)(request)

    return middleware
