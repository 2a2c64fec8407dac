"""Celery tasks that belong to no app."""

from celery import shared_task
from django.core.management import call_command


@shared_task(ignore_result=True)
def clear_sessions() -> None:
    """Delete expired sessions, and with them the callers that were searched for."""
    call_command("clearsessions")
