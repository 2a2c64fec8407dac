"""Asks someone who is signed in to confirm who they are, before what they do reaches further than their session."""

from __future__ import annotations

from urllib.parse import urlencode

from allauth.account.internal.flows import reauthentication
from django.http import HttpRequest
from django.urls import reverse


def is_confirmed(request: HttpRequest) -> bool:
    """Return whether the person proved who they are within the last 15 minutes, by signing in or confirming it."""
    return not reauthentication.is_reauthentication_required(request, app="calltally")


def address(back_to: str) -> str:
    """Return the page that asks for second factor or password, and then leads back to an address of ours."""
    return f"{reverse('account_reauthenticate')}?{urlencode({'next': back_to})}"


def require(request: HttpRequest) -> None:
    """Raise what leads to that page, if the person did not. What was sent is kept in the session and done
    afterwards, so it must hold no secret."""
    reauthentication.raise_if_reauthentication_required(request, app="calltally")
