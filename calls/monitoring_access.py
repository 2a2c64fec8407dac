"""Access to monitoring, and the headers of answers for machines."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import TypeVar

from django.conf import settings
from django.http import HttpResponseBase

from accounts.addresses import is_of_this_machine

Answer = TypeVar("Answer", bound=HttpResponseBase)


def may_watch(meta: Mapping[str, str]) -> bool:
    """Return whether a request carries METRICS_TOKEN or, unless BEHIND_HTTPS, comes from this machine.

    A request through a proxy on this machine that names no client looks as if it came from this machine."""
    scheme, _, token = meta.get("HTTP_AUTHORIZATION", "").partition(" ")
    if settings.METRICS_TOKEN and scheme.lower() == "bearer":
        return hmac.compare_digest(token.strip().encode("utf-8", "replace"), settings.METRICS_TOKEN.encode())
    return not settings.BEHIND_HTTPS and is_of_this_machine(meta)


def for_machines(answer: Answer) -> Answer:
    """Add headers that forbid caching and content sniffing; return the answer."""
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Cache-Control"] = "no-store"
    return answer
