"""The counts: what calls add up to, per number (and block type), by quarter-hour UTC, and by local day and month.

Written by reports.counting only, emailed silences by reports.alerts. Counts are complete; what is not measured is
hidden when shown."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from calls.models import DestinationNumber


def _at(moment: datetime) -> str:
    """Return a moment as the admin shows it, in the reports' zone."""
    return date_format(timezone.localtime(moment), "DATETIME_FORMAT")


def _count(label: object, help_text: object = "") -> models.PositiveIntegerField:
    return models.PositiveIntegerField(label, default=0, help_text=help_text)  # type: ignore[arg-type]


def _sum(label: object) -> models.DecimalField:
    """Seconds, exact to the microsecond, so that adding them in any order gives the same sum."""
    return models.DecimalField(label, max_digits=20, decimal_places=6, default=0)  # type: ignore[arg-type]


def _microseconds(label: object) -> models.BigIntegerField:
    """The same in whole microseconds, which add up faster."""
    return models.BigIntegerField(label, default=0, db_default=0)  # type: ignore[arg-type]


def _each(label: object) -> ArrayField:
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


class Counts(OfNumber, Measured):
    """The figures of one number in one stretch of time."""

    offered = _count(_("offered"))
    answered = _count(_("answered"))
    served_in_plan = _count(_("served in plan"))
    missed = _count(_("missed"))
    abandoned = _count(_("abandoned"))
    short = _count(_("short"))
    in_progress = _count(_("in progress"))
    end_unknown = _count(_("end unknown"))
    # The two sides of the service level, and the sums and counts that the means need.
    answered_after_start = _count(_("answered, start seen"), _("Answered calls that have a CALL_START"))
    answered_in_time = _count(_("answered in time"), _("Of these, within the number's service level"))
    time_to_answer_s = _sum(_("time to answer, sum (s)"))
    ring_s = _sum(_("ring time, sum (s)"))
    ring_calls = _count(_("calls with a ring time"))
    talk_s = _sum(_("talk time, sum (s)"))
    talk_calls = _count(_("calls with a talk time"))
    time_to_answer_us = _microseconds(_("time to answer, sum (µs)"))
    ring_us = _microseconds(_("ring time, sum (µs)"))
    talk_us = _microseconds(_("talk time, sum (µs)"))

    class Meta:
        abstract = True


class BlockCounts(OfNumber, Measured):
    """The figures of one block type of one number in one stretch of time."""

    block_type = models.TextField("blockType")
    blocks = _count(_("blocks"), _("BLOCK_END posts of this type"))
    calls = _count(_("calls"), _("Calls with at least one of them"))
    last_in_call = _count(_("last in call"), _("Ended calls without an answer whose last block was of this type"))
    lost = _count(_("of these, lost"), _("Missed or abandoned"))

    class Meta:
        abstract = True


class QuarterHourCounts(Counts, OfQuarterHour):
    each_time_to_answer_s = _each(_("time to answer of each call (s)"))
    each_ring_s = _each(_("ring time of each call (s)"))
    each_talk_s = _each(_("talk time of each call (s)"))

    class Meta:
        verbose_name = _("counts of a quarter-hour")
        verbose_name_plural = _("counts by quarter-hour")
        constraints = [
            # Also answers: what are this number's counts in a period?
            models.UniqueConstraint(name="counts_once_per_quarter_hour", fields=["destination_number", "quarter_hour"])
        ]

    def __str__(self) -> str:
        return f"{self.destination_number}, {_at(self.quarter_hour)}"


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
    """What came in one hour of the week, local time, on all its days of one month."""

    weekday = models.PositiveSmallIntegerField(_("weekday"), help_text=_("1 is Monday"))
    hour = models.PositiveSmallIntegerField(_("hour"))
    offered = _count(_("offered"))
    answered = _count(_("answered"))
    missed = _count(_("missed"))
    abandoned = _count(_("abandoned"))

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


class QuarterHourBlockCounts(BlockCounts, OfQuarterHour):
    class Meta:
        verbose_name = _("block counts of a quarter-hour")
        verbose_name_plural = _("block counts by quarter-hour")
        constraints = [
            models.UniqueConstraint(
                name="block_counts_once_per_quarter_hour",
                fields=["destination_number", "quarter_hour", "block_type"],
            )
        ]

    def __str__(self) -> str:
        return f"{self.destination_number}, {_at(self.quarter_hour)}, {self.block_type}"


class DayBlockCounts(BlockCounts, OfDay):
    class Meta:
        verbose_name = _("block counts of a day")
        verbose_name_plural = _("block counts by day")
        constraints = [
            models.UniqueConstraint(
                name="block_counts_once_per_day",
                fields=["destination_number", "day", "is_open", "measured", "block_type"],
            )
        ]

    def __str__(self) -> str:
        return f"{self.destination_number}, {date_format(self.day)}, {self.block_type}"


class MonthBlockCounts(BlockCounts, OfMonth):
    class Meta:
        verbose_name = _("block counts of a month")
        verbose_name_plural = _("block counts by month")
        constraints = [
            models.UniqueConstraint(
                name="block_counts_once_per_month",
                fields=["destination_number", "month", "is_open", "measured", "block_type"],
            )
        ]

    def __str__(self) -> str:
        return f"{self.destination_number_id} {self.month:%Y-%m} {self.block_type}"


class ForwardCounts(OfNumber, Measured):
    """How often one destination of one number was tried in one stretch of time, and answered."""

    destination = models.TextField("destination")
    destination_type = models.TextField("destinationType")
    course = models.TextField(_("course"))
    attempts = _count(_("attempts"), _("INITIATE_FORWARD posts"))
    calls = _count(_("calls"), _("Calls with at least one of them"))
    answers = _count(_("answers"), _("Calls that this destination answered"))
    ring_s = _sum(_("ring time, sum (s)"))
    ring_calls = _count(_("calls with a ring time"))
    ring_us = _microseconds(_("ring time, sum (µs)"))

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
    """Calls of one number in one stretch of time that another answered than was tried first."""

    first_destination = models.TextField(_("tried first"))
    first_type = models.TextField(_("type of the one tried first"))
    destination = models.TextField(_("answered by"))
    destination_type = models.TextField(_("type of the one who answered"))
    calls = _count(_("calls"))

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


class QuarterHourPeaks(OfNumber, OfQuarterHour):
    """The most calls of a number that went on at one moment of a quarter-hour; none where none went on."""

    peak = _count(_("calls at once"))

    class Meta:
        verbose_name = _("calls at once in a quarter-hour")
        verbose_name_plural = _("calls at once by quarter-hour")
        constraints = [
            models.UniqueConstraint(name="peak_once_per_quarter_hour", fields=["destination_number", "quarter_hour"])
        ]

    def __str__(self) -> str:
        return f"{self.destination_number_id} {self.quarter_hour:%Y-%m-%d %H:%M}"


class FirstPost(models.Model):
    """Since when a kind of post arrives for a number: the quarter-hour of the call that brought the first one."""

    destination_number = models.ForeignKey(
        DestinationNumber,
        on_delete=models.CASCADE,
        related_name="first_posts",
        verbose_name=_("number"),
        db_index=False,
    )
    request_type = models.TextField("requestType")
    quarter_hour = models.DateTimeField(_("since"))
    received_at = models.DateTimeField(_("received"), help_text=_("Of the first such post"))
    # Derived when calls are counted, as a hint: no figure rests on it.
    last_received_at = models.DateTimeField(_("last received"), null=True)

    class Meta:
        verbose_name = _("first post of a kind")
        verbose_name_plural = _("first posts of a kind")
        constraints = [
            models.UniqueConstraint(name="first_post_once_per_kind", fields=["destination_number", "request_type"])
        ]

    def __str__(self) -> str:
        return f"{self.destination_number}, {self.request_type}"


class ToldSilence(OfNumber):
    """That a number fell silent was told by mail, and to whom. It goes once posts come again."""

    since = models.DateTimeField(_("silent since"), help_text=_("Its last post"))
    told_at = models.DateTimeField(_("told"), help_text=_("When the first mail left"))
    people = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="+", verbose_name=_("people told"))

    class Meta:
        verbose_name = _("told silence")
        verbose_name_plural = _("told silences")
        constraints = [
            # Also answers: was this number's silence told?
            models.UniqueConstraint(name="silence_told_once_per_number", fields=["destination_number"])
        ]

    def __str__(self) -> str:
        return f"{self.destination_number_id} {self.since:%Y-%m-%d %H:%M}"


class RollUp(models.Model):
    """How far the counts reach, and the zone their days are of. One row, made by the first roll-up."""

    counted_at = models.DateTimeField(_("counted up to"))
    time_zone = models.TextField(_("zone of the days"))

    class Meta:
        verbose_name = _("roll-up")
        constraints = [models.CheckConstraint(name="one_roll_up", condition=models.Q(id=1))]

    def __str__(self) -> str:
        return f"{self.counted_at:%Y-%m-%d %H:%M:%S}"


class WorkbookState(models.TextChoices):
    WAITING = "waiting", _("waiting")
    WORKING = "working", _("being made")
    READY = "ready", _("ready")
    FAILED = "failed", _("failed")
    EXPIRED = "expired", _("removed")


class Workbook(models.Model):
    """A workbook that the files worker makes, or has made, for the person who asked for it.

    The row is the whole job: a message that is lost, late or sent twice changes nothing."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    asker = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", verbose_name=_("asked for by")
    )
    kind = models.TextField(_("kind"), help_text=_("Which download: counts, calls …"))
    query = models.TextField(_("filters"), blank=True, help_text=_("As an address holds them"))
    search = models.TextField(_("search"), blank=True, help_text=_("Forgotten when the file is removed"))
    filters = models.JSONField(_("filters in words"), default=list)
    numbers = ArrayField(
        models.BigIntegerField(), verbose_name=_("numbers"), default=list, help_text=_("Ids of all that it holds")
    )
    name = models.TextField(_("name"), help_text=_("Of the file, as it is downloaded"))
    state = models.TextField(_("state"), choices=WorkbookState, default=WorkbookState.WAITING)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    rows = models.PositiveIntegerField(_("rows written"), default=0)
    of_rows = models.PositiveIntegerField(_("of rows"), null=True)
    created_at = models.DateTimeField(_("asked for at"), default=timezone.now)
    started_at = models.DateTimeField(_("started at"), null=True)
    heartbeat_at = models.DateTimeField(_("last heartbeat"), null=True)
    finished_at = models.DateTimeField(_("finished at"), null=True)
    file_name = models.TextField(_("name on disk"), blank=True)
    size = models.PositiveBigIntegerField(_("size in bytes"), default=0)
    error = models.TextField(_("error"), blank=True)

    KEPT = timedelta(hours=24)

    class Meta:
        verbose_name = _("workbook")
        verbose_name_plural = _("workbooks")
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(name="workbook_state_known", condition=models.Q(state__in=WorkbookState.values)),
            models.CheckConstraint(
                name="workbook_ready_has_file", condition=~models.Q(state="ready") | models.Q(file_name__gt="")
            ),
            # Also answers: whose is this file?
            models.UniqueConstraint(
                name="workbook_file_once", fields=["file_name"], condition=models.Q(file_name__gt="")
            ),
        ]
        indexes = [
            # Which workbook is next, and which worker was lost?
            models.Index(
                name="workbook_unfinished",
                fields=["created_at"],
                condition=models.Q(state__in=["waiting", "working"]),
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.state}"

    def get_absolute_url(self) -> str:
        return reverse("file", args=[self.pk])

    @property
    def is_unfinished(self) -> bool:
        return self.state in {WorkbookState.WAITING, WorkbookState.WORKING}

    @property
    def expires_at(self) -> datetime | None:
        return self.finished_at and self.finished_at + self.KEPT
