"""Celery tasks. They carry no data and are safe to run twice or late."""

from celery import shared_task
from django.utils import timezone

from live import endpoint_alerts, feed
from live.dispatch import stored


@shared_task(ignore_result=True)
def delete_old_rings() -> None:
    feed.delete_old()


@shared_task(ignore_result=True)
def delete_old_deliveries() -> None:
    stored.delete_old(timezone.now())


@shared_task(ignore_result=True)
def tell_switched_off() -> None:
    endpoint_alerts.tell_switched_off()
