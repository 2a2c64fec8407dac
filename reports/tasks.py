"""Celery's doors to rollups. They carry no data, and may run twice or late."""

import logging

from celery import shared_task

from reports import rollups

logger = logging.getLogger(__name__)


@shared_task(ignore_result=True)
def roll_up() -> None:
    try:
        rollups.recount_changed()
    except rollups.ZoneChanged as error:
        logger.error("%s", error)
