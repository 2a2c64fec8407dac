"""The second factor: who must have one, whether a session has passed it, and codes that work once.

allauth keeps authenticators and asks for them after the password; before that, no one is signed in. A session passes by
using one, or by setting one up. Four functions say what happens to factors: `note_set_up`, `note_passed`,
`note_removed` and `forget`."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from typing import Any

from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from allauth.mfa.utils import decrypt
from django.conf import settings
from django.db import transaction
from django.utils.crypto import constant_time_compare
from django.utils.module_loading import import_string

from accounts import sessions
from accounts.audit.actions import Action
from accounts.audit.entries import Subject, write
from accounts.encryption import NotReadable

logger = logging.getLogger(__name__)

FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
PASSED = "second_factor"  # in sessions: whose factor was passed, and when
TRIES = "tries"  # in the data of a person's first factor: how many tries failed, and when the first of them was
BEGUN_WITH = "signing_in_with"  # in sessions, between password and code: what says that the password is the same
LAST_STEP = "last_step"  # in the data of an app: the 30 seconds whose code was used last


def must_have(people: Collection[Any]) -> set[int]:
    """Return the ids of those among some people who must have a second factor, by MFA_REQUIRED."""
    if settings.MFA_REQUIRED == "staff":
        others = [user for user in people if not user.is_staff]
        see_calls: set[int] = import_string(settings.WHO_SEES_SINGLE_CALLS)(others) if others else set()
        return {user.pk for user in people if user.is_staff} | see_calls
    return {user.pk for user in people} if settings.MFA_REQUIRED == "all" else set()


def is_required_of(user: Any) -> bool:
    """Return whether a person must have a second factor, by MFA_REQUIRED."""
    return user.pk in must_have([user])


def is_asked_for() -> bool:
    """Return whether anybody must have a second factor."""
    return bool(settings.MFA_REQUIRED != "none")


def types_of(user: Any) -> set[str]:
    """Return which second factors a person has: `totp` for an app, `webauthn` for keys. Recovery codes are none."""
    return set(Authenticator.objects.filter(user_id=user.pk, type__in=FACTORS).values_list("type", flat=True))


def has(user: Any) -> bool:
    """Return whether a person has set up an app or a key."""
    return bool(types_of(user))


def who_lacks_one(people: Collection[Any]) -> set[int]:
    """Return the ids of those among some people who must have a second factor and have none."""
    must = must_have(people)
    have = Authenticator.objects.filter(user_id__in=must, type__in=FACTORS).values_list("user_id", flat=True)
    return must.difference(have)


def is_missing(user: Any, session: Any) -> bool:
    """Return whether a signed-in person must not go on in this session, because it has not passed a second factor."""
    return is_asked_for() and passed_s_ago(user, session) is None and is_required_of(user)


def note_begun(user: Any, session: Any) -> None:
    """Note that the person has entered the password and is now asked for the second factor."""
    session[BEGUN_WITH] = user.get_session_auth_hash()


def may_finish(user: Any, session: Any) -> bool:
    """Return whether the person may still sign in with the password that they entered before the second factor."""
    if user is None or not user.is_active:
        return False
    return constant_time_compare(session.get(BEGUN_WITH, ""), user.get_session_auth_hash())


def note_finished(session: Any) -> None:
    """Note that the person has signed in."""
    session.pop(BEGUN_WITH, None)


def note_set_up(user: Any, session: Any, kind: str) -> None:
    """Note that the person set up a second factor in this session: an app (`totp`) or a key (`webauthn`)."""
    note_passed(user, session)
    write(Action.FACTOR_SET_UP, Subject.of(user), after={"kind": kind})


def note_passed(user: Any, session: Any) -> None:
    """Note that the person used a second factor in this session."""
    session[PASSED] = [str(user.pk), time.time()]


def note_removed(user: Any, session: Any, kind: str) -> None:
    """Note that the person removed an app or a key: after the last one, the session has passed none."""
    if not has(user):
        session.pop(PASSED, None)
    write(Action.FACTOR_REMOVED, Subject.of(user), before={"kind": kind})


def passed_s_ago(user: Any, session: Any) -> float | None:
    """Return how many seconds ago the person passed a second factor in this session; None if they did not."""
    of, at = session.get(PASSED) or ("", 0.0)
    return time.time() - at if of == str(user.pk) else None


def begin_try(user: Any) -> bool:
    """Count a try before it is checked; return False, without counting it, if too many failed lately.

    All networks count together, because who is asked knows the password: that a stranger keeps the owner out is better
    than that many networks guess a code of six digits. Parallel tries cannot pass the limit either."""
    with transaction.atomic():
        factor = _first_factor(user)
        if factor is None:
            return False
        n, began_at = factor.data.get(TRIES) or (0, 0.0)
        if time.time() - began_at > settings.AXES_COOLOFF_TIME.total_seconds():
            n, began_at = 0, time.time()
        if n >= settings.AXES_FAILURE_LIMIT:
            return False
        factor.data[TRIES] = [n + 1, began_at]
        factor.save(update_fields=["data"])
    return True


def forget_tries(user: Any) -> None:
    """Forget the tries of a person, who gave the right answer."""
    with transaction.atomic():
        if (factor := _first_factor(user)) is not None and factor.data.pop(TRIES, None):
            factor.save(update_fields=["data"])


def take_code(user: Any, code: str) -> Authenticator | None:
    """Return the app or the recovery codes that a code is of, and take it: it works once, in whichever process.

    None if it is wrong, used, or of an older one than the last that was used."""
    try:
        return _take_code_of_app(user, code) or _take_recovery_code(user, code)
    except NotReadable:
        logger.error("The second factor of user %d was encrypted with another ENCRYPTION_KEY", user.pk)
        return None


def note_code_of_setup(user: Any, code: str) -> None:
    """Take the code with which an app was set up, so that it does not sign in as well."""
    _take_code_of_app(user, code)


def forget(user: Any, by: str) -> int:
    """Remove all second factors of a person and end their sessions. Return how many entries there were, with those of
    recovery codes. `by` says in the log who did it."""
    with transaction.atomic():
        _deleted, by_model = Authenticator.objects.filter(user_id=user.pk).delete()
        sessions.end(sessions.where(user=user.pk))
        write(Action.FACTORS_RESET, Subject.of(user))
    logger.warning("The second factor of user %d was removed by %s", user.pk, by)
    n: int = by_model.get(Authenticator._meta.label, 0)
    return n


def _first_factor(user: Any) -> Authenticator | None:
    """Return the oldest app or key of a person, locked until the end of the transaction."""
    factors = Authenticator.objects.select_for_update().filter(user_id=user.pk, type__in=FACTORS)
    return factors.order_by("pk").first()


def _take_code_of_app(user: Any, code: str) -> Authenticator | None:
    with transaction.atomic():
        app = Authenticator.objects.select_for_update().filter(user_id=user.pk, type=Authenticator.Type.TOTP).first()
        if app is None:
            return None
        secret, last_step = decrypt(app.data["secret"]), app.data.get(LAST_STEP, 0)
        for step in totp.yield_hotp_counters_from_time():
            expected = totp.format_hotp_value(totp.hotp_value(secret, step))
            if step > last_step and compare_user_code(actual=code, expected=expected):
                app.data[LAST_STEP] = step
                app.save(update_fields=["data"])
                return app
    return None


def _take_recovery_code(user: Any, code: str) -> Authenticator | None:
    codes = Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.RECOVERY_CODES).first()
    return codes if codes is not None and codes.wrap().validate_code(code) else None
