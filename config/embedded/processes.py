"""Helpers for processes of this machine."""

from __future__ import annotations

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


def wait_until(is_so: Callable[[], bool], within_s: float) -> bool:
    """Wait until `is_so` returns True; return whether it did in time."""
    until = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() > until:
            return False
        time.sleep(0.03)
    return True
