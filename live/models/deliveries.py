"""The models of deliveries: what is sent to each endpoint, whether that arrived, and how far events were read."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from calls.models import CallEvent
from live.models.endpoints import Endpoint


class State(models.TextChoices):
    """How far a delivery has come."""

    WAITING = "waiting", _("waiting")
    DELIVERED = "delivered", _("delivered")
    FAILED = "failed", _("failed")
    EXPIRED = "expired", _("expired")
    SKIPPED = "skipped", _("not sent")


class Delivery(models.Model):
    """A step of a call for one endpoint, as it is sent: each step once, however often events are read.

    `live.dispatch.outbox` adds it, `live.dispatch.sender` notes how it went."""

    # The same on every try: receivers recognise repetitions by it.
    uuid = models.UUIDField(unique=True)
    endpoint = models.ForeignKey(
        Endpoint, on_delete=models.CASCADE, related_name="deliveries", db_index=False, verbose_name=_("endpoint")
    )
    # The call is the one of the event: calls.ingest.writer moves events when it joins calls.
    event = models.ForeignKey(
        CallEvent, on_delete=models.CASCADE, related_name="+", db_index=False, verbose_name=_("message")
    )
    # A type of EventType, or newCall, answer or hangup.
    kind = models.CharField(_("event"), max_length=20)
    # The id of the forward's event; 0 where the step is of the whole call.
    ring = models.BigIntegerField(default=0)
    body = models.TextField(_("sent"))
    is_late = models.BooleanField(_("late"), default=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.WAITING)
    # When it is tried next; and until when at the latest, null without an end.
    next_at = models.DateTimeField(_("next try"), default=timezone.now)
    expires_at = models.DateTimeField(null=True)
    tries = models.PositiveIntegerField(_("tries"), default=0)
    tried_at = models.DateTimeField(_("last try"), null=True)
    took_ms = models.PositiveIntegerField(_("took"), null=True)
    status = models.PositiveSmallIntegerField(_("status"), null=True)
    # The beginning of the last answer; or why there was none, in words.
    answer = models.TextField(_("answer"), blank=True)
    error = models.TextField(_("error"), blank=True)
    # Of a newCall: no hangup of its row has been added yet.
    is_open = models.BooleanField(default=False)
    # Of a newCall of sipgate.io: the addresses that its answer named, by kind.
    follow_up = models.JSONField(default=dict)

    objects: ClassVar[models.Manager[Delivery]] = models.Manager()

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        default_permissions = ("view", "change")
        get_latest_by = "created_at"
        constraints = [
            # Also: what was added for these events?
            models.UniqueConstraint(name="delivery_once", fields=["event", "endpoint", "kind", "ring"]),
        ]
        indexes = [
            # What is to be sent now? By time: millions may wait for a system that is away for a day.
            models.Index(name="delivery_due", fields=["endpoint", "next_at", "id"], condition=Q(state="waiting")),
            # What was sent to an endpoint, latest first?
            models.Index(name="delivery_endpoint", fields=["endpoint", "-id"]),
            # What is old enough to delete?
            models.Index(name="delivery_created", fields=["created_at"]),
            # Which rows of other systems are still open?
            models.Index(name="delivery_open", fields=["event"], condition=Q(is_open=True)),
        ]

    def __str__(self) -> str:
        return gettext("delivery %(pk)s") % {"pk": self.pk}


class DispatchCursor(models.Model):
    """How far events have been turned into deliveries. It has one row, which is locked while deliveries are added."""

    ONLY = 1

    last_event_id = models.BigIntegerField()
    # Ids below that had not been seen: [first, last, transaction], as live.tail uses them.
    skipped = models.JSONField(default=list)
    # Until when silent calls were looked for.
    silent_until = models.DateTimeField(default=timezone.now)

    objects: ClassVar[models.Manager[DispatchCursor]] = models.Manager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.last_event_id)
