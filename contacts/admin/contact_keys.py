"""Admin pages of the keys with which other systems write contacts: a new key is shown once, an old one is revoked."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.confirming_admin import ConfirmingAdmin
from calls.admin.issued_keys import IssuedKeyAdmin
from contacts import contact_keys
from contacts.models import ContactKey


@admin.register(ContactKey)
class ContactKeyAdmin(ConfirmingAdmin, IssuedKeyAdmin):
    """The keys; requests with one that was revoked are refused from then on."""

    audited_fields = ("name", "source", "last4")
    list_display = ["name", "source", "ends_in", "created_at", "last_used_at", "revoked_at"]
    fields = ["name", "source", "ends_in", "created_at", "last_used_at", "revoked_at"]
    readonly_fields = ["ends_in"]
    new_title = _("New contact key")
    revoke_title = _("Revoke this contact key?")

    def issue(self, key: ContactKey) -> str:
        return contact_keys.issue(key)

    def revoke(self, key: ContactKey) -> None:
        contact_keys.revoke_key(key.name)

    def next_steps(self, key: ContactKey, site: str) -> dict[str, Any]:
        return {"address": f"{site}{reverse('contact', args=[key.source, 'ID'])}"}

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None:
            return super().get_fieldsets(request, obj)
        description = gettext(
            "The key is shown only once, on the next page. With it the other system adds, replaces and removes the "
            "contacts of this source, and no others."
        )
        return [(None, {"fields": ["name", "source"], "description": description})]
