from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from reports import rollups


class Command(BaseCommand):
    help = "Counts every call again. Needed after TIME_ZONE has changed; harmless at any time."

    def handle(self, **options: Any) -> None:
        self.stdout.write("Counting every call again; the pages show the old counts until it is done.")
        self.stdout.write(f"Counted {rollups.rebuild():,} quarter-hours, days of {settings.TIME_ZONE}.")
