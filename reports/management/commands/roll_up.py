import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from calls.ingest import writer
from reports.counting import added_durations, rollups


class Command(BaseCommand):
    help = "Counts all changes that wait to be counted."

    def handle(self, **options: Any) -> None:
        started = time.monotonic()
        writer.reunite_calls()
        try:
            counted = rollups.recount_changed(wait=True)
            added_durations.add_up()
        except rollups.ZoneChanged as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Counted {counted:,} quarter-hours in {time.monotonic() - started:.1f} s.")
