"""What Django's users lack."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import browsers


class GivenPassword(models.Model):
    """A person has a password that someone else set, until they change it."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="given_password",
    )
    given_at = models.DateTimeField(_("given at"), auto_now_add=True)

    class Meta:
        verbose_name = _("given password")
        verbose_name_plural = _("given passwords")
        # No page shows it, so no one needs a permission.
        default_permissions: ClassVar[tuple[str, ...]] = ()

    def __str__(self) -> str:
        return str(self.user)


class SignedInSession(models.Model):
    """A session of a browser in which a person is signed in. Without this row, Django's session signs no one in.

    It has a hash of the session's key, because the key itself signs in. Its limits are those of the settings of now."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("user"), on_delete=models.CASCADE, related_name="signed_in_sessions"
    )
    key_hash = models.CharField(max_length=64)
    signed_in_at = models.DateTimeField(_("signed in at"))
    # Written at most once a minute.
    last_used_at = models.DateTimeField(_("last used at"))
    # As settings.ENDS_WHEN_IDLE said of the person when it was last used.
    ends_when_idle = models.BooleanField(_("ends when idle"))
    address = models.GenericIPAddressField(_("address"), null=True)
    user_agent = models.CharField(max_length=255, blank=True)

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")
        default_permissions: ClassVar[tuple[str, ...]] = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # Also answers at each request: is this session signed in?
            models.UniqueConstraint(name="signed_in_session_once", fields=["key_hash"]),
        ]

    def __str__(self) -> str:
        return f"{self.user}, {self.signed_in_at:%Y-%m-%d %H:%M}"

    @property
    def browser(self) -> str:
        """Browser and system in words."""
        return browsers.in_words(self.user_agent)

    @property
    def ends_by_idling(self) -> bool:
        """Whether it ends for want of use, before its time is over."""
        return self.ends_when_idle and self._idle_until < self._until

    @property
    def ends_at(self) -> datetime:
        """When it ends, if it is not used again."""
        return self._idle_until if self.ends_by_idling else self._until

    @property
    def left_s(self) -> int:
        """The seconds until it ends, if it is not used again; 0 if it has ended."""
        return max(0, int((self.ends_at - timezone.now()).total_seconds()))

    @property
    def _until(self) -> datetime:
        return self.signed_in_at + timedelta(hours=settings.SESSION_HOURS)

    @property
    def _idle_until(self) -> datetime:
        return self.last_used_at + timedelta(minutes=settings.SESSION_IDLE_MINUTES)


class AuditEntry(models.Model):
    """One thing that someone did. Entries are only added, and expire: triggers of the database refuse all else.

    It refers to no other table, so that what is deleted later stays named. No field holds a caller or a secret."""

    position = models.PositiveBigIntegerField(_("position"), primary_key=True)
    at = models.DateTimeField(_("time"))
    actor_id = models.BigIntegerField(_("id of the person"), null=True)
    actor = models.CharField(_("person"), max_length=200)
    address = models.CharField(_("address"), max_length=45, blank=True)
    action = models.CharField(_("action"), max_length=40)
    object_type = models.CharField(_("kind of object"), max_length=100, blank=True)
    object_id = models.CharField(_("id of the object"), max_length=100, blank=True)
    object = models.CharField(_("object"), max_length=300, blank=True)
    before = models.JSONField(_("before"), null=True)
    after = models.JSONField(_("after"), null=True)
    rows = models.BigIntegerField(_("rows"), null=True)
    bytes = models.BigIntegerField(_("bytes"), null=True)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    # What an entry of another chain was, before a restore added it to this one.
    carried = models.JSONField(_("carried over"), null=True)
    key_id = models.CharField(_("id of the key"), max_length=8)
    previous = models.CharField(_("checksum of the entry before"), max_length=64, blank=True)
    checksum = models.CharField(_("checksum"), max_length=64)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit")
        default_permissions = ("view",)
        ordering = ("-position",)
        indexes: ClassVar[list[models.Index]] = [
            # What did this person do?
            models.Index(name="audit_by_actor", fields=["actor_id", "-position"]),
            # What happened of this kind? Also: up to which entry did old ones expire?
            models.Index(name="audit_by_action", fields=["action", "-position"]),
            # What happened then, and what is too old?
            models.Index(name="audit_by_time", fields=["at"]),
        ]

    def __str__(self) -> str:
        return str(self.position)


class CappedEntries(models.Model):
    """How often something happened within an hour of which not everything becomes an entry of the audit."""

    hour = models.DateTimeField(_("hour"))
    action = models.CharField(_("action"), max_length=40)
    network = models.CharField(_("network"), max_length=45, blank=True)
    count = models.BigIntegerField(_("count"), default=0)

    class Meta:
        verbose_name = verbose_name_plural = _("counted entries")
        default_permissions: ClassVar[tuple[str, ...]] = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(name="one_count_of_network", fields=["hour", "action", "network"]),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.hour}"
