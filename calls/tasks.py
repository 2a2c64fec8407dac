"""Celery tasks. They carry no data and are safe to run twice or late."""

from celery import shared_task

from accounts.audit.actions import Action
from accounts.audit.actors import Actor
from accounts.audit.entries import write
from calls import lost_access
from calls.ingest import refused_posts, silent_calls, writer


@shared_task(ignore_result=True)
def close_silent_calls() -> None:
    silent_calls.close_silent_calls()


@shared_task(ignore_result=True)
def reunite_calls() -> None:
    if joined := writer.reunite_calls():
        write(Action.CALLS_JOINED, actor=Actor(), rows=joined)


@shared_task(ignore_result=True)
def redact_refused_posts() -> None:
    refused_posts.redact_kept()


@shared_task(ignore_result=True)
def end_sessions_of_ended_access() -> None:
    lost_access.end_sessions_of_ended_access()
