"""What the pages of the admin share."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.contrib.postgres.fields import ArrayField
from django.core.paginator import Paginator
from django.db.models import BigIntegerField, F, Func, IntegerField, Q, QuerySet, Value
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from calls import search_keys
from calls.models import RequestType

admin.site.site_title = admin.site.site_header = "Calltally"
admin.site.index_title = _("Numbers, keys and calls")

# Where each of the five boxes stands in TENIOS' portal, in the order in which their posts arrive.
BOXES = {
    RequestType.CALL_START: _("at the start of the plan"),
    RequestType.BLOCK_END: _("after each block"),
    RequestType.INITIATE_FORWARD: _("when a forward starts"),
    RequestType.FORWARD_ANSWER: _("when a forward is answered"),
    RequestType.CALL_END: _("at the end of the plan"),
}
MOST_AT_ONCE = 100
# For forms with dates. The admin's own script stands first, because the other one amends it.
DATE_SCRIPTS = ("admin/js/core.js", "calls/dates.js")


class CappedPaginator(Paginator):
    """Counts no further than it lets people turn pages, so that a list of millions opens as fast as a short one."""

    MOST = 5_000

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: self.MOST].count())


class ReadOnlyAdmin(admin.ModelAdmin):
    """For what posts and roll-ups write: to be looked at, never changed by hand."""

    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = CappedPaginator
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class SearchKeyAdmin(admin.ModelAdmin):
    """Searches search keys in any case, with or without diacritics; its other search fields hold ASCII."""

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        for word in search_term.split():
            found = Q()
            for field in self.search_fields:
                is_key = field.endswith("search_key")
                found |= search_keys.contains(field, word) if is_key else Q(**{f"{field}__icontains": word})
            queryset = queryset.filter(found)
        return queryset, False


class FoldedList(ChangeList):
    """A list whose searched columns are ordered by their folded texts."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet) -> list[Any]:
        return in_folded_order(self.model_admin, super().get_ordering(request, queryset))


class FoldedAdmin(admin.ModelAdmin):
    """Search and order of Django's own tables, which have no search keys: their few rows are folded in Python."""

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        if not search_term.strip():
            return queryset, False
        rows = queryset.order_by().values_list("pk", *self.search_fields)
        found = [pk for pk, *texts in rows if search_keys.matches(search_term, texts)]
        return queryset.filter(pk__in=found), False

    def get_ordering(self, request: HttpRequest) -> Any:
        return in_folded_order(self, super().get_ordering(request))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return FoldedList


def in_folded_order(model_admin: admin.ModelAdmin, ordering: Iterable[Any]) -> list[Any]:
    """Return an ordering in which each searched column is replaced by the places of its folded texts."""
    return [_folded_place(model_admin, name) for name in ordering]


def _folded_place(model_admin: admin.ModelAdmin, ordered_by: Any) -> Any:
    name = ordered_by.removeprefix("-") if isinstance(ordered_by, str) else ""
    if name not in model_admin.search_fields:
        return ordered_by
    texts = model_admin.model._default_manager.order_by().values_list(name, "pk")
    pks = [pk for _text, pk in sorted(texts, key=lambda row: (search_keys.search_key(row[0]), row))]
    place = Func(
        Value(pks, output_field=ArrayField(BigIntegerField())),
        F("pk"),
        function="array_position",
        output_field=IntegerField(),
    )
    return place.desc() if ordered_by.startswith("-") else place.asc()


def may_issue_keys(request: HttpRequest) -> bool:
    """Who may change numbers may issue, rotate and revoke their keys."""
    return request.user.has_perm("calls.change_destinationnumber")


def posts_address(request: HttpRequest) -> str:
    """Return the address that TENIOS is given."""
    return (settings.PUBLIC_URL or f"{request.scheme}://{request.get_host()}") + settings.POSTS_PATH


def with_query(name: str, **lists: list[int]) -> str:
    return f"{reverse(name)}?{urlencode(lists, doseq=True)}"


def ids_of(request: HttpRequest, name: str) -> list[int]:
    """Return the ids of a query string, those that can be one."""
    return [int(text) for text in request.GET.getlist(name) if re.fullmatch(r"[0-9]{1,18}", text)]


def exactly(moment: datetime | None) -> str:
    """Return a moment to the second, in the reports' zone."""
    return "-" if moment is None else date_format(timezone.localtime(moment), "j M Y, H:i:s")
