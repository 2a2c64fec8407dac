"""What the first start makes: static files, a superuser, a first number, and the text that says how to begin."""

from __future__ import annotations

import hashlib
import io
import os
import secrets
import shlex
import uuid
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.db import transaction

from config import unsaid
from config.services import address, needs_no_factor

FIRST_NUMBER = "+4922155400300"


def collect_static() -> None:
    """Collect static files if one has changed since the last time: hashing and compressing them takes seconds."""
    digest = hashlib.sha256(repr(settings.STORAGES).encode())
    for finder in finders.get_finders():
        for path, storage in finder.list(ignore_patterns=None):
            status = Path(storage.path(path)).stat()
            digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    stamp = Path(settings.HOME) / "static-collected"
    if stamp.exists() and stamp.read_text() == digest.hexdigest() and Path(settings.STATIC_ROOT).is_dir():
        return
    call_command("collectstatic", verbosity=0, interactive=False)
    stamp.write_text(digest.hexdigest())


def greeting(port: int) -> str:
    """Return what `quickstart` prints once the web server answers. Create the superuser and the first number before."""
    login = make_superuser()
    e164, access_key = first_number()
    return "\n".join(
        [
            "",
            f"Calltally is up:  {address(port)}/",
            f"Admin:            {address(port)}/admin/",
            f"Sign in:          {login}",
            *second_factor_lines(),
            f"Logs:             {settings.HOME / 'logs'}",
            "",
            "To send a first post, run this in another terminal (the key is shown only now):"
            if access_key
            else "To send a post, run this in another terminal (replace YOUR-KEY with a key created in the admin):",
            "",
            first_post(port, e164, access_key or "YOUR-KEY"),
            "",
            "The answer is {}. Within 15 seconds the overview counts the call.",
            "Ctrl-C stops everything; the data is kept.",
            "",
        ]
    )


def second_factor_lines() -> list[str]:
    """Return the lines of the greeting that say that a password alone is enough here."""
    if not needs_no_factor():
        return []
    return [
        "Second factor:    not asked for while only this machine opens these pages (MFA_REQUIRED=staff asks for it)"
    ]


def make_superuser() -> str:
    """Create a superuser if there is none. Return how to sign in; a generated password is never shown again.

    If the start that generated it ended before it was printed, it is replaced."""
    users = get_user_model().objects
    asked_for = os.environ.get("DJANGO_SUPERUSER_USERNAME")
    username = asked_for or "admin"
    known = users.filter(is_superuser=True)
    if asked_for:
        known = users.filter(username=asked_for)
    user = known.order_by("pk").first()
    is_unsaid = user is not None and user.last_login is None and unsaid.is_unsaid(settings.HOME, user.password)
    if user is not None and not is_unsaid:
        name = user.get_username()
        again = shlex.join([".venv/bin/python", "manage.py", "changepassword", name])
        return f"{name}, with its password (to set a new one: `{again}`)"
    given = os.environ.get("DJANGO_SUPERUSER_PASSWORD")
    password = given or secrets.token_urlsafe(12)
    with transaction.atomic():
        if user is None:
            user = users.create_superuser(username, os.environ.get("DJANGO_SUPERUSER_EMAIL", ""), password)
        else:
            user.set_password(password)
            user.save(update_fields=["password"])
        if not given:
            unsaid.keep_password(settings.HOME, user.password)
    if given:
        return f"{user.get_username()}, with the password of DJANGO_SUPERUSER_PASSWORD"
    return f"{user.get_username()}   Password: {password}   (shown only now)"


def first_number() -> tuple[str, str | None]:
    """Return a number to send posts to; on the first start, create it and return its access key too."""
    known = apps.get_model("calls.DestinationNumber").objects.order_by("pk").values_list("e164", flat=True)
    if e164 := known.first():
        return e164, None
    access_key = secrets.token_hex(16)
    call_command("add_number", FIRST_NUMBER, label="My first number", key=access_key, stdout=io.StringIO())
    return FIRST_NUMBER, access_key


def first_post(port: int, e164: str, access_key: str) -> str:
    """Return a command that sends a CALL_START, ready to paste."""
    body = (
        f'{{"requestType": "CALL_START", "customerNumber": 200000, "accessKey": "{access_key}", "variables": '
        f'{{"destination_number": "{e164}", "call_uuid": "{uuid.uuid4()}", "caller_id_number": "+4917012345678"}}}}'
    )
    return shlex.join(
        ["curl", "-sS", "-H", "Content-Type: application/json", "-d", body, address(port) + settings.POSTS_PATH]
    )
