"""Abstract models that the tables of counts share: number, time and measured posts; and their fields."""

from __future__ import annotations

from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from calls.models import DestinationNumber


def in_words(moment: datetime) -> str:
    """Return a time as the admin shows it, in the reports' time zone."""
    return date_format(timezone.localtime(moment), "DATETIME_FORMAT")


def count_field(label: object, help_text: object = "") -> models.PositiveIntegerField:
    return models.PositiveIntegerField(label, default=0, help_text=help_text)  # type: ignore[arg-type]


def seconds_field(label: object) -> models.DecimalField:
    """Return a field of seconds, exact to the microsecond, so that any order of adding gives the same sum."""
    return models.DecimalField(label, max_digits=20, decimal_places=6, default=0)  # type: ignore[arg-type]


def microseconds_field(label: object) -> models.BigIntegerField:
    """Return a field of whole microseconds, which add up faster than decimal seconds."""
    return models.BigIntegerField(label, default=0, db_default=0)  # type: ignore[arg-type]


def durations_field(label: object) -> ArrayField:
    """Return a field of durations in seconds, each rounded up to a full second, shortest first."""
    return ArrayField(models.PositiveIntegerField(), verbose_name=label, default=list)  # type: ignore[arg-type]


class OfNumber(models.Model):
    """A row of one number. Every table has a constraint that begins with the number, so the key needs no index."""

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
    """The posts measured in a row of counts: a bit for each of the five (reports.counting.measured)."""

    measured = models.PositiveSmallIntegerField(
        _("measured"),
        default=0,
        help_text=_("Sum of the posts that arrived: started 1, block 2, forward 4, answer 8, end 16"),
    )

    class Meta:
        abstract = True


class OfQuarterHour(models.Model):
    """A row of one quarter-hour, which is entirely inside the number's opening hours or outside."""

    quarter_hour = models.DateTimeField(_("quarter-hour"), help_text=_("Start, UTC"))
    is_open = models.BooleanField(_("during opening hours"), default=True)

    class Meta:
        abstract = True


class OfDay(models.Model):
    """A row of one day, for the time inside or outside the number's opening hours."""

    day = models.DateField(_("day"), help_text=_("Of the reports' zone"))
    is_open = models.BooleanField(_("during opening hours"), default=True)

    class Meta:
        abstract = True


class OfMonth(models.Model):
    """A row of one month, for the time inside or outside the number's opening hours. Only the roll-up writes it."""

    month = models.DateField(_("month"), help_text=_("Its first day, of the reports' zone"))
    is_open = models.BooleanField(_("during opening hours"), default=True)

    class Meta:
        abstract = True
