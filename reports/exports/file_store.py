"""The folder of finished workbooks and drafts. File names are random; only the user Calltally runs as can read it."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from django.conf import settings

ENDING = ".xlsx"
# Touched while there is something to make, so that `make run` starts the files worker.
WANTED = "wanted"
# Prefix of folders of workbooks made within a request, which have no row; a killed web process leaves them behind.
AT_ONCE = "at-once-"
AT_ONCE_LEFT_S = 3600


def folder() -> Path:
    """Return the folder; create it if it is missing. Raise OSError."""
    path = Path(settings.FILES_FOLDER)
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def new_name() -> str:
    return secrets.token_urlsafe(24)


def path_of(name: str) -> Path:
    """Return the path of a finished file."""
    return folder() / f"{name}{ENDING}"


@contextlib.contextmanager
def draft(name: str) -> Iterator[tuple[IO[bytes], Path]]:
    """Yield a file to write and a folder for its parts; the file is kept only if no exception is raised."""
    parts = folder() / name
    parts.mkdir(mode=0o700)
    try:
        whole = parts / "workbook"
        with os.fdopen(os.open(whole, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as file:
            yield file, parts
            file.flush()
            os.fsync(file.fileno())
        whole.replace(path_of(name))
    finally:
        shutil.rmtree(parts, ignore_errors=True)


@contextlib.contextmanager
def at_once() -> Iterator[Path]:
    """Yield a folder for the parts of a workbook that is written and sent in one request."""
    with tempfile.TemporaryDirectory(prefix=AT_ONCE, dir=folder()) as parts:
        yield Path(parts)


def remove(name: str) -> None:
    """Remove a finished file and its draft; no error if they are gone."""
    path_of(name).unlink(missing_ok=True)
    shutil.rmtree(folder() / name, ignore_errors=True)


def names() -> set[str]:
    """Return the names for which there is a file or a draft."""
    return {path.name.removesuffix(ENDING) for path in _entries() if not path.name.startswith(AT_ONCE)}


def remove_left_at_once() -> None:
    """Remove what killed web processes left behind."""
    for path in _entries():
        with contextlib.suppress(FileNotFoundError):
            if path.name.startswith(AT_ONCE) and time.time() - path.stat().st_mtime > AT_ONCE_LEFT_S:
                shutil.rmtree(path, ignore_errors=True)


def used_bytes() -> int:
    """Return the size of all files together, including those being written."""
    total = 0
    for path in folder().rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # removed meanwhile
            total += path.stat().st_size if path.is_file() else 0
    return total


def has_room() -> bool:
    """Return whether the disk has as much free space as posts and the database may need."""
    least_mb: int = settings.FILES_LEAST_FREE_MB
    return shutil.disk_usage(folder()).free >= least_mb * 1_000_000


def want_worker() -> None:
    """Signal that there is something to make."""
    with contextlib.suppress(OSError):
        (folder() / WANTED).touch(mode=0o600)


def _entries() -> list[Path]:
    return [path for path in folder().iterdir() if path.name != WANTED]
