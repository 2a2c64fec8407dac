"""Admin pages to find access keys and revoke them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from calls import access_keys, phones
from calls.admin.base import (
    MOST_AT_ONCE,
    KeyStateFilter,
    NumberFilter,
    ReadOnlyAdmin,
    SearchKeyAdmin,
    VisibleAdmin,
    ids_of,
    may_issue_keys,
    with_query,
)
from calls.models import AccessKey


class AccessKeyStateFilter(KeyStateFilter):
    """Finds keys that are active, expired or revoked."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        live, revoked = super().lookups(request, model_admin)
        return [live, ("expired", _("expired")), revoked]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        now = timezone.now()
        if self.value() == "live":
            return queryset.live_at(now)
        if self.value() == "expired":
            return queryset.filter(expires_at__lte=now, revoked_at=None)
        return super().queryset(request, queryset)


@admin.register(AccessKey)
class AccessKeyAdmin(VisibleAdmin, SearchKeyAdmin, ReadOnlyAdmin):
    """Finds and revokes keys. Keys are issued and rotated on the pages of their numbers."""

    audited_by_name = True
    list_display = [
        "ends_in",
        "destination_number",
        "state",
        "valid_from",
        "expires_at",
        "revoked_at",
        "last_used_at",
    ]
    list_filter = [AccessKeyStateFilter, ("destination_number", NumberFilter)]
    list_select_related = ["destination_number"]
    search_fields = ["last4", "destination_number__search_key", "destination_number__e164"]
    search_help_text = _("Last four characters of the key, or the number in any spelling")
    fields = [
        "destination_number",
        "ends_in",
        "state",
        "valid_from",
        "expires_at",
        "revoked_at",
        "last_used_at",
        "created_at",
    ]
    readonly_fields = ["ends_in", "state"]
    actions = ["revoke_keys"]
    ordering = ["destination_number", "-created_at", "-pk"]

    @admin.display(description=_("key"), ordering="last4")
    def ends_in(self, key: AccessKey) -> str:
        return str(key)

    @admin.display(description=_("state"))
    def state(self, key: AccessKey) -> str:
        return key.state

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        matching, may_have_duplicates = super().get_search_results(request, queryset, search_term)
        if e164 := phones.e164(search_term):
            matching = matching | queryset.filter(destination_number__e164=e164)
        return matching, may_have_duplicates

    def get_urls(self) -> list[URLPattern]:
        return [
            path("revoke/", self.admin_site.admin_view(self.revoke_view), name="calls_accesskey_revoke"),
            *super().get_urls(),
        ]

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return may_issue_keys(request)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        context["may_revoke"] = may_issue_keys(request)
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.action(description=_("Revoke keys…"), permissions=["revoke"])
    def revoke_keys(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        chosen = list(queryset.values_list("pk", flat=True)[: MOST_AT_ONCE + 1])
        if len(chosen) > MOST_AT_ONCE:
            text = gettext("Select at most %(most)d keys at once.") % {"most": MOST_AT_ONCE}
            self.message_user(request, text, messages.ERROR)
            return None
        return HttpResponseRedirect(with_query("admin:calls_accesskey_revoke", key=chosen))

    def revoke_view(self, request: HttpRequest) -> HttpResponse:
        """Ask for confirmation and revoke the keys; posts with them are refused from then on."""
        if not may_issue_keys(request):
            raise PermissionDenied
        chosen = list(
            AccessKey.objects.filter(pk__in=ids_of(request, "key")[:MOST_AT_ONCE], revoked_at=None)
            .filter(destination_number__in=self.visible_numbers(request).order_by())
            .select_related("destination_number")
            .order_by("destination_number", "pk")
        )
        numbers = {key.destination_number_id for key in chosen}
        back = (
            reverse("admin:calls_destinationnumber_change", args=[*numbers])
            if len(numbers) == 1
            else reverse("admin:calls_accesskey_changelist")
        )
        if not chosen:
            self.message_user(request, gettext("These keys are already revoked."), messages.WARNING)
            return HttpResponseRedirect(back)
        if request.method == "POST":
            self._revoke(request, chosen)
            return HttpResponseRedirect(back)
        context = self.admin_site.each_context(request) | {
            "opts": self.opts,
            "title": ngettext("Revoke this access key?", "Revoke these access keys?", len(chosen)),
            "chosen": chosen,
            "back": back,
        }
        return TemplateResponse(request, "admin/calls/accesskey/revoke.html", context)

    @transaction.atomic
    def _revoke(self, request: HttpRequest, chosen: list[AccessKey]) -> None:
        for key in chosen:
            access_keys.revoke_key(key)
            self.log_change(request, key, "Revoked.")
            self.log_change(request, key.destination_number, f"Revoked the key that ends in {key.last4}.")
        text = ngettext("%(count)d key was revoked.", "%(count)d keys were revoked.", len(chosen))
        self.message_user(request, text % {"count": len(chosen)}, messages.SUCCESS)
