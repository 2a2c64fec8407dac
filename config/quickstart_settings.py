"""Settings of `quickstart` itself: those of config.settings without apps that have models, because it only watches the
processes that need these."""

from config.settings import *  # noqa: F403 (all settings of an operator apply here too)

INSTALLED_APPS = ["config"]
