import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from reports.counting import rollups, verification


class Command(BaseCommand):
    help = "Recounts, in one snapshot, all that does not wait to be counted. Exit 1 and a list if any count differs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--fix", action="store_true", help="count again what differs")

    def handle(self, *, fix: bool, **options: Any) -> None:
        try:
            found = list(verification.differences())
        except rollups.ZoneChanged as error:
            raise CommandError(str(error)) from error
        for difference in found:
            self.stdout.write(str(difference))
        if not found:
            self.stdout.write(self.style.SUCCESS("Every count is what the calls add up to."))
            return
        self.stdout.write(f"{len(found):,} counts differ from what the calls add up to.")
        if not fix:
            self.stdout.write("`manage.py verify_rollups --fix` counts them again.")
            sys.exit(1)
        verification.fix(found)
        if left := list(verification.differences()):
            self.stdout.write(f"{len(left):,} still differ.")
            sys.exit(1)
        self.stdout.write(self.style.SUCCESS("Counted again: every count is now what the calls add up to."))
