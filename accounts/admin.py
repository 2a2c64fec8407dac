"""Admin pages of users and groups, on which people give only what they have. calls.admin.access adds numbers."""

from __future__ import annotations

from typing import Any, ClassVar

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from accounts import given_passwords, giving, history
from accounts.admin_base import DATE_SCRIPTS, FoldedAdmin, LockedDeleteAdmin, OfferedFiltersAdmin, WordedHistoryAdmin
from accounts.audit.pages import AuditEntryAdmin
from accounts.confirming_admin import ConfirmingAdmin
from accounts.inviting_admin import InvitingAdmin
from accounts.models import AuditEntry, GivenPassword, SignedInSession
from accounts.second_factor_admin import SecondFactorAdmin, SecondFactorFilter
from accounts.sessions_admin import SessionsAdmin
from accounts.user_admin_forms import LABELS, NewUserForm, UserForm, changes_of_list


class GivingAdmin(WordedHistoryAdmin):
    """Offers only the groups and permissions that the editor may give."""

    def formfield_for_manytomany(self, db_field: Any, request: Any = None, **kwargs: Any) -> Any:
        if db_field.remote_field.model is Permission:
            kwargs["queryset"] = giving.givable_permissions(request.user)
        elif db_field.remote_field.model is Group:
            kwargs["queryset"] = giving.givable_groups(request.user).order_by("name")
            kwargs["widget"] = forms.CheckboxSelectMultiple
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        field: Any = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.remote_field and db_field.remote_field.model is Group:
            # A group has a page of its own.
            field.widget.can_add_related = False
        return field

    def sees(self, request: HttpRequest, model: str, pk: Any) -> bool:
        if model == Group._meta.label_lower:
            return giving.givable_groups(request.user).filter(pk=pk).exists()
        if model == Permission._meta.label_lower:
            return giving.givable_permissions(request.user).filter(pk=pk).exists()
        return super().sees(request, model, pk)


class GroupFilter(admin.SimpleListFilter):
    """Offers the groups that the editor may give."""

    title = _("group")
    parameter_name = "group"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(str(group.pk), group.name) for group in giving.givable_groups(request.user).order_by("name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() not in {pk for pk, _name in self.lookup_choices}:
            return queryset
        return queryset.filter(groups=self.value())


class WordedFilter(admin.BooleanFieldListFilter):
    """A filter named as the box on the page of a user is."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = LABELS[self.field_path]


class PersonAdmin(
    ConfirmingAdmin,
    InvitingAdmin,
    SecondFactorAdmin,
    SessionsAdmin,
    GivingAdmin,
    LockedDeleteAdmin,
    OfferedFiltersAdmin,
    FoldedAdmin,
    UserAdmin,
):
    """Django's admin of users. Only superusers see superusers, and no page makes one."""

    list_display = ("username", "email", "first_name", "last_name", "opens_settings", "has_second_factor")
    form = UserForm
    fieldsets = (
        (None, {"fields": ("username", "first_name", "last_name", "email", "is_active")}),
        (_("What the person may do"), {"fields": ("groups", "is_staff", "is_superuser")}),
        # Below the access to numbers.
        (_("Single permissions"), {"classes": ("collapse",), "fields": ("user_permissions",)}),
        (_("Sign-in and dates"), {"classes": ("collapse",), "fields": ("password", "last_login", "date_joined")}),
    )
    # Groups are few, and have boxes.
    filter_horizontal = ("user_permissions",)
    add_form = NewUserForm
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("username", "email", "usable_password", "password1", "password2")}),
    )
    audited_elsewhere = "signals of users, in accounts.audit.people"
    # Rows that say what a user has, and not what they did.
    possessions: ClassVar[list[history.Relation]] = [(GivenPassword, "user"), (SignedInSession, "user")]

    class Media:
        js = DATE_SCRIPTS

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        people = super().get_queryset(request)
        return people if request.user.is_superuser else people.filter(is_superuser=False)

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        fields = ["is_staff", "is_superuser", "is_active"]
        offered = [name for name in fields if name != "is_superuser" or request.user.is_superuser]
        return [*((name, WordedFilter) for name in offered), SecondFactorFilter, GroupFilter]

    @admin.display(description=LABELS["is_staff"], boolean=True, ordering="is_staff")
    def opens_settings(self, person: User) -> bool:
        return person.is_staff

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Leave out the box that makes a superuser, which only the command line does; it stays to take that away. Leave
        out groups and permissions where they could only be read: forms offer those that the editor may give, texts
        would name all; and the password, which has a button that sets it."""
        fieldsets: Any = super().get_fieldsets(request, obj)
        hidden = set() if obj is not None and obj.is_superuser else {"is_superuser"}
        if not (request.user.is_superuser or self.has_change_permission(request, obj)):
            hidden |= {"groups", "user_permissions", "password"}
        return [
            (title, {**options, "fields": [name for name in options["fields"] if name not in hidden]})
            for title, options in fieldsets
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        if obj is None or request.user.is_superuser:
            return []
        dates = ["last_login", "date_joined"]
        if obj.pk == request.user.pk:
            return ["is_active", "is_staff", "groups", "user_permissions", *dates]
        if self.has_more(request, obj):
            # The editor may disable them, but not enable them, become them, or let them into the admin.
            return ["username", "email", "is_staff", *([] if obj.is_active else ["is_active"]), *dates]
        return dates

    def has_more(self, request: HttpRequest, person: Any) -> bool:
        """Return whether a person may do or see something that the editor may not."""
        return giving.has_more_permissions(person, request.user)

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> list[dict[str, Any]]:
        message = super().construct_change_message(request, form, formsets, add)
        return [*message, *(form.changes() if isinstance(form, UserForm) else [])]

    @method_decorator(sensitive_post_parameters())
    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002 (Django's name)
        """Set the password of another user. Who has more than the editor is left alone: a password gives all of it. The
        own one is changed on the page that asks for it."""
        person = self.get_object(request, unquote(id))
        if person is not None and person.pk == request.user.pk:
            return HttpResponseRedirect(reverse("password_change"))
        if person is not None and self.has_change_permission(request, person) and self.has_more(request, person):
            text = gettext(
                "The password was not changed: %(user)s may do or see more than you. Ask a superuser to set it."
            )
            self.message_user(request, text % {"user": person}, messages.ERROR)
            return HttpResponseRedirect(reverse("admin:auth_user_change", args=[person.pk]))
        with transaction.atomic():
            answer = super().user_change_password(request, id, form_url)
            if person is not None:
                self._note_new_password(request, person)
        return answer

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change and obj.has_usable_password():
            self._say_given(request, obj)

    def _note_new_password(self, request: HttpRequest, person: Any) -> None:
        """Note whose password a person has, if it differs from that of `person`, as they were read before."""
        now = User.objects.filter(pk=person.pk).exclude(password=person.password).first()
        if now is None:
            return
        if now.has_usable_password():
            self._say_given(request, now)
        else:
            given_passwords.note_own(now)

    def _say_given(self, request: HttpRequest, person: Any) -> None:
        given_passwords.note_given(person)
        text = gettext(
            "With the password that you have set, %(user)s has to choose one of their own at the first sign-in."
        )
        self.message_user(request, text % {"user": person})

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Protect users who did anything: they are disabled, and what they did keeps their name. Protect users who have
        more than the editor. What is deleted with a user is not listed, because it names what the user may see."""
        protected = []
        for person in objs:
            if self.has_more(request, person):
                protected.append(gettext("%(user)s may do or see more than you.") % {"user": person})
            elif history.did_anything(person, self.possessions):
                text = gettext("What %(user)s did. Untick “Active” to disable this user instead.")
                protected.append(text % {"user": person})
        people = [str(person) for person in objs]
        if protected:
            return people, {}, set(), protected
        _related, _counts, lacking, protected = super().get_deleted_objects(objs, request)
        return people, {self.opts.verbose_name_plural: len(people)}, lacking, protected


class PermissionGroupAdmin(ConfirmingAdmin, GivingAdmin, FoldedAdmin, GroupAdmin):
    """Django's admin of groups, without those that have a permission that the editor lacks."""

    audited_fields = ("name",)
    audited_by_name = True

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        groups = super().get_queryset(request)
        return groups.filter(pk__in=giving.givable_groups(request.user).order_by().values("pk"))

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> list[dict[str, Any]]:
        message = super().construct_change_message(request, form, formsets, add)
        offered = set(giving.givable_permissions(request.user).values_list("pk", flat=True))
        return [*message, *changes_of_list(form, "permissions", offered)]


admin.site.unregister([User, Group])
# Tables of allauth. What is in them is a secret, or not used; `reset_mfa` removes a second factor and logs it.
admin.site.unregister([Authenticator, EmailAddress])
admin.site.register(User, PersonAdmin)
admin.site.register(Group, PermissionGroupAdmin)
admin.site.register(AuditEntry, AuditEntryAdmin)
