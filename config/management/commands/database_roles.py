"""manage.py database_roles: writes the statements that give an installation an owner of its tables, and an intake with
few rights, beside the role that did everything until now."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.core.management.base import BaseCommand, CommandParser
from django.db import connection

from config import roles


class Command(BaseCommand):
    help = (
        "Writes a file with SQL that a superuser of PostgreSQL runs once, and prints the lines for the settings. "
        "docs/deploying.md says what to do with them."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the new file for the SQL")

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        if (known := roles.known_roles()) is not None:
            sys.exit(f"The roles are set up: {known.owner} owns the tables, {known.application} reads and writes rows.")
        database = connection.settings_dict["NAME"]
        text, passwords = roles.script(database, connection.introspection.table_names())
        try:
            with file.open("x") as written:
                written.write(text)
        except OSError as error:
            sys.exit(f"{file} cannot be written: {error.strerror}.")
        # With a password, so not over a socket, where PostgreSQL asks for the user of the system.
        host = connection.settings_dict["HOST"]
        host = "localhost" if not host or host.startswith("/") else host
        where = f"{host}:{connection.settings_dict['PORT']}" if connection.settings_dict["PORT"] else host
        for name, role in (("DATABASE_OWNER_URL", roles.OWNER), ("INTAKE_DATABASE_URL", roles.INTAKE)):
            self.stdout.write(f"{name}=postgres://{role}:{quote(passwords[role], safe='')}@{where}/{database}")
