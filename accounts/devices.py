"""Devices: browsers in which a person signed in before. A cookie says so, and no row of the database.

The cookie has an entry for each of the last few people: a random id, the time, and a signature with the person and
their present password in it. So no one can read from it whose it is, or use it for another person, and a changed
password ends it. It signs no one in: accounts.lockout locks a known device later than an unknown one."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import signing
from django.http import HttpRequest, HttpResponseBase

REMEMBERED_FOR = timedelta(days=365)
MOST_PEOPLE = 4
SALT = "accounts.devices"
ENTRY = re.compile(r"[\w-]{22}:[\w-]{6,10}:[\w-]{43}", re.ASCII)
SEPARATOR = "."


def known_device(request: HttpRequest, username: str) -> str | None:
    """Return the id of the device if this person signed in there within a year, with the password they still have.

    A forged, expired or foreign cookie is no device."""
    entries = _entries(request)
    if not entries:
        return None
    user = get_user_model()._default_manager.filter(username=username).first()
    return next((device for device in (_device(entry, user) for entry in entries) if device), None) if user else None


def note_sign_in(request: Any, user: Any, **_kwargs: Any) -> None:
    """Receiver of Django's signal for each sign-in, whichever view it came through: `remember_devices` answers it."""
    request.signed_in_person = user


def remember_devices(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware that sets the cookie of the device in the answer to a sign-in."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        answer = get_response(request)
        if (user := getattr(request, "signed_in_person", None)) is not None:
            answer.set_cookie(
                settings.DEVICE_COOKIE_NAME,
                _renewed(_entries(request), user),
                max_age=REMEMBERED_FOR,
                httponly=True,
                secure=settings.SESSION_COOKIE_SECURE,
                samesite="Lax",
            )
        return answer

    return middleware


def _entries(request: HttpRequest) -> list[str]:
    """Return the entries of the cookie that look like ours; whether they are is for `_device` to say."""
    cookie = request.COOKIES.get(settings.DEVICE_COOKIE_NAME, "")
    return [entry for entry in cookie.split(SEPARATOR, MOST_PEOPLE)[:MOST_PEOPLE] if ENTRY.fullmatch(entry)]


def _renewed(entries: list[str], user: Any) -> str:
    """Return a cookie that says this person signed in now. The device keeps its id, so that its failures still count;
    who signed in longest ago is dropped."""
    devices = {entry: _device(entry, user) for entry in entries}
    device = next((known for known in devices.values() if known), None) or secrets.token_urlsafe(16)
    others = [entry for entry, known in devices.items() if not known]
    return SEPARATOR.join([_signer(user).sign(device), *others][:MOST_PEOPLE])


def _device(entry: str, user: Any) -> str | None:
    """Return the id of an entry if it was signed for this person and their present password within a year."""
    try:
        return _signer(user).unsign(entry, max_age=REMEMBERED_FOR)
    except signing.BadSignature:
        return None


def _signer(user: Any) -> signing.TimestampSigner:
    # The hash changes with the password; it is also what ends sessions then.
    return signing.TimestampSigner(salt=f"{SALT}:{user.pk}:{user.get_session_auth_hash()}")
