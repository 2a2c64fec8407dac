"""The models of calls and of their events, which are stored posts."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models import Q
from django.db.models.functions import Reverse
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from calls import querysets
from calls.models.access_keys import AccessKey
from calls.models.numbers import DestinationNumber


class Call(models.Model):
    """A call, merged from its posts. Each column is merged by least or greatest, so that the same posts in any order
    give the same row.

    calls.ingest.writer writes it. In addition, DestinationNumber.save clears `silent_at` when the number's limit
    changes, and calls.rereading updates callers when the rule for reading numbers has changed."""

    destination_number = models.ForeignKey(
        DestinationNumber,
        on_delete=models.PROTECT,
        related_name="calls",
        verbose_name=_("number"),
        db_index=False,  # the index call_number_time begins with it
    )
    call_uuid = models.TextField("call_uuid", blank=True)
    # Replaces the call_uuid if no post named one: `correlation:…` or `post:…`. Blank otherwise.
    weak_key = models.TextField(blank=True, editable=False)
    correlation_id = models.TextField("correlation_id", blank=True)
    callback_id = models.TextField("callback_id", blank=True)

    first_post_at = models.DateTimeField(_("started"), help_text=_("When the earliest message was received"))
    last_post_at = models.DateTimeField(_("last message"))
    call_start_at = models.DateTimeField(_("call started"), null=True, help_text=_("First CALL_START"))
    forwarded_at = models.DateTimeField(_("forwarded"), null=True, help_text=_("First INITIATE_FORWARD"))
    answered_at = models.DateTimeField(_("answered"), null=True, help_text=_("First FORWARD_ANSWER"))
    ended_at = models.DateTimeField(_("ended"), null=True, help_text=_("Last CALL_END"))
    silent_at = models.DateTimeField(
        _("closed without an end"), null=True, help_text=_("No message was received within the number's time limit.")
    )
    # Where the call was counted before an older post moved it; set by the statement that moves it.
    moved_from = models.DateTimeField(null=True, editable=False)

    caller_id_number = models.TextField(
        _("caller"), blank=True, help_text=_("Phone numbers are in E.164 format. Blank if withheld.")
    )
    customer_number = models.TextField(_("customer number"), blank=True)
    # [rank, received_at, ingest_id, caller, customer number] of the post that decides caller and customer number: the
    # earliest CALL_START; without one, the earliest post that names a caller. The least wins, so order does not matter.
    decided_by = ArrayField(models.TextField(), editable=False)
    # The least and the greatest value that any post named; null if none did. They differ if posts contradict each
    # other. Null, not blank, because least() and greatest() ignore null.
    caller_least = models.TextField(null=True, editable=False)  # noqa: DJ001
    caller_greatest = models.TextField(null=True, editable=False)  # noqa: DJ001
    customer_number_least = models.TextField(null=True, editable=False)  # noqa: DJ001
    customer_number_greatest = models.TextField(null=True, editable=False)  # noqa: DJ001
    weakly_identified = models.BooleanField(
        _("uncertain match"), default=False, help_text=_("A message of this call has no call_uuid.")
    )
    has_odd_posts = models.BooleanField(
        _("unusual data"), default=False, help_text=_("A message of this call has unknown, missing or invalid fields.")
    )

    objects = querysets.CallQuerySet.as_manager()

    class Meta:
        verbose_name = _("call")
        verbose_name_plural = _("calls")
        get_latest_by = "first_post_at"
        constraints = [
            # A call is unique per number: one number's key cannot write into another's call.
            models.UniqueConstraint(
                name="call_once_per_number", fields=["destination_number", "call_uuid", "weak_key"]
            ),
            models.CheckConstraint(name="call_is_identified", condition=~Q(call_uuid="") | ~Q(weak_key="")),
        ]
        indexes = [
            # Which calls does this number have in a period? For roll-ups and lists.
            models.Index(name="call_number_time", fields=["destination_number", "first_post_at", "id"]),
            # Which calls are there in a period, newest first?
            models.Index(name="call_time", fields=["first_post_at", "id"]),
            # Which calls did this caller make, or callers whose number begins with these digits? Ordered by bytes,
            # because LIKE uses no other index if the database has a locale.
            models.Index(
                OpClass("caller_id_number", name="text_pattern_ops"), "first_post_at", name="call_caller_begins"
            ),
            # Which calls did callers make whose number ends with these digits?
            models.Index(
                OpClass(Reverse("caller_id_number"), name="text_pattern_ops"),
                name="call_caller_ends",
                condition=~Q(caller_id_number=""),
            ),
            # Which call belongs to a post that names no call_uuid?
            models.Index(
                name="call_correlation",
                fields=["destination_number", "correlation_id"],
                condition=~Q(correlation_id=""),
            ),
            # Which calls could fall silent, or receive a post without any id?
            models.Index(
                name="call_open",
                fields=["destination_number"],
                condition=Q(ended_at=None, silent_at=None),
            ),
            # Which calls have fallen silent a moment ago?
            models.Index(name="call_silent", fields=["silent_at"], condition=~Q(silent_at=None)),
            # Which calls wait for one that names their call_uuid?
            models.Index(name="call_weak", fields=["last_post_at"], condition=~Q(weak_key="")),
        ]

    def __str__(self) -> str:
        return self.call_uuid or self.correlation_id or gettext("call without ID")

    def get_absolute_url(self) -> str:
        return reverse("call", args=[self.pk])

    @property
    def caller_differs(self) -> bool:
        """Whether posts named two callers, or one caller although the deciding post withheld it."""
        return self.caller_least != self.caller_greatest or (not self.caller_id_number and bool(self.caller_greatest))

    @property
    def customer_number_differs(self) -> bool:
        """Whether posts named two customer numbers, or another one than the number has."""
        own = self.destination_number.customer_number or None
        return len({self.customer_number_least, self.customer_number_greatest, own} - {None}) > 1


class CallEvent(models.Model):
    """A stored post."""

    # Created at receipt: a post that is written twice is one event.
    ingest_id = models.UUIDField(unique=True, editable=False)
    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="events", verbose_name=_("call"))
    access_key = models.ForeignKey(
        AccessKey,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("access key"),
    )
    received_at = models.DateTimeField(_("received"))
    request_type = models.TextField("requestType", help_text=_("As sent by TENIOS"))
    block_type = models.TextField("blockType", blank=True)
    destination = models.TextField("destination", blank=True)
    destination_type = models.TextField("destinationType", blank=True)
    destination_number = models.TextField(_("number as received"), blank=True)
    caller_id_number = models.TextField(_("caller as received"), blank=True)
    customer_number = models.TextField(_("customer number"), blank=True)
    flags = ArrayField(models.TextField(), default=list, blank=True, help_text=_("Unusual data in the message"))
    # ASCII JSON without the access key; NUL and lone surrogates are escaped.
    payload = models.TextField(_("content"))

    objects = querysets.CallEventQuerySet.as_manager()

    class Meta:
        verbose_name = _("message from TENIOS")
        verbose_name_plural = _("messages from TENIOS")
        get_latest_by = "received_at"

    def __str__(self) -> str:
        # Not the destination, which not everybody may see who sees the event.
        return f"{self.request_type} {self.block_type or self.destination_type}".strip()
