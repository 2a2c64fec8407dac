"""The models of screen-pops: rings of people, their settings, and the state of the processes that show rings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from calls.models import CallEvent, DestinationNumber

if TYPE_CHECKING:
    from calls.models import Call


SHORTEST_TIMEOUT_S, DEFAULT_TIMEOUT_S, LONGEST_TIMEOUT_S = 5, 60, 600


class WhyNot(models.TextChoices):
    """Why a ring was not shown as a pop, as a sentence. Blank: it was."""

    LATE = "late", _("The message from TENIOS came more than 10 seconds late.")
    ENDED = "ended", _("The call was over before it could be shown.")
    OVER = "over", _("It no longer rang there when the message was read.")
    CALLBACK = "callback", _("It is a callback, which Calltally started for the person.")
    ALREADY_RINGING = "already_ringing", _("This call was already shown and still rang.")
    NUMBER_OFF = "number_off", _("Calls to this number are not shown.")
    SWITCHED_OFF = "switched_off", _("The person has switched it off.")
    NOT_CONNECTED = "not_connected", _("No page of Calltally was open.")
    FAILED = "failed", _("Calltally could not follow this call. Its log says why.")


class WhyClosed(models.TextChoices):
    """Why a ring is over."""

    ANSWERED = "answered", _("Answered, and the call has ended")
    ANSWERED_ELSEWHERE = "answered_elsewhere", _("Answered by someone else")
    NOT_ANSWERED = "not_answered", _("Not answered")
    TIMED_OUT = "timed_out", _("Rang for longer than the time limit")


class Pop(models.Model):
    """A ring for a person: one forward, or the start of a call, that concerns them, and whether it was shown.

    `live.feed` writes it. The call is the one of the event: calls.ingest.writer moves events when it joins calls."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False, verbose_name=_("person")
    )
    event = models.ForeignKey(
        CallEvent, on_delete=models.CASCADE, null=True, related_name="+", verbose_name=_("message")
    )
    # The event that answered: of this ring, or of another one of the call.
    answer = models.ForeignKey(CallEvent, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    destination = models.TextField("destination", blank=True)
    destination_type = models.TextField("destinationType", blank=True)
    # Rings for the number's team, because no person is mapped to the destination, or at the start of the call.
    is_of_team = models.BooleanField(default=False)
    # Made up by the person to try pops: without an event.
    is_test = models.BooleanField(default=False)
    rang_at = models.DateTimeField(_("rang"))
    # A later forward of the call began, so it rings elsewhere now.
    dimmed_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(_("answered"), null=True)
    # Null: it rings, or the person talks. Rings that cannot be shown are closed from the beginning.
    closed_at = models.DateTimeField(_("closed"), null=True)
    why_closed = models.CharField(max_length=20, blank=True, choices=WhyClosed)
    why_not = models.CharField(max_length=20, blank=True, choices=WhyNot)
    shown_at = models.DateTimeField(_("shown"), null=True)
    opened_at = models.DateTimeField(_("opened"), null=True)
    # Of the last change. Revisions are committed in order (live.revisions).
    revision = models.BigIntegerField()

    objects: ClassVar[models.Manager[Pop]] = models.Manager()

    class Meta:
        verbose_name = _("ring")
        verbose_name_plural = _("rings")
        default_permissions = ("view",)
        get_latest_by = "rang_at"
        constraints = [
            # A ring of a person is noted once, however often its event is read.
            models.UniqueConstraint(name="pop_once", fields=["user", "event"]),
            models.CheckConstraint(name="pop_has_event", condition=Q(is_test=True) | Q(event__isnull=False)),
        ]
        indexes = [
            # Which rings changed since a process read them last?
            models.Index(name="pop_revision", fields=["revision"]),
            # What rings now: for a person, and to be closed?
            models.Index(name="pop_open", fields=["user"], condition=Q(closed_at=None)),
            # What rang for a person, latest first?
            models.Index(name="pop_user_time", fields=["user", "-rang_at"]),
            # What rang for all people, latest first; what is old enough to delete?
            models.Index(name="pop_time", fields=["rang_at"]),
        ]

    def __str__(self) -> str:
        return gettext("ring %(pk)s") % {"pk": self.pk}

    @property
    def call(self) -> Call | None:
        """The call that rings; None for a test."""
        return self.event.call if self.event else None

    @property
    def state(self) -> str:
        """`ringing`, `rang_before`, `answered` or `closed`."""
        if self.closed_at:
            return "closed"
        if self.answered_at:
            return "answered"
        return "rang_before" if self.dimmed_at else "ringing"


class LiveProfile(models.Model):
    """How rings are shown to a person. Without a row the defaults apply."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="live_profile", verbose_name=_("person")
    )
    pops = models.BooleanField(_("show calls that ring for me"), default=True)
    notification = models.BooleanField(_("also as a notification of the browser"), default=True)
    open_at_once = models.BooleanField(_("open the first link at once"), default=False)
    sound = models.BooleanField(_("play a sound"), default=False)

    objects: ClassVar[models.Manager[LiveProfile]] = models.Manager()

    class Meta:
        verbose_name = _("settings for rings")
        verbose_name_plural = _("settings for rings")
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.user)

    @classmethod
    def for_user(cls, user: Any) -> LiveProfile:
        """Return the settings of a person, unsaved defaults if they have none."""
        return cls.objects.filter(user=user).first() or cls(user=user)


class PopOn(models.TextChoices):
    """The post at which a number's calls are shown to people."""

    FORWARD = "forward", _("when it rings at their destination")
    START = "start", _("at the start of the call")
    NEVER = "never", _("never")


class NumberRings(models.Model):
    """Who is shown the calls of a number, and from when on. Without a row the defaults apply."""

    destination_number = models.OneToOneField(
        DestinationNumber, on_delete=models.CASCADE, related_name="rings", verbose_name=_("number")
    )
    team = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        blank=True,
        related_name="+",
        verbose_name=_("team"),
        help_text=_("They see calls that ring at a destination without a named person."),
    )
    pop_on = models.CharField(_("show calls"), max_length=7, choices=PopOn, default=PopOn.FORWARD)
    ring_timeout_s = models.PositiveIntegerField(
        _("rings for at most"),
        default=DEFAULT_TIMEOUT_S,
        validators=[MinValueValidator(SHORTEST_TIMEOUT_S), MaxValueValidator(LONGEST_TIMEOUT_S)],
        help_text=_("Seconds. Then a call that was not answered is no longer shown as ringing."),
    )

    objects: ClassVar[models.Manager[NumberRings]] = models.Manager()

    class Meta:
        verbose_name = _("rings of a number")
        verbose_name_plural = _("rings of numbers")
        default_permissions = ("view", "change")

    def __str__(self) -> str:
        return str(self.destination_number)


class FeedCursor(models.Model):
    """How far events have been turned into rings. It has one row, which is locked while rings change."""

    ONLY = 1

    last_event_id = models.BigIntegerField()
    # Ids below that had not been seen: [first, last, transaction], as live.tail uses them.
    skipped = models.JSONField(default=list)
    revision = models.BigIntegerField(default=0)

    objects: ClassVar[models.Manager[FeedCursor]] = models.Manager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.last_event_id)


class LiveProcess(models.Model):
    """A running `live` process, as *System* and the other processes see it. It renews its row every few seconds."""

    name = models.TextField(unique=True)  # host and process id
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)
    # Open pages to which rings are sent, and open live boards, of people and of screens.
    streams = models.PositiveIntegerField(default=0)
    boards = models.PositiveIntegerField(default=0, db_default=0)
    # How long the newest event had been stored when it was read, at the median and at 99 %.
    delay_p50_ms = models.FloatField(null=True)
    delay_p99_ms = models.FloatField(null=True)
    # The host's clock minus the database's.
    clock_offset_s = models.FloatField(default=0)

    objects: ClassVar[models.Manager[LiveProcess]] = models.Manager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class Listener(models.Model):
    """A person with a stream of a process: rings are shown to them."""

    process = models.ForeignKey(LiveProcess, on_delete=models.CASCADE, related_name="listeners", db_index=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")

    objects: ClassVar[models.Manager[Listener]] = models.Manager()

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(name="listener_once", fields=["process", "user"])]

    def __str__(self) -> str:
        return f"{self.user_id} {self.process_id}"
