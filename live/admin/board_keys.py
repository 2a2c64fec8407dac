"""Admin pages of the keys of the live board: a new key is shown once, an old one is revoked."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.admin_base import DATE_SCRIPTS, OfferedFiltersAdmin
from calls.access import Rights
from calls.admin.base import KeyStateFilter
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
class BoardKeyAdmin(OfferedFiltersAdmin):
    """Creates, lists and revokes keys. All who may change keys may do all of it; none is edited or deleted."""

    form = BoardKeyForm
    list_display = ["name", "shows", "ends_in", "created_at", "last_used_at", "until", "revoked_at"]
    list_filter = [KeyStateFilter]
    filter_horizontal = ["numbers"]
    ordering = ["name"]

    class Media:
        js = DATE_SCRIPTS

    def get_queryset(self, request: HttpRequest) -> QuerySet[BoardKey]:
        rows: QuerySet[BoardKey] = super().get_queryset(request).annotate(of_numbers=Count("numbers"))
        return rows

    @admin.display(description=_("key"))
    def ends_in(self, key: BoardKey) -> str:
        return f"…{key.last4}"

    @admin.display(description=_("shows"))
    def shows(self, key: BoardKey) -> str:
        """Not by name: the person may not see these numbers."""
        if key.is_for_all:
            return gettext("all numbers")
        of_numbers: int = key.of_numbers  # type: ignore[attr-defined]  # annotated
        return ngettext("%(n)d number", "%(n)d numbers", of_numbers) % {"n": of_numbers}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("live.change_boardkey")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

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

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        widget: Any = getattr(field, "widget", None)
        for action in ("add", "change", "delete", "view"):
            if hasattr(widget, f"can_{action}_related"):
                setattr(widget, f"can_{action}_related", False)
        return field

    def get_urls(self) -> list[URLPattern]:
        revoke = self.admin_site.admin_view(self.revoke_view)
        return [path("<path:object_id>/revoke/", revoke, name="live_boardkey_revoke"), *super().get_urls()]

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        context |= {"show_save_and_continue": False, "show_save_and_add_another": False}
        context["may_revoke"] = self.has_add_permission(request)
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: BoardKey, form: Any, change: bool) -> None:
        obj.issued = keys.issue(obj)

    def response_add(self, request: HttpRequest, obj: BoardKey, post_url_continue: Any = None) -> HttpResponse:
        """Show the key, in this answer only. admin_view forbids browsers to store it."""
        site = settings.PUBLIC_URL or f"{request.scheme}://{request.get_host()}"
        address = f"{site}{reverse('live:board')}?kiosk=1"
        context = self.admin_site.each_context(request) | {
            "opts": self.opts,
            "title": gettext("New board key"),
            "key": obj,
            "address": address,
            # Browsers send what is after # to no server; the page takes it out of the address.
            "link": f"{address}#key={obj.issued}",
        }
        return TemplateResponse(request, "admin/live/boardkey/new_key.html", context)

    def revoke_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for confirmation and revoke the key; screens with it end within half a minute."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        key = self.get_object(request, object_id)
        back = reverse("admin:live_boardkey_changelist")
        if key is None or key.revoked_at is not None:
            self.message_user(request, gettext("This key is already revoked."), messages.WARNING)
            return HttpResponseRedirect(back)
        if request.method == "POST":
            keys.revoke(key)
            self.log_change(request, key, "Revoked.")
            self.message_user(request, gettext("The key was revoked."), messages.SUCCESS)
            return HttpResponseRedirect(back)
        context = self.admin_site.each_context(request) | {
            "opts": self.opts,
            "title": gettext("Revoke this board key?"),
            "key": key,
            "back": back,
        }
        return TemplateResponse(request, "admin/live/boardkey/revoke.html", context)
