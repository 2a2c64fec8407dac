"""The Celery application: `celery -A config worker`. Only Celery's processes import it; that of beat is config.beat."""

import contextlib
import os
from pathlib import Path
from typing import Any

from celery import Celery
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# Celery would run Django's checks without showing what they find, and they load all pages.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

app = Celery("calltally")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@app.on_after_finalize.connect
def make_folders(**of_the_signal: Any) -> None:
    """Create the folders in which the default broker keeps its messages."""
    options = getattr(settings, "CELERY_BROKER_TRANSPORT_OPTIONS", {})
    folders = [options[name] for name in ("data_folder_in", "processed_folder", "control_folder") if name in options]
    # If a needed folder is missing, the code that uses it fails with an error.
    with contextlib.suppress(OSError):
        for folder in folders:
            Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
