"""The model of access keys."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from calls import keys, querysets
from calls.models.numbers import DestinationNumber


class AccessKey(models.Model):
    """An access key admits posts for a number. Only its fingerprint is stored."""

    destination_number = models.ForeignKey(
        DestinationNumber, on_delete=models.CASCADE, related_name="access_keys", verbose_name=_("number")
    )
    fingerprint = models.CharField(_("fingerprint"), max_length=64, editable=False)
    last4 = models.CharField(_("last four characters"), max_length=4, editable=False)
    valid_from = models.DateTimeField(_("valid from"), default=timezone.now)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True, editable=False)
    # Derived when calls are counted, never written per post.
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    objects = querysets.AccessKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("access key")
        verbose_name_plural = _("access keys")
        ordering = ["destination_number", "-created_at"]
        constraints = [
            models.UniqueConstraint(
                name="access_key_once_per_number",
                fields=["destination_number", "fingerprint"],
                violation_error_message=_("This number already has this access key."),
            ),
        ]
        indexes = [
            # For which numbers does the key of this post admit posts?
            models.Index(name="access_key_fingerprint", fields=["fingerprint"]),
        ]

    def __str__(self) -> str:
        # A key that was admitted from refused posts is known only by its fingerprint.
        return f"…{self.last4}" if self.last4 else gettext("as received from TENIOS")

    def is_live(self) -> bool:
        return keys.is_live(timezone.now(), self.valid_from, self.expires_at, self.revoked_at)

    @property
    def state(self) -> str:
        """The state of the key, for people."""
        now = timezone.now()
        if keys.is_over(now, self.revoked_at):
            return gettext("revoked")
        if keys.is_over(now, self.expires_at):
            return gettext("expired")
        return gettext("active") if self.valid_from <= now else gettext("not yet valid")
