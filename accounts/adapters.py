"""What allauth asks of us: addresses of clients, encryption of secrets, and who has to prove again who they are."""

from __future__ import annotations

import time
from io import BytesIO
from typing import Any

import qrcode
from allauth.account import app_settings
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext
from qrcode.image.svg import SvgPathFillImage

from accounts import second_factor
from accounts.confirming import SENDING
from accounts.encryption import decrypt, encrypt
from accounts.signin import address_of


class AccountAdapter(DefaultAccountAdapter):
    """Closes sign-up, and shows no messages: our pages say themselves what happened."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        return address_of(request)

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        pass

    def pre_login(self, request: HttpRequest, user: Any, **kwargs: Any) -> HttpResponse | None:
        second_factor.note_begun(user, request.session)
        answer: HttpResponse | None = super().pre_login(request, user, **kwargs)
        return answer

    def login(self, request: HttpRequest, user: Any) -> None:
        super().login(request, user)
        second_factor.note_finished(request.session)

    def respond_user_inactive(self, request: HttpRequest, user: Any) -> HttpResponse:
        return redirect("login")

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Return False for some minutes after the second factor, and without one after signing in or the password."""
        request = self.request
        passed_s_ago = second_factor.passed_s_ago(request.user, request.session)
        if passed_s_ago is None and not second_factor.has(request.user):
            proved_at = [record["at"] for record in get_authentication_records(request, request.user)]
            if signed_in := getattr(request, "signed_in_session", None):
                proved_at.append(signed_in.signed_in_at.timestamp())
            passed_s_ago = time.time() - max(proved_at, default=0.0)
        # A time in the future was noted before the clock was set back.
        longest = app_settings.REAUTHENTICATION_TIMEOUT * (2 if app == SENDING else 1)
        return passed_s_ago is None or not 0 <= passed_s_ago <= longest

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """Return the ways to prove who one is, the usual one first. With a second factor, a password does not do."""
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        others = [method for method in methods if method["id"] != "reauthenticate"]
        if "totp" not in second_factor.types_of(user):
            others.reverse()  # the key before recovery codes
        return others or methods


class MFAAdapter(DefaultMFAAdapter):
    """Encrypts seeds with ENCRYPTION_KEY, which is not in the database."""

    def encrypt(self, text: str) -> str:
        return encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        return decrypt(encrypted_text)

    def get_totp_issuer(self) -> str:
        return "Calltally"

    def get_totp_label(self, user: Any) -> str:
        return str(user.get_username())

    def build_totp_svg(self, url: str) -> str:
        """Return the QR code on white, which cameras read on dark pages too."""
        file = BytesIO()
        qrcode.make(url, image_factory=SvgPathFillImage).save(file)
        return file.getvalue().decode()

    def generate_authenticator_name(self, user: Any, type: Authenticator.Type) -> str:  # noqa: A002 (allauth's name)
        n = Authenticator.objects.filter(user_id=user.pk, type=type).count() + 1
        return gettext("Key %(n)d") % {"n": n}
