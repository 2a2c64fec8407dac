"""The model of numbers, with the settings by which their calls are counted."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from calls import phones, querysets
from calls.models.base import RequestType, WithSearchKey
from calls.models.changed_quarter_hours import ChangedQuarterHour


class Arrives(models.TextChoices):
    """Whether a box is ticked in TENIOS, so that a missing post can be interpreted."""

    AUTOMATIC = "automatic", _("automatic")
    ON = "on", _("on")
    OFF = "off", _("off")


def validate_e164(text: str) -> None:
    """Raise ValidationError, which says what to type, unless a text is a number in E.164."""
    try:
        number = phones.parse(text)
    except phones.NotANumber as error:
        raise ValidationError(str(error), code="e164") from error
    if number != text:
        raise ValidationError(_("Enter the number as %(number)s."), code="e164", params={"number": number})


class DestinationNumber(WithSearchKey):
    """A number that is called, with the settings by which its calls are counted."""

    e164 = models.CharField(
        _("number"),
        max_length=16,
        unique=True,
        validators=[validate_e164],
        error_messages={"unique": _("This number already exists.")},
    )
    label = models.CharField(_("name"), max_length=100, blank=True, help_text=_("For example, Hotline Köln."))
    customer_number = models.CharField(
        _("customer number"),
        max_length=40,
        blank=True,
        help_text=_("Your TENIOS customer number. Messages with a different one are accepted and flagged."),
    )
    expects_forward = models.BooleanField(
        _("calls go to people"),
        default=True,
        help_text=_(
            "Turn off for a number that only plays announcements or records voicemail. Its calls then count as "
            "handled automatically."
        ),
    )
    short_call_s = models.PositiveIntegerField(
        _("count as short call under"),
        default=5,
        validators=[MaxValueValidator(3600)],
        help_text=_("Seconds. A shorter call that was not answered counts as a short call. 0 turns this off."),
    )
    service_level_s = models.PositiveIntegerField(
        _("answer within"),
        default=20,
        validators=[MinValueValidator(1), MaxValueValidator(3600)],
        help_text=_(
            "Seconds from the start of a call to its answer. The service level is the share of calls answered in time."
        ),
    )
    silent_after_h = models.PositiveIntegerField(
        _("close calls without end after"),
        default=4,
        validators=[MinValueValidator(1), MaxValueValidator(168)],
        help_text=_("Hours. A call without an end is closed when no message has arrived for this time."),
    )
    call_start = models.CharField(_("call started"), max_length=9, choices=Arrives, default=Arrives.AUTOMATIC)
    block_end = models.CharField(_("block ended"), max_length=9, choices=Arrives, default=Arrives.AUTOMATIC)
    initiate_forward = models.CharField(
        _("forwarding started"), max_length=9, choices=Arrives, default=Arrives.AUTOMATIC
    )
    forward_answer = models.CharField(
        _("forwarding answered"), max_length=9, choices=Arrives, default=Arrives.AUTOMATIC
    )
    call_end = models.CharField(_("call ended"), max_length=9, choices=Arrives, default=Arrives.AUTOMATIC)
    opening_hours = models.ForeignKey(
        "OpeningHours",
        verbose_name=_("opening hours"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="numbers",
        help_text=_("Reports can show calls during or outside opening hours. Without them, the number is always open."),
    )
    service_level_aim = models.PositiveSmallIntegerField(
        _("target"),
        null=True,
        blank=True,
        default=80,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text=_("Percent of calls to answer within that time. Leave blank for no target."),
    )
    created_at = models.DateTimeField(_("added"), default=timezone.now, editable=False)

    objects = querysets.DestinationNumberQuerySet.as_manager()

    SEARCHED = "label"
    # Settings that decide the outcome of a call, where it is counted, and what is measured.
    JUDGING = (
        *("expects_forward", "short_call_s", "service_level_s", "silent_after_h", "opening_hours_id"),
        *(request_type.lower() for request_type in RequestType.values),
    )

    class Meta:
        verbose_name = _("number")
        verbose_name_plural = _("numbers")
        ordering = ["search_key", "e164"]
        # The page System status belongs to no model; a permission needs one.
        permissions = [("view_system", "Can view the state of the installation")]
        constraints = [
            models.CheckConstraint(
                name="destination_number_is_e164",
                condition=Q(e164__regex=r"^\+[1-9][0-9]{1,14}$"),
                violation_error_message=_("Enter the number with its country code, for example +49 221 4710300."),
            ),
            models.CheckConstraint(
                name="destination_number_silent_after",
                condition=Q(silent_after_h__gte=1, silent_after_h__lte=168),
                violation_error_message=_("Enter 1 to 168 hours."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.label} ({self.readable})" if self.label else self.readable

    @transaction.atomic
    def save(self, *args: object, **kwargs: object) -> None:
        """Save; if a setting in JUDGING changed, have the number's whole history counted again."""
        before = (
            DestinationNumber.objects.select_for_update(no_key=True).filter(pk=self.pk).values(*self.JUDGING).first()
            if self.pk
            else None
        )
        super().save(*args, **kwargs)  # type: ignore[arg-type]
        if before and before != {name: getattr(self, name) for name in self.JUDGING}:
            if before["silent_after_h"] != self.silent_after_h:
                # close_silent_calls decides again under the new limit.
                silent = self.calls.filter(ended_at=None).exclude(silent_at=None)
                # Locked in the order in which posts lock calls: another order could deadlock.
                len(silent.select_for_update(no_key=True).order_by("call_uuid", "weak_key").values_list("pk"))
                silent.update(silent_at=None)
            self.log_history()

    @property
    def name(self) -> str:
        """The label, or the number if it has none."""
        return self.label or self.readable

    @property
    def readable(self) -> str:
        return phones.readable(self.e164)

    def arrives(self, request_type: str) -> str:
        """Return the setting (`Arrives`) of one of the five posts."""
        setting: str = getattr(self, request_type.lower())
        return setting

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        """Convert the number from any spelling to E.164; an invalid one has a single message that says what to type."""
        errors: dict[str, Any] = {}
        excluded = set(exclude or ())
        if self.e164 and "e164" not in excluded:
            try:
                self.e164 = phones.parse(self.e164)
            except phones.NotANumber as error:
                errors["e164"] = [ValidationError(str(error), code="e164")]
                excluded.add("e164")
        try:
            super().clean_fields(exclude=excluded)
        except ValidationError as error:
            error.update_error_dict(errors)
        if errors:
            raise ValidationError(errors)

    def log_history(self) -> None:
        """Log every quarter-hour that has a call of this number."""
        ChangedQuarterHour.objects.log_history([self.pk])
