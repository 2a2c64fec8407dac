"""The model of dispatchers: the processes that send events to other systems."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone


class DispatchProcess(models.Model):
    """A running `dispatcher`, as *System* sees it. One of them works; the others wait until it ends."""

    name = models.TextField(unique=True)  # host and process id
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)
    works = models.BooleanField(default=False)

    objects: ClassVar[models.Manager[DispatchProcess]] = models.Manager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name
