"""Failed sign-ins in the audit. A flood of them stays bounded: entries for the first ones of a network and hour, a
count for the rest, and an entry with this count when the hour is over."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts.audit import chain
from accounts.audit.actions import Action
from accounts.audit.actors import Actor
from accounts.audit.entries import Subject, write
from accounts.models import CappedEntries

MOST_OF_NETWORK = 10
# Further networks of the same hour are counted together.
MOST_NETWORKS = 200
ALL_OTHERS = ""


def note(action: Action, network: str, name: str) -> None:
    """Note a failed sign-in or a lock for a name, if this network has not failed too often in this hour."""
    if _count(action, network) <= MOST_OF_NETWORK:
        write(action, subject_of(name), actor=Actor(None, "", network))


def add_up() -> None:
    """Write an entry for what was only counted in hours that are over."""
    for row in CappedEntries.objects.filter(hour__lt=_hour(timezone.now())).order_by("hour", "pk"):
        with transaction.atomic():
            # Another worker may have done it meanwhile.
            if not CappedEntries.objects.filter(pk=row.pk).delete()[0]:
                continue
            if (more := row.count - MOST_OF_NETWORK) > 0:
                hours = {"from": row.hour.isoformat(), "more": more, "network": row.network or "others"}
                write(Action(row.action), actor=Actor(None, "", row.network), after=hours, rows=more)


@transaction.atomic
def _count(action: Action, network: str) -> int:
    """Count one more, and return how many there are now."""
    of_hour = CappedEntries.objects.filter(hour=_hour(timezone.now()), action=action.value)
    if not of_hour.filter(network=network).exists() and of_hour.count() >= MOST_NETWORKS:
        network = ALL_OTHERS
    row, _is_new = CappedEntries.objects.select_for_update().get_or_create(
        hour=_hour(timezone.now()), action=action.value, network=network
    )
    CappedEntries.objects.filter(pk=row.pk).update(count=F("count") + 1)
    return row.count + 1


def subject_of(name: str) -> Subject:
    """Return the user of a name. Of a name that no user has only a checksum: a password is easily typed as a name."""
    user = User.objects.filter(username=name.replace("\0", "")).first()
    if user is not None:
        return Subject.of(user)
    return Subject(User._meta.label_lower, "", f"unknown name {chain.pseudonym(name)}")


def _hour(moment: datetime) -> datetime:
    return moment - timedelta(minutes=moment.minute, seconds=moment.second, microseconds=moment.microsecond)
