"""Starts, watches and stops the processes of `quickstart`.

Each child has its own session, so that Ctrl-C in the terminal reaches only this process. A child gets one TERM, because
a second one can hang a Celery worker, and KILL if it does not end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from config.embedded import EmbeddedError, Server, command_line, write_private

TERM_WITHIN_S = 10
LARGEST_LOG = 10 * 1024 * 1024
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
STEADY_AFTER_S = 10  # a child that ran for longer is restarted without a pause
HAND_OVER_S = 15  # a restarted web server serves after this time, on a busy machine too


class BackOff:
    """Pauses before restarts: none after a run of more than STEADY_AFTER_S, otherwise 0.5 s, doubling up to 30 s."""

    def __init__(self) -> None:
        self._pause_s = 0.0

    def after(self, ran_s: float) -> float:
        self._pause_s = (
            0.0 if ran_s > STEADY_AFTER_S else min(max(SHORTEST_PAUSE_S, self._pause_s * 2), LONGEST_PAUSE_S)
        )
        return self._pause_s


class Child:
    """A process with its log; restarted with growing pauses when it ends."""

    def __init__(
        self, name: str, command: Sequence[str], log: Path | None, environment: Mapping[str, str] | None = None
    ) -> None:
        """Without a `log` it writes to the terminal; `environment` is added to ours."""
        self.name = name
        self.command = list(command)
        self.log = log
        self._environment = environment or {}
        self._process: subprocess.Popen[bytes] | None = None
        self._back_off = BackOff()
        self._started = 0.0
        self._due: float | None = None
        # Process groups whose leader died, with the time and the signal that each gets next.
        self._left: dict[int, tuple[float, signal.Signals]] = {}

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
            self.command,
            env=os.environ | self._environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=None if output is None else subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def groups(self) -> list[int]:
        """The process groups that may be running: its own, and those whose leader died."""
        return [*self._left, *([self._process.pid] if self._process else [])]

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def revive(self, say: Callable[[str], None]) -> bool:
        """Restart the child if it died and its pause is over. Return whether the running processes have changed."""
        if self._process is None:
            return False
        now = time.monotonic()
        has_changed = self._stop_orphans(now)
        if self.is_alive():
            return has_changed
        if self._due is None:
            self._due = now + self._back_off.after(now - self._started)
            say(f"The {self.name} stopped ({self.why_it_ended()}); it is started again. {self.where_to_look()}")
        if now < self._due:
            return has_changed
        dead = self._process.pid
        try:
            self.start()
        except OSError as error:
            say(f"The {self.name} could not be started: {error}.")
            return has_changed
        # Processes of a killed web server continue to serve until the new one does.
        self._left[dead] = (now + HAND_OVER_S, signal.SIGTERM)
        return True

    def _stop_orphans(self, now: float) -> bool:
        """Stop groups whose leader died, after its successor had time to take over. Return whether one was killed."""
        due = {group: number for group, (at, number) in self._left.items() if now > at}
        for group, number in due.items():
            _signal_group(group, number)
            if number == signal.SIGKILL:
                del self._left[group]
            else:
                self._left[group] = (now + TERM_WITHIN_S, signal.SIGKILL)
        return signal.SIGKILL in due.values()

    def renew(self) -> None:
        """Restart the child with the current settings; a web server process by process, without refusing requests."""
        if self.is_alive() and self._process:
            self._process.send_signal(signal.SIGHUP if self.name == "web" else signal.SIGTERM)

    def stop(self) -> None:
        """Stop the child until it is started again."""
        stop_all([self])
        self._process, self._left = None, {}

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


class Task(Child):
    """A process that ends by itself. What it prints is not logged: it may be a password."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        super().__init__(name, command, None)

    def start(self) -> None:
        self._process = self._spawn(subprocess.PIPE)

    def result(self) -> str:
        """Wait until it has ended, and return what it printed. Raise EmbeddedError with that if it failed."""
        if self._process is None:
            return ""
        printed: str = self._process.communicate()[0].decode(errors="replace")
        if self._process.returncode:
            raise EmbeddedError(printed.rstrip() or f"The {self.name} failed ({self.why_it_ended()}).")
        return printed


class Database:
    """The embedded server, restarted in the background when it dies, so that nothing waits for it.

    If it cannot be started, for example because its disk is full, that is reported once, and retried until it works."""

    def __init__(self, server: Server, say: Callable[[str], None]) -> None:
        self._server = server
        self._say = say
        self._back_off = BackOff()
        self._started = time.monotonic()
        self._due: float | None = None  # when it is started again; None while it runs
        self._starting: threading.Thread | None = None
        self._complaint = ""
        self._has_complained = False

    def revive(self) -> bool:
        """Restart the server if it died, without waiting. Return whether it came back since the last call."""
        now = time.monotonic()
        if self._starting is not None:
            if self._starting.is_alive():
                return False
            self._starting = None
            if not self._complaint:
                self._started, self._due, self._has_complained = now, None, False
                self._say("The database server is back.")
                return True
            if not self._has_complained:
                self._say(
                    f"{self._complaint}\nThe start is retried until it works. Until then, posts are kept in the spool."
                )
            self._has_complained = True
            self._due = now + self._back_off.after(0)
        if self._due is None:
            if self._server.is_alive():
                return False
            self._say(f"The database server stopped; it is started again. See {self._server.log}.")
            self._due = now + self._back_off.after(now - self._started)
        if now >= self._due:
            self._starting = threading.Thread(target=self._start, name="database", daemon=True)
            self._starting.start()
        return False

    def stop(self) -> None:
        """Stop the server, also if it is being started; its process has ended when this returns."""
        self._server.give_up()
        if self._starting is not None:
            self._starting.join()
        self._server.stop()

    def _start(self) -> None:
        try:
            self._server.start()
        except Exception as error:  # noqa: BLE001 (whatever the error, it is reported and retried)
            self._complaint = str(error).strip() or repr(error)
        else:
            self._complaint = ""


def stop_all(children: Iterable[Child]) -> None:
    """Stop children in parallel: one TERM each, and KILL after 10 s. They and their children have ended afterwards."""
    children = list(children)
    processes = [child._process for child in children if child._process is not None]
    for group in [group for child in children for group in child._left]:
        _signal_group(group, signal.SIGTERM)
    for process in processes:
        if process.poll() is None:
            process.terminate()
    until = time.monotonic() + TERM_WITHIN_S
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, until - time.monotonic()))
    for group in [group for child in children for group in child.groups]:
        _signal_group(group, signal.SIGKILL)
    for process in processes:
        process.wait()


def _signal_group(leader: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def note(path: Path, children: Iterable[Child]) -> None:
    """Write down which processes run, so that the next start finds those that a killed start left behind."""
    lines = [f"{group} {' '.join(child.command)}\n" for child in children for group in child.groups]
    # A full disk must not end the supervisor; the next change is written again.
    with contextlib.suppress(OSError):
        write_private(path, "".join(lines))


def stop_left_over(path: Path) -> list[str]:
    """Stop processes that a killed start left running. Return their command lines."""
    try:
        noted = [line.partition(" ") for line in path.read_text().splitlines()]
    except OSError:
        return []
    # The process id alone proves nothing: another process may have it by now.
    left = [(int(pid), command) for pid, _, command in noted if pid.isdigit() and _left_of(int(pid), command)]
    for leader, command in left:
        members = _left_of(leader, command)
        # A leader stops its own children. If it is gone, for example killed for lack of memory, we send them TERM.
        for pid in [leader] if leader in members else members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + TERM_WITHIN_S
    for leader, command in left:
        while _left_of(leader, command) and time.monotonic() < until:
            time.sleep(0.05)
        _signal_group(leader, signal.SIGKILL)
    path.unlink(missing_ok=True)
    return [command for _, command in left]


def _left_of(leader: int, command: str) -> list[int]:
    """Return the running processes of a child's process group: itself, and forks that outlived it (Linux only)."""
    folders = Path("/proc").glob("[0-9]*") if Path("/proc/self").exists() else []
    group = {leader, *(int(folder.name) for folder in folders if _group_of(int(folder.name)) == leader)}
    return [pid for pid in sorted(group) if command_line(pid).strip() == command]


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except OSError:
        return None
