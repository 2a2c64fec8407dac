"""Celery's doors to rollups and to mail. They carry no data, and may run twice or late."""

import logging

from celery import shared_task
from django.utils import timezone

from reports import rollups, telling

logger = logging.getLogger(__name__)


@shared_task(ignore_result=True)
def roll_up() -> None:
    try:
        rollups.recount_changed()
    except rollups.ZoneChanged as error:
        logger.error("%s", error)


@shared_task(ignore_result=True)
def tell_silences() -> None:
    telling.tell_silences(timezone.now())
