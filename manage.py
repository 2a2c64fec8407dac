#!/usr/bin/env python
"""Django's command line. docs/running.md lists our own commands."""

import errno
import os
import sys
from pathlib import Path

import psycopg
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import OperationalError, connection

from config import embedded

NOT_RUNNING = "The embedded database is not running. Start it with `make run` in another terminal, or set DATABASE_URL."


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        if sys.argv[1:2] == ["quickstart"]:
            # Before the settings are read, which stop without them.
            embedded.make_secrets(embedded.find_home())
            # Not only as a default: a shell may have set it to config.settings.
            os.environ["DJANGO_SETTINGS_MODULE"] = "config.quickstart_settings"
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(str(error))
    except OSError as error:
        if "--traceback" in sys.argv or not is_about_home(error):
            raise
        home = embedded.find_home()
        sys.exit(
            f"{error.filename or home}: {error.strerror}. Calltally keeps everything in {home}. "
            "Start it as the owner of that folder, or set CALLTALLY_HOME to your own folder."
        )
    except (OperationalError, psycopg.OperationalError) as error:
        from django.conf import settings  # noqa: PLC0415 (not before execute_from_command_line has looked at them)

        # With a database that can be reached something else is wrong, and its place is worth knowing.
        if "--traceback" in sys.argv or can_connect():
            raise
        if settings.USES_EMBEDDED_DATABASE:
            sys.exit(NOT_RUNNING)
        sys.exit(f"The database of DATABASE_URL does not answer: {str(error).strip()}")


def can_connect() -> bool:
    connection.close()
    try:
        connection.ensure_connection()
    except OperationalError:
        return False
    return True


def is_about_home(error: OSError) -> bool:
    """Say whether the folder that Calltally keeps everything in cannot be used: another user's, no folder, full."""
    if error.errno == errno.ENOSPC:
        return True
    home, place = embedded.find_home(), Path(str(error.filename))
    return error.filename is not None and (place.is_relative_to(home) or home.is_relative_to(place))


if __name__ == "__main__":
    main()
