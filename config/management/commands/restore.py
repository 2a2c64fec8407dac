"""manage.py restore: replaces the contents of the database by a backup."""

from __future__ import annotations

import sys
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.db import connection

from config import backups, roles
from config.embedded import EmbeddedError


class Command(BaseCommand):
    help = (
        "Replaces the whole database with a backup. On an error, nothing changes. Without --yes, only checks the file."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--yes", action="store_true", help="replace the database; its current data is lost")

    def handle(self, *args: Any, file: Path, yes: bool = False, **options: Any) -> None:
        try:
            self.stdout.write(f"{file}: {backups.describe(file)}.")
            with roles.as_owner(), backups.reachable_database(self.stdout.write, upgrade=yes):
                if not yes:
                    self.stdout.write(f"This would replace a database with {calls()} calls. To replace it, add --yes.")
                    return
                # Of a restore that was broken off before its end.
                if backups.has_audit():
                    call_command("merge_audit", stdout=StringIO())
                backups.read(file)
                call_command("migrate", verbosity=0, interactive=False)
                call_command("merge_audit", stdout=self.stdout)
                backups.note_in_audit("restore", file=file.name)
                self.stdout.write(f"The backup was restored ({calls()} calls).")
                call_command("verify_rollups", stdout=self.stdout)
        except (backups.BackupError, EmbeddedError) as error:
            sys.exit(str(error))


def calls() -> int:
    """Return the number of calls in the database."""
    if "calls_call" not in connection.introspection.table_names():
        return 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM calls_call")
        return int(cursor.fetchone()[0])
