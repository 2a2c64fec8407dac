"""Celery tasks. They carry no data and are safe to run twice or late."""

from celery import shared_task

from accounts import sessions
from accounts.audit import expiry, failures


@shared_task(ignore_result=True)
def end_old_sessions() -> None:
    sessions.end_old()


@shared_task(ignore_result=True)
def keep_audit() -> None:
    """Add up failed sign-ins of past hours, delete what is too old, and log the head."""
    failures.add_up()
    expiry.expire()
    expiry.log_head()
