"""Celery tasks. They carry no data and are safe to run twice or late."""

from celery import shared_task

from contacts import uploads


@shared_task(ignore_result=True)
def clear_uploads() -> None:
    uploads.clear()
