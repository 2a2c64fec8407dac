"""The log of quarter-hours whose calls must be counted again."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from calls import querysets


class ChangedQuarterHour(models.Model):
    """A quarter-hour that must be counted again.

    The log is append-only and has no unique key, so that writers never wait for each other."""

    destination_number = models.ForeignKey(
        "DestinationNumber", on_delete=models.CASCADE, related_name="+", db_index=False
    )
    quarter_hour = models.DateTimeField()
    logged_at = models.DateTimeField(db_default=Now())

    objects = querysets.ChangedQuarterHourQuerySet.as_manager()

    class Meta:
        verbose_name = _("changed quarter-hour")
        verbose_name_plural = _("changed quarter-hours")

    def __str__(self) -> str:
        return f"{self.destination_number_id} {self.quarter_hour:%Y-%m-%d %H:%M}"
