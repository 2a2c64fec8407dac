"""The numbers that a person pinned to the navigation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction

from calls.models import DestinationNumber
from reports.models import PinnedNumber

MOST_PINS = 12


def pinned(user: Any, choices: Sequence[DestinationNumber]) -> list[DestinationNumber]:
    """Return those of the numbers that a person may see, `choices`, that they pinned, in the same order."""
    if not choices:
        return []
    ids = set(PinnedNumber.objects.filter(user=user).values_list("destination_number_id", flat=True))
    return [number for number in choices if number.pk in ids]


def pin(user: Any, number: DestinationNumber, choices: Sequence[DestinationNumber]) -> bool:
    """Pin a number. Return whether it is pinned: it is not if the person sees MOST_PINS pinned numbers already."""
    with transaction.atomic():
        # Two requests at once would each find room for the last one.
        get_user_model().objects.select_for_update().only("pk").get(pk=user.pk)
        already = pinned(user, choices)
        if number not in already and len(already) >= MOST_PINS:
            return False
        PinnedNumber.objects.get_or_create(user=user, destination_number=number)
        return True


def unpin(user: Any, number: DestinationNumber) -> None:
    """Take a number out of the pinned ones, if it is one of them."""
    PinnedNumber.objects.filter(user=user, destination_number=number).delete()
