"""Admin pages of the rings of numbers: who is shown the calls of a number, and from when on."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import history
from accounts.admin_base import NoRelatedButtonsAdmin, WordedHistoryAdmin
from calls.admin.base import VisibleAdmin
from contacts import agents
from contacts.models import name_of
from live.models import NumberRings

# What the history says instead of the name of the field.
SAID = {True: _("%(name)s added to the team"), False: _("%(name)s removed from the team")}


class NumberRingsForm(forms.ModelForm):
    """The form of a number's rings. People that the editor may not name stay in the team unseen."""

    editor: Any

    class Meta:
        model = NumberRings
        fields = ("destination_number", "team", "pop_on", "ring_timeout_s")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.before = set(self.instance.team.all()) if self.instance.pk else set()
        if "team" in self.fields:
            team: Any = self.fields["team"]
            team.queryset = agents.nameable_by(self.editor).order_by("first_name", "last_name", "username")
            team.label_from_instance = name_of

    def clean_team(self) -> list[User]:
        nameable = set(self.fields["team"].queryset)  # type: ignore[attr-defined]
        return [*self.cleaned_data["team"], *(self.before - nameable)]

    def clean(self) -> dict[str, Any]:
        """Refuse editors who add themselves to see callers that they may not see otherwise."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        number = cleaned.get("destination_number") or self.instance.destination_number_id
        joins = self.editor in cleaned.get("team", ()) and self.editor not in self.before
        if joins and number and (why_not := agents.why_not_join(self.editor, number)):
            self.add_error("team", why_not)
        return cleaned

    def changes(self) -> list[dict[str, Any]]:
        """Return who was added and removed, for the history."""
        after = set(self.cleaned_data.get("team", self.before))
        changed = [(user, True) for user in after - self.before] + [(user, False) for user in self.before - after]
        return [
            history.change(str(SAID[is_added]) % {"name": name_of(user)}, User, user.pk)
            for user, is_added in sorted(changed, key=lambda one: (name_of(one[0]).casefold(), one[1]))
        ]


@admin.register(NumberRings)
class NumberRingsAdmin(VisibleAdmin, NoRelatedButtonsAdmin, WordedHistoryAdmin):
    """The numbers of which something was set; for all others the defaults apply."""

    form = NumberRingsForm
    audited_by_name = True
    audited_fields = ("pop_on", "ring_timeout_s")
    list_display = ["number", "pop_on", "team_size", "ring_timeout_s"]
    list_display_links = ["number"]
    filter_horizontal = ["team"]
    fields = ["destination_number", "pop_on", "team", "ring_timeout_s"]
    ordering = ["destination_number__search_key", "destination_number__e164"]

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request)
        return rows.select_related("destination_number").prefetch_related("team")

    @admin.display(description=_("number"), ordering="destination_number__search_key")
    def number(self, rings: NumberRings) -> str:
        return str(rings.destination_number)

    @admin.display(description=_("people in the team"))
    def team_size(self, rings: NumberRings) -> int:
        return len(rings.team.all())

    # Setting something for a number, and going back to the defaults, is changing how it rings.

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [] if obj is None else ["destination_number"]

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "destination_number":
            kwargs["queryset"] = self.visible_numbers(request).filter(rings=None)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        made = super().get_form(request, obj, change, **kwargs)
        return type(made.__name__, (made,), {"editor": request.user})

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> list[dict[str, Any]]:
        message: list[dict[str, Any]] = super().construct_change_message(request, form, formsets, add)
        changes: list[dict[str, Any]] = form.changes()
        if changes and form.changed_data == ["team"] and not add:
            return changes
        return [*message, *changes]

    def sees(self, request: HttpRequest, model: str, pk: Any) -> bool:
        """Only superusers see superusers."""
        return bool(request.user.is_superuser) or User.objects.filter(pk=pk, is_superuser=False).exists()

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Nothing but the settings goes; that people were in the team is named nowhere else."""
        texts = [gettext("%(number)s: back to the defaults") % {"number": rings} for rings in objs]
        return texts, {}, set(), []
