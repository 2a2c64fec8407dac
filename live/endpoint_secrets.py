"""Secrets with which deliveries are signed: made by us or entered, and replaced without a gap."""

from __future__ import annotations

import secrets
from datetime import timedelta

from django.utils import timezone

from live.dispatch.formats import webhooks
from live.models import Endpoint, Format

# Signed webhooks are signed with both secrets for this long after a new one was made.
BOTH_SIGN_FOR = timedelta(hours=24)
BYTES = 32


def new_secret(endpoint_format: str) -> str:
    """Return a new secret in the spelling of a format."""
    if endpoint_format == Format.WEBHOOK:
        return webhooks.new_secret()
    return secrets.token_urlsafe(BYTES)


def has_overlap(endpoint: Endpoint) -> bool:
    """Return whether a delivery may carry two signatures."""
    return endpoint.format == Format.WEBHOOK


def replace(endpoint: Endpoint, secret: str, *, overlaps: bool) -> None:
    """Give an endpoint a secret, unsaved. With `overlaps`, the one before signs, too, for a day."""
    keeps = overlaps and has_overlap(endpoint) and bool(endpoint.secret_encrypted)
    endpoint.previous_secret_encrypted = endpoint.secret_encrypted if keeps else ""
    endpoint.previous_until = timezone.now() + BOTH_SIGN_FOR if keeps else None
    endpoint.set_secret(secret)


def end_previous(endpoint: Endpoint) -> None:
    """Forget the previous secret, unsaved."""
    endpoint.previous_secret_encrypted, endpoint.previous_until = "", None
