"""Helpers for processes of this machine."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path


def command_line(pid: int) -> str:
    """Return the command line of a process; blank if there is none, or if it is a zombie."""
    process = Path(f"/proc/{pid}/cmdline")
    try:
        if Path("/proc/self").exists():
            return process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return subprocess.run(  # noqa: S603
            ["/bin/ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
        ).stdout
    except OSError:
        return ""


def kill_orphans(shared_memory: int) -> None:
    """Kill the processes of a PostgreSQL server that was killed itself, by the id of the System V shared memory that
    they use. Only Linux shows which processes do."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # not ours, or gone
            maps = [line.split() for line in (folder / "maps").read_text().splitlines()]
            uses_it = any(
                len(words) > 5 and words[5].startswith("/SYSV") and words[4] == str(shared_memory) for words in maps
            )
            # The server itself is called as in our command, its children `postgres: …`.
            if uses_it and command_line(int(folder.name)).startswith("postgres: "):
                os.kill(int(folder.name), signal.SIGKILL)


def wait_until(is_so: Callable[[], bool], within_s: float) -> bool:
    """Wait until `is_so` returns True; return whether it did in time."""
    until = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() > until:
            return False
        time.sleep(0.03)
    return True
