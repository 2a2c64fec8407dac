"""Settings of the intake process: those of config.settings, with only the apps that posts need."""

from config import embedded
from config.settings import *  # noqa: F403 (all settings of an operator apply here too)
from config.settings import DATABASES, HOME, INTAKE_DATABASE_URL, USES_EMBEDDED_DATABASE, env

# The models of calls refer to users.
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "calls"]

# A role with the rights that storing posts needs; without it, that of all processes.
if own_url := embedded.saved_url(HOME, embedded.INTAKE) if USES_EMBEDDED_DATABASE else INTAKE_DATABASE_URL:
    DATABASES["default"] |= {
        name: value
        for name, value in env.db_url_config(own_url, engine="config.database").items()
        if name in {"HOST", "NAME", "PASSWORD", "PORT", "USER"}
    }
