"""What ties the apps together: settings, addresses, the one-command start."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
