"""Celery tasks. They carry no data and are safe to run twice or late."""

from celery import shared_task

from contacts import lookups, uploads


@shared_task(ignore_result=True)
def clear_uploads() -> None:
    uploads.clear()


@shared_task(ignore_result=True)
def clear_lookup_answers() -> None:
    lookups.clear()
