"""What a start has to say once, kept in the home until it was printed, because a start may end before that.

No password is kept: a mark says which one nobody has seen, and the next start replaces it."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from config.embedded import write_private

UPDATE, PASSWORD = "said-by-update", "password-unsaid"


@contextlib.contextmanager
def keeping_output(home: Path) -> Iterator[None]:
    """Keep what is written to the standard output, line by line."""
    descriptor = os.open(home / UPDATE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a", buffering=1) as file, contextlib.redirect_stdout(file):
        yield


def output(home: Path) -> str:
    """Return the output that was kept. An update that was begun again has written its lines again."""
    try:
        lines = (home / UPDATE).read_text().splitlines()
    except FileNotFoundError:
        return ""
    return "".join(f"{line}\n" for line in dict.fromkeys(lines))


def keep_password(home: Path, stored: str) -> None:
    """Note that nobody has seen a password yet, by how it is stored."""
    write_private(home / PASSWORD, _mark(stored))


def is_unsaid(home: Path, stored: str) -> bool:
    """Return whether it is the password that nobody has seen."""
    try:
        return (home / PASSWORD).read_text() == _mark(stored)
    except FileNotFoundError:
        return False


def forget(home: Path) -> None:
    """Everything was printed."""
    for name in (UPDATE, PASSWORD):
        (home / name).unlink(missing_ok=True)


def _mark(stored: str) -> str:
    return hashlib.sha256(stored.encode()).hexdigest()
