"""The model of files of contacts that are uploaded in the admin."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class ContactUpload(models.Model):
    """A file of contacts between its preview and its import, and then the result. Only who uploaded it sees it.

    In the database, because the next request may reach another web host. The content is removed with the import."""

    # For how long uploads are kept, imported or not.
    KEPT = timedelta(hours=24)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="contact_uploads", verbose_name=_("person")
    )
    name = models.CharField(_("file"), max_length=255)
    source = models.CharField(_("source"), max_length=40, blank=True)
    # Fields by header, for columns that are not to be read by their name.
    columns = models.JSONField(default=dict)
    content = models.BinaryField(_("content"), null=True)
    uploaded_at = models.DateTimeField(_("uploaded"), default=timezone.now)
    imported_at = models.DateTimeField(_("imported"), null=True)
    # How many contacts were added, changed and so on.
    counts = models.JSONField(default=dict)
    # The refused rows as a CSV file.
    refused = models.TextField(blank=True)

    objects: ClassVar[models.Manager[ContactUpload]] = models.Manager()

    class Meta:
        verbose_name = _("upload of contacts")
        verbose_name_plural = _("uploads of contacts")
        # Who may add contacts may upload them.
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                name="contact_upload_imported_once",
                condition=models.Q(imported_at=None, content__isnull=False)
                | models.Q(imported_at__isnull=False, content=None),
            )
        ]
        indexes = [
            # Which uploads are to be removed?
            models.Index(name="contact_upload_time", fields=["uploaded_at"])
        ]

    def __str__(self) -> str:
        return self.name
