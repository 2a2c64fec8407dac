"""Tells by mail that a number has fallen silent: its managers theirs, staff all; each person once of each silence.

A mail and the note that it left are one transaction under an advisory lock, which is held while the mail is sent: two
workers at once tell nobody twice, and a mail that does not leave is tried again at the next look. Who stops a worker
between the two has that one person told again: better twice than never."""

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

from calls.models import DestinationNumber
from reports import monitoring, periods
from reports.models import ToldSilence
from reports.permissions import is_administrator
from reports.queries import post_arrivals
from reports.queries.post_arrivals import Silence

LOCK = 0x74656C6C
# What a mail server says of one person's mail: others' may leave all the same. After anything else none would.
OF_ONE_PERSON = (SMTPRecipientsRefused, SMTPDataError, SMTPNotSupportedError, ValueError)

logger = logging.getLogger("calltally.mail")


def tell_silences(now: datetime) -> int:
    """Mail whoever was not told yet of a number that has fallen silent; return how many mails left.

    Nothing is told where no mail is set up, nor while posts wait to be counted."""
    if not settings.SENDS_MAIL or not monitoring.State.now().is_up_to_date:
        return 0
    ToldSilence.objects.filter(destination_number__first_posts__last_received_at__gt=F("since")).delete()
    silences = post_arrivals.silent(list(DestinationNumber.objects.all()), now)
    sent = 0
    for person, of_person in _whom(silences):
        try:
            sent += _tell(person, of_person, now)
        except OF_ONE_PERSON as error:
            logger.warning("user %d could not be told of silent numbers: %s", person.pk, type(error).__name__)
        except OSError as error:  # of the network, and every other of smtplib's
            logger.error("no mail leaves, silent numbers will be told later: %s", type(error).__name__)
            break
    return sent


def _whom(silences: Iterable[Silence]) -> Iterator[tuple[User, list[Silence]]]:
    """Yield who is to know, and of what, as far as they can be reached."""
    people = User.objects.filter(is_active=True).exclude(email="").order_by("pk")
    for person in people.prefetch_related("destination_numbers"):
        mine = set(person.destination_numbers.all())
        sees_all = is_administrator(person)
        if of_person := [one for one in silences if sees_all or one.number in mine]:
            yield person, of_person


@transaction.atomic
def _tell(person: User, silences: list[Silence], now: datetime) -> bool:
    """Mail what this person was not told yet, and note it; False where there is nothing, or another is at it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        if cursor.fetchone()[0] is False:
            return False
    told = set(ToldSilence.objects.filter(people=person).values_list("destination_number_id", flat=True))
    new = [one for one in silences if one.number.pk not in told]
    if not new:
        return False
    EmailMessage(_subject(new), _text(new), to=[person.email]).send()
    for one in new:
        row, _ = ToldSilence.objects.get_or_create(
            destination_number=one.number, defaults={"since": one.since, "told_at": now}
        )
        row.people.add(person)
    return True


def _subject(silences: list[Silence]) -> str:
    if len(silences) == 1:
        return gettext("Calltally: %(number)s is silent") % {"number": " ".join(silences[0].number.name.split())}
    return gettext("Calltally: %(count)d numbers are silent") % {"count": len(silences)}


def _text(silences: list[Silence]) -> str:
    """Say in plain text what is silent, and what to do; it names no caller."""
    parts = [gettext("No post of TENIOS comes any more, though by their own last weeks calls would have come:")]
    for one in silences:
        usual = ngettext(
            "By now it usually would have had %(calls)d call more.",
            "By now it usually would have had %(calls)d calls more.",
            round(one.usual),
        ) % {"calls": round(one.usual)}
        since = gettext("Silent since %(moment)s (%(zone)s).") % {
            "moment": periods.moment_label(one.since),
            "zone": settings.TIME_ZONE,
        }
        parts.append(f"{one.number}\n{since}\n{usual}")
    parts.append(
        gettext(
            "What to do: call the number. Where it does not answer, or your call does not show up in Calltally, look "
            "at its routing in TENIOS, and whether its posts still go to Calltally's address."
        )
    )
    if settings.PUBLIC_URL:
        parts.append(gettext("Which posts arrive: %(url)s") % {"url": settings.PUBLIC_URL + reverse("coverage")})
    parts.append(gettext("You are told once of each silence, and again only after posts have come in between."))
    return "\n\n".join(parts) + "\n"
