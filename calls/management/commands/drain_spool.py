"""manage.py drain_spool: moves posts from the spool into the database. Runs as a separate process."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import time
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandParser
from django.db import Error

from calls.ingest.drain import BATCH, Drained, drain_refused, drain_some
from calls.ingest.intake import OLD_S
from calls.ingest.spool import Spool, SpoolError, open_spool
from calls.ingest.writer import Writer
from calls.log_limits import OnceAMinute

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 0.25
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 4.0
MOST_SHOWN = 50


class Command(BaseCommand):
    help = "Moves spooled posts into the database. Runs until stopped, unless --once or --show is given."
    # They would load all pages. They are run by `manage.py check`, and by other commands.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument(
            "--once", action="store_true", help="exit when no post waits; exit with 1 if posts have to wait"
        )
        what.add_argument(
            "--show", action="store_true", help="only list the posts that wait or are quarantined, and why"
        )
        parser.add_argument("--try-again", action="store_true", help="first retry the quarantined posts")

    def handle(
        self, *args: Any, once: bool = False, show: bool = False, try_again: bool = False, **options: Any
    ) -> None:
        if try_again and not apps.is_installed("accounts"):
            sys.exit("--try-again is noted in the audit, which these settings do not know. Leave --settings out.")
        with contextlib.closing(open_spool()) as spool, contextlib.closing(Writer("calltally drainer")) as writer:
            try:
                if try_again:
                    retried = spool.try_again()
                    self.note(retried)
                    self.stdout.write(f"{retried} quarantined posts are retried.")
                if show:
                    self.show(spool)
                elif once:
                    self.drain_once(spool, writer)
                else:
                    drain_until_stopped(spool, writer)
            except SpoolError as error:
                sys.exit(f"The spool cannot be used: {error}")

    def note(self, retried: int) -> None:
        """Note in the audit what was retried. It is done, whether or not the database is away."""
        try:
            # Only here, because the process that runs until stopped has no app of the audit.
            import_module("accounts.audit.commands").note_command("drain_spool --try-again", posts=retried)
        except Error as error:
            self.stderr.write(f"The audit has no entry of this, because of the database ({type(error).__name__}).")

    def drain_once(self, spool: Spool, writer: Writer) -> None:
        total = Drained()
        while (drained := drain_some(spool, writer)).written or drained.set_aside:
            total.written += drained.written
            total.set_aside += drained.set_aside
        while drain_refused(spool, writer):
            pass
        held = spool.held()
        if total.written or total.set_aside or held.waiting:
            self.stdout.write(f"{total.written} posts moved into the database, {total.set_aside} quarantined.")
        if held.waiting:
            sys.exit(f"{held.waiting} posts still wait. The database cannot store them now ({drained.failed}).")

    def show(self, spool: Spool) -> None:
        held = spool.held()
        since = f", the oldest for {held.oldest_s:.0f} s" if held.waiting else ""
        self.stdout.write(f"{held.waiting} posts wait{since}; {held.set_aside} are quarantined.")
        for post in spool.list_quarantined(MOST_SHOWN):
            moment = datetime.fromtimestamp(post.set_aside_at, UTC).isoformat(timespec="seconds")
            self.stdout.write(
                f"{moment}  {post.reason}: {post.request_type} for {post.destination_number or 'no number'}, "
                f"received {post.received_at}"
            )
        if held.set_aside > MOST_SHOWN:
            self.stdout.write(f"… and {held.set_aside - MOST_SHOWN} older ones.")


def drain_until_stopped(spool: Spool, writer: Writer) -> None:
    """Move posts from the spool until SIGTERM or Ctrl-C; log progress and failures."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    pause_s, log_limit = SHORTEST_PAUSE_S, OnceAMinute()
    while True:
        try:
            drained = drain_some(spool, writer)
            if not drained.failed:
                drain_refused(spool, writer)
            held = spool.held()
            if not held.waiting and (drained.written or drained.set_aside):
                spool.shrink()
        except SpoolError as error:
            logger.error("the spool cannot be used: %s", error)
            time.sleep(LONGEST_PAUSE_S)
            continue
        if drained.written or drained.set_aside:
            logger.info("%d spooled posts written, %d quarantined", drained.written, drained.set_aside)
        if held.oldest_s > OLD_S and log_limit.is_due():
            logger.error("%d posts wait in the spool, the oldest for %.0f s", held.waiting, held.oldest_s)
        if drained.failed:
            logger.warning("spooled posts cannot be written now: %s", drained.failed)
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
        else:
            pause_s = SHORTEST_PAUSE_S
            if held.waiting < BATCH:  # lets posts collect for the next batch, and leaves the file to writers
                time.sleep(LOOK_EVERY_S)


def _stop(number: int, frame: object) -> None:
    raise SystemExit(0)  # safe at any point: a post that is written but not yet removed is written again
