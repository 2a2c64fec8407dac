"""Settings of the process `dispatcher`: those of config.settings, with only the apps whose tables it uses, and with the
short limits of `live` for its connection."""

from config.live_settings import *  # noqa: F403 (all settings of an operator apply here too)
from config.live_settings import DATABASES

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "calls",
    "contacts",
    "reports",
    "live.apps.DispatchConfig",
]
# A process that is frozen loses its session, and with it the lock by which only one dispatcher works. After an outage,
# thousands of events are turned into deliveries in one transaction, which may take longer than a look of `live`.
_limits = " -c idle_session_timeout=20s -c idle_in_transaction_session_timeout=60s"
DATABASES["default"]["OPTIONS"]["options"] += f"{_limits} -c application_name=calltally\\ dispatcher"
