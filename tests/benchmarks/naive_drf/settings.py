"""Calltally's settings, except for how a post is handled."""

from config.settings import *  # noqa: F403 (all settings are wanted)

ROOT_URLCONF = "tests.benchmarks.naive_drf.urls"
WSGI_APPLICATION = "tests.benchmarks.naive_drf.wsgi.application"
MIDDLEWARE = [name for name in MIDDLEWARE if name != "calls.middleware.posts_first"]  # noqa: F405
# The obvious choice: Django's own backend, which has no time limits.
DATABASES = {"default": DATABASES["default"] | {"ENGINE": "django.db.backends.postgresql"}}  # noqa: F405
