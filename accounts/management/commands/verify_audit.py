"""manage.py verify_audit: verifies that no entry of the audit was changed or removed."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from accounts.audit import verification


class Command(BaseCommand):
    help = "Verifies the audit. Exits with 1 if an entry was changed, removed or put in another order, and says which."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--head", default="", help="a head from the log, which the audit then has to contain")

    def handle(self, *args: Any, head: str = "", **options: Any) -> None:
        try:
            verified = verification.verify(head)
        except verification.Broken as broken:
            sys.exit(f"The audit is broken: {broken}.")
        self.stdout.write(f"The audit is complete: {verified.entries} entries, head {verified}.")
