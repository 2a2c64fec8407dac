"""Backup and restore of the database with PostgreSQL's own tools. Both do everything or nothing."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import environ
from django.conf import settings
from django.db import OperationalError, connection
from psycopg.conninfo import make_conninfo

from config import embedded
from config.embedded import Binaries, EmbeddedError, Server

# Settings that newer tools write and older servers do not know.
UNKNOWN_TO_OLDER = {b"SET transaction_timeout = 0;\n"}

# The audit of before, which merge_audit puts together with that of the backup (accounts.audit.merging).
KEEP_AUDIT = b"""
DO $$
BEGIN
  IF to_regclass('public.accounts_auditentry') IS NOT NULL THEN
    CREATE SCHEMA calltally_audit;
    ALTER TABLE public.accounts_auditentry SET SCHEMA calltally_audit;
  END IF;
END $$;
"""

# All tables and functions, but those of extensions.
DROP_EVERYTHING = b"""
DO $$
DECLARE name text;
BEGIN
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
    EXECUTE format('DROP TABLE IF EXISTS public.%I CASCADE', name);
  END LOOP;
  FOR name IN SELECT oid::regprocedure FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prokind = 'f'
      AND NOT EXISTS (
        SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e')
  LOOP
    EXECUTE 'DROP FUNCTION IF EXISTS ' || name || ' CASCADE';
  END LOOP;
END $$;
"""


# Tables whose rows no dump holds: who is signed in, with what they searched for, and failures to sign in.
FORGOTTEN = ("django_session", "accounts_signedinsession", "axes_accessattemptexpiration", "axes_accessattempt")
# Dumps of older versions hold them.
FORGET = "".join(
    f"DO $$ BEGIN IF to_regclass('public.{table}') IS NOT NULL THEN DELETE FROM public.{table}; END IF; END $$;\n"
    for table in FORGOTTEN
).encode()


class BackupError(Exception):
    """A backup or restore failed. The message is for the person at the command line."""


@contextlib.contextmanager
def reachable_database(say: Callable[[str], None], *, upgrade: bool = False) -> Iterator[None]:
    """Use the running database, or start the embedded one for the duration of the context.

    With `upgrade`, embedded data of an older major version is renamed first, and new data is created."""
    if not settings.USES_EMBEDDED_DATABASE or _database_answers():
        yield
        return
    embedded.make_home(settings.HOME)
    with embedded.only_start(settings.HOME):
        server = Server(settings.HOME, say=say)
        if upgrade:
            _rename_older_data(server, say)
        try:
            server.start()
            connection.close()
            connection.settings_dict.update(environ.Env.db_url_config(server.url, engine="config.database"))
            yield
        finally:
            connection.close()
            server.stop()


def write(file: Path, *, overwrite: bool = False) -> int:
    """Dump the database in PostgreSQL's custom format into a file that only its owner can read, without rows of
    FORGOTTEN tables; return its size in bytes.

    `file` is written completely or not at all. Raise BackupError."""
    if file.exists() and not overwrite:
        raise BackupError(f"{file} already exists. Choose another name, or add --overwrite.")
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        forgotten = [f"--exclude-table-data=public.{table}" for table in FORGOTTEN]
        _run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", *forgotten, f"--file={draft}", _conninfo())
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        draft.replace(file)
    except OSError as error:
        raise BackupError(f"{file} cannot be written: {error.strerror}.") from error
    finally:
        draft.unlink(missing_ok=True)
    return file.stat().st_size


def describe(file: Path) -> str:
    """Return a text that says when a dump was made, and by which PostgreSQL. Raise BackupError if it is not a complete
    dump."""
    if not file.is_file():
        raise BackupError(f"{file} does not exist.")
    listed = _run("pg_restore", "--list", file).stdout
    _run("pg_restore", f"--file={os.devnull}", file)  # reads the whole file
    made = re.search(r"Archive created at (.*)", listed)
    version = re.search(r"Dumped from database version: (\S+)", listed)
    return f"made at {made[1] if made else '?'}, of PostgreSQL {version[1] if version else '?'}"


def read(file: Path) -> None:
    """Replace all tables and functions by those of a dump, in one transaction, with no one signed in. After BackupError
    nothing changed.

    The entries of the audit are kept; afterwards the tables have to be migrated, and `merge_audit` run."""
    environment = _environment()
    is_older = _server_major() < 17
    with (
        subprocess.Popen(  # noqa: S603 (PostgreSQL's own tools)
            [_tools().path("pg_restore"), "--no-owner", "--no-privileges", "--file=-", str(file)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as reading,
        subprocess.Popen(  # noqa: S603
            [_tools().path("psql"), "-X", "--quiet", "--set=ON_ERROR_STOP=1", "--output", os.devnull, _conninfo()],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        ) as writing,
    ):
        if not (reading.stdout and reading.stderr and writing.stdin):
            raise AssertionError("each is a pipe")
        # An error ends psql early; its message is read below.
        with contextlib.suppress(BrokenPipeError):
            writing.stdin.write(b"SET client_min_messages = warning;\nBEGIN;\n" + KEEP_AUDIT + DROP_EVERYTHING)
            for line in reading.stdout:
                if not (is_older and line in UNKNOWN_TO_OLDER):
                    writing.stdin.write(line)
            # Committed only if the dump was read to its end.
            writing.stdin.write(FORGET + b"COMMIT;\n" if reading.wait() == 0 else b"ROLLBACK;\n")
            writing.stdin.flush()
        reading.stdout.close()
        _, errors = writing.communicate()
        if writing.returncode or reading.wait():
            why = errors.decode(errors="replace") or reading.stderr.read().decode(errors="replace")
            raise BackupError(f"The backup could not be restored. Nothing was changed:\n{_first_lines(why)}")


def has_audit() -> bool:
    """Return whether the database has the table of the audit; one of an older version has none."""
    return "accounts_auditentry" in connection.introspection.table_names()


def note_in_audit(command: str, **what: Any) -> None:
    """Note that an operator has run one of these commands."""
    if has_audit():
        import_module("accounts.audit.commands").note_command(command, **what)


# --- Helpers -----------------------------------------------------------------------------------------


def _database_answers() -> bool:
    try:
        connection.ensure_connection()
    except OperationalError:
        connection.close()
        return False
    return True


def _rename_older_data(server: Server, say: Callable[[str], None]) -> None:
    """Rename embedded data if it is older than the newest PostgreSQL here; the next start creates new data."""
    version = server.data / "PG_VERSION"
    if not version.exists():
        return
    major = version.read_text().strip()
    if int(major) < embedded.find_binaries().major:
        aside = server.data.with_name(f"data-{major}-{time.strftime('%Y%m%d-%H%M%S')}")
        server.data.rename(aside)
        say(f"The data of PostgreSQL {major} was moved to {aside}. Delete it when you no longer need it.")


def _tools() -> Binaries:
    try:
        return embedded.find_binaries()
    except EmbeddedError as error:
        raise BackupError(
            "The PostgreSQL tools pg_dump, pg_restore and psql were not found on this machine."
        ) from error


def _server_major() -> int:
    connection.ensure_connection()
    return int(connection.connection.info.server_version // 10000)


def _conninfo() -> str:
    """Return the connection string without the password, which other users could read from the command line."""
    return make_conninfo(**{name: value for name, value in _parameters().items() if name != "password"})


def _parameters() -> dict[str, Any]:
    ways_of_python = ("context", "cursor_factory", "prepare_threshold")
    known = connection.get_connection_params()
    return {name: value for name, value in known.items() if name not in ways_of_python}


def _environment() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return inherited | {"PGPASSWORD": str(_parameters().get("password") or ""), "LC_ALL": "C"}


def _run(tool: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run one of PostgreSQL's tools. Raise BackupError with its error output."""
    tools = _tools()
    if tool == "pg_dump" and (server := _server_major()) > tools.major:
        raise BackupError(
            f"The database is PostgreSQL {server}, but the tools on this machine are version {tools.major}. "
            f"Install the tools of version {server}."
        )
    done = subprocess.run(  # noqa: S603 (PostgreSQL's own tools)
        [tools.path(tool), *map(str, arguments)], env=_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BackupError(f"{tool} failed:\n{_first_lines(done.stderr)}")
    return done


def _first_lines(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.strip().splitlines()[:5])
