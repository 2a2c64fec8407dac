"""Admin pages of the keys with which other systems write contacts: a new key is shown once, an old one is revoked."""

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
from contacts import contact_keys
from contacts.models import ContactKey


@admin.register(ContactKey)
class ContactKeyAdmin(OfferedFiltersAdmin):
    """Creates, lists and revokes keys. All who may change keys may do all of it; none is edited or deleted."""

    list_display = ["name", "source", "ends_in", "created_at", "last_used_at", "revoked_at"]
    list_filter = [KeyStateFilter]
    fields = ["name", "source", "ends_in", "created_at", "last_used_at", "revoked_at"]
    readonly_fields = ["ends_in"]
    ordering = ["name"]

    @admin.display(description=_("key"))
    def ends_in(self, key: ContactKey) -> str:
        return f"…{key.last4}"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("contacts.change_contactkey")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None:
            return super().get_fieldsets(request, obj)
        description = gettext(
            "The key is shown only once, on the next page. With it the other system adds, replaces and removes the "
            "contacts of this source, and no others."
        )
        return [(None, {"fields": ["name", "source"], "description": description})]

    def get_urls(self) -> list[URLPattern]:
        revoke = self.admin_site.admin_view(self.revoke_view)
        return [
            path("<path:object_id>/revoke/", revoke, name="contacts_contactkey_revoke"),
            *super().get_urls(),
        ]

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        context |= {"show_save_and_continue": False, "show_save_and_add_another": False}
        context["may_revoke"] = self.has_add_permission(request)
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: ContactKey, form: Any, change: bool) -> None:
        obj.issued = contact_keys.issue(obj)

    def response_add(self, request: HttpRequest, obj: ContactKey, post_url_continue: Any = None) -> HttpResponse:
        """Show the key, in this answer only. admin_view forbids browsers to store it."""
        site = settings.PUBLIC_URL or f"{request.scheme}://{request.get_host()}"
        context = self.admin_site.each_context(request) | {
            "opts": self.opts,
            "title": gettext("New contact key"),
            "key": obj,
            "address": f"{site}{reverse('contact', args=[obj.source, 'ID'])}",
        }
        return TemplateResponse(request, "admin/contacts/contactkey/new_key.html", context)

    def revoke_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for confirmation and revoke the key; requests with it are refused from then on."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        key = self.get_object(request, object_id)
        back = reverse("admin:contacts_contactkey_changelist")
        if key is None or key.revoked_at is not None:
            self.message_user(request, gettext("This key is already revoked."), messages.WARNING)
            return HttpResponseRedirect(back)
        if request.method == "POST":
            contact_keys.revoke_key(key.name)
            self.log_change(request, key, "Revoked.")
            self.message_user(request, gettext("The key was revoked."), messages.SUCCESS)
            return HttpResponseRedirect(back)
        context = self.admin_site.each_context(request) | {
            "opts": self.opts,
            "title": gettext("Revoke this contact key?"),
            "key": key,
            "back": back,
        }
        return TemplateResponse(request, "admin/contacts/contactkey/revoke.html", context)
