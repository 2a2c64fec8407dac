"""Numbers that people pinned: pages list them in the navigation."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from calls.models import DestinationNumber


class PinnedNumber(models.Model):
    """A number that a person keeps in the navigation. It gives no right to see the number."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="+",
        verbose_name=_("person"),
        db_index=False,  # number_pinned_once begins with it
    )
    destination_number = models.ForeignKey(
        DestinationNumber, on_delete=models.CASCADE, related_name="+", verbose_name=_("number")
    )

    class Meta:
        verbose_name = _("pinned number")
        verbose_name_plural = _("pinned numbers")
        constraints = [
            # Also answers: which numbers did this person pin?
            models.UniqueConstraint(name="number_pinned_once", fields=["user", "destination_number"])
        ]

    def __str__(self) -> str:
        return f"{self.user}, {self.destination_number}"
