"""Passwords that someone else set: who signs in with one reaches nothing but the page that changes it.

Setting a password ends all sessions of the person, so what holds is known at each sign-in and kept in the session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.apps import apps
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext

# The key in a session that may do nothing else before the password is changed.
MUST_CHANGE = "must_change_password"
STAY_OPEN = ("password_change", "logout", "admin:logout")


def note_given(user: Any) -> None:
    """Note that someone else has set the password of a user."""
    _given().update_or_create(user_id=user.pk)


def note_own(user: Any) -> None:
    """Note that a user has no password that someone else set."""
    _given().filter(user_id=user.pk).delete()


def note_sign_in(request: HttpRequest, user: Any, **_kwargs: Any) -> None:
    """Mark a new session of a person who has a password that someone else set."""
    if _given().filter(user_id=user.pk).exists():
        request.session[MUST_CHANGE] = True


def own_passwords(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware that leads a marked session to the page that changes the password. What is no page of a browser, such
    as a question of a script, is refused."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if not _must_change(request) or request.path in map(reverse, STAY_OPEN):
            return get_response(request)
        if _opens_a_page(request):
            return HttpResponseRedirect(reverse("password_change"))
        text = gettext("Change your password first: someone else has set it.")
        return HttpResponse(text, status=403, content_type="text/plain; charset=utf-8")

    return middleware


def _must_change(request: HttpRequest) -> bool:
    """Return whether a person is signed in who must change their password. Other requests cost no query."""
    is_marked = settings.SESSION_COOKIE_NAME in request.COOKIES and request.session.get(MUST_CHANGE)
    # Who was disabled meanwhile is led to the sign-in page as everybody else.
    return bool(is_marked and request.user.is_authenticated)


def _opens_a_page(request: HttpRequest) -> bool:
    """Return whether a browser shows the answer as a page: it says so, or in older browsers asks for HTML."""
    mode = request.headers.get("Sec-Fetch-Mode")
    return mode == "navigate" if mode else "text/html" in request.headers.get("Accept", "")


def _given() -> Any:
    return apps.get_model("accounts", "GivenPassword").objects
