"""manage.py simulate: sends made-up posts over HTTP as TENIOS would."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from calls import phones
from calls.simulator import client

REPORT_EVERY_S = 2.0


class Command(BaseCommand):
    help = (
        "Sends made-up calls to an endpoint as TENIOS would, compressed in time. "
        "Exits with 1 if any post was not answered with 2xx. Needs no access to the database of that installation."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--url", required=True, help="the site or its endpoint: http://127.0.0.1:8000")
        parser.add_argument("--number", required=True, help="the number that is called: 0221 4710300, +49 221 4710300")
        parser.add_argument("--key", required=True, help="an access key of that number")
        parser.add_argument("--calls", type=int, default=100, help="number of calls; default: %(default)s")
        parser.add_argument(
            "--rate", type=float, default=50.0, help="posts per second, 0 for as fast as possible; default: %(default)s"
        )
        parser.add_argument("--seed", default="1", help="the same seed gives the same calls; default: %(default)s")
        parser.add_argument(
            "--run", default="", help="any word; sends the calls of the seed as new calls with other ids"
        )
        parser.add_argument("--threads", type=int, default=8, help="connections at once; default: %(default)s")

    def handle(
        self, *, url: str, number: str, key: str, calls: int, rate: float, seed: str, run: str, threads: int, **_: Any
    ) -> None:
        if calls < 1 or rate < 0 or threads < 1:
            raise CommandError("--calls and --threads must be at least 1, --rate at least 0.")
        try:
            number = phones.parse(number)
        except phones.NotANumber as error:
            raise CommandError(str(error)) from error
        made = [steps for steps in client.make_calls(number, calls, f"{seed}/{run}") if steps]
        due = client.compress(made, rate)
        posts = sum(len(call) for call in due)
        try:
            sending = client.Sending(url, key, due, threads)
        except ValueError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{len(due):,} calls, {posts:,} posts to {number} at {url}")
        began = time.monotonic()
        sending.start()
        try:
            while not sending.wait(REPORT_EVERY_S):
                sent = sending.tally.sent
                self.stdout.write(f"{sent / posts:4.0%}  {sent:,} posts, {sent / (time.monotonic() - began):,.0f}/s")
        except KeyboardInterrupt:
            sending.stop()
            self.stdout.write("Stopped.")
        if sending.gave_up:
            self.stdout.write(f"Given up after {client.MOST_UNANSWERED} posts in a row without an answer.")
        self._summarise(sending.tally, time.monotonic() - began, number)

    def _summarise(self, tally: client.Tally, passed_s: float, number: str) -> None:
        """Print the answers. Raise CommandError unless all were 2xx."""
        self.stdout.write(f"{tally.sent:,} posts in {passed_s:,.1f} s ({tally.sent / passed_s:,.0f}/s), answered:")
        for code, count in sorted(tally.codes.items()):
            self.stdout.write(f"  {code}: {count:,}")
        if tally.codes["403"]:
            self.stdout.write(
                "403: this key is not accepted for this number. To add the number with its key, run: "
                f"manage.py add_number {number} --key KEY"
            )
        if tally.codes[client.NO_ANSWER]:
            self.stdout.write(f"{client.NO_ANSWER}: check the address, and whether the installation is running.")
        if tally.refused:
            raise CommandError(f"{tally.refused:,} of {tally.sent:,} posts were not answered with 2xx.")
