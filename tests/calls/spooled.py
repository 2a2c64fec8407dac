"""Helpers of tests with posts that wait in the spool."""

from django.core.management import call_command

from calls.ingest import intake
from tests.factories import ACCESS_KEY, post_body


def held():
    return intake.held_in_spool()


def drain(*words):
    call_command("drain_spool", *words or ["--once"])


def start(number, key=ACCESS_KEY, **more):
    return post_body("CALL_START", number, key, **more)
