"""System checks that find errors of an installation before posts are lost: each with an id and a hint.

Run by `manage.py check`; checks of the database with `--database default`, checks for production with `--deploy`."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Caution
from django.db import OperationalError, connections
from django.db.migrations.executor import MigrationExecutor
from kombu import Connection

from config.embedded import NEWEST, OLDEST

BROKER_WITHIN_S = 3
INTAKE_WITHIN_S = 2
LEAST_THREADS = 4  # config.shares gives a page, a download and a probe at least one each
# Settings of PostgreSQL: safe values, the id of the check, and the risk of other values.
SAFE = {
    "fsync": ({"on"}, "calltally.W011", "A power cut may lose posts that were answered, or the whole database."),
    "full_page_writes": ({"on"}, "calltally.W012", "A power cut may leave pages half-written."),
    "synchronous_commit": (
        {"on", "remote_write", "remote_apply", "local"},
        "calltally.W013",
        "A crash may lose posts that were answered.",
    ),
}


def spool(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """The spool's folder can be written and synced, and other users cannot read it."""
    folder = Path(settings.SPOOL_FOLDER)
    try:
        if not folder.exists():  # created with the first post, by the user that runs Calltally
            return []
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"probe")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return [
            Error(
                f"Posts cannot be kept in the spool folder {folder} ({error}).",
                hint=f"Run mkdir -p -m 700 {folder} and chown it to the user that runs Calltally, or set SPOOL_FOLDER.",
                id="calltally.E001",
            )
        ]
    if stat.S_IMODE(folder.stat().st_mode) & 0o077:
        return [
            Caution(
                f"Other users of this machine can read the spool folder {folder}, which holds callers' numbers.",
                hint=f"chmod 700 {folder}",
                id="calltally.W002",
            )
        ]
    return []


def secrets(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Secrets are random. The settings require that they are long enough."""
    return [
        Caution(
            f"{name} has few different characters and may be easy to guess.",
            hint="Generate one with python3 -c 'import secrets; print(secrets.token_urlsafe(64))'. A new "
            "ACCESS_KEY_PEPPER makes all existing access keys unknown.",
            id="calltally.W003",
        )
        for name in ("SECRET_KEY", "ACCESS_KEY_PEPPER")
        if len(set(getattr(settings, name))) < 12
    ]


def threads(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """There are enough threads for posts while others serve a page, a download and a probe."""
    if settings.WEB_THREADS >= LEAST_THREADS:
        return []
    text = (
        f"With WEB_THREADS={settings.WEB_THREADS}, pages and downloads can use all threads, so that posts have to wait."
    )
    return [Caution(text, hint=f"Set WEB_THREADS to at least {LEAST_THREADS}, better 16.", id="calltally.W004")]


def database(app_configs: Any = None, databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """PostgreSQL does not lose committed data, and logs no callers."""
    found: list[CheckMessage] = []
    for alias in databases or ():
        connection = connections[alias]
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)",
                    [[*SAFE, "data_checksums", "log_min_error_statement", "server_version_num"]],
                )
                found += check_postgresql(dict(cursor.fetchall()), connection.settings_dict["USER"])
        except OperationalError as error:
            hint = "Start the database, or check DATABASE_URL. The embedded database runs only while `make run` runs."
            found.append(Error(f"The database does not answer: {str(error).strip()}", hint=hint, id="calltally.E010"))
    return found


def check_postgresql(known: dict[str, str], user: str) -> list[CheckMessage]:
    """Check the settings of a server. `known` has the rows of `pg_settings` by name."""
    found: list[CheckMessage] = []
    major = int(known["server_version_num"]) // 10_000
    if not OLDEST <= major <= NEWEST:
        text = f"Calltally is not tested with PostgreSQL {major}, only with {OLDEST} to {NEWEST}."
        hint = "To move to another version, see `backup` and `restore` in docs/running.md."
        found.append(Caution(text, hint=hint, id="calltally.W014"))
    for name, (safe, check_id, why) in SAFE.items():
        if known[name] not in safe:
            hint = f"psql -U postgres -c 'ALTER SYSTEM SET {name} = on' -c 'SELECT pg_reload_conf()'"
            found.append(Caution(f"PostgreSQL runs with {name} = {known[name]}. {why}", hint=hint, id=check_id))
    if known["data_checksums"] != "on":
        text = "PostgreSQL keeps no checksums of its data, so that disk errors are noticed late."
        found.append(Caution(text, hint="Stop the server, then run pg_checksums --enable -D DATA", id="calltally.W015"))
    if known["log_min_error_statement"] not in {"panic", "fatal"}:
        text = "PostgreSQL logs failing statements, which contain callers' numbers."
        hint = f"psql -U postgres -c \"ALTER ROLE {user} SET log_min_error_statement = 'panic'\""
        found.append(Caution(text, hint=hint, id="calltally.W016"))
    return found


def migrations(app_configs: Any = None, databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """All migrations are applied. `migrate` itself does not run this check, or it could never start."""
    missing: list[Any] = []
    for alias in databases or ():
        with contextlib.suppress(OperationalError):  # reported by the check `database`
            executor = MigrationExecutor(connections[alias])
            missing += [migration for migration, _ in executor.migration_plan(executor.loader.graph.leaf_nodes())]
    if not missing:
        return []
    names = ", ".join(f"{migration.app_label}.{migration.name}" for migration in missing[:5])
    text = f"{len(missing)} migrations are not applied: {names}{', …' if len(missing) > 5 else ''}."
    return [Error(text, hint="manage.py migrate", id="calltally.E017")]


def production(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Settings that are needed if others can reach the installation."""
    local = {"127.0.0.1", "localhost", "[::1]"}
    found: list[CheckMessage] = []
    if settings.DEBUG:
        text = "DEBUG is on. Error pages show settings and posts to visitors."
        found.append(Error(text, hint="Remove DEBUG.", id="calltally.E020"))
    if not set(settings.ALLOWED_HOSTS) - local or "*" in settings.ALLOWED_HOSTS:
        text = "ALLOWED_HOSTS does not contain the public host name."
        found.append(Caution(text, hint="Set ALLOWED_HOSTS=calls.example.com", id="calltally.W021"))
    if not settings.BEHIND_HTTPS:
        text = "BEHIND_HTTPS is not set, so cookies and passwords may be sent without encryption."
        hint = "Set BEHIND_HTTPS=true, behind a proxy as in deploy/nginx"
        found.append(Caution(text, hint=hint, id="calltally.W022"))
    elif not settings.TRUSTED_PROXIES and not settings.PROXY_SECRET:
        text = "TRUSTED_PROXIES is empty, so all posts and sign-ins seem to come from the proxy."
        found.append(Caution(text, hint="Set TRUSTED_PROXIES=127.0.0.1", id="calltally.W023"))
    if settings.BEHIND_HTTPS and not settings.PROXY_SECRET:
        text = (
            "PROXY_SECRET is not set. Senders may fake their address, because some proxies pass on X_Forwarded_For, "
            "which is read as X-Forwarded-For."
        )
        hint = "Set PROXY_SECRET, generated by `openssl rand -hex 32`. Configure the proxy first (docs/deploying.md)."
        found.append(Caution(text, hint=hint, id="calltally.W028"))
    if settings.BEHIND_HTTPS and not settings.METRICS_TOKEN:
        text = "METRICS_TOKEN is not set, so /metrics cannot be read. Behind HTTPS it requires the token."
        hint = "Set METRICS_TOKEN, generated by `openssl rand -hex 32`. Prometheus sends it as a bearer token."
        found.append(Caution(text, hint=hint, id="calltally.W029"))
    if not settings.PUBLIC_URL.startswith("https://"):
        text = "PUBLIC_URL is not set, so help texts cannot show the address to enter in TENIOS."
        found.append(Caution(text, hint="Set PUBLIC_URL=https://calls.example.com", id="calltally.W024"))
    return found


def intake(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Posts have a separate process, and it answers."""
    if not settings.INTAKE_URL:
        text = "Posts and pages share the web processes, so slow pages can delay posts."
        hint = "Run calltally-intake as in deploy/systemd, and set INTAKE_URL=http://127.0.0.1:8001"
        return [Caution(text, hint=hint, id="calltally.W035")]
    address = urlsplit(settings.INTAKE_URL)
    try:
        socket.create_connection((address.hostname or "", address.port or 80), INTAKE_WITHIN_S).close()
    except (OSError, ValueError) as error:
        text = (
            f"The intake process does not answer at {settings.INTAKE_URL} ({error}). "
            "Until it does, the web processes receive the posts."
        )
        return [Caution(text, hint="Run systemctl start calltally-intake", id="calltally.W036")]
    return []


def mail(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """If mail is set up, it can be sent. EMAIL_URL is never shown because it contains a password."""
    if settings.WRONG_FOR_MAIL == "EMAIL_URL":
        text = "EMAIL_URL is invalid, so no mail is sent."
        hint = (
            "Set EMAIL_URL=smtp+tls://user:password@mail.example.com:587, or smtp+ssl://…:465, or smtp://localhost:25. "
            "In user and password, write @ as %40, : as %3A, / as %2F, # as %23 and % as %25."
        )
        return [Caution(text, hint=hint, id="calltally.W026")]
    if settings.WRONG_FOR_MAIL == "DEFAULT_FROM_EMAIL":
        text = "EMAIL_URL is set, but DEFAULT_FROM_EMAIL is not a valid address, so no mail is sent."
        return [Caution(text, hint="Set DEFAULT_FROM_EMAIL=calltally@example.com", id="calltally.W027")]
    return []


def broker(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Worker and beat can reach the broker."""
    url, options = settings.CELERY_BROKER_URL, getattr(settings, "CELERY_BROKER_TRANSPORT_OPTIONS", {})
    if url == "filesystem://":
        return []  # a folder in HOME, created when it is needed
    try:
        with Connection(url, transport_options=options, connect_timeout=BROKER_WITHIN_S) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=BROKER_WITHIN_S)
    except Exception as error:  # noqa: BLE001 (each broker has its own exceptions)
        text = f"The broker does not answer ({type(error).__name__}), so calls are not counted."
        hint = "Start the broker (systemctl status redis-server), or check CELERY_BROKER_URL."
        return [Error(text, hint=hint, id="calltally.E025")]
    return []
