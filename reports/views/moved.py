"""Addresses of earlier versions. They lead on to the pages that took their place, with the same query string."""

from __future__ import annotations

from typing import Any

from django.views.generic import RedirectView


class Moved(RedirectView):
    """Lead on to the page with another address."""

    http_method_names = ("get", "head")
    query_string = True


class When(Moved):
    """Lead on to Trend if time steps are asked for, else to Busy hours."""

    def get_redirect_url(self, *args: Any, **kwargs: Any) -> str | None:
        self.pattern_name = "trend" if "by" in self.request.GET else "busy_hours"
        return super().get_redirect_url(*args, **kwargs)
