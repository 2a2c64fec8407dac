"""The model of the sender policy: the addresses that posts may come from."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import addresses

# The one address that TENIOS posts from.
TENIOS_NETWORKS = "80.239.139.193"


class SenderMode(models.TextChoices):
    """What happens to a post from an address that is not listed."""

    OFF = "off", _("accept")
    REPORT = "report", _("accept and flag")
    ENFORCE = "enforce", _("reject, and keep for later")


def validate_networks(text: str) -> None:
    try:
        networks = addresses.read_networks(text)
    except ValueError as error:
        raise ValidationError(f"{error}.", code="network") from error
    if not networks:
        raise ValidationError(
            _("Enter at least one address. TENIOS sends from %(address)s.") % {"address": TENIOS_NETWORKS},
            code="none",
        )


class SenderPolicy(models.Model):
    """The addresses that posts may come from. There is at most one row; without it the defaults apply."""

    mode = models.CharField(
        _("messages from other addresses"), max_length=7, choices=SenderMode, default=SenderMode.REPORT
    )
    networks = models.TextField(
        _("addresses of TENIOS"),
        default=TENIOS_NETWORKS,
        validators=[validate_networks],
        help_text=_("One per line, such as 192.0.2.1 or 192.0.2.0/24. Text after # is a comment."),
    )

    class Meta:
        verbose_name = _("sender addresses")
        verbose_name_plural = _("sender addresses")
        constraints = [
            models.CheckConstraint(
                name="sender_policy_is_one",
                condition=Q(id=1),
                violation_error_message=_("There is only one list of sender addresses. Change that one."),
            )
        ]

    def __str__(self) -> str:
        return gettext("Sender addresses")

    @classmethod
    def current(cls) -> SenderPolicy:
        """Return the policy that staff have set, or an unsaved one with the defaults."""
        return cls.objects.filter(pk=1).first() or cls(pk=1)
