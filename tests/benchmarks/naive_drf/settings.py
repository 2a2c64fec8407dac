"""Calltally's own settings, but for the way of a post."""

from config.settings import *  # noqa: F403 (all of them, on purpose)

ROOT_URLCONF = "tests.benchmarks.naive_drf.urls"
WSGI_APPLICATION = "tests.benchmarks.naive_drf.wsgi.application"
MIDDLEWARE = [name for name in MIDDLEWARE if name != "calls.middleware.posts_first"]  # noqa: F405
# As one writes it first: Django's own backend, which knows no time limits.
DATABASES = {"default": DATABASES["default"] | {"ENGINE": "django.db.backends.postgresql"}}  # noqa: F405
