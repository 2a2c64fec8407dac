"""Sign-in: the address an attempt is counted for, and the answer after too many. accounts.lockout counts them."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv6Network
from typing import Any

from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
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
