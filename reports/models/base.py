"""What tables of counts share: the number, the time, what was measured, and their columns."""

from __future__ import annotations

from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from calls.models import DestinationNumber


def in_words(moment: datetime) -> str:
    """Return a moment as the admin shows it, in the reports' zone."""
    return date_format(timezone.localtime(moment), "DATETIME_FORMAT")


def count_field(label: object, help_text: object = "") -> models.PositiveIntegerField:
    return models.PositiveIntegerField(label, default=0, help_text=help_text)  # type: ignore[arg-type]


def seconds_field(label: object) -> models.DecimalField:
    """Seconds, exact to the microsecond, so that adding them in any order gives the same sum."""
    return models.DecimalField(label, max_digits=20, decimal_places=6, default=0)  # type: ignore[arg-type]


def microseconds_field(label: object) -> models.BigIntegerField:
    """The same in whole microseconds, which add up faster."""
    return models.BigIntegerField(label, default=0, db_default=0)  # type: ignore[arg-type]


def durations_field(label: object) -> ArrayField:
    """The seconds of each call, whole seconds begun, the shortest first."""
    return ArrayField(models.PositiveIntegerField(), verbose_name=label, default=list)  # type: ignore[arg-type]


class OfNumber(models.Model):
    """What is kept of one number. Every table's own constraint begins with the number, so it needs no index beside."""

    destination_number = models.ForeignKey(
        DestinationNumber,
        on_delete=models.CASCADE,
        related_name="+",
        verbose_name=_("number"),
        db_index=False,
    )

    class Meta:
        abstract = True


class Measured(models.Model):
    """What was measured of a row of counts: a bit for each of the five posts (reports.counting.measured)."""

    measured = models.PositiveSmallIntegerField(
        _("measured"),
        default=0,
        help_text=_("Sum of the posts that arrived: started 1, block 2, forward 4, answer 8, end 16"),
    )

    class Meta:
        abstract = True


class OfQuarterHour(models.Model):
    """One quarter-hour, as a whole inside the number's opening hours or outside of them."""

    quarter_hour = models.DateTimeField(_("quarter-hour"), help_text=_("Start, UTC"))
    is_open = models.BooleanField(_("inside opening hours"), default=True)

    class Meta:
        abstract = True


class OfDay(models.Model):
    """What lies inside the number's opening hours on one day, or outside of them."""

    day = models.DateField(_("day"), help_text=_("Of the reports' zone"))
    is_open = models.BooleanField(_("inside opening hours"), default=True)

    class Meta:
        abstract = True


class OfMonth(models.Model):
    """What lies inside the number's opening hours in one month, or outside of them. Only the roll-up makes them."""

    month = models.DateField(_("month"), help_text=_("Its first day, of the reports' zone"))
    is_open = models.BooleanField(_("inside opening hours"), default=True)

    class Meta:
        abstract = True
