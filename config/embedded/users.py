"""The user that the embedded server runs as."""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.embedded.binaries import Binaries
from config.embedded.errors import EmbeddedError

UNPRIVILEGED_USER = "nobody"

# The whole environment of the server: it must inherit neither our secrets nor PG… variables that change its behaviour.
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


@dataclass(frozen=True)
class User:
    """The user that the server runs as: the current user, or an unprivileged one if that is root."""

    name: str
    uid: int
    gid: int

    @property
    def is_us(self) -> bool:
        return self.uid == os.geteuid()

    def popen(self) -> dict[str, Any]:
        """Return the arguments for subprocess to run as this user, in its own session and in the folder /."""
        become: dict[str, Any] = {} if self.is_us else {"user": self.uid, "group": self.gid, "extra_groups": []}
        return {"cwd": "/", "env": ENVIRONMENT, "umask": 0o077, "start_new_session": True, **become}

    def can(self, *command: str | Path) -> bool:
        """Return whether a command succeeds for this user.

        The command is run because only the system knows all parent folders, access lists and mount options."""
        try:
            done = subprocess.run(  # noqa: S603
                [str(part) for part in command], capture_output=True, timeout=30, check=False, **self.popen()
            )
        except (OSError, subprocess.SubprocessError):
            return False
        return bool(done.returncode == 0)

    def reaches(self, folder: Path) -> bool:
        return self.can("/bin/sh", "-c", 'cd "$1"', "sh", folder)

    def runs(self, binaries: Binaries) -> bool:
        # initdb needs the Python package's own libraries, postgres does not.
        return all(self.can(binaries.folder / name, "--version") for name in ("postgres", "initdb"))


def server_user(data: Path) -> User:
    """Return the user that the server of `data` runs as: the owner of the data, or the current user, or `nobody` if
    that is root.

    It is not the machine's `postgres`, who owns the data of another PostgreSQL."""
    entry = pwd.getpwuid(os.geteuid())
    if os.geteuid() == 0:
        entry = pwd.getpwnam(UNPRIVILEGED_USER)
    if data.exists():
        owner = data.stat().st_uid
        if owner != os.geteuid() and os.geteuid() != 0:
            raise EmbeddedError(
                f"The data in {data} belongs to {_user_name(owner)}, because Calltally was first started as root. "
                "Start as root again, or set CALLTALLY_HOME to a folder of your own."
            )
        if owner != 0:
            entry = pwd.getpwuid(owner)
    return User(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
