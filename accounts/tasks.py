"""Celery tasks. They carry no data and are safe to run twice or late."""

from celery import shared_task

from accounts import sessions


@shared_task(ignore_result=True)
def end_old_sessions() -> None:
    sessions.end_old()
