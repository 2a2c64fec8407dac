"""Asks someone who is signed in to confirm who they are, before what they do reaches further than their session."""

from __future__ import annotations

from urllib.parse import urlencode

from allauth.account.internal.flows import reauthentication
from django.http import HttpRequest
from django.urls import reverse

# What the adapter is told where a page is sent.
SENDING = "calltally: sending"


def is_confirmed(request: HttpRequest) -> bool:
    """Return whether the person proved who they are within the last 15 minutes, by signing in or confirming it."""
    return not reauthentication.is_reauthentication_required(request, app="calltally")


def address(back_to: str) -> str:
    """Return the page that asks for second factor or password, and then leads back to an address of ours."""
    return f"{reverse('account_reauthenticate')}?{urlencode({'next': back_to})}"


def may_still_send(request: HttpRequest) -> bool:
    """Return whether the person may send a page that they opened in time: for twice as long, so that little is lost."""
    return not reauthentication.is_reauthentication_required(request, app=SENDING)
