"""Emails everyone who may see a number once when it goes silent.

Sending a mail and recording it are one transaction under an advisory lock, which is held while the mail is sent. So
two workers never send the same mail twice, and a mail that fails is retried at the next check. If a worker is stopped
between sending and committing, that one person gets the mail again, which is better than not at all."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime
from smtplib import SMTPDataError, SMTPNotSupportedError, SMTPRecipientsRefused

from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.db import connection, transaction
from django.db.models import F
from django.urls import reverse
from django.utils.translation import gettext, ngettext

from calls.access import Rights
from calls.models import DestinationNumber, Right
from reports import monitoring, periods
from reports.models import ToldSilence
from reports.queries import post_arrivals
from reports.queries.post_arrivals import Silence

LOCK = 0x74656C6C
# Errors that concern one person's mail only; the other mails are still sent. Any other error stops the run.
OF_ONE_PERSON = (SMTPRecipientsRefused, SMTPDataError, SMTPNotSupportedError, ValueError)

logger = logging.getLogger("calltally.mail")


def tell_silences(now: datetime) -> int:
    """Email everyone who does not know yet that a number is silent; return the number of mails sent.

    Sends nothing if no mail server is set up, or while posts are waiting to be counted."""
    if not settings.SENDS_MAIL or not monitoring.State.now().is_up_to_date:
        return 0
    ToldSilence.objects.filter(destination_number__first_posts__last_received_at__gt=F("since")).delete()
    silences = post_arrivals.silent(list(DestinationNumber.objects.all()), now)
    sent = 0
    for person, of_person in _recipients(silences):
        try:
            sent += _email(person, of_person, now)
        except OF_ONE_PERSON as error:
            logger.warning("user %d was not informed of silent numbers: %s", person.pk, type(error).__name__)
        except OSError as error:  # network errors, and all others of smtplib
            logger.error("no mail leaves, silent numbers will be reported later: %s", type(error).__name__)
            break
    return sent


def _recipients(silences: Iterable[Silence]) -> Iterator[tuple[User, list[Silence]]]:
    """Yield each active person who has an email address, with the silences that concern them."""
    people = User.objects.filter(is_active=True).exclude(email="").order_by("pk")
    rights = Rights.of_each(people)
    for person in people:
        of_person = [silence for silence in silences if rights[person.pk].may(Right.FIGURES, silence.number)]
        if of_person:
            yield person, of_person


@transaction.atomic
def _email(person: User, silences: list[Silence], now: datetime) -> bool:
    """Email the silences new to this person and record it. Return False if there are none or another worker sends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        if cursor.fetchone()[0] is False:
            return False
    known = set(ToldSilence.objects.filter(people=person).values_list("destination_number_id", flat=True))
    new = [silence for silence in silences if silence.number.pk not in known]
    if not new:
        return False
    EmailMessage(_subject(new), _text(new), to=[person.email]).send()
    for silence in new:
        row, _ = ToldSilence.objects.get_or_create(
            destination_number=silence.number, defaults={"since": silence.since, "told_at": now}
        )
        row.people.add(person)
    return True


def _subject(silences: list[Silence]) -> str:
    if len(silences) == 1:
        return gettext("Calltally: %(number)s receives no calls") % {
            "number": " ".join(silences[0].number.name.split())
        }
    return ngettext(
        "Calltally: %(count)d number receives no calls", "Calltally: %(count)d numbers receive no calls", len(silences)
    ) % {"count": len(silences)}


def _text(silences: list[Silence]) -> str:
    """Say in plain text what is silent, and what to do; it names no caller."""
    parts = [
        gettext("Calltally no longer receives messages from TENIOS for these numbers, although calls were expected.")
    ]
    for one in silences:
        usual = ngettext(
            "About %(calls)d call was expected since then.",
            "About %(calls)d calls were expected since then.",
            round(one.usual),
        ) % {"calls": round(one.usual)}
        since = gettext("No calls received since %(moment)s (%(zone)s).") % {
            "moment": periods.moment_label(one.since),
            "zone": settings.TIME_ZONE,
        }
        parts.append("\n".join([str(one.number), since, usual]))
    parts.append(
        gettext(
            "What to do: Call the number. If it does not answer, or if your call does not appear in Calltally, check "
            "its routing plan in TENIOS and the address to which TENIOS sends its messages."
        )
    )
    if settings.PUBLIC_URL:
        parts.append(
            gettext("Data quality of your numbers: %(url)s") % {"url": settings.PUBLIC_URL + reverse("data_quality")}
        )
    parts.append(gettext("You get one mail each time a number stops receiving calls."))
    return "\n\n".join(parts) + "\n"
