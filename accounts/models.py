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
