"""State that reports keep beside counts: first posts, the last roll-up, emailed silences, workbooks."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from calls.models import DestinationNumber
from reports.models.base import (
    OfNumber,
)


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
    received_at = models.DateTimeField(_("received"), help_text=_("Of the first message of this type"))
    # Derived when calls are counted, as a hint: no figure rests on it.
    last_received_at = models.DateTimeField(_("last received"), null=True)

    class Meta:
        verbose_name = _("first message of a type")
        verbose_name_plural = _("first messages of each type")
        constraints = [
            models.UniqueConstraint(name="first_post_once_per_kind", fields=["destination_number", "request_type"])
        ]

    def __str__(self) -> str:
        return f"{self.destination_number}, {self.request_type}"


class ToldSilence(OfNumber):
    """A silence of a number that was emailed, and the people it was emailed to. Deleted once posts come again."""

    since = models.DateTimeField(_("silent since"), help_text=_("Its last post"))
    told_at = models.DateTimeField(_("told"), help_text=_("When the first mail left"))
    people = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="+", verbose_name=_("people told"))

    class Meta:
        verbose_name = _("told silence")
        verbose_name_plural = _("told silences")
        constraints = [
            # Also answers: was this number's silence emailed?
            models.UniqueConstraint(name="silence_told_once_per_number", fields=["destination_number"])
        ]

    def __str__(self) -> str:
        return f"{self.destination_number_id} {self.since:%Y-%m-%d %H:%M}"


class RollUp(models.Model):
    """Until when calls are counted, and the time zone of the days. One row, made by the first roll-up."""

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
    """A workbook that the files worker makes, or has made, for the person who requested it.

    The row holds the whole job: a Celery message that is lost, late or sent twice does no harm."""

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
    rights = models.JSONField(
        _("rights"), default=dict, help_text=_("Ids of the numbers for which its rows depend on each right")
    )
    whole_callers = models.BooleanField(_("whole callers"), default=False, db_default=False)
    reason = models.TextField(
        _("reason"), blank=True, default="", db_default="", help_text=_("What whole callers are needed for")
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
            models.CheckConstraint(
                name="workbook_whole_callers_have_reason",
                condition=models.Q(whole_callers=False) | models.Q(reason__gt=""),
            ),
            # Also answers: whose is this file?
            models.UniqueConstraint(
                name="workbook_file_once", fields=["file_name"], condition=models.Q(file_name__gt="")
            ),
        ]
        indexes = [
            # Which workbook is next, and which worker was lost (no heartbeat)?
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
