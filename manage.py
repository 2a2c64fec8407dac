#!/usr/bin/env python
"""Django's command line. docs/running.md lists our own commands."""

import os
import sys

import psycopg
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import OperationalError

from config import embedded

NOT_RUNNING = "The embedded database is not running: start it with `make run` in another terminal, or set DATABASE_URL."


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        if sys.argv[1:2] == ["quickstart"]:
            # Before the settings are read, which stop without them.
            embedded.make_secrets(embedded.home())
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(str(error))
    except PermissionError as error:
        if "--traceback" in sys.argv or not str(error.filename).startswith(str(embedded.home())):
            raise
        sys.exit(f"{error.filename} belongs to another user: start as that user, or set CALLTALLY_HOME.")
    except (OperationalError, psycopg.OperationalError):
        from django.conf import settings  # noqa: PLC0415 (not before execute_from_command_line has looked at them)

        if "--traceback" in sys.argv or not settings.USES_EMBEDDED_DATABASE or embedded.is_running(settings.HOME):
            raise
        sys.exit(NOT_RUNNING)


if __name__ == "__main__":
    main()
