"""manage.py replay_refused: replays refused posts after a fix: a number added, a key issued, an address listed."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.audit.commands import note_command
from calls import phones
from calls.ingest import replay
from calls.management.arguments import local_moment
from calls.models import Reason, RefusedPost


class Command(BaseCommand):
    help = "Replays refused posts with their original times of receipt. Posts that are refused again stay as they are."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--reason", action="append", choices=Reason.values, help="only posts with this reason; may be repeated"
        )
        parser.add_argument("--number", help="only posts for this number")
        parser.add_argument(
            "--since", type=local_moment, help="only posts received since then, such as 2026-03-29 or 2026-03-29T14:30"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        refused = RefusedPost.objects.waiting()
        if options["reason"]:
            refused = refused.filter(reason__in=options["reason"])
        if options["number"]:
            try:
                refused = refused.for_number(phones.parse(options["number"]))
            except phones.NotANumber as error:
                raise CommandError(str(error)) from error
        if options["since"]:
            refused = refused.filter(last_received_at__gte=options["since"])
        asked = set(refused.values_list("pk", flat=True))
        try:
            result = replay.replay(RefusedPost.objects.filter(pk__in=asked))
        except replay.ReplayError as error:
            sys.exit(f"{error} Posts that were accepted so far are stored. Run this again later.")
        asked_for = {"reasons": options["reason"], "number": options["number"], "since": options["since"]}
        note_command("replay_refused", **asked_for, taken=result.taken, refused=result.refused)
        self.stdout.write(f"{result.taken} posts accepted, {result.refused} refused again.")
        for row in RefusedPost.objects.waiting().filter(pk__in=asked).summed_up():
            number = row["destination_number"] or "no number"
            self.stdout.write(f"  {row['posts']} for {number}: {Reason(row['reason']).label}")
