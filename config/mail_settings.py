"""Converts EMAIL_URL into Django's settings for mail."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parseaddr
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email

# Default ports by scheme of EMAIL_URL. `smtps` is not accepted, because it is used for both kinds of TLS.
PORTS = {"smtp": 25, "smtp+tls": 587, "smtp+ssl": 465}
NOWHERE = {"EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend"}


@dataclass(frozen=True)
class Mail:
    """Django's settings for mail, and the variable that prevents mail from being sent; blank if there is none."""

    settings: dict[str, Any]
    sends: bool = False
    wrong: str = ""


def read(url: str, sender: str) -> Mail:
    """Return the settings for mail. Invalid values do not prevent a start: posts are received without mail too."""
    if not url:
        return Mail(NOWHERE)
    try:
        parsed = environ.Env.email_url_config(url)
    except (ImproperlyConfigured, ValueError):
        return Mail(NOWHERE, wrong="EMAIL_URL")
    scheme = url.partition("://")[0].lower()
    if scheme not in PORTS or not parsed["EMAIL_HOST"] or parsed["EMAIL_FILE_PATH"] or "#" in url:
        return Mail(NOWHERE, wrong="EMAIL_URL")
    try:
        validate_email(parseaddr(sender)[1])
    except ValidationError:
        return Mail(NOWHERE, wrong="DEFAULT_FROM_EMAIL")
    settings = {
        "EMAIL_BACKEND": parsed["EMAIL_BACKEND"],
        "EMAIL_HOST": parsed["EMAIL_HOST"],
        "EMAIL_PORT": parsed["EMAIL_PORT"] or PORTS[scheme],
        "EMAIL_HOST_USER": parsed["EMAIL_HOST_USER"] or "",
        "EMAIL_HOST_PASSWORD": parsed["EMAIL_HOST_PASSWORD"] or "",
        "EMAIL_USE_TLS": scheme == "smtp+tls",
        "EMAIL_USE_SSL": scheme == "smtp+ssl",
    }
    return Mail(settings, sends=True)
