"""Base classes for admin pages of models without a search key column."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import PermissionDenied
from django.db.models import BigIntegerField, F, Func, IntegerField, QuerySet, Value
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from accounts import deleting, folding, history
from accounts.audit.model_admin import AuditedAdmin

# For forms with dates. The admin's own script comes first because the other one changes it.
DATE_SCRIPTS = ("admin/js/core.js", "calls/dates.js")


def changeable(page: Any, request: HttpRequest, object_id: str) -> Any:
    """Return the object of a further page about it; raise PermissionDenied or Http404 as the page of its form does."""
    found = page.get_object(request, object_id)
    if not page.has_change_permission(request, found):
        raise PermissionDenied
    if found is None:
        raise Http404
    return found


class _LabelledFields(forms.BaseInlineFormSet):
    """A formset whose fields have labels that only screen readers read."""

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        for field in form.fields.values():
            if not field.widget.is_hidden:
                field.widget.attrs.setdefault("aria-label", field.label)


class LabelledInline(admin.TabularInline):
    """A table of rows in a form. Its headings stand above the fields, which screen readers do not read as labels; so
    each field has one of its own."""

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        formset = super().get_formset(request, obj, **kwargs)
        return type(formset.__name__, (_LabelledFields, formset), {})


class FoldedList(ChangeList):
    """A change list that sorts searchable columns by their folded texts."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet) -> list[Any]:
        return in_folded_order(self.model_admin, super().get_ordering(request, queryset))


class FoldedAdmin(AuditedAdmin):
    """Search and order for Django's own tables, which have no search keys: their few rows are folded in Python."""

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        if not search_term.strip():
            return queryset, False
        rows = queryset.order_by().values_list("pk", *self.search_fields)
        matching = [pk for pk, *texts in rows if folding.matches(search_term, texts)]
        return queryset.filter(pk__in=matching), False

    def get_ordering(self, request: HttpRequest) -> Any:
        return in_folded_order(self, super().get_ordering(request))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return FoldedList


class LockedDeleteAdmin(AuditedAdmin):
    """Locks rows before they are deleted with what refers to them: otherwise a process that adds such rows meanwhile
    would make the deletion fail."""

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        with deleting.locked(obj._meta.model._base_manager.filter(pk=obj.pk)):
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet) -> None:
        with deleting.locked(queryset):
            super().delete_queryset(request, queryset)


class NoRelatedButtonsAdmin(AuditedAdmin):
    """Forms in which related rows are chosen, but not added, changed, deleted or opened."""

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        widget: Any = getattr(field, "widget", None)
        for action in ("add", "change", "delete", "view"):
            if hasattr(widget, f"can_{action}_related"):
                setattr(widget, f"can_{action}_related", False)
        return field


class OfferedFiltersAdmin(AuditedAdmin):
    """Allows only the filters that the list offers: by others, people could ask for what they may not see."""

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        offered = (_parameter_of(item) for item in self.get_list_filter(request))
        is_offered = any(lookup == name or lookup.startswith(f"{name}__") for name in offered)
        return is_offered and super().lookup_allowed(lookup, value, request)


class WordedHistoryAdmin(AuditedAdmin):
    """Histories that say by name what changed (`accounts.history.change`), as far as the reader may see it."""

    def sees(self, request: HttpRequest, model: str, pk: Any) -> bool:
        """Return whether the history may name an object to this person; `model` is the label of its model."""
        return bool(request.user.is_superuser)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        response = super().history_view(request, object_id, extra_context)
        if isinstance(response, TemplateResponse) and response.context_data:
            history.word_entries(response.context_data["action_list"], lambda *about: self.sees(request, *about))
        return response


def _parameter_of(list_filter: Any) -> str:
    """Return what the parameters of a filter begin with: the name of its field, or that of its parameter."""
    if isinstance(list_filter, tuple | list):
        list_filter = list_filter[0]
    return str(getattr(list_filter, "parameter_name", list_filter))


def in_folded_order(model_admin: admin.ModelAdmin, ordering: Iterable[Any]) -> list[Any]:
    """Return an ordering in which each searchable column is replaced by the positions of its folded texts."""
    return [_folded_place(model_admin, name) for name in ordering]


def _folded_place(model_admin: admin.ModelAdmin, ordered_by: Any) -> Any:
    name = ordered_by.removeprefix("-") if isinstance(ordered_by, str) else ""
    if name not in model_admin.search_fields:
        return ordered_by
    texts = model_admin.model._default_manager.order_by().values_list(name, "pk")
    pks = [pk for _text, pk in sorted(texts, key=lambda row: (folding.search_key(row[0]), row))]
    place = Func(
        Value(pks, output_field=ArrayField(BigIntegerField())),
        F("pk"),
        function="array_position",
        output_field=IntegerField(),
    )
    return place.desc() if ordered_by.startswith("-") else place.asc()
