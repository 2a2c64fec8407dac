"""The model of endpoints: addresses of other systems that receive events of calls."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import encryption
from calls.models import DestinationNumber
from contacts import links, lookup_format


class Format(models.TextChoices):
    """The format of an endpoint: a module of live.dispatch.formats for each."""

    WEBHOOK = "webhook", _("Signed webhooks (Standard Webhooks)")
    ZAMMAD = "zammad", "Zammad (Generic CTI)"
    SIPGATE = "sipgate", "sipgate.io"
    PLACETEL = "placetel", "Placetel"


class EventType(models.TextChoices):
    """The types of events of signed webhooks."""

    STARTED = "call.started", _("a call has started")
    RINGING = "call.ringing", _("it rings at a destination")
    ANSWERED = "call.answered", _("a destination has answered")
    ENDED = "call.ended", _("the call has ended")
    IDENTIFIED = "call.identified", _("the caller has typed a number")
    SILENT = "call.silent", _("no message has arrived for hours, so the call counts as over")


class CallerShown(models.TextChoices):
    """How much of the caller an endpoint gets."""

    WHOLE = "whole", _("the whole number, with the contact and what the caller typed")
    MASKED = "masked", _("the number without its last three digits, and nothing else")
    NONE = "none", _("nothing")


class Rows(models.TextChoices):
    """What is one call for a system that speaks a CTI format."""

    CALL = "call", _("each call")
    RING = "ring", _("each destination at which it rings")


class WhyOff(models.TextChoices):
    """Why Calltally switched an endpoint off."""

    GONE = "gone", _("The system answered that the address is gone (410).")
    FAILING = "failing", _("Nothing could be delivered for five days.")


def all_events() -> list[str]:
    return list(EventType.values)


def validate_address(url: str) -> None:
    """Raise ValidationError if nothing can be sent to an address; it says what to enter."""
    scheme, host = lookup_format.origin(url)
    if not host or "@" in host or any(sign.isspace() or not sign.isprintable() for sign in url):
        raise ValidationError(
            gettext("Enter a complete address, such as https://crm.example.com/calls."), code="address"
        )
    if why := lookup_format.why_scheme_refused(scheme):
        raise ValidationError(why, code="scheme")


class Endpoint(models.Model):
    """Another system that receives events of calls: where, how, of which numbers, and how much of the caller.

    The secret is stored encrypted. After a rotation the previous one signs, too, until `previous_until`."""

    name = models.CharField(_("name"), max_length=60, unique=True, help_text=_("For example Zammad or ERP."))
    is_on = models.BooleanField(
        _("on"), default=False, help_text=_("Save and send a test call first, then switch it on.")
    )
    format = models.CharField(_("format"), max_length=10, choices=Format)
    url = models.CharField(_("address"), max_length=links.LONGEST_ADDRESS, validators=[validate_address])
    rows = models.CharField(_("one call there is"), max_length=4, choices=Rows, default=Rows.CALL)
    caller = models.CharField(_("of the caller it gets"), max_length=6, choices=CallerShown, default=CallerShown.WHOLE)
    all_numbers = models.BooleanField(_("calls to all numbers"), default=True)
    numbers = models.ManyToManyField(DestinationNumber, blank=True, related_name="+", verbose_name=_("numbers"))
    # Of signed webhooks; the other formats have new calls, answers and ends.
    events = ArrayField(
        models.CharField(max_length=20, choices=EventType), default=all_events, verbose_name=_("events")
    )
    # Encrypted; blank if there is none.
    secret_encrypted = models.TextField(blank=True, editable=False)
    previous_secret_encrypted = models.TextField(blank=True, editable=False)
    previous_until = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(_("added"), default=timezone.now, editable=False)
    # Calls before this are not sent.
    on_since = models.DateTimeField(null=True, editable=False)
    delivered_at = models.DateTimeField(_("last delivery"), null=True, editable=False)
    # The first failure since the last delivery.
    failing_since = models.DateTimeField(_("failing since"), null=True, editable=False)
    last_failure = models.TextField(_("last failure"), blank=True, editable=False)
    off_at = models.DateTimeField(null=True, editable=False)
    why_off = models.CharField(max_length=10, blank=True, choices=WhyOff, editable=False)
    # Who got a mail that Calltally switched it off; forgotten when it is switched on again.
    off_told = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="+", editable=False)
    # Deliveries before this are never sent again: they may hold more than the endpoint gets now.
    resend_from = models.DateTimeField(null=True, editable=False)

    # A secret that was just made, to show it once; it is stored encrypted alone.
    made_secret = ""

    objects: ClassVar[models.Manager[Endpoint]] = models.Manager()

    class Meta:
        verbose_name = _("endpoint")
        verbose_name_plural = _("endpoints")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(name="endpoint_is_web", condition=Q(url__regex=r"^https?://")),
            models.CheckConstraint(
                name="endpoint_cti_caller_whole_or_none",
                condition=Q(format=Format.WEBHOOK) | ~Q(caller=CallerShown.MASKED),
                violation_error_message=_("This format has no masked numbers. Choose the whole number or nothing."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def secret(self) -> str:
        """The secret in the clear, blank if there is none; raise accounts.encryption.NotReadable."""
        return self._decrypted(self.secret_encrypted) if self.secret_encrypted else ""

    @property
    def previous_signs(self) -> bool:
        """Whether a previous secret still signs."""
        until = self.previous_until
        return bool(self.previous_secret_encrypted and until and until > timezone.now())

    def secrets(self) -> list[str]:
        """Return the secrets that sign now, the newest first; raise accounts.encryption.NotReadable."""
        signing = [self.secret] if self.secret_encrypted else []
        if self.previous_signs:
            signing.append(self._decrypted(self.previous_secret_encrypted))
        return signing

    def _decrypted(self, encrypted: str) -> str:
        """Return a secret in the clear; once decrypted, it is kept for other deliveries to this endpoint."""
        known: dict[str, str] = self.__dict__.setdefault("_known", {})
        if encrypted not in known:
            known[encrypted] = encryption.decrypt(encrypted)
        return known[encrypted]

    @property
    def shown_address(self) -> str:
        """The address without what may be a secret: for many systems the end of the path is one."""
        scheme, host = lookup_format.origin(self.url)
        return f"{scheme}://{host}/…"

    def set_secret(self, secret: str) -> None:
        self.secret_encrypted = encryption.encrypt(secret) if secret else ""
