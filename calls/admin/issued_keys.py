"""Admin pages of keys that are shown once, when they are created, and revoked later: a base class for each kind."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.admin_base import OfferedFiltersAdmin
from calls.admin.base import KeyStateFilter


class IssuedKeyAdmin(OfferedFiltersAdmin):
    """Creates, lists and revokes keys. All who may change keys may do all of it; none is edited or deleted.

    Its model has `last4`, `revoked_at` and `issued`; beside its templates are new_key.html and revoke.html."""

    audited_by_name = True
    audited_fields: tuple[str, ...] = ("name", "last4")
    list_filter = [KeyStateFilter]
    ordering = ["name"]
    new_title: Any
    revoke_title: Any

    def issue(self, key: Any) -> str:
        """Store a new row with a key; return the key."""
        raise NotImplementedError

    def revoke(self, key: Any) -> None:
        """Store that a key is revoked."""
        raise NotImplementedError

    def next_steps(self, key: Any, site: str) -> dict[str, Any]:
        """Return what the page with a new key shows beside it; `site` is the address of the installation."""
        raise NotImplementedError

    @admin.display(description=_("key"))
    def ends_in(self, key: Any) -> str:
        return f"…{key.last4}"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        revoke = self.admin_site.admin_view(self.revoke_view)
        name = f"{self.opts.app_label}_{self.opts.model_name}_revoke"
        return [path("<path:object_id>/revoke/", revoke, name=name), *super().get_urls()]

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        context |= {"show_save_and_continue": False, "show_save_and_add_another": False}
        context["may_revoke"] = self.has_add_permission(request)
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        obj.issued = self.issue(obj)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> HttpResponse:
        """Show the key, in this answer only. admin_view forbids browsers to store it."""
        site = settings.PUBLIC_URL or f"{request.scheme}://{request.get_host()}"
        return self._page(request, "new_key", self.new_title, {"key": obj, **self.next_steps(obj, site)})

    def revoke_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for confirmation and revoke the key."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        key = self.get_object(request, object_id)
        back = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        if key is None or key.revoked_at is not None:
            self.message_user(request, gettext("This key is already revoked."), messages.WARNING)
            return HttpResponseRedirect(back)
        if request.method == "POST":
            self.revoke(key)
            self.log_change(request, key, "Revoked.")
            self.message_user(request, gettext("The key was revoked."), messages.SUCCESS)
            return HttpResponseRedirect(back)
        return self._page(request, "revoke", self.revoke_title, {"key": key, "back": back})

    def _page(self, request: HttpRequest, name: str, title: Any, values: dict[str, Any]) -> HttpResponse:
        context = self.admin_site.each_context(request) | {"opts": self.opts, "title": title, **values}
        return TemplateResponse(request, f"admin/{self.opts.app_label}/{self.opts.model_name}/{name}.html", context)
