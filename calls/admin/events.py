"""Admin pages of events: the posts of calls as they are stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from accounts.moments import exactly
from calls import posts, search
from calls.access import Rights
from calls.admin.base import PostedSearchAdmin, ReadOnlyAdmin, VisibleAdmin
from calls.masking import masked_as_received, masked_payload, variables_of_callers
from calls.models import Call, CallEvent, RequestType, Right


@dataclass(frozen=True)
class Mask:
    """Masks the posts of one call: callers for everybody, destinations for people who may not see them."""

    people: bool
    # What to mask also in undocumented fields: the callers and destinations of all posts of the call.
    known_callers: frozenset[str]
    known_destinations: frozenset[str]
    # Variables of the number that say who calls.
    variables: frozenset[str]

    @classmethod
    def of(cls, call: Call, *, people: bool) -> Self:
        named = list(call.events.order_by().values_list("caller_id_number", "destination").distinct())
        return cls(
            people,
            frozenset(caller for caller, _d in named),
            frozenset(to for _c, to in named),
            variables_of_callers(call.destination_number_id),
        )

    def payload(self, payload: str) -> str:
        """Return a payload of the call for people: masked, indented, printable."""
        return posts.pretty(self.masked(payload))

    def masked(self, payload: str) -> str:
        return masked_payload(
            payload,
            callers=False,
            people=self.people,
            known_callers=self.known_callers - {""},
            known_destinations=self.known_destinations - {""},
            variables=self.variables,
        )

    def destination(self, event: CallEvent) -> str:
        """Return the destination, or its type for people who may not see destinations."""
        return event.destination if self.people else event.destination_type


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
class CallEventAdmin(VisibleAdmin, PostedSearchAdmin, ReadOnlyAdmin):
    needs = Right.CALLS
    number_path = "call__destination_number"
    list_display = [
        "received",
        "request_type",
        "detail",
        "destination_number",
        "caller",
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
        "shown_destination",
        "destination_type",
        "destination_number",
        "caller",
        "customer_number",
        "access_key",
        "flags",
        "pretty_payload",
    ]
    readonly_fields = ["of_call", "received", "shown_destination", "caller", "pretty_payload"]

    # A search lists the posts of at most this many calls, newest first, so that it stays fast.
    MOST_CALLS = 1_000

    @admin.display(description=_("received"))
    def received(self, event: CallEvent) -> str:
        return exactly(event.received_at)

    @admin.display(description=_("block or destination"))
    def detail(self, event: Any) -> str:
        return event.block_type or self.shown_destination(event)

    @admin.display(description="destination")
    def shown_destination(self, event: Any) -> str:
        """Return the destination, or its type for people who may not see destinations."""
        shown: str = event.destination if event.sees_people else event.destination_type
        return shown

    @admin.display(description=_("caller as received"))
    def caller(self, event: CallEvent) -> str:
        return masked_as_received(event.caller_id_number)

    @admin.display(description=_("call"))
    def of_call(self, event: CallEvent) -> str:
        return format_html('<a href="{}">{}</a>', reverse("admin:calls_call_change", args=[event.call_id]), event.call)

    @admin.display(description=_("content"))
    def pretty_payload(self, event: Any) -> str:
        mask = Mask.of(event.call, people=event.sees_people)
        return format_html("<pre>{}</pre>", mask.payload(event.payload))

    def search(self, request: HttpRequest, queryset: Any, text: str) -> Any:
        ways = search.callers(text, callers_of=Rights.of(request.user).numbers(Right.CALLERS))
        calls = search.narrowed(Call.objects.visible_to(request.user, self.needs), ways).order_by("-first_post_at")
        return queryset.filter(call__in=list(calls.values_list("pk", flat=True)[: self.MOST_CALLS]))
