"""Middleware that signs people out whose session has ended, and notes use by people.

A person uses a session by opening a page or sending a form; by keys and clicks, of which the page sends word in a
request of its own (`accounts.session_views.left`). What pages ask by themselves, such as figures every ten seconds, is
no use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import resolve_url
from django.urls import reverse

from accounts import sessions


def limits(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    def middleware(request: Any) -> HttpResponseBase:
        if not request.COOKIES.get(settings.SESSION_COOKIE_NAME):
            return get_response(request)
        session = _session_of(request)
        has_ended = session is None and request.session.is_empty()
        request.signed_in_session = session
        if session is not None and is_use(request):
            sessions.note_use(session, request.user)
        answer = get_response(request)
        if session is not None:
            _follow(request, session)
        elif has_ended:
            _say_ended(answer)
        return answer

    return middleware


def kept_cookies(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware before that of sessions. A session gets a new key when its person confirms who they are; an answer to
    what a page asked by itself a moment before, with the old key, must not delete the cookie with the new one."""
    name = settings.SESSION_COOKIE_NAME

    def middleware(request: HttpRequest) -> HttpResponseBase:
        answer = get_response(request)
        deletes = name in answer.cookies and not answer.cookies[name].value
        if deletes and not is_use(request) and (request.method != "POST" or request.path == reverse("session_left")):
            del answer.cookies[name]
        return answer

    return middleware


def is_use(request: HttpRequest) -> bool:
    """Return whether a request is made by a person, and not by a page by itself: a browser opens a page."""
    mode = request.headers.get("Sec-Fetch-Mode")
    if mode:
        return mode == "navigate"
    # Older browsers, and all at addresses with http, do not say.
    return "text/html" in request.headers.get("Accept", "") and "HX-Request" not in request.headers


def _session_of(request: Any) -> Any:
    """Return the session by which a person is signed in; what remains of one that has ended is deleted."""
    if SESSION_KEY not in request.session:
        return None
    key = request.session.session_key  # Django forgets it where the password was changed
    session = sessions.find(key)
    # Django knows no disabled user; a session of one does not wait until they are enabled again.
    if session is not None and session.user_id == request.user.pk:
        return session
    sessions.end_by_key(key)
    request.session.flush()
    request.user = AnonymousUser()
    return None


def _follow(request: Any, session: Any) -> None:
    """Let the session go on if it has got a new key, and forget it if it was ended meanwhile."""
    key = request.session.session_key
    if key and sessions.hash_of(key) != session.key_hash and request.user.pk == session.user_id:
        sessions.renew(request, session)
    elif key and request.session.modified and sessions.find(key) is None:
        request.session.flush()  # saving what was deleted would fail


def _say_ended(answer: HttpResponseBase) -> None:
    """Let the sign-in page say that the session has ended."""
    place = answer.headers.get("Location", "")
    sign_in_pages = (resolve_url(settings.LOGIN_URL), resolve_url("admin:login"))
    if "?" in place and place.partition("?")[0] in sign_in_pages:
        answer.headers["Location"] = f"{place}&ended=1"
