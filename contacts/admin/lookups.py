"""Admin pages of look-ups. A secret is entered and replaced, and never shown; staff try a look-up with a caller."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.admin_base import LockedDeleteAdmin, OfferedFiltersAdmin, WordedHistoryAdmin
from accounts.confirming_admin import ConfirmingAdmin
from calls import phones
from calls.access import Right, Rights
from contacts import links, lookup_format, lookups
from contacts.models import Lookup, LookupAnswer


class LookupForm(forms.ModelForm):
    """A look-up, and its secret, which is never shown. It goes to the host that it was entered for, or is entered
    again: who may change the address could otherwise have it sent to themselves."""

    secret = forms.CharField(
        label=_("Secret"),
        required=False,
        max_length=2000,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "class": "vTextField"}),
        help_text=_("The value of the header, such as Bearer 1234. It is never shown. Blank: as it is."),
    )

    class Meta:
        model = Lookup
        fields = (
            *("name", "is_on", "url", "header_name"),
            *("list_path", "name_path", "company_path", "customer_number_path", "url_path", "note_path"),
        )

    def clean_secret(self) -> str:
        secret: str = self.cleaned_data["secret"]
        if not (secret.isascii() and secret.isprintable()):
            raise forms.ValidationError(gettext("Enter letters, digits and signs without accents, in one line."))
        return secret

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        secret, header = cleaned.get("secret"), cleaned.get("header_name")
        if secret and not header and "header_name" not in self.errors:
            self.add_error("header_name", gettext("Enter the header in which the secret is sent."))
        if header and not secret and "secret" not in self.errors:
            before = Lookup.objects.filter(pk=self.instance.pk).first()
            if before is None or not before.header_secret:
                self.add_error("secret", gettext("Enter the secret that is sent in the header."))
            elif lookup_format.origin(before.url) != lookup_format.origin(cleaned.get("url", before.url)):
                self.add_error("secret", gettext("The host has changed. Enter the secret again to send it there."))
        return cleaned

    def save(self, commit: bool = True) -> Any:
        secret = self.cleaned_data.get("secret")
        if secret or not self.instance.header_name:
            self.instance.set_secret(secret or "")
        # What failed before says nothing about the look-up as it is now.
        self.instance.failures, self.instance.rests_until, self.instance.last_failure = 0, None, ""
        return super().save(commit)


class TryForm(forms.Form):
    """Asks for a caller, and for the number called where the address names it."""

    caller = forms.CharField(label=_("Caller"), max_length=100, help_text=_("A phone number in any spelling."))

    def clean_caller(self) -> str:
        try:
            return phones.parse(self.cleaned_data["caller"])
        except phones.NotANumber as error:
            raise forms.ValidationError(str(error)) from None


@admin.register(Lookup)
class LookupAdmin(ConfirmingAdmin, WordedHistoryAdmin, LockedDeleteAdmin, OfferedFiltersAdmin):
    audited_by_name = True
    # Of the address only the host, because the rest may contain a key.
    audited_fields = ("name", "is_on", "header_name", "list_path", "name_path", "company_path", "url_path")
    list_display = ["name", "is_on", "host", "failures"]
    form = LookupForm
    readonly_fields = ["secret_state", "try_it"]

    def audited_values(self, obj: Any) -> dict[str, Any]:
        return {**super().audited_values(obj), "host": lookup_format.origin(obj.url)[1]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and self._may_send_callers(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and self._may_send_callers(request)

    def _may_send_callers(self, request: HttpRequest) -> bool:
        """Return whether the person may have callers of all numbers sent to an address of their choice."""
        return Rights.of(request.user).everywhere(Right.CALLERS)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        places = {"places": " ".join(f"{{{place}}}" for place in lookup_format.PLACES)}
        asked = gettext(
            "The address is asked by GET while it rings, with the caller in it. It may contain %(places)s, which are "
            "replaced by the values of the call, encoded for an address."
        )
        read = gettext(
            "Each is a JMESPath expression, such as contact.full_name. They are read in the first record of the answer."
        )
        may_change = self.has_change_permission(request, obj) if obj else True
        secret = ["secret_state", *(["secret"] if may_change else [])] if obj else ["secret"]
        return [
            (None, {"fields": ["name", "is_on", "url", "header_name", *secret], "description": asked % places}),
            (
                gettext("What the answer means"),
                {
                    "fields": [
                        "list_path",
                        *("name_path", "company_path", "customer_number_path", "url_path", "note_path"),
                    ],
                    "description": read,
                },
            ),
            *([(None, {"fields": ["try_it"]})] if obj and may_change else []),
        ]

    def save_model(self, request: HttpRequest, obj: Lookup, form: Any, change: bool) -> None:
        """Forget what was answered before, which may be read in another way now."""
        super().save_model(request, obj, form, change)
        LookupAnswer.objects.filter(lookup=obj).delete()

    def get_urls(self) -> list[Any]:
        page = self.admin_site.admin_view(self.try_view)
        return [path("<int:lookup>/try/", page, name="contacts_lookup_try"), *super().get_urls()]

    def try_view(self, request: HttpRequest, lookup: int) -> HttpResponse:
        """Ask for a caller, then show how the question went. The caller is posted, so it is in no address of ours."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        tried = Lookup.objects.filter(pk=lookup).first()
        if tried is None:
            raise Http404
        form = TryForm(request.POST or None)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": gettext("Try %(lookup)s") % {"lookup": tried},
            "lookup": tried,
            "form": form,
            "limit_s": lookups.WHILE_IT_RINGS_S,
        }
        if request.method == "POST" and form.is_valid():
            caller, number = form.cleaned_data["caller"], links.EXAMPLES["number"]
            asked = lookups.ask(tried, caller, number, lookups.WHILE_TRYING_S)
            context |= {
                "asked": asked,
                "took_ms": round(asked.took_s * 1000),
                "is_slow": asked.took_s > lookups.WHILE_IT_RINGS_S,
                "address": lookup_format.fill(tried.url, caller, number),
            }
        return TemplateResponse(request, "admin/contacts/lookup/try.html", context)

    @admin.display(description=_("host"))
    def host(self, lookup: Lookup) -> str:
        return lookup_format.origin(lookup.url)[1]

    @admin.display(description=_("stored secret"))
    def secret_state(self, lookup: Lookup) -> str:
        return gettext("There is one. It cannot be shown.") if lookup.header_secret else gettext("None")

    @admin.display(description=_("try it"))
    def try_it(self, lookup: Lookup) -> str:
        address = reverse("admin:contacts_lookup_try", args=[lookup.pk])
        label = gettext("Ask for a caller")
        help_text = gettext("This asks as it is saved. Save first to try a change.")
        return format_html('<a href="{}">{}</a><p class="help">{}</p>', address, label, help_text)
