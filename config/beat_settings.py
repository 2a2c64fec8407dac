"""Settings of Celery beat: those of config.settings without apps, because it sends tasks by their names."""

from config.settings import *  # noqa: F403 (all settings of an operator apply here too)

INSTALLED_APPS = []
