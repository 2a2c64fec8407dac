"""The home folder of an installation: its location, its secrets, its lock, and the state of its database."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from config.embedded.errors import EmbeddedError

NAME = "calltally"  # the name of the database and of its owner
# The roles of the database, with the names of their passwords. The owner is the superuser that PostgreSQL cannot do
# without; what serves pages and posts never connects as it.
OWNER, APPLICATION, INTAKE = NAME, "calltally_application", "calltally_intake"
PASSWORDS = {
    OWNER: "EMBEDDED_DATABASE_PASSWORD",
    APPLICATION: "EMBEDDED_APPLICATION_PASSWORD",
    INTAKE: "EMBEDDED_INTAKE_PASSWORD",
}

# In random bytes.
SECRETS = {"SECRET_KEY": 50, "ACCESS_KEY_PEPPER": 32, "ENCRYPTION_KEY": 32, **dict.fromkeys(PASSWORDS.values(), 32)}


def find_home() -> Path:
    """Return the folder with all files of the embedded start: CALLTALLY_HOME, or var/ in the checkout."""
    checkout = Path(__file__).resolve().parents[2]
    return Path(os.environ.get("CALLTALLY_HOME") or checkout / "var").resolve()


def make_home(home: Path) -> None:
    """Create the folder, closed to other users. If root creates it, others may pass through it but not list it, because
    the server runs as another user and must reach its data. An existing folder is not changed."""
    if not home.is_dir():
        home.mkdir(parents=True)
        home.chmod(0o711 if os.geteuid() == 0 else 0o700)


def make_secrets(home: Path) -> None:
    """Create the secrets that are missing in `<home>/env`; existing ones never change."""
    make_home(home)
    with _locked(home):
        path = home / "env"
        known = read_secrets(home)
        missing = {name: secrets.token_urlsafe(size) for name, size in SECRETS.items() if name not in known}
        if not missing:
            return
        text = (
            path.read_text().rstrip("\n") + "\n"
            if path.exists()
            else "# Made by the first start. Keep it: see docs/settings.md.\n"
        )
        text += "".join(f"{name}={value}\n" for name, value in missing.items())
        write_private(path, text)


def read_secrets(home: Path) -> dict[str, str]:
    """Return the variables in `<home>/env`; empty if it cannot be read."""
    try:
        lines = (home / "env").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def write_private(path: Path, text: str) -> None:
    """Replace a file completely or not at all; only its owner can read it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def only_start(home: Path) -> Iterator[None]:
    """Lock `home`, so that only one start uses it; the lock ends with the process. Raise EmbeddedError if locked."""
    descriptor = os.open(home / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode() or "unknown"
            raise EmbeddedError(
                f"Calltally is running already with the data in {home} (process {holder}). Stop it with Ctrl-C "
                "in its terminal, or set CALLTALLY_HOME and PORT to run a second one."
            ) from None
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def saved_url(home: Path, role: str = OWNER) -> str:
    """Return the DATABASE_URL of the embedded database of `home`. If it was never started, nothing listens there."""
    return database_url(read_state(home).get("port", 1), read_secrets(home).get(PASSWORDS[role], ""), role)


def database_url(port: int, password: str, role: str = OWNER) -> str:
    return f"postgres://{role}:{quote(password, safe='')}@127.0.0.1:{port}/{NAME}"


def read_state(home: Path) -> dict[str, Any]:
    try:
        state = json.loads((home / "embedded.json").read_text())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}
