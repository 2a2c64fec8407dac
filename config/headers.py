"""Headers of all pages, in addition to those that Django and django-csp set."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

# No page uses features that browsers ask people to permit.
PERMISSIONS = ", ".join(
    f"{feature}=()"
    for feature in ("camera", "microphone", "geolocation", "payment", "usb", "browsing-topics", "display-capture")
)


def headers(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware that forbids browser features pages do not need, and caching unless a view allows it: pages show
    personal data."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        answer = get_response(request)
        answer.headers.setdefault("Permissions-Policy", PERMISSIONS)
        answer.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        answer.headers.setdefault("Cache-Control", "private, no-store")
        return answer

    return middleware
