"""Calltally as an operator runs it, on a separate database, and the checks after each fault."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from config import embedded, supervisor
from config.embedded import Server, command_line
from config.embedded.users import server_user
from tests.conftest import FAST_AND_LOOSE
from tests.faults.client import UNKNOWN, Client, longest_refusal_s
from tests.ports import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
E164, ACCESS_KEY = "+4922155400300", "the-key-of-the-faults-0123456789"
RATE = 100.0
LONGEST_ANSWER_S = 2.0
START_WITHIN_S = 180.0  # on a machine with other work
LEAST_INSIDE = 50
WRITERS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'calltally writer'"
SETTLE = """
from django.core.management import call_command
call_command("drain_spool", "--once")
call_command("roll_up")
print("settled")
call_command("verify_rollups")
"""
PREPARE = f"""
from django.core.management import call_command
from config.first_start import collect_static
call_command("migrate", verbosity=0, interactive=False)
collect_static()
call_command("add_number", "{E164}", key="{ACCESS_KEY}")
"""
# Runs what it is given on a line, and answers with a line: whether it succeeded, and what it printed.
SHELL = """
import contextlib, io, json, sys, traceback
from django.db import connections
for line in sys.stdin:
    printed, succeeded = io.StringIO(), False
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            exec(json.loads(line), {})
            succeeded = True
        except BaseException:
            traceback.print_exc()
        connections.close_all()
    print("answer", json.dumps([succeeded, printed.getvalue()]), flush=True)
"""
DATABASE = ("DATABASE_URL", "SECRET_KEY", "ACCESS_KEY_PEPPER", "PORT", "CALLTALLY_HOME", "CELERY_BROKER_URL")


def wait_until(is_so: Callable[[], Any], within_s: float = 60.0, what: str = "it") -> Any:
    """Return the value of `is_so` as soon as it is true."""
    until = time.monotonic() + within_s
    while not (answer := is_so()):
        assert time.monotonic() < until, f"{what} did not come true within {within_s:.0f} s"
        time.sleep(0.02)
    return answer


def prepare(home: Path, *commands: Sequence[str], of: Path | None = None) -> Path:
    """Make a home with a number, like the first start, or a copy of another one; run commands in it; return it.

    Nothing of it runs afterwards. Systems begin with a copy, or with it."""
    system, server = System(home), Server(home, FAST_AND_LOOSE)
    if of:
        system.copy(of)
    else:
        embedded.make_home(home)
    try:
        server.start()
        if not of:
            is_done, printed = system.run(PREPARE)
            assert is_done, printed
        for command in commands:
            system.manage(*command, within_s=1800)
    finally:
        system.stop_shell()
        server.stop()
    return home


class System:
    """The processes of `make run` in a separate home. They are ready when `start` returns."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        self.port = free_port()
        inherited = {name: value for name, value in os.environ.items() if name not in DATABASE}
        self.environment = inherited | {
            "CALLTALLY_HOME": str(home),
            "PORT": str(self.port),
            "ROLL_UP_EVERY_S": "1",
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self._shell: subprocess.Popen[str] | None = None

    def start(self, prepared: Path | None = None) -> None:
        """Start as for the first time, or with a copy of a prepared home, which takes a fraction of that."""
        self.home.parent.chmod(0o711)
        if prepared and prepared != self.home:
            self.copy(prepared)
        log = self.home.with_name(f"{self.home.name}.log")
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "quickstart"],
                cwd=ROOT,
                env=self.environment,
                stdout=output,
                stderr=output,
            )
        wait_until(
            lambda: b"Ctrl-C stops everything" in log.read_bytes() or self.process.poll() is not None, START_WITHIN_S
        )
        assert self.process.poll() is None, log.read_text()
        if not prepared:
            self.manage("add_number", E164, "--key", ACCESS_KEY)

    def copy(self, prepared: Path) -> None:
        """Copy the secrets, static files and data of another home. Data can be outside its home."""
        embedded.make_home(self.home)
        theirs, ours = Server(prepared), Server(self.home)
        ours._choose_base(server_user(theirs.data))
        files = [prepared / name for name in ("env", "static", "static-collected")]
        subprocess.run(["cp", "-a", *files, self.home], check=True)
        subprocess.run(["cp", "-a", f"{theirs.base}/.", ours.base], check=True)

    def stop(self) -> None:
        """Kill everything, because nothing of it is needed any more: to stop in order takes seconds."""
        self.stop_shell()
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        noted = self.home / "processes"
        for line in noted.read_text().splitlines() if noted.exists() else ():
            leader, _, command = line.partition(" ")
            with contextlib.suppress(ProcessLookupError):
                if supervisor._left_of(int(leader), command):
                    os.killpg(int(leader), signal.SIGKILL)
        supervisor.stop_left_over(noted)
        Server(self.home).remove()

    # --- Its processes ---

    def pid(self, name: str) -> int:
        """Return the id of the newest process of `config.serve`, `drain_spool`, `worker` or `beat`."""
        lines = [line.split(" ", 1) for line in (self.home / "processes").read_text().splitlines()]
        return [int(pid) for pid, command in lines if name in command.split()][-1]

    def postmaster(self) -> int:
        return wait_until(lambda: Server(self.home)._running_pid(), what="a database server")

    def web_workers(self) -> list[int]:
        return [pid for pid in children_of(self.pid("config.serve")) if "resource_tracker" not in command_line(pid)]

    def popen(self, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start another process with the system's environment and its own log."""
        log = self.home / "logs" / f"extra-{time.monotonic_ns()}.log"
        with log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env=self.environment | environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def manage(
        self, *arguments: str, check: bool = True, within_s: float = 120, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
        )
        assert not check or done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done

    def run(self, code: str, within_s: float = 120) -> tuple[bool, str]:
        """Run code in `manage.py shell`; return whether it succeeded, and what it printed.

        One shell is used until something fails in it: to start one takes longer than what it does."""
        if self._shell is None:
            self._shell = subprocess.Popen(
                [sys.executable, "manage.py", "shell", "--verbosity=0", "-c", SHELL],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        assert self._shell.stdin
        assert self._shell.stdout
        succeeded, said = False, []
        patience = threading.Timer(within_s, self._shell.kill)
        patience.start()
        with contextlib.suppress(BrokenPipeError):
            self._shell.stdin.write(json.dumps(code) + "\n")
            self._shell.stdin.flush()
        for line in self._shell.stdout:
            if line.startswith("answer "):
                succeeded, printed = json.loads(line.removeprefix("answer "))
                said.append(printed)
                break
            said.append(line)
        patience.cancel()
        if not succeeded:
            self.stop_shell()
        return succeeded, "".join(said)

    def command(self, *arguments: str) -> None:
        """Run a command of manage.py in the shell; it succeeds."""
        code = f"from django.core.management import call_command; call_command(*{arguments!r})"
        succeeded, printed = self.run(code)
        assert succeeded, f"{arguments}: {printed}"

    def stop_shell(self) -> None:
        if self._shell:
            self._shell.kill()
            self._shell.communicate()
            self._shell = None

    def database(self, **how: Any) -> psycopg.Connection:
        how = {"autocommit": True, "connect_timeout": 5, "application_name": "faults"} | how
        return psycopg.connect(embedded.saved_url(self.home), **how)

    def has_database(self) -> bool:
        try:
            self.database().close()
        except psycopg.OperationalError:
            return False
        return True

    def health(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=10) as answer:
            health: dict[str, Any] = json.load(answer)
        return health

    def last_errors(self) -> list[str]:
        """Return the last errors in the logs of the processes that receive and move posts."""
        logs = [(self.home / "logs" / name).read_text(errors="replace") for name in ("web.log", "drainer.log")]
        lines = [line for log in logs for line in log.splitlines()]
        return sorted(line for line in lines if " CRITICAL " in line or " ERROR " in line)[-5:]

    # --- Checks ---

    def settle(self) -> None:
        """Wait until the database answers, the spool is empty, and everything is counted; then verify the counts."""
        wait_until(self.has_database, what="the database")

        def is_settled() -> bool:
            is_done, printed = self.run(SETTLE)
            assert is_done or "settled" not in printed, printed
            return is_done

        wait_until(is_settled, 150, "an empty spool, and counts of all calls")

    def kept(self, name: str) -> Counter[str]:
        """Return how often each post of a client is stored in the database."""
        with self.database() as connection:
            rows = connection.execute(
                "SELECT payload::json -> 'variables' ->> 'post_id' FROM calls_callevent WHERE payload LIKE %s",
                [f'%"post_id":"{name}-%'],
            )
            return Counter(post_id for (post_id,) in rows)


def is_alive(pid: int) -> bool:
    """Return whether a process is running; a zombie is not."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def children_of(parent: int) -> list[int]:
    """Return the running children of a process."""
    children = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent and fields[0] != "Z":
                children.append(int(folder.name))
    return sorted(children)


def tree_of(parent: int) -> list[int]:
    """Return a process and all its descendants."""
    return [parent, *(pid for child in children_of(parent) for pid in tree_of(child))]


def writers(system: System) -> list[int]:
    """Return the database's backends that serve the intake, while posts arrive.

    After a failure the intake has none until it tries the database again."""

    def connected() -> list[int]:
        with system.database() as connection:
            return [pid for (pid,) in connection.execute(WRITERS)]

    return wait_until(connected, what="a connection of the intake to the database")


@contextlib.contextmanager
def frozen(pids: list[int]) -> Iterator[None]:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # a session that has just ended
            os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def locked(system: System, tables: str) -> Iterator[None]:
    """Lock tables. The lock is tried again if somebody holds one of them and waits for another."""
    with system.database() as connection:
        while True:
            try:
                connection.execute(f"BEGIN; LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE")
            except psycopg.errors.DeadlockDetected:
                connection.execute("ROLLBACK")
            else:
                break
        yield
        connection.execute("ROLLBACK")


@dataclass
class Round:
    """A fault under load: sent posts, answers, stored posts."""

    name: str
    client: Client
    began: float = 0.0
    ended: float = 0.0
    allowed: set[str] = field(default_factory=set)  # answers besides 200 that are allowed in this round

    def inside(self) -> int:
        """Return the number of posts that were in progress during the fault."""
        return sum(line.at <= self.ended and line.at + line.took_s >= self.began for line in self.client.sent)

    def figures(self) -> str:
        answers = Counter(line.answer for line in self.client.sent)
        longest = max(line.took_s for line in self.client.sent)
        others = ", ".join(f"{count} {answer}" for answer, count in answers.items() if answer != "200")
        return (
            f"{len(self.client.sent)} sent, {answers['200']} answered 200{', ' + others if others else ''}; "
            f"{self.inside()} inside the fault, longest answer {longest:.2f} s, "
            f"no connection for {longest_refusal_s(self.client.connects):.2f} s"
        )


@contextlib.contextmanager
def under_load(system: System, name: str, rate: float = RATE) -> Iterator[Client]:
    client = Client(system.port, E164, ACCESS_KEY, rate=rate, name=f"{name}-{time.monotonic_ns()}")
    client.start()
    try:
        client.hold(0.3, posts=30)
        yield client
        client.hold(0.5, posts=30)
    finally:
        client.stop()


def judge(system: System, of: Round) -> str:
    """Check that no answered post is lost, none is stored twice, answers came in time, and counts are right.

    Return figures."""
    system.settle()
    figures = of.figures()
    kept = system.kept(of.client.name)
    lines = of.client.sent
    lost = [line for line in lines if line.answer == "200" and not kept[line.post_id]]
    twice = {post_id: times for post_id, times in kept.items() if times > 1}
    answered = {line.answer for line in lines} - {"200"} - UNKNOWN - {"not connected"} - of.allowed
    slow = [line for line in lines if line.took_s > LONGEST_ANSWER_S]
    assert not lost, f"{len(lost)} answered and lost: {lost[:3]} ({figures})"
    assert not twice, f"kept twice: {list(twice)[:3]} ({figures})"
    assert not answered, f"answered {answered} ({figures}): {system.last_errors()}"
    assert not slow, f"{len(slow)} answers took long: {slow[:3]} ({figures})"
    assert all(line.retry_after for line in lines if line.answer == "503"), figures
    return figures
