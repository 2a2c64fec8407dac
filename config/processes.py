"""Starts, watches and stops the processes of `quickstart`.

Each child has its own session, so that Ctrl-C in the terminal reaches only us; it gets one TERM (a second one can
hang a Celery worker), and KILL where that was not enough."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import psycopg

from config.embedded import EmbeddedError, Server, command_line

TERM_WITHIN_S = 10
LARGEST_LOG = 10 * 1024 * 1024
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
STEADY_AFTER_S = 60  # a child that ran this long is started again without a pause


class Child:
    """One process, with its log; started again, with growing pauses, when it dies."""

    def __init__(self, name: str, command: Sequence[str], log: Path | None) -> None:
        """Without a `log` it writes to the terminal."""
        self.name = name
        self.command = list(command)
        self.log = log
        self.pause_s = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._due: float | None = None

    def start(self) -> None:
        self._started, self._due = time.monotonic(), None
        if self.log is None:
            self._process = self._spawn(None)
            return
        if self.log.exists() and self.log.stat().st_size > LARGEST_LOG:
            self.log.replace(self.log.with_suffix(".log.1"))
        with os.fdopen(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as output:
            self._process = self._spawn(output.fileno())

    def _spawn(self, output: int | None) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 (our own commands)
            self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def revive(self, say: Callable[[str], None]) -> bool:
        """Start the child again where it died and its pause is over. True when a new process was started."""
        if self._process is None or self.is_alive():
            return False
        now = time.monotonic()
        if self._due is None:
            steady = now - self._started > STEADY_AFTER_S
            self.pause_s = 0.0 if steady else longer(self.pause_s)
            self._due = now + self.pause_s
            say(f"The {self.name} stopped ({self.why_it_ended()}); it is started again. {self.where_to_look()}")
        if now < self._due:
            return False
        _kill_group(self._process.pid)  # what the dead one may have left
        self.start()
        return True

    def why_it_ended(self) -> str:
        code = self._process.returncode if self._process else None
        return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"

    def where_to_look(self) -> str:
        return f"See {self.log}." if self.log else ""

    def last_lines(self) -> str:
        if self.log is None:
            return ""
        lines = self.log.read_text(errors="replace").strip().splitlines()[-10:]
        return "\n".join(f"  {line}" for line in lines)


class Database:
    """The embedded server, started again in the background when it dies: all else goes on meanwhile.

    Where it cannot be started (its disk is full, say), that is said once, and it is tried again and again."""

    def __init__(self, server: Server, say: Callable[[str], None]) -> None:
        self._server = server
        self._say = say
        self._starting: threading.Thread | None = None
        self._started = time.monotonic()
        self._pause_s = 0.0
        self._due = 0.0
        self._complaint = ""

    def revive(self) -> bool:
        """Look after the server; True where it is back since the last look."""
        if self._starting is not None:
            if self._starting.is_alive():
                return False
            self._starting = None
            if not self._complaint:
                self._started = time.monotonic()
                self._say("The database server is back.")
                return True
            self._pause_s = longer(self._pause_s)
            self._due = time.monotonic() + self._pause_s
        if self._server.is_alive() or time.monotonic() < self._due:
            return False
        if not self._complaint:
            if time.monotonic() - self._started > STEADY_AFTER_S:
                self._pause_s = 0.0
            self._say(f"The database server stopped; it is started again. See {self._server.log}.")
        self._starting = threading.Thread(target=self._start, name="database", daemon=True)
        self._starting.start()
        return False

    def stop(self) -> None:
        """Stop the server, also where it is just being started; it is gone when this returns."""
        self._server.stop()
        while self._starting is not None and self._starting.is_alive():
            self._starting.join(0.2)
            self._server.stop()

    def _start(self) -> None:
        try:
            self._server.start()
        except (EmbeddedError, OSError, psycopg.Error) as error:
            complaint = str(error).strip()
            if not self._complaint:
                self._say(f"{complaint}\nIt is tried again until it works; posts are kept in the spool meanwhile.")
            self._complaint = complaint
        else:
            self._complaint = ""


def longer(pause_s: float) -> float:
    """Return the next pause of a row that grows."""
    return min(max(SHORTEST_PAUSE_S, pause_s * 2), LONGEST_PAUSE_S)


def stop_all(children: Iterable[Child]) -> None:
    """Stop children at once: one TERM each, and KILL after 10 s. They, and what they started, are gone afterwards."""
    processes = [child._process for child in children if child._process is not None]
    for process in processes:
        if process.poll() is None:
            process.terminate()
    until = time.monotonic() + TERM_WITHIN_S
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, until - time.monotonic()))
        _kill_group(process.pid)
        process.wait()


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def note(path: Path, children: Iterable[Child]) -> None:
    """Keep which processes run, so that the next start finds those that a killed one left."""
    path.write_text("".join(f"{child.pid} {' '.join(child.command)}\n" for child in children if child.is_alive()))


def stop_left_over(path: Path) -> list[str]:
    """Stop what a killed start left running. Return the command lines of what was stopped."""
    try:
        noted = [line.partition(" ") for line in path.read_text().splitlines()]
    except OSError:
        return []
    # A number alone proves nothing: it may be another process' by now.
    left = [(int(pid), command) for pid, _, command in noted if pid.isdigit() and _left_of(int(pid), command)]
    for leader, command in left:
        members = _left_of(leader, command)
        # Its own children are the leader's to stop; without it (killed, out of memory) they get their TERM from us.
        for pid in [leader] if leader in members else members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + TERM_WITHIN_S
    for leader, command in left:
        while _left_of(leader, command) and time.monotonic() < until:
            time.sleep(0.05)
        _kill_group(leader)
    path.unlink(missing_ok=True)
    return [command for _, command in left]


def _left_of(leader: int, command: str) -> list[int]:
    """Return what runs of a child's process group: itself, and the forks that outlived it (Linux only)."""
    folders = Path("/proc").glob("[0-9]*") if Path("/proc/self").exists() else []
    group = {leader, *(int(folder.name) for folder in folders if _group_of(int(folder.name)) == leader)}
    return [pid for pid in sorted(group) if command_line(pid).strip() == command]


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except OSError:
        return None
