"""manage.py read_numbers_again: parses stored numbers again by the current rule, and stores those that change."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand

from accounts.audit.commands import note_command
from calls import phones, rereading
from calls.rereading import Found

REPORT_EVERY_S = 2.0
MOST_SHOWN = 20


class Command(BaseCommand):
    help = (
        "Reads callers, destinations and refused posts again by the rule of this version, and lists what changes. "
        "Changes nothing without --yes. Can run while posts arrive, be interrupted, and run again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--yes", action="store_true", help="store what is read differently now")

    def handle(self, *, yes: bool, **_: Any) -> None:
        reported = time.monotonic()
        found = Found()
        for found in rereading.read_again(change=yes):
            if time.monotonic() - reported >= REPORT_EVERY_S:
                reported = time.monotonic()
                self.stdout.write(f"{found.done:4.0%}  {found.callers.total():,} callers, {self.others(found)}")
        self.report(f"callers {'changed' if yes else 'to change'}, in calls", found.callers)
        self.report(f"destinations {'changed' if yes else 'to change'}, in posts", found.destinations)
        self.report(f"refused posts {'changed' if yes else 'to change'}", found.refused)
        self.stdout.write(f"Calls whose posts no longer name different callers: {found.contradictions:,}.")
        self.report_numbers()
        if yes:
            totals = {"callers": found.callers.total(), "destinations": found.destinations.total()}
            note_command("read_numbers_again --yes", **totals, refused_posts=found.refused.total())
            self.stdout.write(
                "Forwards are counted again by the next roll_up, in a running installation within seconds."
            )
        else:
            self.stdout.write("Nothing was changed. To store the changes, run this again with --yes.")

    def others(self, found: Found) -> str:
        return f"{found.destinations.total():,} destinations found"

    def report(self, what: str, pairs: Counter[tuple[str, str]]) -> None:
        """Print how many texts change, and the most frequent ones."""
        self.stdout.write(f"{pairs.total():,} {what}{':' if pairs else '.'}")
        for (before, after), count in pairs.most_common(MOST_SHOWN):
            self.stdout.write(f"  {count:,} × {before or 'withheld'} → {after or 'withheld'}")
        if len(pairs) > MOST_SHOWN:
            self.stdout.write(f"  and {len(pairs) - MOST_SHOWN:,} others")

    def report_numbers(self) -> None:
        """Print the numbers that people should check: no rule can distinguish a misread number from a correct one."""
        for number, meant in rereading.misread_numbers():
            advice = (
                "It has calls, so add the other one." if number.calls.exists() else "It has no calls, so correct it."
            )
            self.stdout.write(
                f"Check in the admin: {number} is {phones.readable(meant)} if its plus was left out. {advice}"
            )
