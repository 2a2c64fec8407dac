"""Counts of calls by number: by quarter-hour, day, month and hour of the week; durations; simultaneous calls."""

from __future__ import annotations

from django.db import models
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from reports.models.base import (
    Measured,
    OfDay,
    OfMonth,
    OfNumber,
    OfQuarterHour,
    count_field,
    durations_field,
    in_words,
    microseconds_field,
    seconds_field,
)


class Counts(OfNumber, Measured):
    """The figures of one number in one quarter-hour, day or month."""

    offered = count_field(_("calls"))
    answered = count_field(_("answered"))
    served_in_plan = count_field(_("handled automatically"))
    missed = count_field(_("not answered"))
    abandoned = count_field(_("hung up before ringing"))
    short = count_field(_("short calls"))
    in_progress = count_field(_("ongoing"))
    end_unknown = count_field(_("outcome unknown"))
    # The two sides of the service level, and the sums and counts that the means need.
    answered_after_start = count_field(_("answered, start received"), _("Answered calls with a CALL_START"))
    answered_in_time = count_field(_("answered in time"), _("Of these, answered within the number's limit"))
    time_to_answer_s = seconds_field(_("waiting time, sum (s)"))
    ring_s = seconds_field(_("ringing time, sum (s)"))
    ring_calls = count_field(_("calls with a ringing time"))
    talk_s = seconds_field(_("talk time, sum (s)"))
    talk_calls = count_field(_("calls with a talk time"))
    time_to_answer_us = microseconds_field(_("waiting time, sum (µs)"))
    ring_us = microseconds_field(_("ringing time, sum (µs)"))
    talk_us = microseconds_field(_("talk time, sum (µs)"))

    class Meta:
        abstract = True


class QuarterHourCounts(Counts, OfQuarterHour):
    each_time_to_answer_s = durations_field(_("waiting time of each call (s)"))
    each_ring_s = durations_field(_("ringing time of each call (s)"))
    each_talk_s = durations_field(_("talk time of each call (s)"))

    class Meta:
        verbose_name = _("counts of a quarter-hour")
        verbose_name_plural = _("counts by quarter-hour")
        constraints = [
            # Also answers: what are this number's counts in a period?
            models.UniqueConstraint(name="counts_once_per_quarter_hour", fields=["destination_number", "quarter_hour"])
        ]

    def __str__(self) -> str:
        return f"{self.destination_number}, {in_words(self.quarter_hour)}"


class DayCounts(Counts, OfDay):
    class Meta:
        verbose_name = _("counts of a day")
        verbose_name_plural = _("counts by day")
        constraints = [
            models.UniqueConstraint(
                name="counts_once_per_day", fields=["destination_number", "day", "is_open", "measured"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.destination_number}, {date_format(self.day)}"


class MonthCounts(Counts, OfMonth):
    class Meta:
        verbose_name = _("counts of a month")
        verbose_name_plural = _("counts by month")
        constraints = [
            models.UniqueConstraint(
                name="counts_once_per_month", fields=["destination_number", "month", "is_open", "measured"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.destination_number_id} {self.month:%Y-%m}"


class HourOfWeekCounts(OfNumber, Measured, OfMonth):
    """Calls that came in one hour of the week, local time, summed over one month."""

    weekday = models.PositiveSmallIntegerField(_("weekday"), help_text=_("1 is Monday"))
    hour = models.PositiveSmallIntegerField(_("hour"))
    offered = count_field(_("offered"))
    answered = count_field(_("answered"))
    missed = count_field(_("missed"))
    abandoned = count_field(_("abandoned"))

    class Meta:
        verbose_name = _("counts of an hour of the week")
        verbose_name_plural = _("counts by hour of the week")
        constraints = [
            models.UniqueConstraint(
                name="counts_once_per_hour_of_week",
                fields=["destination_number", "month", "weekday", "hour", "is_open", "measured"],
            )
        ]

    def __str__(self) -> str:
        return f"{self.destination_number_id} {self.month:%Y-%m} {self.weekday} {self.hour}"


class Durations(OfNumber, Measured):
    """Durations of past calls: the full seconds that occur, and the number of calls for each.

    Added up from the durations of quarter-hours and deleted when one of them changes (counting.added_durations)."""

    time_to_answer_s = durations_field(_("time to answer (s)"))
    time_to_answer_calls = durations_field(_("calls"))
    ring_s = durations_field(_("ring time (s)"))
    ring_calls = durations_field(_("calls"))
    talk_s = durations_field(_("talk time (s)"))
    talk_calls = durations_field(_("calls"))

    class Meta:
        abstract = True


class DayDurations(Durations, OfDay):
    """Durations of the calls of a day that is over."""

    class Meta:
        verbose_name = _("durations of a day")
        verbose_name_plural = _("durations by day")
        constraints = [
            # Also answers: what are this number's durations on a day?
            models.UniqueConstraint(
                name="durations_once_per_day", fields=["destination_number", "day", "is_open", "measured"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.destination_number_id} {self.day}"


class MonthDurations(Durations, OfMonth):
    """Durations of the calls of a month that is over."""

    class Meta:
        verbose_name = _("durations of a month")
        verbose_name_plural = _("durations by month")
        constraints = [
            # Also answers: what are this number's durations in a month?
            models.UniqueConstraint(
                name="durations_once_per_month", fields=["destination_number", "month", "is_open", "measured"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.destination_number_id} {self.month:%Y-%m}"


class QuarterHourPeaks(OfNumber, OfQuarterHour):
    """The peak of simultaneous calls of a number in a quarter-hour. Without calls there is no row."""

    peak = count_field(_("calls at once"))

    class Meta:
        verbose_name = _("calls at once in a quarter-hour")
        verbose_name_plural = _("calls at once by quarter-hour")
        constraints = [
            models.UniqueConstraint(name="peak_once_per_quarter_hour", fields=["destination_number", "quarter_hour"])
        ]

    def __str__(self) -> str:
        return f"{self.destination_number_id} {self.quarter_hour:%Y-%m-%d %H:%M}"
