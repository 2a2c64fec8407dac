"""Base classes and helpers of the admin pages."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.views.main import PAGE_VAR, SEARCH_VAR, ChangeList
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import BooleanField, Case, Q, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.admin_base import OfferedFiltersAdmin
from calls import search_keys
from calls.access import Rights
from calls.kept_searches import LONGEST_SEARCH, TooManySearches, keep_search, kept_search
from calls.masking import masked
from calls.models import DestinationNumber, NumberAccess, Right

MOST_AT_ONCE = 100


class CappedPaginator(Paginator):
    """A paginator that counts and shows at most MOST rows, so that a list of millions opens as fast as a short one."""

    MOST = 5_000

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: self.MOST].count())


class VisibleAdmin(OfferedFiltersAdmin):
    """Lists and opens only rows of numbers for which the person has a right. Other rows do not exist for them.

    Each row has `sees_callers` and `sees_people`: whether the person has these rights for its number. Callers are
    masked all the same."""

    needs = Right.FIGURES
    # The path from a row to its number; blank for numbers themselves.
    number_path = "destination_number"

    def get_queryset(self, request: HttpRequest) -> Any:
        rows, rights = super().get_queryset(request), Rights.of(request.user)
        path = self.number_path or "pk"
        numbers = rights.numbers(self.needs)
        if numbers is not None:
            rows = rows.filter(**{f"{path}__in": numbers})
        return rows.annotate(
            sees_callers=_is_among(path, rights.numbers(Right.CALLERS)),
            sees_people=_is_among(path, rights.numbers(Right.PEOPLE)),
        )

    def visible_numbers(self, request: HttpRequest) -> QuerySet[DestinationNumber]:
        return DestinationNumber.objects.visible_to(request.user, self.needs)


def _is_among(path: str, numbers: frozenset[int] | None) -> Any:
    """Return the condition that the number of a row is one of these; None are all numbers."""
    if not numbers:
        return Value(numbers is None, output_field=BooleanField())
    return Case(When(**{f"{path}__in": numbers}, then=Value(True)), default=False, output_field=BooleanField())


class NumberFilter(admin.RelatedFieldListFilter):
    """Offers the numbers whose rows the list may show."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        ordering = self.field_admin_ordering(field, request, model_admin)
        visible = {"pk__in": model_admin.visible_numbers(request).order_by().values("pk")}
        return field.get_choices(include_blank=False, ordering=ordering, limit_choices_to=visible)


class KeyStateFilter(admin.SimpleListFilter):
    """Finds keys that are active or revoked."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("live", _("active")), ("revoked", _("revoked"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        chosen = self.value()
        return queryset.filter(revoked_at__isnull=chosen == "live") if chosen in {"live", "revoked"} else queryset


class SearchedList(ChangeList):
    """A list whose address has the token of a search."""

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        refused = _refused_search(request)
        self.searched_text = refused or kept_search(request.session, self.query.strip())


def _refused_search(request: HttpRequest) -> str:
    """Return the search that is posted if it was refused; blank otherwise. One that is not leads to its token."""
    return request.POST.get("search", "")[:LONGEST_SEARCH] if request.method == "POST" else ""


class PostedSearchAdmin(admin.ModelAdmin):
    """Posts the search, because its text may be a caller, and addresses are stored in logs and browsers."""

    def search(self, request: HttpRequest, queryset: Any, text: str) -> Any:
        """Return the rows that match a text."""
        raise NotImplementedError

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        if _refused_search(request):
            return queryset.none(), False
        token = search_term.strip()
        if not token:
            return queryset, False
        text = kept_search(request.session, token)
        return (self.search(request, queryset, text) if text else queryset.none()), False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return SearchedList

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Store a search that is posted and redirect to its token; show the list of a token. A search that is refused
        lists nothing and stays in its field."""
        if request.method == "POST" and "search" in request.POST:
            if not self.has_view_or_change_permission(request):
                raise PermissionDenied
            query = request.GET.copy()
            for name in (PAGE_VAR, SEARCH_VAR):
                query.pop(name, None)
            try:
                token = keep_search(request.session, request.POST["search"])
            except TooManySearches as error:
                self.message_user(request, str(error), messages.ERROR)
                answer = super().changelist_view(request, extra_context)
                answer.status_code = 429
                return answer
            if token:
                query[SEARCH_VAR] = token
            return HttpResponseRedirect(f"{request.path}?{query.urlencode()}")
        token = request.GET.get(SEARCH_VAR, "").strip()
        if token and not kept_search(request.session, token):
            self.message_user(request, gettext("This search has expired. Search again."), messages.WARNING)
        return super().changelist_view(request, extra_context)


class ReadOnlyAdmin(OfferedFiltersAdmin):
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


def let_creator_see(user: Any, number: DestinationNumber) -> None:
    """Give a person who added a number access to its figures, unless they see all numbers."""
    if not DestinationNumber.objects.visible_to(user).filter(pk=number.pk).exists():
        NumberAccess.objects.create(user=user, destination_number=number, granted_by=user)


def shown_caller(number: str) -> str:
    """Return a caller for a page, masked."""
    return masked(number) or gettext("withheld")
