"""Celery tasks that belong to no app."""

from axes.models import AccessAttempt
from celery import shared_task
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone


@shared_task(ignore_result=True)
def clear_sessions() -> None:
    """Delete expired sessions, and with them the callers that were searched for; and failed sign-ins that lock nothing
    any more, which otherwise wait for the next sign-in."""
    call_command("clearsessions")
    AccessAttempt.objects.filter(attempt_time__lte=timezone.now() - settings.AXES_COOLOFF_TIME).delete()
