"""Forms of users in the admin, on which people change only what they may give."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import User
from django.db.models import BooleanField
from django.utils.text import get_text_list
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts import history
from accounts.invitations import days_valid

# What a user is called, and what they may do. Where the form has no such field, it is not the editor's to change.
GUARDED = ("username", "email", "is_active", "is_staff", "is_superuser", "groups", "user_permissions")
# What Django calls them, in the words of our pages.
LABELS = {"is_active": _("May sign in"), "is_staff": _("May open the settings"), "is_superuser": _("Superuser")}
# What the history says of a box that was ticked, and of one that was cleared.
BOXES = {
    "is_active": (_("Enabled"), _("Disabled")),
    "is_staff": (_("May open the settings"), _("May no longer open the settings")),
    "is_superuser": ("", _("Is no superuser any more")),
}
LISTS = {
    "groups": (_("Added to the group %(name)s"), _("Removed from the group %(name)s")),
    "user_permissions": (_("Given the permission “%(name)s”"), _("Permission “%(name)s” taken away")),
    "permissions": (_("Permission “%(name)s” added"), _("Permission “%(name)s” removed")),
}


def changes_of_list(form: Any, name: str, offered: set[int]) -> list[dict[str, Any]]:
    """Return what a form added to and removed from a list of groups or permissions, in words; for the history."""
    if name not in form.changed_data or name not in form.cleaned_data:
        return []
    before = set(form.initial.get(name, []))
    after = {row for row in form.cleaned_data[name] if row.pk in offered}
    return [
        history.change(text % {"name": row}, type(row), row.pk)
        for text, rows in zip(LISTS[name], (after - before, before - after), strict=True)
        for row in sorted(rows, key=str)
    ]


class GuardedForm(forms.ModelForm):
    """A form that refuses to be sent with a changed value for a guarded field that it does not have."""

    def clean(self) -> Any:
        cleaned = super().clean()
        refused = [name for name in GUARDED if name in self.data and name not in self.fields and self._differs(name)]
        if refused:
            fields: list[Any] = [User._meta.get_field(name) for name in refused]
            labels = [str(field.verbose_name) for field in fields]
            text = gettext("Nothing was saved, because you may not change this here: %(fields)s.")
            self.add_error(None, text % {"fields": get_text_list(labels, gettext("and"))})
        return cleaned

    def _differs(self, name: str) -> bool:
        """Return whether what was sent for a field would change the user."""
        field: Any = User._meta.get_field(name)
        if field.many_to_many:
            data: Any = self.data
            sent = set(data.getlist(name))
            has = getattr(self.instance, name).values_list("pk", flat=True) if self.instance.pk else ()
            return not sent <= {str(pk) for pk in has}
        if isinstance(field, BooleanField):
            return not (self.instance.pk and getattr(self.instance, name))
        return bool(self.data[name] != getattr(self.instance, name))


class NewUserForm(GuardedForm, AdminUserCreationForm):
    """The form that creates a user, without any permission, with a first password or an invitation by mail."""

    class Meta(AdminUserCreationForm.Meta):
        fields = ("username", "email")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["usable_password"]
        field.label = gettext("First password")
        with_password = gettext("Set one and pass it on; the person changes it at the first sign-in")
        if settings.SENDS_MAIL:
            field.choices = [("true", with_password), ("false", gettext("Invite by mail; the person chooses one"))]
            text = ngettext(
                "The invitation contains a link that is valid for %(days)d day.",
                "The invitation contains a link that is valid for %(days)d days.",
                days_valid(),
            )
            field.help_text = text % {"days": days_valid()}
        else:
            field.choices = [("true", with_password), ("false", gettext("None yet; no one can sign in"))]
            field.help_text = gettext("To invite people by mail, a mail server has to be set up (EMAIL_URL).")

    def clean(self) -> Any:
        cleaned = super().clean()
        is_invited = settings.SENDS_MAIL and not self.cleaned_data.get("set_usable_password", True)
        if is_invited and "email" not in self.errors and not self.cleaned_data.get("email"):
            self.add_error("email", gettext("Enter the address to which the invitation is sent."))
        return cleaned


class UserForm(GuardedForm, UserChangeForm):
    """The form that changes a user. Groups and permissions that it does not offer stay as they are."""

    class Meta(UserChangeForm.Meta):
        labels: ClassVar = LABELS
        help_texts: ClassVar = {
            "is_active": _("People who leave are not deleted but may no longer sign in."),
            "is_staff": _("What they may see and change there is what their groups allow."),
            "groups": "",
            "user_permissions": _("In addition to those of the groups."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("groups", "user_permissions"):
            if name in self.fields:
                offered = self._offered(name)
                self.initial[name] = [row for row in self.initial.get(name, []) if row.pk in offered]

    def clean_groups(self) -> Any:
        return self._with_kept("groups")

    def clean_user_permissions(self) -> Any:
        return self._with_kept("user_permissions")

    def changes(self) -> list[dict[str, Any]]:
        """Return what this form changed of the guarded fields, in words; for the history."""
        changed = [name for name in self.changed_data if name in self.cleaned_data]
        said = [history.change(str(BOXES[name][not self.cleaned_data[name]])) for name in changed if name in BOXES]
        for name in ("groups", "user_permissions"):
            if name in self.fields:
                said += changes_of_list(self, name, self._offered(name))
        return said

    def _offered(self, name: str) -> set[int]:
        field: Any = self.fields[name]
        return set(field.queryset.values_list("pk", flat=True))

    def _with_kept(self, name: str) -> Any:
        """Return the rows that were chosen, and those of the user that the form does not offer."""
        offered = self._offered(name)
        has = getattr(self.instance, name).values_list("pk", flat=True) if self.instance.pk else []
        chosen = [row.pk for row in self.cleaned_data[name]]
        field: Any = self.fields[name]
        return field.queryset.model._default_manager.filter(pk__in=[*chosen, *(pk for pk in has if pk not in offered)])
