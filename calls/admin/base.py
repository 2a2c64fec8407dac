"""What the pages of the admin share."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from calls import search_keys

admin.site.site_title = admin.site.site_header = "Calltally"
admin.site.index_title = _("Numbers, keys and calls")

MOST_AT_ONCE = 100


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
