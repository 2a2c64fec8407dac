"""Which streams may go on: their person is still signed in, and may still sign in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from django.utils import timezone

from accounts import second_factor, sessions
from accounts.given_passwords import MUST_CHANGE
from live.hub import Stream

# Which of these streams may go on: the session is there and has not ended, the person active, the password the same.
_STILL_THERE = """
SELECT stream.place FROM unnest(%(sessions)s::text[], %(users)s::int[], %(passwords)s::text[], %(hashes)s::text[])
  WITH ORDINALITY AS stream (session_key, user_id, password, key_hash, place)
JOIN django_session AS session ON session.session_key = stream.session_key AND session.expire_date > now()
JOIN accounts_signedinsession AS signed_in ON signed_in.key_hash = stream.key_hash
  AND signed_in.signed_in_at > %(signed_in_after)s
  AND (signed_in.last_used_at > %(used_after)s OR NOT signed_in.ends_when_idle)
JOIN auth_user AS person ON person.id = stream.user_id AND person.is_active AND person.password = stream.password
"""


def signed_in(session_key: str) -> tuple[User, bool] | None:
    """Return the active person who is signed in by a session and may go on in it, with a password of their own and a
    second factor if they must have one; and whether they passed one in it. None for any other text."""
    if sessions.find(session_key) is None:
        return None
    request: Any = SimpleNamespace(session=SessionStore(session_key))
    user = get_user(request)
    if not isinstance(user, User) or not user.is_active or request.session.get(MUST_CHANGE, False):
        return None
    if second_factor.is_missing(user, request.session):
        return None
    return user, second_factor.passed_s_ago(user, request.session) is not None


def still_there(streams: Sequence[Stream]) -> set[int]:
    """Return the places of the streams whose person is still signed in and active, with the same password, and has
    passed a second factor if they must have one by now."""
    now = timezone.now()
    asked: dict[str, Any] = {
        "sessions": [stream.session_key for stream in streams],
        "users": [stream.user for stream in streams],
        "passwords": [stream.password for stream in streams],
        "hashes": [sessions.hash_of(stream.session_key) for stream in streams],
        "signed_in_after": now - timedelta(hours=settings.SESSION_HOURS),
        "used_after": now - timedelta(minutes=settings.SESSION_IDLE_MINUTES),
    }
    with connection.cursor() as cursor:
        cursor.execute(_STILL_THERE, asked)
        there = {place - 1 for (place,) in cursor.fetchall()}
    return there - _without_a_factor(streams)


def _without_a_factor(streams: Sequence[Stream]) -> set[int]:
    """Return the places of the streams that began without a second factor and whose person must have one."""
    without = {place: stream.user for place, stream in enumerate(streams) if not stream.has_passed}
    if not without or not second_factor.is_asked_for():
        return set()
    must = second_factor.must_have(list(User.objects.filter(pk__in=set(without.values()))))
    return {place for place, user in without.items() if user in must}
