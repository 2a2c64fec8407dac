"""Pages of signing in and of the second factor: allauth's, with our templates, and what a session has passed."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from allauth.account.internal.flows import reauthentication
from allauth.account.views import LoginView, ReauthenticateView
from allauth.mfa.base.views import AuthenticateView, IndexView
from allauth.mfa.base.views import ReauthenticateView as CodeAgainView
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.views import ActivateTOTPView, DeactivateTOTPView
from allauth.mfa.webauthn.views import (
    AddWebAuthnView,
    EditWebAuthnView,
    ReauthenticateWebAuthnView,
    RemoveWebAuthnView,
)
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port
from django.urls import reverse_lazy
from django.views.generic.edit import FormView

from accounts import second_factor, security_keys
from accounts import second_factor_forms as forms


def address_for_keys(request: HttpRequest) -> str:
    """Return where this page can be opened to use security keys; blank if it is open there.

    Browsers use them for names of hosts, never for addresses such as 127.0.0.1."""
    host, port = split_domain_port(request.get_host())
    try:
        is_loopback = ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return ""
    return f"{request.scheme}://localhost{port and f':{port}'}{request.path}" if is_loopback else request.path


class _WithKeys:
    """Says where security keys can be used, if not here."""

    request: HttpRequest

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)  # type: ignore[misc]
        return context | {"address_for_keys": address_for_keys(self.request)}


class SignIn(LoginView):
    form_class = forms.SignInForm
    template_name = "registration/login.html"

    def _redirect_to_pending_stage(self, request: HttpRequest, stage: Any) -> Any:
        """Begin again with the password where no code can finish what was begun."""
        user = stage.login.user
        if second_factor.may_finish(user, request.session) and second_factor.has(user):
            return super()._redirect_to_pending_stage(request, stage)
        stage.abort()
        return None


class PasswordAgain(ReauthenticateView):
    template_name = "account/reauthenticate.html"


class Factors(_WithKeys, IndexView):
    """What the person has: the app, security keys, recovery codes. Who must have one and has none begins here."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = self.request.user
        return super().get_context_data(**kwargs) | {
            "is_missing": second_factor.is_missing(user, self.request.session),
            "is_required": second_factor.is_required_of(user),
        }


class Authenticate(_WithKeys, AuthenticateView):
    """Asks for the second factor, after the password."""

    form_class = forms.CodeForm
    webauthn_form_class = forms.KeyForm

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Begin again if the password was changed, or the person disabled, since the password was entered."""
        if not second_factor.may_finish(self.stage.login.user, request.session):
            aborted: HttpResponse = self.stage.abort()
            return aborted
        answer: HttpResponse = super().post(request, *args, **kwargs)
        return answer

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        has = second_factor.types_of(self.stage.login.user)
        return super().get_context_data(**kwargs) | {"has_key": "webauthn" in has, "has_app": "totp" in has}


class CodeAgain(CodeAgainView):
    """Asks someone who is signed in for a code."""

    form_class = forms.CodeAgainForm


class KeyAgain(_WithKeys, ReauthenticateWebAuthnView):
    """Asks someone who is signed in for a security key."""

    form_class = forms.KeyAgainForm

    def form_valid(self, form: Any) -> HttpResponse:
        form.save()
        return reauthentication.resume_request(self.request) or FormView.form_valid(self, form)

    def form_invalid(self, form: Any) -> HttpResponse:
        return FormView.form_invalid(self, form)


class _Noted:
    """Notes in the audit what a page does to a second factor, in one transaction with it."""

    request: HttpRequest
    kind: str
    note: Callable[[Any, Any, str], None]

    @transaction.atomic
    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)  # type: ignore[misc]
        self.note(self.request.user, self.request.session, self.kind)
        return response


class SetUpApp(_Noted, ActivateTOTPView):
    """Shows the QR code and takes the first code of the app."""

    form_class = forms.AppForm
    kind, note = Authenticator.Type.TOTP, staticmethod(second_factor.note_set_up)

    def form_valid(self, form: Any) -> HttpResponse:
        response = super().form_valid(form)
        second_factor.note_code_of_setup(self.request.user, form.cleaned_data["code"])
        return response


class RemoveApp(_Noted, DeactivateTOTPView):
    """Asks whether to remove the app."""

    kind, note = Authenticator.Type.TOTP, staticmethod(second_factor.note_removed)


class AddKey(_Noted, _WithKeys, AddWebAuthnView):
    """Registers a security key."""

    form_class = forms.NewKeyForm
    kind, note = Authenticator.Type.WEBAUTHN, staticmethod(second_factor.note_set_up)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        security_keys.offer_only_allowed(context["js_data"]["creation_options"])
        return context


class RenameKey(EditWebAuthnView):
    """Gives a security key another name."""

    form_class = forms.KeyNameForm
    success_url = reverse_lazy("mfa_index")


class RemoveKey(_Noted, RemoveWebAuthnView):
    """Asks whether to remove a security key."""

    success_url = reverse_lazy("mfa_index")
    kind, note = Authenticator.Type.WEBAUTHN, staticmethod(second_factor.note_removed)
