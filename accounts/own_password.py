"""The page on which people change their own password."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.views import PasswordChangeView
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext

from accounts import given_passwords, signin
from accounts.password_forms import RepeatedPassword


class OwnPasswordForm(RepeatedPassword, PasswordChangeForm):
    """Asks for the password until now and twice for another one."""

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean_old_password(self) -> str:
        """Check the password until now. A wrong one counts like one at the sign-in: who found a browser in which
        someone is signed in cannot guess here either."""
        if not signin.may_try(self.request, self.user):
            raise ValidationError(self.error_messages["password_incorrect"], code="password_incorrect")
        try:
            old: str = super().clean_old_password()
        except ValidationError:
            signin.note_failure(self.request, self.user)
            raise
        return old

    def clean(self) -> Any:
        cleaned = super().clean()
        new = self.cleaned_data.get("new_password1")
        if new and new == self.cleaned_data.get("old_password"):
            self.add_error("new_password1", gettext("This is the password that you have. Choose another one."))
        return cleaned

    @transaction.atomic
    def save(self, commit: bool = True) -> Any:
        user = super().save(commit)
        given_passwords.note_own(user)
        return user


class ChangePassword(PasswordChangeView):
    """Changes the password of the person. This session goes on, all others end."""

    template_name = "registration/change_password.html"
    form_class = OwnPasswordForm

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"request": self.request}

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        answer = super().form_valid(form)
        self.request.session.pop(given_passwords.MUST_CHANGE, None)
        return answer

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        must_change = self.request.session.get(given_passwords.MUST_CHANGE, False)
        return super().get_context_data(must_change=must_change, **kwargs)
