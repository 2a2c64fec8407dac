"""The ASGI application of the process `live`: streams of calls that ring, and /healthz."""

import os
import resource
from contextlib import suppress
from typing import Any

import django
from django.conf import settings
from django.utils.module_loading import import_string

if not settings.configured:  # in tests they are configured already
    # Not only as a default: a shell may have set it to config.settings.
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.live_settings"
django.setup(set_prefix=False)

# A stream is an open file, and a shell allows 1,024 of them. What systemd allows stays (LimitNOFILE).
with suppress(OSError, ValueError):
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

application: Any = import_string("live.events.Live")()
