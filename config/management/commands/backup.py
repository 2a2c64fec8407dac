"""manage.py backup: writes the whole database into a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from config import backups
from config.embedded import EmbeddedError


class Command(BaseCommand):
    help = "Writes all that the database holds into a file, while everything goes on. Spooled posts are moved first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--overwrite", action="store_true", help="replace a file that is there already")

    def handle(self, *args: Any, file: Path, overwrite: bool = False, **options: Any) -> None:
        try:
            with backups.reachable_database(self.stdout.write):
                try:
                    call_command("drain_spool", once=True, stdout=self.stdout)
                except SystemExit as left:
                    self.stderr.write(f"{left} They are not in this backup.")
                size = backups.write(file, overwrite=overwrite)
        except (backups.BackupError, EmbeddedError) as error:
            sys.exit(str(error))
        self.stdout.write(
            f"{file} holds the database ({size / 1_000_000:.1f} MB). Keep {settings.HOME / 'env'} with it, or wherever "
            "ACCESS_KEY_PEPPER is set: without it no access key is known after a restore."
        )
