"""Celery tasks. They carry no data and are safe to run twice or late."""

import logging
from typing import Any

from celery import shared_task
from celery.signals import worker_shutting_down
from django.utils import timezone

from reports import alerts
from reports.counting import added_durations, rollups
from reports.exports import workbook_jobs

logger = logging.getLogger(__name__)


@shared_task(ignore_result=True)
def roll_up() -> None:
    try:
        rollups.recount_changed()
    except rollups.ZoneChanged as error:
        logger.error("%s", error)


@shared_task(ignore_result=True)
def add_up_durations() -> None:
    added_durations.add_up()


@shared_task(ignore_result=True)
def tell_silences() -> None:
    alerts.tell_silences(timezone.now())


@shared_task(ignore_result=True)
def start_workbooks() -> None:
    """Start the files worker if a workbook is waiting."""
    if workbook_jobs.start():
        make_workbooks.apply_async(retry=False, expires=60)


@shared_task(ignore_result=True)
def make_workbooks() -> None:
    """Make waiting workbooks. Runs only in the files worker (CELERY_TASK_ROUTES)."""
    workbook_jobs.make_waiting()


@shared_task(ignore_result=True)
def clear_workbooks() -> None:
    workbook_jobs.clear()


@worker_shutting_down.connect
def stop_workbooks(**_signal: Any) -> None:
    workbook_jobs.stop()
