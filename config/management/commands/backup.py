"""manage.py backup: writes the whole database into a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from config import backups, roles
from config.embedded import EmbeddedError


class Command(BaseCommand):
    help = "Writes the whole database into a file while Calltally runs. Spooled posts are stored first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--overwrite", action="store_true", help="replace an existing file")

    def handle(self, *args: Any, file: Path, overwrite: bool = False, **options: Any) -> None:
        try:
            with roles.as_owner(), backups.reachable_database(self.stdout.write):
                try:
                    call_command("drain_spool", once=True, stdout=self.stdout)
                except SystemExit as left:
                    self.stderr.write(f"{left} They are not in this backup.")
                backups.note_in_audit("backup", file=file.name)
                size = backups.write(file, overwrite=overwrite)
                backups.note_in_audit("backup", file=file.name, bytes=size)
        except (backups.BackupError, EmbeddedError) as error:
            sys.exit(str(error))
        self.stdout.write(
            f"{file} contains the database ({size / 1_000_000:.1f} MB). Keep {settings.HOME / 'env'} with it, or the "
            "file that sets ACCESS_KEY_PEPPER and ENCRYPTION_KEY. Without it all access keys are unknown after a "
            "restore, and secrets for other systems cannot be read."
        )
