"""Admin pages of typed numbers: which variable of a number has what callers type, chosen from those that were seen."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.admin_base import WordedHistoryAdmin
from calls.access import Rights
from calls.admin.base import NumberFilter, VisibleAdmin, ids_of
from calls.models import DestinationNumber, Right
from contacts import seen_variables, typed_numbers
from contacts.models import TypedNumber

FIELDS = ("variable", "kind", "label", "pattern", "url")


class TypedNumberForm(forms.ModelForm):
    """The form of a typed number. A new one chooses from the variables that were seen on messages of `number`."""

    number: DestinationNumber | None = None

    class Meta:
        model = TypedNumber
        fields = FIELDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.number is not None and "variable" in self.fields:
            self.instance.destination_number = self.number
            seen = seen_variables.of_number(self.number)
            if seen:
                says = gettext(
                    "Seen on messages of this number in the last %(n)d days. What callers typed is not shown."
                )
            else:
                says = gettext("No message of this number had a further variable in the last %(n)d days.")
            self.fields["variable"] = forms.ChoiceField(
                label=_("Variable"),
                choices=[("", "---------"), *((variable.name, str(variable)) for variable in seen)],
                help_text=says % {"n": seen_variables.LOOKED_BACK.days},
            )

    def clean_variable(self) -> str:
        """Refuse a variable that is already used; the number is not a field, so the form does not check it itself."""
        variable: str = self.cleaned_data["variable"]
        used = TypedNumber.objects.filter(destination_number=self.number, variable=variable)
        if self.number is not None and used.exists():
            raise ValidationError(gettext("This variable of the number is already used."), code="unique")
        return variable


@admin.register(TypedNumber)
class TypedNumberAdmin(VisibleAdmin, WordedHistoryAdmin):
    """The variables of the numbers that one sees. Number and variable of a row stay; another one is another row."""

    form = TypedNumberForm
    audited_by_name = True
    audited_fields = ("destination_number", "variable", "kind", "label", "pattern")
    list_display = ["label", "kind", "variable", "number", "applied_pattern"]
    list_filter = [("destination_number", NumberFilter), "kind"]
    list_select_related = ["destination_number"]
    ordering = ["destination_number__search_key", "destination_number__e164", "pk"]
    sortable_by = ()

    @admin.display(description=_("number"))
    def number(self, typed: TypedNumber) -> str:
        return str(typed.destination_number)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(matches_blank=typed_numbers.MATCHES_BLANK)

    @admin.display(description=_("pattern"))
    def applied_pattern(self, typed: Any) -> str:
        if typed.matches_blank is None:
            return gettext("%(pattern)s (cannot be read: without effect)") % {"pattern": typed.pattern}
        return str(typed.pattern)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Without the right to callers a row cannot be removed: short values of its variable would no longer be hidden
        from that person."""
        sees_values = obj is None or Rights.of(request.user).may(Right.CALLERS, obj.destination_number_id)
        return sees_values and super().has_delete_permission(request, obj)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["number", *FIELDS]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["number", "variable"] if obj else ["number"]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        made = super().get_form(request, obj, change, **kwargs)
        return type(made.__name__, (made,), {"number": None if obj else self._chosen(request)})

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Ask for the number first, because each has variables of its own."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        number = self._chosen(request)
        if number is not None:
            title = gettext("Add typed number of %(number)s") % {"number": number}
            return super().add_view(request, form_url, {"title": title} | (extra_context or {}))
        numbers = self.visible_numbers(request).order_by("search_key", "e164")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": gettext("Add typed number"),
            "numbers": [(number, urlencode({"number": number.pk})) for number in numbers],
        }
        return TemplateResponse(request, "admin/contacts/typednumber/choose_number.html", context)

    def _chosen(self, request: HttpRequest) -> DestinationNumber | None:
        """Return the number that the address names, if the person sees it."""
        pks = ids_of(request, "number")
        return self.visible_numbers(request).filter(pk__in=pks[:1]).first() if pks else None
