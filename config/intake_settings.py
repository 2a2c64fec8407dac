"""Settings of the intake process: those of config.settings, with only the apps that posts need."""

from config.settings import *  # noqa: F403 (all settings of an operator apply here too)

# The models of calls refer to users.
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "calls"]
