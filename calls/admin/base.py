"""Base classes and helpers of the admin pages."""

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
    """A paginator that counts and shows at most MOST rows, so that a list of millions opens as fast as a short one."""

    MOST = 5_000

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: self.MOST].count())


class ReadOnlyAdmin(admin.ModelAdmin):
    """Read-only pages, for models that only posts and roll-ups write."""

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
    """Searches search keys regardless of case and diacritics. Other search fields must hold ASCII."""

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        for word in search_term.split():
            condition = Q()
            for field in self.search_fields:
                is_key = field.endswith("search_key")
                condition |= search_keys.contains(field, word) if is_key else Q(**{f"{field}__icontains": word})
            queryset = queryset.filter(condition)
        return queryset, False


def may_issue_keys(request: HttpRequest) -> bool:
    """Return whether the user may issue, rotate and revoke keys: all who may change numbers may."""
    return request.user.has_perm("calls.change_destinationnumber")


def posts_address(request: HttpRequest) -> str:
    """Return the URL that TENIOS sends posts to."""
    return (settings.PUBLIC_URL or f"{request.scheme}://{request.get_host()}") + settings.POSTS_PATH


def with_query(name: str, **lists: list[int]) -> str:
    return f"{reverse(name)}?{urlencode(lists, doseq=True)}"


def ids_of(request: HttpRequest, name: str) -> list[int]:
    """Return the valid ids in a query string."""
    return [int(text) for text in request.GET.getlist(name) if re.fullmatch(r"[0-9]{1,18}", text)]


def exactly(moment: datetime | None) -> str:
    """Return a moment to the second, in the reports' time zone."""
    return "-" if moment is None else date_format(timezone.localtime(moment), "j M Y, H:i:s")
