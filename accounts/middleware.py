"""Who must have a second factor reaches nothing else until this session has passed one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allauth.account.internal.flows.reauthentication import STATE_SESSION_KEY
from allauth.core.exceptions import ReauthenticationRequired
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from accounts import confirming, second_factor

# What a person without a second factor reaches: to set one up, to choose a password, and to leave; these pages ask how
# long the session goes on. Who must change the password that someone else set is led there first, by
# accounts.given_passwords.
SETTING_UP = {
    *("mfa_index", "mfa_activate_totp", "mfa_add_webauthn", "account_reauthenticate", "session_left"),
    *("password_change", "password_change_done", "invitation", "invitation_accepted", "logout", "admin:logout"),
}


class SecondFactor:
    """Leads to the second factor before the view of any other page is called. Reads nothing if MFA_REQUIRED is none."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Ask who the person is, and do nothing of what was sent before. allauth would keep that in the session, with
        all headers, and do it whenever the person confirms who they are the next time."""
        if not isinstance(exception, ReauthenticationRequired) or not request.user.is_authenticated:
            return None
        request.session.pop(STATE_SESSION_KEY, None)
        return redirect(confirming.address(request.get_full_path()))

    def process_view(
        self, request: HttpRequest, _view: Any, _args: Any, _kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        if not second_factor.is_asked_for() or not request.user.is_authenticated:
            return None
        if not second_factor.is_missing(request.user, request.session):
            return None
        if second_factor.has(request.user):  # set up in another session, after this one had begun
            logout(request)
            return redirect("login")
        match = request.resolver_match
        if match is not None and match.view_name in SETTING_UP:
            return None
        return redirect("mfa_index")
