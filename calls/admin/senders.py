"""Admin page of the addresses that posts may come from."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.audit.model_admin import AuditedAdmin
from calls.ingest import intake
from calls.models import SenderPolicy


@admin.register(SenderPolicy)
class SenderPolicyAdmin(AuditedAdmin):
    audited_fields = ("networks", "mode")
    audited_by_name = True
    fieldsets = [
        (
            None,
            {
                "fields": ["networks", "mode"],
                "description": _(
                    "TENIOS sends from 80.239.139.193. A change takes effect within a minute. Addresses in the list "
                    "have no rate limit. Other addresses are limited after many rejected messages. If Calltally is "
                    "behind a proxy, set PROXY_SECRET or TRUSTED_PROXIES. Otherwise all messages seem to come from "
                    "the proxy."
                ),
            },
        )
    ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Redirect to the only sender policy, and create it if it does not exist."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        SenderPolicy.objects.get_or_create(pk=1)
        return HttpResponseRedirect(reverse("admin:calls_senderpolicy_change", args=[1]))

    def save_model(self, request: HttpRequest, obj: SenderPolicy, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        intake.get_intake().read_again()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
