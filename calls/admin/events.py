"""Admin pages of events: the posts of calls as they are stored."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from calls import posts, search
from calls.access import Rights
from calls.admin.base import (
    ReadOnlyAdmin,
    exactly,
)
from calls.models import Call, CallEvent, RequestType, Right


class KindOfPost(admin.SimpleListFilter):
    title = "requestType"
    parameter_name = "request_type"
    OTHER = "other"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [*((kind.value, kind.value) for kind in RequestType), (self.OTHER, _("other"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() == self.OTHER:
            return queryset.exclude(request_type__in=RequestType.values)
        return queryset.filter(request_type=self.value()) if self.value() in RequestType.values else queryset


@admin.register(CallEvent)
class CallEventAdmin(ReadOnlyAdmin):
    list_display = [
        "received",
        "request_type",
        "detail",
        "destination_number",
        "caller_id_number",
        "flags",
        "of_call",
    ]
    list_filter = [KindOfPost]
    list_select_related = ["call"]
    search_fields = ["caller_id_number"]
    search_help_text = _("Caller in any spelling, the beginning or the last four digits of a number, or “withheld”")
    # Version-7 UUIDs sort by time of receipt, and the column is indexed.
    ordering = ["-ingest_id"]
    sortable_by = ()
    fields = [
        "of_call",
        "received",
        "request_type",
        "block_type",
        "destination",
        "destination_type",
        "destination_number",
        "caller_id_number",
        "customer_number",
        "access_key",
        "flags",
        "pretty_payload",
    ]
    readonly_fields = ["of_call", "received", "pretty_payload"]

    # A search lists the posts of at most this many calls, newest first, so that it stays fast.
    MOST_CALLS = 1_000

    @admin.display(description=_("received"))
    def received(self, event: CallEvent) -> str:
        return exactly(event.received_at)

    @admin.display(description=_("block or destination"))
    def detail(self, event: CallEvent) -> str:
        return event.block_type or event.destination

    @admin.display(description=_("call"))
    def of_call(self, event: CallEvent) -> str:
        return format_html('<a href="{}">{}</a>', reverse("admin:calls_call_change", args=[event.call_id]), event.call)

    @admin.display(description=_("content"))
    def pretty_payload(self, event: CallEvent) -> str:
        return format_html("<pre>{}</pre>", posts.pretty(event.payload))

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        if not search_term.strip():
            return queryset, False
        ways = search.callers(search_term, callers_of=Rights.of(request.user).numbers(Right.CALLERS))
        calls = search.narrowed(Call.objects.all(), ways).order_by("-first_post_at").values_list("pk", flat=True)
        return queryset.filter(call__in=list(calls[: self.MOST_CALLS])), False
