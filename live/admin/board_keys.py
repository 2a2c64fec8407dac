"""Admin pages of the keys of the live board: a new key is shown once, an old one is revoked."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.admin_base import DATE_SCRIPTS, NoRelatedButtonsAdmin
from accounts.confirming_admin import ConfirmingAdmin
from calls.access import Rights
from calls.admin.issued_keys import IssuedKeyAdmin
from calls.models import DestinationNumber, Right
from live.board import keys
from live.models import BoardKey


class BoardKeyForm(forms.ModelForm):
    """The form of a new key: for numbers whose figures its editor sees."""

    editor: Any

    class Meta:
        model = BoardKey
        fields = ("name", "is_for_all", "numbers", "until")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "numbers" not in self.fields:  # a key is only viewed
            return
        numbers: Any = self.fields["numbers"]
        numbers.queryset = DestinationNumber.objects.visible_to(self.editor)
        if not Rights.of(self.editor).everywhere(Right.FIGURES):
            self.fields.pop("is_for_all", None)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if not cleaned.get("is_for_all") and not cleaned.get("numbers") and "numbers" not in self.errors:
            raise ValidationError(_("Choose the numbers that the board shows."), code="numbers")
        return cleaned


@admin.register(BoardKey)
class BoardKeyAdmin(ConfirmingAdmin, NoRelatedButtonsAdmin, IssuedKeyAdmin):
    """The keys; screens with one that was revoked end within half a minute."""

    form = BoardKeyForm
    audited_fields = ("name", "last4", "is_for_all", "numbers", "until")
    list_display = ["name", "shows", "ends_in", "created_at", "last_used_at", "until", "revoked_at"]
    filter_horizontal = ["numbers"]
    new_title = _("New board key")
    revoke_title = _("Revoke this board key?")

    class Media:
        js = DATE_SCRIPTS

    def get_queryset(self, request: HttpRequest) -> QuerySet[BoardKey]:
        rows: QuerySet[BoardKey] = super().get_queryset(request).annotate(of_numbers=Count("numbers"))
        return rows

    def issue(self, key: BoardKey) -> str:
        return keys.issue(key)

    def revoke(self, key: BoardKey) -> None:
        keys.revoke(key)

    def next_steps(self, key: BoardKey, site: str) -> dict[str, Any]:
        address = f"{site}{reverse('live:board')}?kiosk=1"
        # Browsers send what is after # to no server; the page takes it out of the address.
        return {"address": address, "link": f"{address}#key={key.issued}"}

    @admin.display(description=_("shows"))
    def shows(self, key: BoardKey) -> str:
        """Not by name: the person may not see these numbers."""
        if key.is_for_all:
            return gettext("all numbers")
        of_numbers: int = key.of_numbers  # type: ignore[attr-defined]  # annotated
        return ngettext("%(n)d number", "%(n)d numbers", of_numbers) % {"n": of_numbers}

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None:
            return [(None, {"fields": self.list_display})]
        description = gettext(
            "A screen on the wall shows the live board of these numbers with the key: figures only, no callers and no "
            "people. The key is shown only once, on the next page."
        )
        fields = ["name", "is_for_all", "numbers", "until"]
        if not Rights.of(request.user).everywhere(Right.FIGURES):
            fields.remove("is_for_all")
        return [(None, {"fields": fields, "description": description})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [] if obj is None else self.list_display

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        made = super().get_form(request, obj, change, **kwargs)
        return type(made.__name__, (made,), {"editor": request.user})
