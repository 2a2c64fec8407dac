"""Counts failed sign-ins and says what is locked: a name from one network, or a network. Used by django-axes."""

from __future__ import annotations

import logging
import unicodedata
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_client_username
from axes.models import AccessAttempt
from axes.signals import user_locked_out
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, Sum
from django.http import HttpRequest

from accounts import devices
from accounts.addresses import read_address
from accounts.audit import failures
from accounts.audit.actions import Action
from accounts.audit.entries import NOTHING, write
from accounts.signin import network_of

log = logging.getLogger(__name__)

LONGEST_NAME = 255  # of the column


class Lockout(AxesDatabaseHandler):
    """Locks a name from one network, and a network much later. A name is never locked everywhere: a stranger could keep
    its owner out. For the same reason a known device is exempt from both locks, until it fails as often itself.

    Failures are counted by name, network and device, in axes' table. Its column `user_agent` holds the id of the
    device, empty for an unknown one; nothing else that a client sends is stored, so it can make neither further rows
    nor large ones. Names that differ by case only count as one."""

    def is_locked(self, request: Any, credentials: dict[str, Any] | None = None) -> bool:
        name = _name(request, credentials)
        recent = AccessAttempt.objects.filter(attempt_time__gt=request.axes_attempt_time - settings.AXES_COOLOFF_TIME)
        if device := devices.known_device(request, name):
            of_device = _failures(recent.filter(user_agent=device))
            if of_device < settings.AXES_FAILURE_LIMIT:
                return False
        here = recent.filter(ip_address=request.axes_ip_address)
        if _failures(here.filter(username__iexact=name)) >= settings.AXES_FAILURE_LIMIT:
            return True
        return _failures(here) >= settings.NETWORK_FAILURE_LIMIT

    def user_login_failed(self, sender: Any, credentials: dict[str, Any], request: Any = None, **_kwargs: Any) -> None:
        """Count a failure. An attempt that a lock refused is not counted, so that it does not prolong the lock."""
        if request is None:
            log.error("a failed sign-in without a request was not counted")
            return
        if not request.axes_locked_out:
            self.clean_expired_user_attempts(request, credentials)
            _count(request, _name(request, credentials))
            request.axes_locked_out = self.is_locked(request, credentials)
            if request.axes_locked_out:
                log.warning("signing in was locked after too many failures")
                failures.note(Action.LOCKED_OUT, request.axes_ip_address, _name(request, credentials))
        if request.axes_locked_out:
            request.axes_credentials = credentials
            user_locked_out.send(
                "axes",
                request=request,
                username=_name(request, credentials),
                ip_address=request.axes_ip_address,
            )

    def reset_user_attempts(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """Forget the failures of a person who signed in, here and with this device, after their exact name: an account
        whose name differs by case only must not reset them. Those of other names still count for the network."""
        name = _name(request, credentials)
        failures = Q(ip_address=request.axes_ip_address)  # type: ignore[attr-defined]  # set by axes
        if device := devices.known_device(request, name):
            failures |= Q(user_agent=device)
        count: int = AccessAttempt.objects.filter(failures, username=name).delete()[0]
        return count

    def reset_attempts(
        self, *, ip_address: str | None = None, username: str | None = None, ip_or_username: bool = False
    ) -> int:
        """Unlock a name everywhere, in any case, or the network of an address; for the commands of axes."""
        address = read_address(ip_address) if ip_address else None
        of_network = Q(ip_address=network_of(address) if address else ip_address)
        of_name = Q(username__iexact=_clean(username or ""))
        if ip_address and username:
            chosen = of_network | of_name if ip_or_username else of_network & of_name
        else:
            chosen = of_network if ip_address else of_name if username else Q()
        count: int = AccessAttempt.objects.filter(chosen).delete()[0]
        if count:
            write(Action.UNLOCKED, failures.subject_of(username) if username else NOTHING, rows=count)
        return count


def _failures(attempts: Any) -> int:
    failures: int = attempts.aggregate(sum=Sum("failures_since_start", default=0))["sum"]
    return failures


def _count(request: Any, name: str) -> None:
    with transaction.atomic():
        row, is_new = AccessAttempt.objects.select_for_update().get_or_create(
            username=name,
            ip_address=request.axes_ip_address,
            user_agent=devices.known_device(request, name) or "",
            defaults={"path_info": request.axes_path_info, "failures_since_start": 1},
        )
        if not is_new:
            row.failures_since_start = F("failures_since_start") + 1
            row.attempt_time, row.path_info = request.axes_attempt_time, request.axes_path_info
            row.save()


def _name(request: Any, credentials: dict[str, Any] | None) -> str:
    return _clean(get_client_username(request, credentials) or "")


def _clean(name: str) -> str:
    """Return a name as Django's sign-in form looks it up, whichever view it came through."""
    return unicodedata.normalize("NFKC", name[:LONGEST_NAME]).strip()[:LONGEST_NAME]
