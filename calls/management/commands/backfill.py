"""manage.py backfill: writes made-up history straight into the database."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from calls.management.arguments import local_moment
from calls.simulator import history, profiles

REPORT_EVERY_S = 2.0


class Command(BaseCommand):
    help = (
        "Writes made-up calls of past days directly into the database. The next roll_up counts them. "
        "Running it again with the same options changes nothing; another --seed adds calls."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--calls", type=int, required=True, help="number of calls")
        parser.add_argument("--days", type=int, required=True, help="number of days up to now")
        parser.add_argument(
            "--numbers",
            type=int,
            default=len(profiles.PROFILES),
            help="how many numbers are called; default: %(default)s, one per profile. Missing numbers are created",
        )
        parser.add_argument("--seed", default="1", help="the same seed gives the same calls; default: %(default)s")

        parser.add_argument(
            "--until", type=local_moment, help="end of the history, such as 2026-03-29T14:30; default: now"
        )

    def handle(
        self, *, calls: int, days: int, numbers: int, seed: str, until: datetime | None = None, **_: Any
    ) -> None:
        if calls < 1 or days < 1:
            raise CommandError("--calls and --days must be at least 1.")
        if not 1 <= numbers <= profiles.MOST_NUMBERS:
            raise CommandError(f"--numbers must be from 1 to {profiles.MOST_NUMBERS}.")
        now = timezone.now()
        until = until or now
        if until > now:
            raise CommandError("--until must not be in the future.")
        began = reported = time.monotonic()
        done = history.Progress(0, 0, 0)
        for done in history.write(
            profiles.make_profiles(numbers),
            calls=calls,
            start=until - timedelta(days=days),
            until=until,
            # All options are part of the seed: other options make other calls.
            seed=f"{seed}/{calls}/{days}/{numbers}",
        ):
            if time.monotonic() - reported >= REPORT_EVERY_S:
                reported = time.monotonic()
                passed_s, share = reported - began, (done.calls + done.skipped) / calls
                left_s = passed_s * (1 - share) / share if share else 0
                self.stdout.write(
                    f"{share:4.0%}  {done.calls + done.skipped:,} of {calls:,} calls, "
                    f"{done.posts / passed_s:,.0f} posts/s, {left_s:,.0f} s left"
                )
        passed_s = time.monotonic() - began
        self.stdout.write(
            f"{done.calls:,} calls, {done.posts:,} posts in {passed_s:,.1f} s ({done.posts / passed_s:,.0f} posts/s)"
            + (f"; {done.skipped:,} calls already existed" if done.skipped else "")
        )
        self.stdout.write("A running installation counts them within seconds. Otherwise run manage.py roll_up.")
