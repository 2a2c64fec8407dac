"""Housekeeping that belongs to no app."""

from celery import shared_task
from django.core.management import call_command


@shared_task(ignore_result=True)
def clear_sessions() -> None:
    """Forget sessions that have run out, and with them the callers that were searched for."""
    call_command("clearsessions")
