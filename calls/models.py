"""The tables a post goes into: numbers and their keys, calls, events, and the log of what must be counted again."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, time
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import OpClass
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Now, Reverse
from django.urls import reverse
from django.utils import timezone
from django.utils.dates import WEEKDAYS
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import addresses
from calls import opening_hours, phones, querysets, search_keys

# The one address that TENIOS posts from.
TENIOS_NETWORKS = "80.239.139.193"


class RequestType(models.TextChoices):
    """The five posts, in TENIOS' words and in ours. Others are kept under the name they came with."""

    CALL_START = "CALL_START", _("Call started")
    BLOCK_END = "BLOCK_END", _("Block ended")
    INITIATE_FORWARD = "INITIATE_FORWARD", _("Forward started")
    FORWARD_ANSWER = "FORWARD_ANSWER", _("Forward answered")
    CALL_END = "CALL_END", _("Plan ended")


class Arrives(models.TextChoices):
    """Whether a box is ticked in TENIOS, so that its absence means something."""

    AUTOMATIC = "automatic", _("automatic")
    ON = "on", _("on")
    OFF = "off", _("off")


def validate_e164(text: str) -> None:
    """Refuse what is not a number in E.164, and say what to type."""
    try:
        number = phones.parse(text)
    except phones.NotANumber as error:
        raise ValidationError(str(error), code="e164") from error
    if number != text:
        raise ValidationError(_("Type the number as %(number)s."), code="e164", params={"number": number})


class WithSearchKey(models.Model):
    """A model whose rows are searched and ordered by one text of theirs."""

    # The name of that text.
    SEARCHED: ClassVar[str]

    # Collated by code points: the same order in every database. Blank in rows that an older version has written.
    search_key = models.TextField(default="", db_default="", blank=True, editable=False, db_collation="C")

    class Meta:
        abstract = True

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        self.set_search_key()
        if update_fields is not None and self.SEARCHED in update_fields:
            update_fields = {*update_fields, "search_key"}
        super().save(*args, update_fields=update_fields, **kwargs)

    def set_search_key(self) -> None:
        """Make the search key anew from the text, unless the text was not loaded."""
        if self.SEARCHED not in self.get_deferred_fields():
            self.search_key = search_keys.search_key(getattr(self, self.SEARCHED))


class DestinationNumber(WithSearchKey):
    """A number that is called, and how its calls are judged."""

    e164 = models.CharField(
        _("number"),
        max_length=16,
        unique=True,
        validators=[validate_e164],
        error_messages={"unique": _("This number is here already.")},
    )
    label = models.CharField(_("label"), max_length=100, blank=True, help_text=_("What people call it: Hotline Köln"))
    customer_number = models.CharField(
        _("customer number"),
        max_length=40,
        blank=True,
        help_text=_("Your number at TENIOS. A post that says another is taken and flagged."),
    )
    expects_forward = models.BooleanField(
        _("expects a forward"),
        default=True,
        help_text=_(
            "Off for a number that only plays announcements or takes messages: its calls are served in the plan."
        ),
    )
    short_call_s = models.PositiveIntegerField(
        _("short call below"),
        default=5,
        validators=[MaxValueValidator(3600)],
        help_text=_("Seconds. A shorter call that nobody answered counts as short; 0 turns this off."),
    )
    service_level_s = models.PositiveIntegerField(
        _("service level within"),
        default=20,
        validators=[MinValueValidator(1), MaxValueValidator(3600)],
        help_text=_("Seconds from the start of the call to the answer."),
    )
    silent_after_h = models.PositiveIntegerField(
        _("silent after"),
        default=4,
        validators=[MinValueValidator(1), MaxValueValidator(168)],
        help_text=_("Hours without a post after which a call counts as over."),
    )
    call_start = models.CharField(_("call started"), max_length=9, choices=Arrives, default=Arrives.AUTOMATIC)
    block_end = models.CharField(_("block ended"), max_length=9, choices=Arrives, default=Arrives.AUTOMATIC)
    initiate_forward = models.CharField(_("forward started"), max_length=9, choices=Arrives, default=Arrives.AUTOMATIC)
    forward_answer = models.CharField(_("forward answered"), max_length=9, choices=Arrives, default=Arrives.AUTOMATIC)
    call_end = models.CharField(_("plan ended"), max_length=9, choices=Arrives, default=Arrives.AUTOMATIC)
    opening_hours = models.ForeignKey(
        "OpeningHours",
        verbose_name=_("opening hours"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="numbers",
        help_text=_("Reports tell calls inside them from calls outside. Without any, the number is always open."),
    )
    service_level_aim = models.PositiveSmallIntegerField(
        _("service level aimed at"),
        null=True,
        blank=True,
        default=80,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text=_("Percent of calls to answer within that time; none where blank."),
    )
    managers = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        verbose_name=_("managers"),
        blank=True,
        related_name="destination_numbers",
        help_text=_("Who sees the reports of this number. Staff see every number."),
    )
    created_at = models.DateTimeField(_("added"), default=timezone.now, editable=False)

    objects = querysets.DestinationNumberQuerySet.as_manager()

    SEARCHED = "label"
    # Settings that decide what a call came to, where it is counted, and what of it is measured.
    JUDGING = (
        *("expects_forward", "short_call_s", "service_level_s", "silent_after_h", "opening_hours_id"),
        *(request_type.lower() for request_type in RequestType.values),
    )

    class Meta:
        verbose_name = _("number")
        verbose_name_plural = _("numbers")
        ordering = ["search_key", "e164"]
        constraints = [
            models.CheckConstraint(
                name="destination_number_is_e164",
                condition=Q(e164__regex=r"^\+[1-9][0-9]{1,14}$"),
                violation_error_message=_("Type the number with its country code, as +49 221 4710300."),
            ),
            models.CheckConstraint(
                name="destination_number_silent_after",
                condition=Q(silent_after_h__gte=1, silent_after_h__lte=168),
                violation_error_message=_("A number is silent after 1 to 168 hours."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.label} ({self.readable})" if self.label else self.readable

    @transaction.atomic
    def save(self, *args: object, **kwargs: object) -> None:
        """Save; where a setting that judges calls changed, have the number's whole history counted again."""
        before = (
            DestinationNumber.objects.select_for_update(no_key=True).filter(pk=self.pk).values(*self.JUDGING).first()
            if self.pk
            else None
        )
        super().save(*args, **kwargs)  # type: ignore[arg-type]
        if before and before != {name: getattr(self, name) for name in self.JUDGING}:
            if before["silent_after_h"] != self.silent_after_h:
                # Judged anew by close_silent_calls, under the new limit.
                silent = self.calls.filter(ended_at=None).exclude(silent_at=None)
                # Locked in the order in which posts lock calls: in another one the two could deadlock.
                len(silent.select_for_update(no_key=True).order_by("call_uuid", "weak_key").values_list("pk"))
                silent.update(silent_at=None)
            self.log_history()

    @property
    def name(self) -> str:
        """What people call it."""
        return self.label or self.readable

    @property
    def readable(self) -> str:
        return phones.readable(self.e164)

    def arrives(self, request_type: str) -> str:
        """Return the setting (`Arrives`) of one of the five posts."""
        setting: str = getattr(self, request_type.lower())
        return setting

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        """Read the number in any spelling; one that cannot be read has one message, which says what to type."""
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


def validate_quarter_hour(clock: time) -> None:
    if clock.minute % 15 or clock.second or clock.microsecond:
        raise ValidationError(
            _("Calls are counted by quarter-hours: write a full, quarter or half hour, such as 08:15."), code="quarter"
        )


class OpeningHours(WithSearchKey):
    """Weekly hours, public holidays and single days, for the numbers that share them."""

    name = models.CharField(
        _("name"),
        max_length=100,
        unique=True,
        error_messages={"unique": _("Opening hours of this name are here already.")},
    )
    state = models.CharField(
        _("public holidays of"),
        max_length=2,
        choices=list(opening_hours.STATES.items()),
        blank=True,
        help_text=_("Closed on them. Without a state they are days like others."),
    )

    objects = querysets.SearchKeyQuerySet.as_manager()

    SEARCHED = "name"

    class Meta:
        verbose_name = _("opening hours")
        verbose_name_plural = _("opening hours")
        ordering = ["search_key", "name"]

    def __str__(self) -> str:
        return self.name

    def schedule(self) -> opening_hours.Schedule:
        """Return what says whether a moment lies inside."""
        weekly: dict[int, opening_hours.Spans] = {}
        for one in self.weekly.all():
            weekly[one.weekday] = (*weekly.get(one.weekday, ()), one.span)
        days: dict[date, opening_hours.Spans] = {}
        for single in self.days.all():
            days[single.day] = (*days.get(single.day, ()), *([] if single.opens_at is None else [single.span]))
        return opening_hours.Schedule(settings.TIME_ZONE, weekly, days, self.state)

    def log_history(self) -> None:
        """Log every quarter-hour that has a call of a number with these hours."""
        ChangedQuarterHour.objects.log_history(self.numbers.order_by().values_list("pk", flat=True))


class Hours(models.Model):
    """From one time on the clock to another; midnight at the end is that of the day's end."""

    opens_at: Any
    closes_at: Any

    class Meta:
        abstract = True

    @property
    def span(self) -> tuple[int, int]:
        """In minutes of the day."""
        opens, closes = (clock.hour * 60 + clock.minute for clock in (self.opens_at, self.closes_at))
        return opens, closes or 24 * 60

    def clean(self) -> None:
        super().clean()
        if self.opens_at is not None and self.closes_at is not None and self.span[0] >= self.span[1]:
            raise ValidationError(
                {
                    "closes_at": _("Closes at %(to)s, before it opens at %(from)s. Over midnight, write two lines.")
                    % {"to": f"{self.closes_at:%H:%M}", "from": f"{self.opens_at:%H:%M}"}
                }
            )


class WeeklyHours(Hours):
    """Hours of one weekday; several lines open it several times."""

    opening_hours = models.ForeignKey(OpeningHours, on_delete=models.CASCADE, related_name="weekly")
    weekday = models.PositiveSmallIntegerField(
        _("weekday"), choices=[(number, WEEKDAYS[number - 1]) for number in range(1, 8)]
    )
    opens_at = models.TimeField(_("from"), validators=[validate_quarter_hour])
    closes_at = models.TimeField(_("to"), validators=[validate_quarter_hour], help_text=_("00:00 is midnight"))

    class Meta:
        verbose_name = _("weekly hours")
        verbose_name_plural = _("weekly hours")
        ordering = ["weekday", "opens_at"]
        constraints = [
            models.CheckConstraint(
                name="weekly_hours_weekday",
                condition=Q(weekday__gte=1, weekday__lte=7),
                violation_error_message=_("Weekdays are 1, Monday, to 7, Sunday."),
            ),
            models.CheckConstraint(
                name="weekly_hours_in_order",
                condition=Q(opens_at__lt=F("closes_at")) | Q(closes_at=time()),
                violation_error_message=_("Hours close after they open. Over midnight, write two lines."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_weekday_display()} {self.opens_at:%H:%M} – {self.closes_at:%H:%M}"


class SingleDay(Hours):
    """A day that differs from the week and from holidays: closed, or open at hours of its own."""

    opening_hours = models.ForeignKey(OpeningHours, on_delete=models.CASCADE, related_name="days")
    day = models.DateField(_("day"))
    opens_at = models.TimeField(
        _("from"), null=True, blank=True, validators=[validate_quarter_hour], help_text=_("blank: closed all day")
    )
    closes_at = models.TimeField(
        _("to"), null=True, blank=True, validators=[validate_quarter_hour], help_text=_("00:00 is midnight")
    )
    note = models.CharField(_("note"), max_length=100, blank=True)

    class Meta:
        verbose_name = _("single day")
        verbose_name_plural = _("single days")
        ordering = ["day", "opens_at"]
        constraints = [
            models.CheckConstraint(
                name="single_day_in_order",
                condition=Q(opens_at=None, closes_at=None)
                | Q(opens_at__isnull=False, closes_at__isnull=False)
                & (Q(opens_at__lt=F("closes_at")) | Q(closes_at=time())),
                # Hours that close too early have a message of their own, at their field.
                violation_error_message=_("Write both times, or neither where it is closed all day."),
            ),
        ]

    def __str__(self) -> str:
        hours = gettext("closed") if self.opens_at is None else f"{self.opens_at:%H:%M} – {self.closes_at:%H:%M}"
        return f"{date_format(self.day)} {hours}"


class AccessKey(models.Model):
    """What admits posts for a number. Only its fingerprint is kept."""

    destination_number = models.ForeignKey(
        DestinationNumber, on_delete=models.CASCADE, related_name="access_keys", verbose_name=_("number")
    )
    fingerprint = models.CharField(_("fingerprint"), max_length=64, editable=False)
    last4 = models.CharField(_("ends in"), max_length=4, editable=False)
    valid_from = models.DateTimeField(_("valid from"), default=timezone.now)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True, editable=False)
    # Derived when calls are counted, never written per post.
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("issued"), default=timezone.now, editable=False)

    objects = querysets.AccessKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("access key")
        verbose_name_plural = _("access keys")
        ordering = ["destination_number", "-created_at"]
        constraints = [
            models.UniqueConstraint(
                name="access_key_once_per_number",
                fields=["destination_number", "fingerprint"],
                violation_error_message=_("This key was issued for this number before."),
            ),
        ]
        indexes = [
            # Which numbers does the key of this post open?
            models.Index(name="access_key_fingerprint", fields=["fingerprint"]),
        ]

    def __str__(self) -> str:
        # Of a key that was admitted as posts came with it, we never saw the end.
        return f"…{self.last4}" if self.last4 else gettext("as TENIOS sent it")

    def is_live(self) -> bool:
        now = timezone.now()
        return (
            self.valid_from <= now
            and (self.expires_at is None or self.expires_at > now)
            and (self.revoked_at is None or self.revoked_at > now)
        )

    @property
    def state(self) -> str:
        """Say in a word how the key stands."""
        now = timezone.now()
        if self.revoked_at is not None and self.revoked_at <= now:
            return gettext("revoked")
        if self.expires_at is not None and self.expires_at <= now:
            return gettext("expired")
        return gettext("live") if self.valid_from <= now else gettext("not yet valid")


class Call(models.Model):
    """One call, merged from its posts. Written by calls.ingest.writer only; every column merges by least or greatest,
    so that any order of any posts gives the same row."""

    destination_number = models.ForeignKey(
        DestinationNumber,
        on_delete=models.PROTECT,
        related_name="calls",
        verbose_name=_("number"),
        db_index=False,  # call_number_time begins with it
    )
    call_uuid = models.TextField("call_uuid", blank=True)
    # What stands for a call_uuid where no post named one: `correlation:…` or `post:…`. Blank otherwise.
    weak_key = models.TextField(blank=True, editable=False)
    correlation_id = models.TextField("correlation_id", blank=True)
    callback_id = models.TextField("callback_id", blank=True)

    first_post_at = models.DateTimeField(_("started"), help_text=_("Receipt of the earliest post"))
    last_post_at = models.DateTimeField(_("last post"))
    call_start_at = models.DateTimeField(_("call started"), null=True, help_text=_("First CALL_START"))
    forwarded_at = models.DateTimeField(_("forwarded"), null=True, help_text=_("First INITIATE_FORWARD"))
    answered_at = models.DateTimeField(_("answered"), null=True, help_text=_("First FORWARD_ANSWER"))
    ended_at = models.DateTimeField(_("ended"), null=True, help_text=_("Last CALL_END"))
    silent_at = models.DateTimeField(_("fell silent"), null=True, help_text=_("No post for the number's limit"))
    # Where the call was counted before an older post moved it; set by the statement that moves it.
    moved_from = models.DateTimeField(null=True, editable=False)

    caller_id_number = models.TextField(
        _("caller"), blank=True, help_text=_("In E.164 where it is a phone number; blank if withheld")
    )
    customer_number = models.TextField(_("customer number"), blank=True)
    # [rank, received_at, ingest_id, caller, customer number] of the post that decides both: the earliest
    # CALL_START, without one the earliest post that names a caller. The least wins, so order does not matter.
    decided_by = ArrayField(models.TextField(), editable=False)
    # The least and the greatest that any post named, null where none did: they differ where posts contradict
    # each other. Null, not blank, because least() and greatest() pass over null.
    caller_least = models.TextField(null=True, editable=False)  # noqa: DJ001
    caller_greatest = models.TextField(null=True, editable=False)  # noqa: DJ001
    customer_number_least = models.TextField(null=True, editable=False)  # noqa: DJ001
    customer_number_greatest = models.TextField(null=True, editable=False)  # noqa: DJ001
    weakly_identified = models.BooleanField(
        _("weakly identified"), default=False, help_text=_("A post of it came without call_uuid")
    )
    has_odd_posts = models.BooleanField(
        _("odd posts"), default=False, help_text=_("A post of it had unknown, missing or odd fields")
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
            # Which calls has this number in a period? Recounts and lists.
            models.Index(name="call_number_time", fields=["destination_number", "first_post_at", "id"]),
            # Which calls are there in a period, newest first?
            models.Index(name="call_time", fields=["first_post_at", "id"]),
            # Which calls did this caller make, or those whose number begins so? In the order of bytes, for LIKE uses no
            # other where the database has a locale.
            models.Index(
                OpClass("caller_id_number", name="text_pattern_ops"), "first_post_at", name="call_caller_begins"
            ),
            # Which calls did callers make whose number ends so?
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
            # Which calls could fall silent, or take a post without any id?
            models.Index(
                name="call_open",
                fields=["destination_number"],
                condition=Q(ended_at=None, silent_at=None),
            ),
            # Which calls wait for one that names their call_uuid?
            models.Index(name="call_weak", fields=["last_post_at"], condition=~Q(weak_key="")),
        ]

    def __str__(self) -> str:
        return self.call_uuid or self.correlation_id or gettext("call without id")

    def get_absolute_url(self) -> str:
        return reverse("call", args=[self.pk])

    @property
    def caller_differs(self) -> bool:
        """Posts named two callers, or one where the deciding post withheld it."""
        return self.caller_least != self.caller_greatest or (not self.caller_id_number and bool(self.caller_greatest))

    @property
    def customer_number_differs(self) -> bool:
        """Posts named two customer numbers, or another than the number's own."""
        own = self.destination_number.customer_number or None
        return len({self.customer_number_least, self.customer_number_greatest, own} - {None}) > 1


class CallEvent(models.Model):
    """What is stored of one post."""

    # Made at receipt: the same post taken twice is one event.
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
    request_type = models.TextField("requestType", help_text=_("As TENIOS sent it"))
    block_type = models.TextField("blockType", blank=True)
    destination = models.TextField("destination", blank=True)
    destination_type = models.TextField("destinationType", blank=True)
    destination_number = models.TextField(_("number as received"), blank=True)
    caller_id_number = models.TextField(_("caller as received"), blank=True)
    customer_number = models.TextField(_("customer number"), blank=True)
    flags = ArrayField(models.TextField(), default=list, blank=True, help_text=_("What was odd about the post"))
    # ASCII JSON without the access key: NUL and lone surrogates stand in it as escapes.
    payload = models.TextField(_("payload"))

    objects = querysets.CallEventQuerySet.as_manager()

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        get_latest_by = "received_at"

    def __str__(self) -> str:
        return f"{self.request_type} {self.block_type or self.destination}".strip()


class ChangedQuarterHour(models.Model):
    """An append-only log of what must be counted again. No unique key: writers never wait for each other."""

    destination_number = models.ForeignKey(
        DestinationNumber, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    quarter_hour = models.DateTimeField()
    logged_at = models.DateTimeField(db_default=Now())

    objects = querysets.ChangedQuarterHourQuerySet.as_manager()

    class Meta:
        verbose_name = _("changed quarter-hour")
        verbose_name_plural = _("changed quarter-hours")

    def __str__(self) -> str:
        return f"{self.destination_number_id} {self.quarter_hour:%Y-%m-%d %H:%M}"


class QuarterHour(models.Func):
    """The start of the quarter-hour (UTC) of a moment."""

    template = "date_bin('15 minutes', %(expressions)s, '1970-01-01 00:00:00+00'::timestamptz)"
    output_field = models.DateTimeField()


# The quarter-hour a call belongs to: that of its earliest receipt.
QUARTER_HOUR = QuarterHour(F("first_post_at"))


class SenderMode(models.TextChoices):
    """What becomes of a post from an address that is not listed."""

    OFF = "off", _("take it, and say nothing")
    REPORT = "report", _("take it, and flag it")
    ENFORCE = "enforce", _("refuse it, and keep it to be counted later")


def validate_networks(text: str) -> None:
    try:
        networks = addresses.read_networks(text)
    except ValueError as error:
        raise ValidationError(f"{error}.", code="network") from error
    if not networks:
        raise ValidationError(
            _("Without any address nobody could post. TENIOS posts from %(address)s.") % {"address": TENIOS_NETWORKS},
            code="none",
        )


class SenderPolicy(models.Model):
    """From where posts may come. One row; without it the defaults hold."""

    mode = models.CharField(_("a post from elsewhere"), max_length=7, choices=SenderMode, default=SenderMode.REPORT)
    networks = models.TextField(
        _("addresses of the sender"),
        default=TENIOS_NETWORKS,
        validators=[validate_networks],
        help_text=_("One a line, such as 192.0.2.1 or 192.0.2.0/24; what follows a # is a remark."),
    )

    class Meta:
        verbose_name = _("sender's address")
        verbose_name_plural = _("sender's address")
        constraints = [
            models.CheckConstraint(
                name="sender_policy_is_one",
                condition=Q(id=1),
                violation_error_message=_("The senders' addresses are one row: change that one."),
            )
        ]

    def __str__(self) -> str:
        return gettext("From where posts may come")

    @classmethod
    def current(cls) -> SenderPolicy:
        """Return what staff have set, or the defaults, not saved."""
        return cls.objects.filter(pk=1).first() or cls(pk=1)


class Reason(models.TextChoices):
    """Why a post was refused."""

    UNKNOWN_NUMBER = "unknown_number", _("unknown number")
    UNKNOWN_KEY = "unknown_key", _("unknown access key")
    KEY_OVER = "key_over", _("access key expired, revoked or not yet valid")
    KEY_OF_ANOTHER = "key_of_another", _("access key of another number")
    NO_KEY = "no_key", _("no access key")
    NO_NUMBER = "no_number", _("no number named, and the key opens several")
    FOREIGN_ADDRESS = "foreign_address", _("address that is not listed")
    BAD_POST = "bad_post", _("no requestType, or no variables")
    BAD_JSON = "bad_json", _("no proper JSON")
    TOO_LARGE = "too_large", _("too large")
    MEDIA_TYPE = "unsupported_media_type", _("not sent as JSON")


class RefusedPost(models.Model):
    """A post that was refused, kept so that it can be counted once what was wrong is mended. Written by
    calls.ingest.refused_posts only, for senders that are listed or hold a live key of some number."""

    # Of answer, address, key and body: identical ones are one row.
    digest = models.CharField(max_length=64, unique=True, editable=False)
    reason = models.CharField(_("reason"), max_length=32, choices=Reason)
    status = models.PositiveSmallIntegerField(_("answered"))
    received_at = models.DateTimeField(_("first received"))
    last_received_at = models.DateTimeField(_("last received"))
    count = models.PositiveIntegerField(_("times"), help_text=_("How many identical ones there were"))
    address = models.GenericIPAddressField(_("sent from"), null=True)
    destination_number = models.TextField(_("number"), blank=True)
    request_type = models.TextField("requestType", blank=True)
    fingerprint = models.CharField(_("fingerprint of the key"), max_length=64, editable=False)
    # ASCII, without the access key. Blank where it was not read, or where the key could not be told from the rest.
    body = models.TextField(_("body"), blank=True)
    # Of the first hundred receipts: what makes each of them one event, however often it is replayed.
    ingest_ids = ArrayField(models.UUIDField(), editable=False)
    receipts = ArrayField(models.DateTimeField(), editable=False)
    replayed_at = models.DateTimeField(_("counted since"), null=True)

    objects = querysets.RefusedPostQuerySet.as_manager()

    class Meta:
        verbose_name = _("refused post")
        verbose_name_plural = _("refused posts")
        ordering = ["-last_received_at", "-id"]
        get_latest_by = "last_received_at"

    def __str__(self) -> str:
        return f"{self.request_type or gettext('post')} · {self.get_reason_display()}"

    @property
    def can_be_replayed(self) -> bool:
        return bool(self.body) and self.reason not in {Reason.BAD_JSON, Reason.BAD_POST}
