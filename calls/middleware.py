"""The first middleware: TENIOS' posts go straight to their view, past sessions, cookies, hosts and redirects."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase

from calls.views import healthz, receive_post


def _answer_post(request: HttpRequest) -> HttpResponse:
    answer: HttpResponse = receive_post(request).render()  # nothing behind us renders it
    return answer


DIRECT = {"/tenios/posts": _answer_post, "/tenios/posts/": _answer_post, "/healthz": healthz}


def posts_first(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    def middleware(request: HttpRequest) -> HttpResponseBase:
        return DIRECT.get(request.path_info, get_response)(request)

    return middleware
