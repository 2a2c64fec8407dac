"""The contenders: web servers, each with its processes, and pgbench, which needs none."""

from __future__ import annotations

import json
import os
import re
import resource
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.supervisor import Child, stop_all
from tests.benchmarks import made_up, processor
from tests.benchmarks.load import Invalid, send_posts
from tests.ports import free_port

UP_WITHIN_S = 60.0
PGBENCH_CLIENTS = 8


@dataclass(frozen=True)
class Round:
    """The figures of a contender in a round. CPU times are in milliseconds per post; None if not measured."""

    posts: int  # all answered posts; posts_per_s counts only those answered in time
    posts_per_s: float
    median_ms: float
    worst_percentile_ms: float  # 99th percentile
    web_ms: float | None
    postgres_ms: float | None
    client_ms: float | None


class Web:
    """A web server that receives posts over HTTP."""

    def __init__(
        self,
        name: str,
        command: Callable[[int], Sequence[str]],
        logs: Path,
        port: int | None = None,
        **environment: str,
    ) -> None:
        """`environment` is added to ours. Without a port it gets a free one."""
        self.name = name
        self.port = port or free_port()
        log = logs / f"{re.sub(r'[^a-z]+', '-', name.lower())}.log"
        self.child = Child(name, command(self.port), log, environment)

    def start(self) -> None:
        """Start it and wait until it listens. Raise Invalid if it does not."""
        self.child.start()
        until = time.monotonic() + UP_WITHIN_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                if not self.child.is_alive() or time.monotonic() > until:
                    raise Invalid(f"it did not start:\n{self.child.last_lines()}") from None
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        stop_all([self.child])

    def run(self, seconds: float, connections: int, postgres: int) -> Round:
        """Send posts for this long; `postgres` is the process of the database server."""
        assert self.child.pid
        before = _used(self.child.pid, postgres)
        sent = send_posts(self.port, connections=connections, seconds=seconds)
        after = _used(self.child.pid, postgres)
        return _round(sent.in_time / seconds, sent.latencies_s, before, after)


class PgBench:
    """pgbench runs the statement for one post at a time, which shows what the database alone can do."""

    name = "pgbench"

    def __init__(self, program: str, database: dict[str, Any], script: str, folder: Path) -> None:
        self.program = program
        self.database = database
        self.folder = folder
        self.script = folder / "pgbench.sql"
        self.script.write_text(script)

    def start(self) -> None:
        if not Path(self.program).exists():
            raise Invalid(f"there is no {self.program}")

    def stop(self) -> None:
        pass

    def run(self, seconds: float, connections: int, postgres: int) -> Round:
        """As Web.run, but always with the number of connections of the target."""
        before = _used(None, postgres)
        done = subprocess.run(
            [
                self.program,
                "--no-vacuum",
                "--protocol=prepared",
                f"--client={PGBENCH_CLIENTS}",
                "--jobs=1",
                f"--time={max(1, round(seconds))}",
                "--define=kind=4",  # the next is the first
                f"--file={self.script}",
                "--log",
                f"--log-prefix={self.folder / 'pgbench'}",
                self.database["NAME"],
            ],
            env=os.environ
            | {
                "PGHOST": self.database["HOST"],
                "PGPORT": str(self.database["PORT"]),
                "PGUSER": self.database["USER"],
                "PGPASSWORD": self.database["PASSWORD"],
            },
            capture_output=True,
            text=True,
            check=False,
        )
        after = _used(None, postgres)
        speed = re.search(r"^tps = ([\d.]+)", done.stdout, re.MULTILINE)
        if done.returncode or not speed or not re.search(r"failed transactions: 0 ", done.stdout):
            raise Invalid(f"it ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-800:]}")
        latencies_s = []
        for log in self.folder.glob("pgbench.*"):
            if log != self.script:
                latencies_s += [int(line.split()[2]) / 1_000_000 for line in log.read_text().splitlines()]
                log.unlink()
        return _round(float(speed[1]), latencies_s, before, after)


Used = tuple[float | None, float | None, float]


def _used(web: int | None, postgres: int) -> Used:
    """Return the CPU seconds used so far by web server, database and client."""
    times = os.times()
    client = times.user + times.system
    if web is None:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        client = children.ru_utime + children.ru_stime
    return processor.used_s(web) if web else 0.0, processor.used_s(postgres), client


def _round(posts_per_s: float, latencies_s: list[float], before: Used, after: Used) -> Round:
    if len(latencies_s) < 2:  # quantiles need two
        raise Invalid("fewer than two posts were answered")
    per_post = [
        None if start is None or end is None else (end - start) * 1000 / len(latencies_s)
        for start, end in zip(before, after, strict=True)
    ]
    return Round(
        len(latencies_s),
        posts_per_s,
        statistics.median(latencies_s) * 1000,
        statistics.quantiles(latencies_s, n=100)[-1] * 1000,
        *per_post,
    )


# --- All contenders --------------------------------------------------------------------------


def all_of_them(home: Path, others: Path, connections: int) -> list[Web | PgBench]:
    """Return all contenders, Calltally first. `others` is the Python with the other frameworks; `connections` is the
    number of database connections that each of their processes opens."""
    from django.conf import settings

    from calls.ingest.writer import KEEP_POSTS
    from config import embedded
    from config.services import intake_service, services

    database = settings.DATABASES["default"]
    setup = {
        "database_url": embedded.saved_url(home),
        "statement": KEEP_POSTS,
        "pepper": settings.ACCESS_KEY_PEPPER,
        "connections": connections,
    }
    with os.fdopen(os.open(home / "contenders.json", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(setup, file)

    def naive(port: int) -> list[str]:
        return [*services(port)["web"][:-1], "tests.benchmarks.naive_drf.wsgi:application"]

    def fastapi(port: int) -> list[str]:
        how = f"-m uvicorn --workers=2 --loop=uvloop --http=httptools --no-access-log --log-level=warning --port={port}"
        return [str(others), *how.split(), "tests.benchmarks.fastapi_asyncpg:app"]

    def flask(port: int) -> list[str]:
        how = f"-m granian --interface=wsgi --workers=2 --blocking-threads=16 --no-ws --host=127.0.0.1 --port={port}"
        return [str(others), *how.split(), "tests.benchmarks.flask_psycopg:app"]

    logs = home / "logs"
    # The intake as in deploy/, and the web processes of `make run`; both keep metrics in files.
    counters = {name: home / f"counters-{name}" for name in ("intake", "web")}
    for folder in counters.values():
        folder.mkdir()
    pgbench = Path(embedded.find_binaries().path("pgbench"))
    return [
        Web("Calltally", intake_service, logs, PROMETHEUS_MULTIPROC_DIR=str(counters["intake"])),
        PgBench(str(pgbench), database, pgbench_script(KEEP_POSTS), home),
        Web("FastAPI + asyncpg", fastapi, logs),
        Web("Flask + psycopg", flask, logs),
        Web("naive DRF + ORM", naive, logs),
        Web("make run", lambda port: services(port)["web"], logs, PROMETHEUS_MULTIPROC_DIR=str(counters["web"])),
    ]


def pgbench_script(statement: str) -> str:
    """Return a script that sends one post at a time, five per call; each client sends calls in sequence.

    pgbench has only the text of its script, so the statement itself builds the row's JSON and the ids. That is the only
    additional work compared with the other contenders."""
    lines = [r"\set kind (:kind + 1) % 5", r"\if :kind = 0"]
    for name, (least, greatest) in [
        ("number", (1, len(made_up.NUMBERS))),
        ("first", made_up.FIRST),
        ("second", made_up.SECOND),
        ("caller", made_up.CALLER),
    ]:
        lines.append(rf"\set {name} random({least}, {greatest})")
    lines.append(r"\endif")
    for kind, post in enumerate(made_up.POSTS):
        lines += [rf"\{'elif' if kind else 'if'} :kind = {kind}", _with_text(statement, post)]
    return "\n".join([*lines, r"\endif", ""])


def _with_text(statement: str, post: dict[str, Any]) -> str:
    """Return the statement with an expression in place of its parameter: texts with ids and numbers between them."""
    from calls import posts

    keys = list(made_up.NUMBERS)
    body = made_up.body(post, keys[0], first="10000001", second="100000000002", caller="10000003")
    parsed = posts.parse(body.encode())
    row = {name: getattr(parsed, name) for name in type(parsed).__slots__}
    row |= {"ingest_id": "INGEST_ID", "received_at": "RECEIVED_AT"}
    fingerprints = [_fingerprint(e164) for e164 in keys]
    text = json.dumps([row]).replace("'", "''")
    version_7 = "uuidv7()" if _knows_version_7() else "gen_random_uuid()"
    for constant, expression in {
        "INGEST_ID": f"{version_7}::text",
        "RECEIVED_AT": "now()::text",
        keys[0]: f"({_array(keys)})[:number::int]",
        fingerprints[0]: f"({_array(fingerprints)})[:number::int]",
        "10000001": ":first::text",
        "100000000002": ":second::text",
        "10000003": ":caller::text",
    }.items():
        assert constant in text
        text = text.replace(constant, f"' || {expression} || '")
    script = statement.strip().replace("%(posts)s", f"('{text}')") + ";"
    # pgbench reads a colon before a letter or a digit as a variable, also in literals. These literals are split at the
    # colon; PostgreSQL joins them once, when it prepares the statement.
    script = script.replace("'1970-01-01 00:00:00+00'", "'epoch'")
    return re.sub(r"(?<!:):(?=\w)(?!(?:first|second|caller|number)\b)", ":' || '", script)


def _array(values: Sequence[str]) -> str:
    return f"ARRAY[{', '.join(repr(value) for value in values)}]"


def _fingerprint(e164: str) -> str:
    from calls import keys

    return keys.fingerprint(made_up.NUMBERS[e164])


def _knows_version_7() -> bool:
    from django.db import connection

    return connection.pg_version >= 180000


def python_of(venv: Path) -> Path:
    return venv / ("Scripts" if sys.platform == "win32" else "bin") / "python"
