"""Asks someone who is signed in to confirm who they are, before what they do reaches further than their session."""

from __future__ import annotations

from urllib.parse import urlencode

from allauth.account.internal.flows.reauthentication import is_reauthentication_required
from django.http import HttpRequest
from django.urls import reverse


def is_confirmed(request: HttpRequest) -> bool:
    """Return whether the person proved who they are within the last 15 minutes, by signing in or confirming it."""
    return not is_reauthentication_required(request, app="calltally")


def address(back_to: str) -> str:
    """Return the page that asks for second factor or password, and then leads back to an address of ours."""
    return f"{reverse('account_reauthenticate')}?{urlencode({'next': back_to})}"
