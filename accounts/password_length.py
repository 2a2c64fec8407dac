"""The least length of passwords: shorter ones are enough with a second factor."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from accounts import second_factor

LEAST, LEAST_ALONE = 12, 15


class LengthValidator:
    """Asks for 15 characters; for 12 of people who have a second factor or must have one, because without it they reach
    nothing. A new user has none, and what they will be given is not known yet."""

    def validate(self, password: str, user: Any = None) -> None:
        if len(password) >= LEAST_ALONE or (len(password) >= LEAST and _is_protected(user)):
            return
        if _is_protected(user):
            text = gettext("This password is too short. Use at least %(least)d characters.")
        else:
            text = gettext(
                "This password is too short. Use at least %(alone)d characters. %(least)d are enough for people who "
                "sign in with a second factor."
            )
        raise ValidationError(text, code="password_too_short", params={"least": LEAST, "alone": LEAST_ALONE})

    def get_help_text(self) -> str:
        text = gettext(
            "At least %(alone)d characters. %(least)d are enough for people who sign in with a second factor."
        )
        return text % {"least": LEAST, "alone": LEAST_ALONE}


def _is_protected(user: Any) -> bool:
    """Return whether a password alone will not sign a person in."""
    if settings.MFA_REQUIRED == "all":
        return True
    is_known = user is not None and user.pk is not None
    return is_known and (second_factor.has(user) or second_factor.is_required_of(user))
