"""Pages of the admin on which people confirm who they are before they change accounts, keys, or what is sent where."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern
from django.utils.translation import gettext

from accounts import confirming

# Pages on which people only look, unless they send something.
LOOKS = ("changelist", "history")


class ConfirmingAdmin(admin.ModelAdmin):
    """Asks before the pages that change something are opened, so that what people type is not lost.

    If a page stays open for longer than twice the time, what it sends is not saved, because it may hold a password; the
    page says so when it is opened again. To be named before the classes that add pages."""

    def get_urls(self) -> list[URLPattern]:
        return [self._asking(url) for url in super().get_urls()]

    def _asking(self, url: URLPattern) -> URLPattern:
        view: Callable[..., HttpResponse] = url.callback
        looks = url.name in {f"{self.opts.app_label}_{self.opts.model_name}_{page}" for page in LOOKS}

        @wraps(view)
        def asking(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            is_sent = request.method == "POST"
            may_change = self.admin_site.has_permission(request) and self._may_change_any(request)
            if not may_change or (looks and not is_sent):
                return view(request, *args, **kwargs)
            if confirming.may_still_send(request) if is_sent else confirming.is_confirmed(request):
                return view(request, *args, **kwargs)
            if is_sent:
                text = gettext("Nothing was saved, because you had to confirm first that it is you. Do it again.")
                messages.warning(request, text)
            return HttpResponseRedirect(confirming.address(request.get_full_path()))

        return URLPattern(url.pattern, asking, url.default_args, url.name)

    def _may_change_any(self, request: HttpRequest) -> bool:
        may = self.get_model_perms(request)
        return may["add"] or may["change"] or may["delete"]
