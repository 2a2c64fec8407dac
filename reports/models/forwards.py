"""Counts of forwards by number and destination, and of calls answered by someone else than was tried first."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from reports.models.base import (
    Measured,
    OfDay,
    OfMonth,
    OfNumber,
    OfQuarterHour,
    count_field,
    microseconds_field,
    seconds_field,
)


class ForwardCounts(OfNumber, Measured):
    """Attempts at and answers by one destination of one number in one quarter-hour, day or month."""

    destination = models.TextField("destination")
    destination_type = models.TextField("destinationType")
    course = models.TextField(_("course"))
    attempts = count_field(_("attempts"), _("INITIATE_FORWARD posts"))
    calls = count_field(_("calls"), _("Calls with at least one of them"))
    answers = count_field(_("answers"), _("Calls that this destination answered"))
    ring_s = seconds_field(_("ring time, sum (s)"))
    ring_calls = count_field(_("calls with a ring time"))
    ring_us = microseconds_field(_("ring time, sum (µs)"))

    class Meta:
        abstract = True


class QuarterHourForwardCounts(ForwardCounts, OfQuarterHour):
    class Meta:
        verbose_name = _("forwards of a quarter-hour")
        verbose_name_plural = _("forwards by quarter-hour")
        constraints = [
            models.UniqueConstraint(
                name="forwards_once_per_quarter_hour",
                fields=["destination_number", "quarter_hour", "destination", "destination_type", "course"],
            )
        ]

    def __str__(self) -> str:
        return f"{self.destination_number_id} {self.quarter_hour:%Y-%m-%d %H:%M} {self.destination}"


class DayForwardCounts(ForwardCounts, OfDay):
    class Meta:
        verbose_name = _("forwards of a day")
        verbose_name_plural = _("forwards by day")
        constraints = [
            models.UniqueConstraint(
                name="forwards_once_per_day",
                fields=[
                    "destination_number",
                    "day",
                    "is_open",
                    "measured",
                    "destination",
                    "destination_type",
                    "course",
                ],
            )
        ]

    def __str__(self) -> str:
        return f"{self.destination_number_id} {self.day} {self.destination}"


class MonthForwardCounts(ForwardCounts, OfMonth):
    class Meta:
        verbose_name = _("forwards of a month")
        verbose_name_plural = _("forwards by month")
        constraints = [
            models.UniqueConstraint(
                name="forwards_once_per_month",
                fields=[
                    "destination_number",
                    "month",
                    "is_open",
                    "measured",
                    "destination",
                    "destination_type",
                    "course",
                ],
            )
        ]

    def __str__(self) -> str:
        return f"{self.destination_number_id} {self.month:%Y-%m} {self.destination}"


class Handovers(OfNumber, Measured):
    """Answered calls of one number whose destination was not the one tried first, in one quarter-hour, day or month."""

    first_destination = models.TextField(_("tried first"))
    first_type = models.TextField(_("type of the one tried first"))
    destination = models.TextField(_("answered by"))
    destination_type = models.TextField(_("type of the one who answered"))
    calls = count_field(_("calls"))

    class Meta:
        abstract = True


_PAIR = ["first_destination", "first_type", "destination", "destination_type"]


class QuarterHourHandovers(Handovers, OfQuarterHour):
    class Meta:
        verbose_name = _("handovers of a quarter-hour")
        verbose_name_plural = _("handovers by quarter-hour")
        constraints = [
            models.UniqueConstraint(
                name="handovers_once_per_quarter_hour", fields=["destination_number", "quarter_hour", *_PAIR]
            )
        ]

    def __str__(self) -> str:
        return f"{self.destination_number_id} {self.quarter_hour:%Y-%m-%d %H:%M} {self.destination}"


class DayHandovers(Handovers, OfDay):
    class Meta:
        verbose_name = _("handovers of a day")
        verbose_name_plural = _("handovers by day")
        constraints = [
            models.UniqueConstraint(
                name="handovers_once_per_day", fields=["destination_number", "day", "is_open", "measured", *_PAIR]
            )
        ]

    def __str__(self) -> str:
        return f"{self.destination_number_id} {self.day} {self.destination}"


class MonthHandovers(Handovers, OfMonth):
    class Meta:
        verbose_name = _("handovers of a month")
        verbose_name_plural = _("handovers by month")
        constraints = [
            models.UniqueConstraint(
                name="handovers_once_per_month", fields=["destination_number", "month", "is_open", "measured", *_PAIR]
            )
        ]

    def __str__(self) -> str:
        return f"{self.destination_number_id} {self.month:%Y-%m} {self.destination}"
