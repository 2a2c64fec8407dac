"""Starts and stops the embedded PostgreSQL. docs/running.md says how it works and where its files are."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psycopg
from psycopg import sql

from config.embedded.binaries import Binaries, find_binaries
from config.embedded.errors import EmbeddedError
from config.embedded.home import NAME, database_url, make_secrets, read_secrets, read_state, write_private
from config.embedded.processes import command_line, kill_orphans, wait_until
from config.embedded.users import User, server_user

# Below the ports that systems use for outgoing connections, so that the port is still free after a restart.
PORTS = range(15432, 25432)

START_WITHIN_S = 180  # unless it reports that it is recovering
USUALLY_STARTS_WITHIN_S = 20
ANSWER_WITHIN_S = 5
# Children of a killed server end by themselves, unless they wait for a lock that a killed one held: these are killed.
ORPHANS_END_WITHIN_S, ORPHANS_GONE_WITHIN_S = 3, 15
IN_USE = re.compile(r"shared memory block \(key \d+, ID (\d+)\) is still in use")
# The signals that stop a server, with the seconds to wait after each: fast shutdown, immediate shutdown, kill.
STOPS = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0))
LARGEST_LOG = 10 * 1024 * 1024


class Server:
    """The embedded PostgreSQL of a home. Only one may be used at a time: hold `only_start(home)` around it.

    `options` are settings of the server (`{"fsync": "off"}` for tests); `say` prints a line for people."""

    def __init__(
        self, home: Path, options: Mapping[str, str] | None = None, say: Callable[[str], None] = lambda line: None
    ) -> None:
        self.home = home
        self.options = dict(options or {})
        self.say = say
        self.port = 0
        self.log = home / "logs" / "postgres.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._is_recovering = False
        self._given_up = threading.Event()

    @property
    def base(self) -> Path:
        """The folder of data and copied programs: `<home>/postgres`, unless the server's user cannot reach that."""
        return Path(str(read_state(self.home).get("base") or self.home / "postgres"))

    @property
    def data(self) -> Path:
        return self.base / "data"

    @property
    def url(self) -> str:
        return database_url(self.port, self._password)

    @property
    def _password(self) -> str:
        return read_secrets(self.home).get("EMBEDDED_DATABASE_PASSWORD", "")

    def start(self) -> None:
        """Take over a running server, or start it; create data if there is none. The server answers when this returns.

        Raise EmbeddedError, with the last lines of the server's log, if it cannot be started."""
        make_secrets(self.home)
        self.log.parent.mkdir(mode=0o700, exist_ok=True)
        if self._process and self._running_pid() is None:
            self._process.wait()
            self._process = None
        remembered = read_state(self.home).get("base")
        if remembered and not self.data.exists():
            self.say(f"The database in {remembered} no longer exists. A new, empty one is created.")
        self._claim_base()
        if self._take_over():
            return
        user = server_user(self.data)
        if not (self.data / "PG_VERSION").exists():
            self._choose_base(user)
        elif not user.reaches(self.base):
            raise EmbeddedError(f"The database server runs as {user.name}, who can no longer access {self.base}.")
        version = self.data / "PG_VERSION"
        binaries = self._runnable(find_binaries(int(version.read_text()) if version.exists() else None), user)
        if not version.exists():
            self._make_data(binaries, user)
        self._forget_stale_pid()
        self._launch(binaries, user)
        self._make_database()

    def give_up(self) -> None:
        """Make a `start` in another thread end soon with EmbeddedError, because the server is no longer needed."""
        self._given_up.set()

    def stop(self) -> None:
        """Stop the server by the signals in STOPS; it has ended when this returns. Stopping twice does no harm."""
        pid = self._process.pid if self._process else self._running_pid()
        if pid is None or self._other_home():
            return
        for stop_signal, within_s in STOPS:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, stop_signal)
            if wait_until(lambda: not self.is_alive(), within_s):
                break
        self._process = None

    def is_alive(self) -> bool:
        """Return whether the server's process is running."""
        if self._process:
            return self._process.poll() is None
        return self._running_pid() is not None

    def remove(self) -> None:
        """Stop the server and delete its data."""
        if self._other_home():
            return
        self.stop()
        shutil.rmtree(self.base, ignore_errors=True)

    # --- Steps of a start ---

    def _take_over(self) -> bool:
        """Use a server that a killed run left behind; stop it if it does not answer. Return whether it is used."""
        if self._running_pid() is None:
            return False
        self.port = int(self._pid_file()[3])
        if wait_until(lambda: self._answers(self.port), ANSWER_WITHIN_S):
            self._remember()
            self._make_database()
            return True
        self.say("The database server that an earlier run left over does not answer; it is stopped first.")
        self.stop()
        return False

    def _other_home(self) -> Path | None:
        """Return the home that the data outside this home belongs to, if this home is a copy of that one."""
        if self.base == self.home / "postgres":
            return None
        try:
            owner = Path((self.base / "home").read_text())
        except OSError:
            return None
        return owner if owner != self.home and read_state(owner).get("base") == str(self.base) else None

    def _claim_base(self) -> None:
        """Raise EmbeddedError if the data belongs to another home. Otherwise record that it belongs to this home, which
        may have been moved."""
        if other := self._other_home():
            raise EmbeddedError(
                f"The database in {self.base} belongs to {other}, and {self.home} is a copy of that folder. "
                f"To start here with an empty database, delete {self.home / 'embedded.json'}."
            )
        if self.base != self.home / "postgres" and self.base.exists():
            (self.base / "home").write_text(str(self.home))

    def _choose_base(self, user: User) -> None:
        """Create a folder for new data that the server's user can reach, and record it."""
        mark = hashlib.sha256(str(self.home).encode()).hexdigest()[:12]
        usual = self.home / "postgres"
        elsewhere = [] if user.is_us else [Path("/var/lib"), Path(tempfile.gettempdir()), Path("/tmp")]  # noqa: S108
        for base in [usual, *(folder / f"calltally-{mark}" for folder in elsewhere)]:
            if not _make_own(base, 0o700 if user.is_us else 0o711):
                continue
            if user.reaches(base):
                if base != usual:
                    self.say(
                        f"The database is in {base}, because its server runs as {user.name}, who cannot access "
                        f"{self.home}."
                    )
                # The usual folder is not recorded, so that home can be moved.
                self._remember(base=None if base == usual else str(base))
                self._claim_base()
                return
            with contextlib.suppress(OSError):
                base.rmdir()
        raise EmbeddedError(
            f"As root, the database server runs as {user.name}, who can access neither {self.home} nor /var/lib. "
            "Set CALLTALLY_HOME to a folder that all users can enter, or DATABASE_URL to another server."
        )

    def _runnable(self, binaries: Binaries, user: User) -> Binaries:
        """Return programs that the server's user can run: those found, or a copy next to the data.

        The Python package's programs find their libraries by a relative path, so both are copied with the same
        layout."""
        if user.runs(binaries):
            return binaries
        copies = self.base / f"programs-{binaries.major}"
        copy = Binaries(copies / binaries.root.parent.name / binaries.root.name / "bin", binaries.major)
        if copies.exists() and user.runs(copy) and _same_size(copy.folder, binaries.folder):
            return copy
        shutil.rmtree(copies, ignore_errors=True)
        for part in ("bin", "lib", "share"):
            shutil.copytree(binaries.root / part, copy.root / part, symlinks=True, ignore=shutil.ignore_patterns("*.a"))
        package = binaries.root.parent
        for libraries in package.parent.glob(f"{package.name}.libs"):
            shutil.copytree(libraries, copies / libraries.name, symlinks=True)
        # Owned by root, readable but not writable by the server's user, regardless of the umask.
        for path in [copies, *copies.rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        if not user.runs(copy):
            raise EmbeddedError(
                f"{user.name} can run the database server neither in {binaries.folder} nor in {copies}."
            )
        return copy

    def _make_data(self, binaries: Binaries, user: User) -> None:
        """Create new data, completely or not at all."""
        draft, password_file = self.base / "data.new", self.base / "password"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        write_private(password_file, self._password)
        if not user.is_us:
            os.chown(draft, user.uid, user.gid)
            os.chown(password_file, user.uid, user.gid)
        command = [
            binaries.path("initdb"),
            f"--pgdata={draft}",
            f"--username={NAME}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--data-checksums",
            *(["--no-sync"] if self.options.get("fsync") == "off" else []),
        ]
        try:
            done = subprocess.run(  # noqa: S603
                command, capture_output=True, text=True, check=False, **user.popen()
            )
        finally:
            password_file.unlink()
        if done.returncode != 0:
            raise EmbeddedError(f"The database could not be created in {self.base}:\n{_last_lines(done.stderr)}")
        draft.rename(self.data)

    def _forget_stale_pid(self) -> None:
        """Delete a pid file whose process is not our server: PostgreSQL would mistake that process for one."""
        pid_file = self.data / "postmaster.pid"
        if pid_file.exists() and self._running_pid() is None:
            pid_file.unlink()

    def _launch(self, binaries: Binaries, user: User) -> None:
        """Start the server and wait until it answers."""
        began = time.monotonic()
        for port in self._ports():
            if self._given_up.is_set():
                raise EmbeddedError("The start of the database server was cancelled.")
            self._rotate_log()
            with self.log.open("ab") as log:
                said_before = log.tell()
                process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603
                    self._command(binaries, port), stdin=subprocess.DEVNULL, stdout=log, stderr=log, **user.popen()
                )
            self._process, self.port = process, port
            if self._wait_for(process):
                if process.poll() is None:
                    self._remember()
                    return
            else:
                self.stop()
            self._process = None
            said = self._said_since(said_before)
            waited_s = time.monotonic() - began
            if (in_use := IN_USE.search(said)) and waited_s < ORPHANS_GONE_WITHIN_S:
                if waited_s > ORPHANS_END_WITHIN_S:
                    kill_orphans(int(in_use[1]))
                time.sleep(0.1)
            elif "Address already in use" not in said:
                raise EmbeddedError(
                    f"The database server did not start. The last lines of {self.log}:\n{_last_lines(said)}"
                )
        raise EmbeddedError(f"The database server found no free port between {PORTS[0]} and {PORTS[-1]}.")

    def _wait_for(self, process: subprocess.Popen[bytes]) -> bool:
        """Wait until a server answers or has ended. Return False if it does neither in time, or is no longer needed.

        A server that recovers gets unlimited time: if it were killed, recovery would start from the beginning."""

        def is_over() -> bool:
            return self._given_up.is_set() or process.poll() is not None or self._answers(self.port)

        if not wait_until(is_over, USUALLY_STARTS_WITHIN_S):
            self.say(f"The database server takes its time. After a crash it first recovers its data: see {self.log}.")
            while not wait_until(is_over, START_WITHIN_S):
                if not self._is_recovering:
                    return False
        return not self._given_up.is_set()

    def _command(self, binaries: Binaries, port: int) -> list[str]:
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": "",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "lc_messages": "C",
            "logging_collector": "off",
            # The log has error messages without statements and details, which contain callers.
            "log_error_verbosity": "terse",
            "log_min_error_statement": "panic",
            "log_parameter_max_length_on_error": "0",
            **self.options,
        }
        settings = (part for name, value in options.items() for part in ("-c", f"{name}={value}"))
        return [binaries.path("postgres"), "-D", str(self.data), *settings]

    def _ports(self) -> Iterator[int]:
        """Yield the previous port as long as it is free, then other free ports."""
        port = read_state(self.home).get("port")
        for _ in range(200):
            if not isinstance(port, int) or not _is_free(port):
                port = random.choice(PORTS)  # noqa: S311 (not a secret)
            if _is_free(port):
                yield port

    def _answers(self, port: int) -> bool:
        """Return whether our server answers on `port`: it accepts our password and serves our data."""
        try:
            with self._connect(port, "postgres") as connection:
                row = connection.execute("SHOW data_directory").fetchone()
        except psycopg.OperationalError as error:
            # "… is starting up", "… is not yet accepting connections", "… is in recovery mode"
            self._is_recovering = "the database system is " in str(error)
            return False
        self._is_recovering = False
        return row is not None and Path(row[0]).resolve() == self.data.resolve()

    def _connect(self, port: int, database: str) -> psycopg.Connection:
        return psycopg.connect(
            host="127.0.0.1",
            port=port,
            user=NAME,
            password=self._password,
            dbname=database,
            sslmode="disable",
            connect_timeout=ANSWER_WITHIN_S,
            autocommit=True,
        )

    def _make_database(self) -> None:
        with self._connect(self.port, "postgres") as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(NAME)))

    def _remember(self, **changed: object) -> None:
        state = read_state(self.home) | changed | ({"port": self.port} if self.port else {})
        if state != read_state(self.home):
            write_private(self.home / "embedded.json", json.dumps(state) + "\n")

    def _pid_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _running_pid(self) -> int | None:
        """Return the id of the process that serves our data; None if there is none.

        The pid file alone proves nothing; the command line of the process must be ours too."""
        lines = self._pid_file()
        if len(lines) < 4 or not lines[0].strip().isdigit():
            return None
        pid = int(lines[0])
        return pid if f"postgres -D {self.data} " in command_line(pid) else None

    def _rotate_log(self) -> None:
        if self.log.exists() and self.log.stat().st_size > LARGEST_LOG:
            self.log.replace(self.log.with_suffix(".log.1"))

    def _said_since(self, offset: int) -> str:
        with self.log.open("rb") as log:
            log.seek(offset)
            return log.read().decode(errors="replace")


def _make_own(folder: Path, mode: int) -> bool:
    """Create a folder; return whether it exists and is ours. Others may have created it where everyone can write."""
    try:
        folder.mkdir()
        folder.chmod(mode)
    except FileExistsError:
        status = folder.lstat()
        return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
    except OSError:
        return False
    return True


def _same_size(copy: Path, original: Path) -> bool:
    """Return whether a copied folder has the same server: a copy is outdated once the Python package is updated."""
    return (copy / "postgres").stat().st_size == (original / "postgres").stat().st_size


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _last_lines(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.strip().splitlines()[-10:])
