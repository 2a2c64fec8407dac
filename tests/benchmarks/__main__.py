"""`make bench`: runs all contenders in turns on the same PostgreSQL, and prints the figures of each.

Conditions are as in production: the database writes through to the disk, posts go over HTTP to the real endpoint, and
every answered post must be in the database afterwards."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import platform
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import django

from config import embedded
from tests.benchmarks import made_up
from tests.benchmarks.contenders import PgBench, Round, Web, all_of_them, python_of
from tests.benchmarks.load import Invalid

ROOT = Path(__file__).resolve().parent.parent.parent
OURS = "Calltally"
# Targets: our posts per second divided by theirs.
TARGETS = {"pgbench": (0.40, 0.60), "FastAPI + asyncpg": (1.2, 1.6)}
FULL_ROUNDS = 5
WARM_UP_S = 3.0
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
TABLES = "calls_call, calls_callevent, calls_changedquarterhour, live_pop"


def main() -> int:
    arguments = read_arguments()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    os.chdir(ROOT)
    with database(Path(arguments.folder)) as server:
        contenders = all_of_them(server.home, python_of(ROOT / arguments.others), arguments.pool)
        if arguments.only:
            parts = [part.lower() for part in arguments.only]
            contenders = [
                contender for contender in contenders if any(part in contender.name.lower() for part in parts)
            ]
        say(
            f"{describe(server)}\n"
            f"{arguments.rounds} rounds of {arguments.seconds:g} s, {arguments.connections} connections\n"
        )
        rounds, failures = take_turns(contenders, server, arguments)
    say("\n" + table(rounds))
    reached = targets(rounds)
    say("\n" + "\n".join(line for line, _ in reached))
    for name, why in failures.items():
        say(f"\n{name} has no figures: {why}")
    if arguments.json:
        kept = {name: [asdict(figures) for figures in of_contender] for name, of_contender in rounds.items()}
        Path(arguments.json).write_text(json.dumps(kept, indent=1) + "\n")
    if failures:
        return 1
    if arguments.only or arguments.rounds < FULL_ROUNDS:
        say("\nNot a full run: it says how things stand, and proves nothing.")
        return 0
    return 0 if all(is_reached for _, is_reached in reached) else 1


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=FULL_ROUNDS, help="how often each has its turn (%(default)s)")
    parser.add_argument("--seconds", type=float, default=7.0, help="how long a turn lasts (%(default)s)")
    parser.add_argument("--connections", type=int, default=64, help="HTTP connections, one post on each (%(default)s)")
    parser.add_argument("--only", action="append", metavar="NAME", help="part of a contender's name; repeatable")
    parser.add_argument("--fewest", type=int, default=100, help="posts of a turn that has figures (%(default)s)")
    parser.add_argument("--json", metavar="FILE", help="write the figures of every round there")
    parser.add_argument(
        "--pool", type=int, default=8, help="database connections a process of the others (%(default)s)"
    )
    parser.add_argument("--others", default=".venv-bench", help="where the others are installed (%(default)s)")
    parser.add_argument("--folder", default="/var/tmp", help="where the database lies while it runs (%(default)s)")
    return parser.parse_args()


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


# --- The database ----------------------------------------------------------------------------


@contextlib.contextmanager
def database(folder: Path) -> Iterator[embedded.Server]:
    """Start a separate PostgreSQL with Calltally's tables, numbers and keys; delete it afterwards."""
    home = Path(tempfile.mkdtemp(prefix="calltally-benchmark-", dir=folder))
    if os.geteuid() == 0:
        home.chmod(0o711)  # the server runs as another user and must pass through
    os.environ["CALLTALLY_HOME"] = str(home)
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    os.environ["MFA_REQUIRED"] = "none"  # people of measurements sign in without a page
    os.environ.pop("DATABASE_URL", None)
    server = embedded.Server(home, DURABLE, say)
    try:
        server.start()
        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0, interactive=False)
        for e164, access_key in made_up.NUMBERS.items():
            call_command("add_number", e164, key=access_key, stdout=io.StringIO())
        yield server
    finally:
        server.remove()
        shutil.rmtree(home, ignore_errors=True)


@contextlib.contextmanager
def database_for_pages(folder: str) -> Iterator[embedded.Server]:
    """As `database`, with static files; prints the machine's properties."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    os.chdir(ROOT)
    with database(Path(folder)) as server:
        say(describe(server))
        from django.core.management import call_command

        call_command("collectstatic", interactive=False, verbosity=0)
        yield server


def empty_tables() -> None:
    """Give each turn the same start: no calls, and nothing left for a checkpoint to write."""
    from django.db import connection

    from config.roles import as_owner

    with as_owner(), connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {TABLES} CASCADE")
        cursor.execute("CHECKPOINT")


def events_kept() -> int:
    from calls.models import CallEvent

    return CallEvent.objects.count()


def describe(server: embedded.Server) -> str:
    from django.db import connection

    version = ".".join(map(str, divmod(connection.pg_version, 10000)))
    return (
        f"Python {platform.python_version()}, PostgreSQL {version}, {os.cpu_count()} processors, "
        f"a write to the disk takes {write_through_ms(server.home):.2f} ms"
    )


def write_through_ms(folder: Path) -> float:
    """Return the median time in milliseconds to write and sync 8 KiB to the disk."""
    took = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(200):
            began = time.perf_counter()
            os.pwrite(file.fileno(), bytes(8192), 0)
            os.fsync(file.fileno())
            took.append(time.perf_counter() - began)
    return statistics.median(took) * 1000


# --- The rounds ------------------------------------------------------------------------------


def take_turns(
    contenders: Sequence[Web | PgBench], server: embedded.Server, arguments: argparse.Namespace
) -> tuple[dict[str, list[Round]], dict[str, str]]:
    """Run rounds in which each contender has one turn. Return the rounds of each, and why a contender has none."""
    postgres = int((server.data / "postmaster.pid").read_text().split()[0])
    rounds: dict[str, list[Round]] = {contender.name: [] for contender in contenders}
    failures: dict[str, str] = {}

    def turn(contender: Web | PgBench, seconds: float) -> Round | None:
        empty_tables()
        try:
            figures = contender.run(seconds, arguments.connections, postgres)
            if (kept := events_kept()) != figures.posts:
                raise Invalid(  # noqa: TRY301 (one place says why a contender has no figures)
                    f"{figures.posts} posts were answered, {kept} are in the database"
                )
            if figures.posts < arguments.fewest:
                raise Invalid(f"only {figures.posts} posts were answered")  # noqa: TRY301
        except Invalid as invalid:
            failures[contender.name] = str(invalid)
            del rounds[contender.name]
            contender.stop()
            return None
        return figures

    try:
        for contender in contenders:
            try:
                contender.start()
            except Invalid as invalid:
                failures[contender.name] = str(invalid)
                del rounds[contender.name]
            else:
                turn(contender, min(WARM_UP_S, arguments.seconds))
        for number in range(1, arguments.rounds + 1):
            for contender in contenders:
                if contender.name in rounds and (figures := turn(contender, arguments.seconds)):
                    rounds[contender.name].append(figures)
                    say(
                        f"round {number}  {contender.name:<18} {figures.posts_per_s:>7,.0f} posts/s  "
                        f"99 % {figures.worst_percentile_ms:>4.0f} ms"
                    )
    finally:
        for contender in contenders:
            contender.stop()
    return rounds, failures


def table(rounds: dict[str, list[Round]]) -> str:
    """Return a table with the medians of each contender's rounds."""
    lines = [
        "|  | posts a second | Calltally ÷ it | CPU ms a post: web | PostgreSQL | client | median ms | 99 % ms |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, own_rounds in rounds.items():

        def middle(figure: Callable[[Round], float | None], digits: int = 2, own: list[Round] = own_rounds) -> str:
            known = [value for figures in own if (value := figure(figures)) is not None]
            return f"{statistics.median(known):,.{digits}f}" if known else "–"

        cells = [
            name,
            middle(lambda figures: figures.posts_per_s, 0),
            "1" if name == OURS else f"{ratio:.2f}" if (ratio := ratio_to(rounds, name)) else "–",
            "–" if name == "pgbench" else middle(lambda figures: figures.web_ms),
            middle(lambda figures: figures.postgres_ms),
            middle(lambda figures: figures.client_ms),
            middle(lambda figures: figures.median_ms, 1),
            middle(lambda figures: figures.worst_percentile_ms, 1),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def ratio_to(rounds: dict[str, list[Round]], name: str) -> float | None:
    """Return the median of our posts per second divided by theirs in the same round."""
    pairs = list(zip(rounds.get(OURS, []), rounds.get(name, []), strict=False))
    return statistics.median(ours.posts_per_s / theirs.posts_per_s for ours, theirs in pairs) if pairs else None


def targets(rounds: dict[str, list[Round]]) -> list[tuple[str, bool]]:
    """Return a line for each target, and whether it was reached."""
    lines = []
    for name, (at_least, aim) in TARGETS.items():
        ratio = ratio_to(rounds, name)
        promise = f"posts a second ÷ {name}: at least {at_least:.2f}, aim {aim:.2f}"
        if ratio is None:
            lines.append((f"{promise}: not measured", False))
            continue
        verdict = "NOT REACHED" if ratio < at_least else "reached" if ratio < aim else "reached, the aim too"
        lines.append((f"{promise}: {ratio:.2f}, {verdict}", ratio >= at_least))
    return lines


if __name__ == "__main__":
    sys.exit(main())
