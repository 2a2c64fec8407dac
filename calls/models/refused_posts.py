"""The model of refused posts, which are stored so that they can be counted later."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from calls import querysets


class Reason(models.TextChoices):
    """Why a post was refused."""

    UNKNOWN_NUMBER = "unknown_number", _("unknown number")
    UNKNOWN_KEY = "unknown_key", _("unknown access key")
    KEY_OVER = "key_over", _("access key expired, revoked or not yet valid")
    KEY_OF_ANOTHER = "key_of_another", _("access key of another number")
    NO_KEY = "no_key", _("no access key")
    NO_NUMBER = "no_number", _("no number, and the access key is used for several numbers")
    FOREIGN_ADDRESS = "foreign_address", _("sender's address not in the list")
    BAD_POST = "bad_post", _("requestType or variables missing")
    BAD_JSON = "bad_json", _("invalid JSON")
    TOO_LARGE = "too_large", _("too large")
    MEDIA_TYPE = "unsupported_media_type", _("not sent as JSON")


class RefusedPost(models.Model):
    """A refused post, stored so that it can be counted once the cause is fixed.

    calls.ingest.refused_posts stores it if its sender is listed or has a live key of any number. calls.ingest.replay
    notes when it was counted, and calls.rereading updates its number."""

    # A hash of answer, address, key and body: identical posts share a row.
    digest = models.CharField(max_length=64, unique=True, editable=False)
    reason = models.CharField(_("reason"), max_length=32, choices=Reason)
    status = models.PositiveSmallIntegerField(_("answer"))
    received_at = models.DateTimeField(_("first received"))
    last_received_at = models.DateTimeField(_("last received"))
    count = models.PositiveIntegerField(_("count"), help_text=_("How many identical messages were received"))
    address = models.GenericIPAddressField(_("sent from"), null=True)
    destination_number = models.TextField(_("number"), blank=True)
    request_type = models.TextField("requestType", blank=True)
    fingerprint = models.CharField(_("fingerprint of the access key"), max_length=64, editable=False)
    # ASCII, without the access key. Blank if it was not read, or if the key could not be separated from the rest.
    body = models.TextField(_("content"), blank=True)
    # Of the first hundred receipts: with these ids each becomes one event, even if it is replayed several times.
    ingest_ids = ArrayField(models.UUIDField(), editable=False)
    receipts = ArrayField(models.DateTimeField(), editable=False)
    replayed_at = models.DateTimeField(_("counted on"), null=True)

    objects = querysets.RefusedPostQuerySet.as_manager()

    class Meta:
        verbose_name = _("rejected message")
        verbose_name_plural = _("rejected messages")
        ordering = ["-last_received_at", "-id"]
        get_latest_by = "last_received_at"

    def __str__(self) -> str:
        return f"{self.request_type or gettext('message')} · {self.get_reason_display()}"

    @property
    def can_be_replayed(self) -> bool:
        return bool(self.body) and self.reason not in {Reason.BAD_JSON, Reason.BAD_POST}
