"""The embedded PostgreSQL, and the secrets and the lock of the one-command start.

Settings import this package, so it must not import Django."""

from config.embedded.binaries import NEWEST, OLDEST, Binaries, find_binaries
from config.embedded.errors import EmbeddedError
from config.embedded.home import (
    APPLICATION,
    INTAKE,
    OWNER,
    PASSWORDS,
    find_home,
    make_home,
    make_secrets,
    only_start,
    read_secrets,
    saved_url,
    write_private,
)
from config.embedded.processes import command_line, wait_until
from config.embedded.server import Server

__all__ = [
    "APPLICATION",
    "INTAKE",
    "NEWEST",
    "OLDEST",
    "OWNER",
    "PASSWORDS",
    "Binaries",
    "EmbeddedError",
    "Server",
    "command_line",
    "find_binaries",
    "find_home",
    "make_home",
    "make_secrets",
    "only_start",
    "read_secrets",
    "saved_url",
    "wait_until",
    "write_private",
]
