"""Sessions of people who are signed in: how one begins, is used and ends. Each has a row, `SignedInSession`.

Django keeps the contents of a session in a table of its own. There a session cannot be found by its person, and a row
that comes back with a backup would sign in again; so what signs in is our row, and both rows go together."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Func, Q, QuerySet, Value
from django.http import Http404, HttpRequest
from django.utils import timezone
from django.utils.module_loading import import_string

from accounts.addresses import client_of_request

LONGEST_AGENT = 255
NOTED_EVERY = timedelta(minutes=1)

# Every page asks for this, and the ORM takes several times as long to say it.
_BY_HASH = "SELECT {columns} FROM accounts_signedinsession WHERE key_hash = %s"
# Django's sessions with these hashes. There are few, and sessions are rarely ended.
_DELETE_CONTENTS = """
DELETE FROM django_session WHERE encode(sha256(convert_to(session_key, 'UTF8')), 'hex') = ANY(%s)
"""


def note_sign_in(request: HttpRequest, user: Any, **_kwargs: Any) -> None:
    """Receiver of Django's signal for each sign-in, whichever view it came through."""
    before = hash_of(request.COOKIES.get(settings.SESSION_COOKIE_NAME, ""))
    end(where(key_hash=before), but=request)  # that of who was signed in there until now
    begin(request, user)


def note_sign_out(request: HttpRequest, **_kwargs: Any) -> None:
    """Receiver of Django's signal for each sign-out."""
    end_by_key(request.session.session_key)


def note_confirmed(request: Any, reauthenticated: bool = False, **_kwargs: Any) -> None:
    """Receiver of allauth's signal for each password, code or key: who proves again who they are goes on in the same
    session under a new key, and the old one is of no use any more."""
    if not reauthenticated:
        return
    request.session.cycle_key()
    session = getattr(request, "signed_in_session", None)
    if session is not None:
        session.key_hash = hash_of(request.session.session_key)
        where(pk=session.pk).update(key_hash=session.key_hash)


def begin(request: HttpRequest, user: Any) -> None:
    """A person has signed in: their session begins."""
    if not request.session.session_key:  # someone else was signed in there
        request.session.create()
    now = timezone.now()
    _all().update_or_create(
        key_hash=hash_of(request.session.session_key),
        defaults={
            "user_id": user.pk,
            "signed_in_at": now,
            "last_used_at": now,
            "ends_when_idle": _ends_when_idle(user),
            "address": _address_of(request),
            "user_agent": _agent_of(request),
        },
    )


def renew(request: HttpRequest, session: Any) -> None:
    """Let a session go on under its new key, which Django gives it when its person changes their password."""
    where(pk=session.pk).delete()
    session.pk, session.key_hash = None, hash_of(request.session.session_key)
    _all().bulk_create([session], ignore_conflicts=True)  # if they signed in anew, there is a row


def end(sessions: QuerySet, *, but: HttpRequest | None = None) -> int:
    """End sessions at once, with their contents; return how many. The contents of that of `but` stay."""
    with transaction.atomic():
        hashes = list(sessions.values_list("key_hash", flat=True))
        kept = hash_of(but.session.session_key) if but else ""
        if hashes:
            with connection.cursor() as cursor:
                cursor.execute(_DELETE_CONTENTS, [[key_hash for key_hash in hashes if key_hash != kept]])
            where(key_hash__in=hashes).delete()
    return len(hashes)


def end_chosen(user: Any, chosen: str, this: Any) -> int:
    """End the session of a user that a form names by its id, or with `all` all of them but `this`; return how many.

    Raise Http404 if it is not one of theirs."""
    own = of(user)
    if chosen == "all":
        return end(own.exclude(pk=this.pk) if this else own)
    if not (chosen.isascii() and chosen.isdigit() and len(chosen) < 19 and own.filter(pk=chosen).exists()):
        raise Http404
    return end(own.filter(pk=chosen))


def end_by_key(key: str | None) -> None:
    """End the session of a key, if there is one."""
    end(where(key_hash=hash_of(key)))


def find(key: str | None) -> Any:
    """Return the session of a key if it goes on; None if it has ended, or no one is signed in by it."""
    if not key:
        return None
    model = _all().model
    names = [field.attname for field in model._meta.concrete_fields]
    with connection.cursor() as cursor:
        cursor.execute(_BY_HASH.format(columns=", ".join(names)), [hash_of(key)])
        row = cursor.fetchone()
    session = model.from_db(connection.alias, names, row) if row else None
    return session if session is not None and session.ends_at > timezone.now() else None


def of(user: Any) -> Any:
    """Return the sessions of a user that go on, the last used first."""
    return where(user=user.pk).filter(_goes_on()).order_by("-last_used_at", "-pk")


def where(**condition: Any) -> Any:
    """Return the sessions that meet a condition, also those whose time is over."""
    return _all().filter(**condition)


def note_use(session: Any, user: Any) -> None:
    """Note that a person has used a session; written at most once a minute."""
    now = timezone.now()
    if now - session.last_used_at < NOTED_EVERY:
        return
    session.last_used_at, session.ends_when_idle = now, _ends_when_idle(user)
    where(pk=session.pk).update(last_used_at=now, ends_when_idle=session.ends_when_idle)


def end_old() -> int:
    """End the sessions whose time is over, and forget those whose contents are gone, as after signing out."""
    hashes = Func(
        Func(Func(F("session_key"), Value("UTF8"), function="convert_to"), function="sha256"),
        Value("hex"),
        function="encode",
    )
    there = apps.get_model("sessions", "Session").objects.annotate(key_hash=hashes).values("key_hash")
    return end(_all().exclude(_goes_on())) + end(_all().exclude(key_hash__in=there))


def hash_of(key: str | None) -> str:
    """Return what is kept of a session's key: it is random, so a plain hash does not give it away."""
    return hashlib.sha256((key or "").encode()).hexdigest()


def _goes_on() -> Q:
    now = timezone.now()
    is_used = Q(last_used_at__gt=now - timedelta(minutes=settings.SESSION_IDLE_MINUTES)) | Q(ends_when_idle=False)
    return Q(signed_in_at__gt=now - timedelta(hours=settings.SESSION_HOURS)) & is_used


def _ends_when_idle(user: Any) -> bool:
    return bool(import_string(settings.ENDS_WHEN_IDLE)(user))


def _address_of(request: HttpRequest) -> str | None:
    client = client_of_request(request.META)
    return None if client is None else str(client)


def _agent_of(request: HttpRequest) -> str:
    # PostgreSQL stores no zero bytes.
    return request.headers.get("User-Agent", "").replace("\0", "")[:LONGEST_AGENT]


def _all() -> Any:
    return apps.get_model("accounts", "SignedInSession").objects
