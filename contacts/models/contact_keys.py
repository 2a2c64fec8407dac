"""The model of the keys with which other systems write contacts."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from contacts.models.contacts import validate_source


class ContactKey(models.Model):
    """A key lets another system write the contacts of one source. Only its fingerprint is stored."""

    name = models.CharField(
        _("name"), max_length=100, unique=True, help_text=_("Which system uses the key, for example Odoo.")
    )
    source = models.CharField(
        _("source"),
        max_length=40,
        validators=[validate_source],
        help_text=_("The source whose contacts it writes, for example erp."),
    )
    fingerprint = models.CharField(_("fingerprint"), max_length=64, unique=True, editable=False)
    last4 = models.CharField(_("last four characters"), max_length=4, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True, editable=False)

    # The key itself, only on the object that was just created.
    issued = ""

    objects: ClassVar[models.Manager[ContactKey]] = models.Manager()

    class Meta:
        verbose_name = _("contact key")
        verbose_name_plural = _("contact keys")
        # Keys are created and revoked, never edited.
        default_permissions = ("view", "change")
        ordering = ["name"]

    def __str__(self) -> str:
        return f"{self.name} (…{self.last4})"
