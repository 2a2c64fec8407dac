"""Access to numbers in the admin: given on the pages of users, shown on the pages of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from accounts import history
from accounts.admin import PersonAdmin
from accounts.user_admin_forms import UserForm
from calls.admin.access_table import AccessTable, Editor, in_words
from calls.models import DestinationNumber, NumberAccess


def in_force(number: Any) -> QuerySet[NumberAccess]:
    """Return the access to a number, by rows for it and by rows for all numbers. Superusers have none."""
    of_number = Q(destination_number=None) | Q(destination_number=number)
    return NumberAccess.objects.in_force().filter(of_number, user__is_active=True, user__is_superuser=False)


@dataclass(frozen=True)
class PersonOfNumber:
    """A row in the table of who has access to a number."""

    user: Any
    name: str
    sees: str
    is_of_all: bool
    until: date | None


def people_of(number: DestinationNumber) -> list[PersonOfNumber]:
    """Return who has access to a number today, by name; who has it in two ways is listed twice."""
    rows = in_force(number).select_related("user").order_by("user__username", "destination_number")
    return [
        PersonOfNumber(
            row.user,
            row.user.get_full_name() or row.user.get_username(),
            in_words(row.rights),
            row.destination_number_id is None,
            row.until,
        )
        for row in rows
    ]


def may_view_access(request: HttpRequest) -> bool:
    """Return whether a person may see who has access to what."""
    return any(request.user.has_perm(f"calls.{action}_numberaccess") for action in ("view", "change"))


def sees_access_of(request: HttpRequest, user_id: Any) -> bool:
    """Return whether a person may see the access of a user. Only superusers see superusers."""
    others = User.objects.filter(pk=user_id, is_superuser=False)
    return may_view_access(request) and (request.user.is_superuser or others.exists())


class UserWithAccessForm(UserForm):
    """The form of a user with the table of their access to numbers."""

    editor: Any
    is_open = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        data: Any = self.data if self.is_bound else None
        self.access = AccessTable(self.editor, self.instance, data, is_open=self.is_open)

    def clean(self) -> Any:
        cleaned = super().clean()
        for error in self.access.errors:
            self.add_error(None, error)
        return cleaned

    def changes(self) -> list[dict[str, Any]]:
        return [*super().changes(), *self.access.said()]


class UnconfirmedFilter(admin.SimpleListFilter):
    """Lists people with access that was not given in the admin, so that it can be narrowed and confirmed."""

    title = _("access")
    parameter_name = "access"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("unconfirmed", _("to be confirmed"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() != "unconfirmed":
            return queryset
        visible = DestinationNumber.objects.visible_to(request.user).order_by()
        shown = Q(destination_number=None) | Q(destination_number__in=visible.values("pk"))
        return queryset.filter(Exists(NumberAccess.objects.filter(shown, user=OuterRef("pk"), granted_by=None)))


class AccessAdmin(PersonAdmin):
    """The admin of users with their access to numbers."""

    form = UserWithAccessForm
    possessions: ClassVar[list[history.Relation]] = [*PersonAdmin.possessions, (NumberAccess, "user")]

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        return [*super().get_list_filter(request), *([UnconfirmedFilter] if may_view_access(request) else [])]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Return a form class of this request. People cannot change their own access."""
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        if obj is not None:
            form.editor = request.user
            form.is_open = (
                self.has_change_permission(request, obj)
                and request.user.has_perm("calls.change_numberaccess")
                and obj.pk != request.user.pk
            )
        return form

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if isinstance(form, UserWithAccessForm):
            form.access.save()
            for change_of_access in form.access.changes:
                if change_of_access.number:
                    said = history.change(change_of_access.of_user, User, form.instance.pk)
                    self.log_change(request, change_of_access.number, [said])

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        form = context["adminform"].form
        if isinstance(form, UserWithAccessForm) and may_view_access(request):
            context["access"] = form.access
        return super().render_change_form(request, context, *args, **kwargs)

    def has_more(self, request: HttpRequest, person: Any) -> bool:
        return super().has_more(request, person) or Editor.of(request.user).has_less_than(person)

    def sees(self, request: HttpRequest, model: str, pk: Any) -> bool:
        if model == DestinationNumber._meta.label_lower:
            # To superusers deleted numbers are named as well.
            numbers = DestinationNumber.objects.visible_to(request.user)
            return request.user.is_superuser or numbers.filter(pk=pk).exists()
        return super().sees(request, model, pk)


admin.site.unregister(User)
admin.site.register(User, AccessAdmin)
