"""Access to monitoring, and the headers of answers for machines."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import TypeVar

from django.conf import settings
from django.http import HttpResponseBase

from accounts.addresses import is_of_this_machine

Answer = TypeVar("Answer", bound=HttpResponseBase)
# A browser that opens an answer for machines loads nothing from it, and shows it in no frame.
POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def may_watch(meta: Mapping[str, str]) -> bool:
    """Return whether a request carries METRICS_TOKEN or, unless BEHIND_HTTPS, comes from this machine.

    A request through a proxy on this machine that names no client looks as if it came from this machine."""
    scheme, _, token = meta.get("HTTP_AUTHORIZATION", "").partition(" ")
    if settings.METRICS_TOKEN and scheme.lower() == "bearer":
        return hmac.compare_digest(token.strip().encode("utf-8", "replace"), settings.METRICS_TOKEN.encode())
    return not settings.BEHIND_HTTPS and is_of_this_machine(meta)


def for_machines(answer: Answer) -> Answer:
    """Add the headers of answers for machines; return the answer."""
    for name, value in headers_for_machines().items():
        answer.headers[name] = value
    return answer


def headers_for_machines() -> dict[str, str]:
    """Return headers that forbid caching, content sniffing and use in a page; behind HTTPS, HSTS too."""
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
    }
    if settings.SECURE_HSTS_SECONDS:
        headers["Strict-Transport-Security"] = f"max-age={settings.SECURE_HSTS_SECONDS}"
    return headers
