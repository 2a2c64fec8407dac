"""Celery tasks. They carry no data and are safe to run twice or late."""

from celery import shared_task

from live import feed


@shared_task(ignore_result=True)
def delete_old_rings() -> None:
    feed.delete_old()
