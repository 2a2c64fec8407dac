"""Admin pages of contacts: the list with its search, and a form with the phone numbers.

People with the permission see all contacts here, because a contact does not say who called. Elsewhere a contact is
shown only beside callers to people with the right to them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import connection
from django.db.models import Prefetch, Q
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.admin_base import LabelledInline, OfferedFiltersAdmin, WordedHistoryAdmin
from accounts.moments import NOTHING
from calls import phones, search_keys
from calls.admin.base import PostedSearchAdmin
from contacts import importing, matching
from contacts.admin.import_pages import ImportPages
from contacts.models import Contact, ContactNumber

# At most this many numbers are listed in a row of the list.
MOST_NUMBERS = 3


class NumberForm(forms.ModelForm):
    # Long enough for any spelling.
    e164 = forms.CharField(label=_("Number"), max_length=100)

    class Meta:
        model = ContactNumber
        fields = ("e164", "has_extensions", "label")

    def clean(self) -> dict[str, Any]:
        """Convert the number from any spelling to E.164; that of a switchboard to the beginning of its extensions."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if "e164" in cleaned:
            try:
                cleaned["e164"], cleaned["has_extensions"] = importing.read_number(
                    cleaned["e164"], has_extensions=cleaned["has_extensions"]
                )
            except phones.NotANumber as error:
                self.add_error("e164", str(error))
        return cleaned


class NumberFormSet(forms.BaseInlineFormSet):
    """The numbers of a contact, each once, also beside numbers that another person added meanwhile."""

    def validate_unique(self) -> None:
        shown = [form.instance.pk for form in self.initial_forms]
        others = ContactNumber.objects.filter(contact=self.instance.pk).exclude(pk__in=shown)
        taken = {*others.values_list("e164", flat=True)} if self.instance.pk else set()
        deleted = self.deleted_forms
        for form in self.forms:
            number = form.cleaned_data.get("e164") if form.is_valid() else None
            if not number or form in deleted:
                continue
            if number in taken:
                form.add_error("e164", gettext("This contact already has this number."))
            taken.add(number)


class Numbers(LabelledInline):
    """The phone numbers of a contact. Who may change contacts may change their numbers."""

    model = ContactNumber
    form = NumberForm
    formset = NumberFormSet
    extra = 1

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("contacts.view_contact") or self.has_change_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("contacts.change_contact")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("contacts.change_contact" if obj else "contacts.add_contact")

    has_delete_permission = has_change_permission


@admin.register(Contact)
class ContactAdmin(ImportPages, PostedSearchAdmin, WordedHistoryAdmin, OfferedFiltersAdmin):
    # Not by name: contacts are callers.
    audited_fields = ("source", "important")
    list_display = ["named", "company_name", "customer_number", "listed_numbers", "source", "important"]
    list_display_links = ["named"]
    list_filter = ["important", "source"]
    # The search reads the text itself.
    search_fields = ["search_key"]
    search_help_text = _("Name, company, customer number, or a whole phone number in any spelling")
    ordering = ["search_key", "pk"]
    sortable_by = ("named", "customer_number", "source")
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    inlines = [Numbers]
    fieldsets = [
        (None, {"fields": ["name", "company", "customer_number", "url", "important", "note"]}),
        (
            _("Source"),
            {
                "fields": ["source", "external_id", "updated_at"],
                "description": _("The next update from the source replaces what is changed here."),
            },
        ),
    ]
    readonly_fields = ["updated_at"]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Leave out of a new contact when it was changed."""
        fieldsets = [(heading, dict(options)) for heading, options in super().get_fieldsets(request, obj)]
        if obj is None:
            fieldsets[1][1]["fields"] = ["source", "external_id"]
        return fieldsets

    def get_queryset(self, request: HttpRequest) -> Any:
        numbers = ContactNumber.objects.order_by("pk")
        return super().get_queryset(request).prefetch_related(Prefetch("numbers", numbers))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Return a contact, locked while it is changed: who saves later then sees the numbers that others added."""
        contact = super().get_object(request, object_id, from_field)
        if contact is None or request.method != "POST" or not connection.in_atomic_block:
            return contact
        list(Contact.objects.select_for_update().filter(pk=contact.pk))
        return super().get_object(request, object_id, from_field)

    def search(self, request: HttpRequest, queryset: Any, text: str) -> Any:
        """Return the contacts with these words, this customer number, or this phone number.

        A number is also found where it is one of a company's extensions."""
        condition = search_keys.contains("search_key", text) | Q(customer_number__iexact=text.strip())
        if number := phones.e164(text):
            is_theirs = Q(e164=number) | Q(has_extensions=True, e164__in=matching.beginnings(number))
            condition |= Q(pk__in=ContactNumber.objects.filter(is_theirs).order_by().values("contact"))
        return queryset.filter(condition)

    @admin.display(description=_("name"), ordering="search_key")
    def named(self, contact: Contact) -> str:
        return contact.name or contact.company

    @admin.display(description=_("company"))
    def company_name(self, contact: Contact) -> str:
        return contact.company or NOTHING

    @admin.display(description=_("phone numbers"))
    def listed_numbers(self, contact: Contact) -> str:
        numbers = [number.readable for number in contact.numbers.all()]
        more = len(numbers) - MOST_NUMBERS
        shown = ", ".join(numbers[:MOST_NUMBERS])
        if more > 0:
            return gettext("%(numbers)s and %(n)d more") % {"numbers": shown, "n": more}
        return shown or NOTHING
