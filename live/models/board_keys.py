"""The model of the keys with which a screen on the wall shows the live board."""

from __future__ import annotations

from datetime import date, timedelta

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from calls.models import DestinationNumber

LASTS = timedelta(days=365)


def in_a_year() -> date:
    return timezone.localdate() + LASTS


class BoardKeyQuerySet(models.QuerySet):
    def live(self) -> BoardKeyQuerySet:
        """Keep the keys that open the board today: not revoked, and their last day is not over."""
        return self.filter(Q(until=None) | Q(until__gte=timezone.localdate()), revoked_at=None)


class BoardKey(models.Model):
    """A key shows the live figures of some or all numbers on a screen. Only its fingerprint is stored."""

    name = models.CharField(
        _("name"), max_length=100, unique=True, help_text=_("Where the screen is, for example Service team.")
    )
    is_for_all = models.BooleanField(_("all numbers"), default=False, help_text=_("Also numbers that are added later."))
    numbers = models.ManyToManyField(DestinationNumber, blank=True, related_name="+", verbose_name=_("numbers"))
    until = models.DateField(
        _("last day"),
        null=True,
        blank=True,
        default=in_a_year,
        help_text=_("Leave blank for a key that never expires."),
    )
    fingerprint = models.CharField(_("fingerprint"), max_length=64, unique=True, editable=False)
    last4 = models.CharField(_("last four characters"), max_length=4, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True, editable=False)

    # The key itself, only on the object that was just created.
    issued = ""

    objects = BoardKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("board key")
        verbose_name_plural = _("board keys")
        # Keys are created and revoked, never edited.
        default_permissions = ("view", "change")
        ordering = ["name"]

    def __str__(self) -> str:
        return f"{self.name} (…{self.last4})"
