"""Says that Calltally switched an endpoint off: on the admin's first page, and by mail to those who can change that.

Sending a mail and recording it are one transaction under an advisory lock, as in reports.alerts."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.db import connection, transaction
from django.urls import reverse
from django.utils.translation import gettext, ngettext

from calls.notices import Notice
from live import endpoint_rights
from live.models import Endpoint
from reports import periods
from reports.alerts import OF_ONE_PERSON
from reports.permissions import opens_admin

LOCK = 0x656E6470

logger = logging.getLogger("calltally.mail")


def notices(user: Any) -> list[Notice]:
    """Return a notice of each endpoint that Calltally switched off, for people who may change endpoints."""
    if not user.has_perm("live.change_endpoint"):
        return []
    text = gettext("The endpoint %(name)s was switched off: %(why)s")
    return [
        Notice(
            text % {"name": endpoint, "why": endpoint.get_why_off_display()},
            reverse("admin:live_endpoint_change", args=[endpoint.pk]),
        )
        for endpoint in endpoint_rights.visible_endpoints(user).filter(is_on=False).exclude(why_off="")
    ]


def tell_switched_off() -> int:
    """Email everyone who may change endpoints and does not know yet that one was switched off; return how many mails
    were sent. Sends nothing if no mail server is set up."""
    if not settings.SENDS_MAIL:
        return 0
    sent = 0
    for person, endpoints in _recipients():
        try:
            sent += _email(person, endpoints)
        except OF_ONE_PERSON as error:
            logger.warning("user %d was not informed of endpoints: %s", person.pk, type(error).__name__)
        except OSError as error:  # network errors, and all others of smtplib
            logger.error("no mail leaves, endpoints will be reported later: %s", type(error).__name__)
            break
    return sent


def _recipients() -> Iterator[tuple[User, list[Endpoint]]]:
    """Yield each active person with an email address who may change endpoints, with those that were switched off and
    that they see."""
    off = Endpoint.objects.filter(is_on=False).exclude(why_off="")
    if not off.exists():
        return
    for person in User.objects.filter(is_active=True).exclude(email="").order_by("pk"):
        if opens_admin(person) and person.has_perm("live.change_endpoint"):
            seen = endpoint_rights.visible_endpoints(person).filter(is_on=False).exclude(why_off="")
            if endpoints := list(seen.exclude(off_told=person)):
                yield person, endpoints


@transaction.atomic
def _email(person: User, endpoints: list[Endpoint]) -> bool:
    """Email these endpoints to a person and record it. Return False if another worker did or does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        if cursor.fetchone()[0] is False:
            return False
    known = set(Endpoint.objects.filter(off_told=person).values_list("pk", flat=True))
    new = [endpoint for endpoint in endpoints if endpoint.pk not in known]
    if not new:
        return False
    EmailMessage(_subject(new), _text(new), to=[person.email]).send()
    for endpoint in new:
        endpoint.off_told.add(person)
    return True


def _subject(endpoints: list[Endpoint]) -> str:
    if len(endpoints) == 1:
        name = " ".join(endpoints[0].name.split())
        return gettext("Calltally: events are no longer sent to %(name)s") % {"name": name}
    return ngettext(
        "Calltally: events are no longer sent to %(count)d system",
        "Calltally: events are no longer sent to %(count)d systems",
        len(endpoints),
    ) % {"count": len(endpoints)}


def _text(endpoints: list[Endpoint]) -> str:
    """Say in plain text what was switched off and why, and what to do; it names no caller and no address."""
    parts = [gettext("Calltally has switched off endpoints, because they took no deliveries any more.")]
    for endpoint in endpoints:
        when = {"moment": periods.moment_label(endpoint.off_at), "zone": settings.TIME_ZONE} if endpoint.off_at else {}
        since = gettext("Switched off on %(moment)s (%(zone)s).") % when if when else ""
        parts.append("\n".join(line for line in [endpoint.name, since, str(endpoint.get_why_off_display())] if line))
    parts.append(
        gettext(
            "What to do: Open the endpoint in the admin and send a test call, which shows what is wrong. Then switch "
            "it on again; you choose whether what waited is sent."
        )
    )
    if settings.PUBLIC_URL:
        address = settings.PUBLIC_URL + reverse("admin:live_endpoint_changelist")
        parts.append(gettext("Endpoints: %(url)s") % {"url": address})
    parts.append(gettext("You get one mail each time an endpoint is switched off."))
    return "\n\n".join(parts) + "\n"
