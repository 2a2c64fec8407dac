"""Ports for servers of tests."""

from __future__ import annotations

import random
import socket
from contextlib import suppress


def free_port() -> int:
    """Return a free port whose next one, which the process `live` takes, is free too.

    Connections take higher ones, and no two servers get ports of the same pair."""
    while True:
        port = random.randrange(26_000, 32_000, 2)
        with suppress(OSError), socket.socket() as own, socket.socket() as next_one:
            own.bind(("127.0.0.1", port))
            next_one.bind(("127.0.0.1", port + 1))
            return port
