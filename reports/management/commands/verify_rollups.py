import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.audit.commands import note_command
from reports.counting import rollups, verification


class Command(BaseCommand):
    help = (
        "Compares all counts with the calls, in one snapshot. Changes that wait to be counted are left out. "
        "Lists the counts that differ and exits with 1."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--fix", action="store_true", help="count again where counts differ")

    def handle(self, *, fix: bool, **options: Any) -> None:
        try:
            found = list(verification.differences())
        except rollups.ZoneChanged as error:
            raise CommandError(str(error)) from error
        for difference in found:
            self.stdout.write(str(difference))
        if not found:
            self.stdout.write(self.style.SUCCESS("All counts match the calls."))
            return
        self.stdout.write(f"{len(found):,} counts do not match the calls.")
        if not fix:
            self.stdout.write("To count them again, run `manage.py verify_rollups --fix`.")
            sys.exit(1)
        verification.fix(found)
        note_command("verify_rollups --fix", counts=len(found))
        if left := list(verification.differences()):
            self.stdout.write(f"{len(left):,} still differ.")
            sys.exit(1)
        self.stdout.write(self.style.SUCCESS("Counted again. All counts match the calls now."))
