"""Says by a file of the home whether there is an endpoint, so that `make run` runs the dispatcher only then."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.signals import post_delete, post_save

from live.models import Endpoint


def connect() -> None:
    """Keep the file right when endpoints are saved and deleted."""
    post_save.connect(_after_commit, sender=Endpoint, dispatch_uid="live.dispatch.wanted")
    post_delete.connect(_after_commit, sender=Endpoint, dispatch_uid="live.dispatch.wanted")


def mark() -> None:
    """Create the file if there is an endpoint, and remove it if there is none."""
    path = Path(settings.DISPATCHER_WANTED)
    # A full disk must not prevent that an endpoint is saved.
    with contextlib.suppress(OSError):
        if Endpoint.objects.exists():
            path.touch(mode=0o600)
        else:
            path.unlink(missing_ok=True)


def _after_commit(**_: Any) -> None:
    transaction.on_commit(mark)
