"""Sign-in: the address an attempt is counted for, and the answer after too many. accounts.lockout counts them."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv6Network
from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.addresses import Address, client_of_request, neighbourhood

NOWHERE = "0.0.0.0"  # noqa: S104 (stands for an unknown address)


def address_of(request: HttpRequest) -> str:
    """Return the address that an attempt is counted for: the client's behind our proxies; for IPv6 its `/64`."""
    client = client_of_request(request.META)
    return NOWHERE if client is None else network_of(client)


def network_of(client: Address) -> str:
    """Return the address that the attempts of a client are counted for: its own, or the first of its `/64` for IPv6."""
    responsible = neighbourhood(client)
    return str(responsible.network_address if isinstance(responsible, IPv6Network) else responsible)


def may_try(request: Any, user: Any) -> bool:
    """Return whether a person who is known may try a password or a code. While the name or the address is locked,
    nothing is checked, and the middleware of axes answers."""
    if AxesProxyHandler.is_allowed(request, {"username": user.get_username()}):
        return True
    request.axes_locked_out = True
    return False


def note_failure(request: HttpRequest, user: Any) -> None:
    """Count a wrong password or code of a person for the name and the address, as one of the sign-in."""
    user_login_failed.send(sender=__name__, credentials={"username": user.get_username()}, request=request)


def locked_out(request: HttpRequest, _response: HttpResponse, _credentials: Any) -> HttpResponse:
    """Answer an attempt that is locked out: status 429, the sign-in page and what to do."""
    cool_off: timedelta = settings.AXES_COOLOFF_TIME
    page = {
        "form": AuthenticationForm(request),
        "locked_for_min": int(cool_off.total_seconds() // 60),
        "next": request.POST.get("next", ""),
    }
    answer = render(request, "registration/login.html", page, status=429)
    answer["Retry-After"] = str(int(cool_off.total_seconds()))
    return answer
