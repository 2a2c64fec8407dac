"""Forms of signing in and of the second factor. django-axes counts what fails in each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allauth.account.forms import LoginForm
from allauth.core import context
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm, BaseAuthenticateForm, ReauthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.totp.internal.auth import SECRET_SESSION_KEY
from allauth.mfa.webauthn.forms import (
    AddWebAuthnForm,
    AuthenticateWebAuthnForm,
    EditWebAuthnForm,
    ReauthenticateWebAuthnForm,
)
from django import forms

from accounts import second_factor, security_keys, signin
from accounts.encryption import decrypt, encrypt

# What parsing a credential that no browser made may raise.
MALFORMED = (TypeError, ValueError, KeyError, AttributeError)


def counted(user: Any, check: Callable[[], Any]) -> Any:
    """Return what a check returns; if it is nothing, or raises, a failure is counted for the name and the address.

    While one of them is locked, or after too many tries from anywhere, nothing is checked."""
    if not signin.may_try(context.request, user):
        raise wrong()
    if not second_factor.begin_try(user):
        context.request.axes_locked_out = True  # answered like a locked name
        raise wrong()
    try:
        checked = check()
    except (forms.ValidationError, *MALFORMED):
        checked = None
    if checked is None:
        signin.note_failure(context.request, user)
        raise wrong()
    second_factor.forget_tries(user)
    return checked


def wrong() -> forms.ValidationError:
    error: forms.ValidationError = get_adapter().validation_error("incorrect_code")
    return error


class SignInForm(LoginForm):
    """Name and password. The field has the name `username`, as axes and password managers expect; it takes names of any
    length, so that all of them are answered and counted alike."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"] = forms.CharField()

    def add_prefix(self, field_name: str) -> str:
        return "username" if field_name == "login" else super().add_prefix(field_name)


class TakenCodeForm(BaseAuthenticateForm):
    """A code of the app, or a recovery code."""

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        self.authenticator = counted(self.user, lambda: second_factor.take_code(self.user, code))
        return code

    def save(self) -> None:
        super().save()
        second_factor.note_passed(self.user, context.request.session)


class CodeForm(TakenCodeForm, AuthenticateForm):
    """The code that is asked for after the password."""


class CodeAgainForm(TakenCodeForm, ReauthenticateForm):
    """The code of someone who is signed in."""


class KeyForm(AuthenticateWebAuthnForm):
    """The answer of a security key, after the password."""

    def clean_credential(self) -> Authenticator:
        answer: Authenticator = counted(self.user, super().clean_credential)
        return answer

    def save(self) -> None:
        super().save()
        second_factor.note_passed(self.user, context.request.session)


class KeyAgainForm(KeyForm, ReauthenticateWebAuthnForm):
    """The same, of someone who is signed in."""


class AppForm(ActivateTOTPForm):
    """The first code of a new app. Until it is entered, the session holds the secret, encrypted."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        session = context.request.session
        kept = session.get(SECRET_SESSION_KEY)
        super().__init__(*args, **kwargs)
        if self.is_bound and kept:
            self.secret = decrypt(kept)
        session[SECRET_SESSION_KEY] = encrypt(self.secret)


class NewKeyForm(AddWebAuthnForm):
    """A new security key with its name."""

    def clean(self) -> dict[str, Any]:
        try:
            cleaned: dict[str, Any] = super().clean()
            is_allowed = "credential" not in cleaned or security_keys.is_allowed(cleaned["credential"])
        except MALFORMED:
            is_allowed = False
        if not is_allowed:
            raise wrong()
        return cleaned


class KeyNameForm(EditWebAuthnForm):
    """The name of a security key, which only its person sees."""

    name = forms.CharField(max_length=60)
