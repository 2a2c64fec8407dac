import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from accounts.audit.commands import note_command
from reports.counting import added_durations, rollups


class Command(BaseCommand):
    help = "Counts all calls again. Needed after TIME_ZONE has changed. Can be run at any time."

    def handle(self, **options: Any) -> None:
        self.stdout.write("Counting all calls again. The pages show the old counts until this is done.")
        started = time.monotonic()
        counted = rollups.rebuild()
        added_durations.add_up()
        note_command("rebuild_counts", quarter_hours=counted, time_zone=settings.TIME_ZONE)
        took = time.monotonic() - started
        self.stdout.write(f"Counted {counted:,} quarter-hours in {took:.1f} s, days of {settings.TIME_ZONE}.")
