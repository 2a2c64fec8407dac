"""The CPU time of a process and its descendants, from /proc: Linux only."""

from __future__ import annotations

import os
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def used_s(leader: int) -> float | None:
    """Return the CPU seconds of a process and its descendants, including those that have ended; None if unknown."""
    if not Path("/proc/self/stat").exists():
        return None
    parents, ticks = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # The second field is a name in brackets that may contain any character.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(folder.name)
        parents[pid] = int(fields[1])
        ticks[pid] = sum(map(int, fields[11:15]))  # utime, stime, and both of the children that were waited for
    return sum(ticks[pid] for pid in ticks if _descends(pid, leader, parents)) / TICKS_PER_S


def _descends(pid: int, leader: int, parents: dict[int, int]) -> bool:
    while pid != leader:
        if pid not in parents:
            return False
        pid = parents[pid]
    return True
