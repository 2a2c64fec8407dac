"""`make bench-rest`: the memory and processor time of all processes of `make run` while no post arrives.

Starts them in a separate home and measures them three times: when no one has signed in yet, while one person watches
calls that ring, and with an endpoint, which the dispatcher serves. Memory is the proportional set size: what only a
process uses, and its share of what several use."""

from __future__ import annotations

import argparse
import contextlib
import http.client
import http.cookiejar
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from config.embedded import command_line
from tests.benchmarks.__main__ import say
from tests.faults.system import System, children_of, tree_of

MOST_MB, MOST_MB_OF_LIVE, MOST_PERCENT_OF_LIVE = 600.0, 90.0, 2.0
MOST_MB_OF_DISPATCHER, MOST_PERCENT_OF_DISPATCHER = 70.0, 1.0
QUICKSTART = "quickstart"
# A word of each command, by the name of the process.
WORDS = {
    "web": "config.serve",
    "drainer": "drain_spool",
    "worker": "worker",
    "beat": "beat",
    "live": "granian",
    "dispatcher": "dispatch_events",
    "postgres": "-D",
}
PERSON = {"DJANGO_SUPERUSER_USERNAME": "bench", "DJANGO_SUPERUSER_PASSWORD": "correct horse battery"}
# Only people for whom calls can ring get a stream.
AT_A_DESTINATION = """
from django.contrib.auth.models import User
from contacts.models import AgentDestination
AgentDestination.objects.create(user=User.objects.get(), destination_type="SIP_USER", destination="1001")
"""
AN_ENDPOINT = """
from live.models import Endpoint
Endpoint.objects.create(name="ERP", format="webhook", url="https://erp.example.com/calls", is_on=True)
"""
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Used:
    """What a process and its children use."""

    processes: int
    megabytes: float
    percent: float  # of one processor


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-rest", description=__doc__)
    parser.add_argument("--settle", type=float, default=120.0, help="seconds before measuring (%(default)s)")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each measurement (%(default)s)")
    parser.add_argument("--folder", default="/var/tmp", help="where the home lies while it runs (%(default)s)")
    parser.add_argument("--json", metavar="FILE", help="write the figures there")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    with running(arguments.folder) as system:
        time.sleep(arguments.settle)
        alone = measure(system, arguments.seconds)
        with watching(system):
            time.sleep(arguments.settle / 4)
            watched = measure(system, arguments.seconds)
        system.manage("shell", "-c", AN_ENDPOINT)
        time.sleep(arguments.settle / 2)
        dispatched = measure(system, arguments.seconds)
    if arguments.json:
        kept = {"alone": alone, "watched": watched, "dispatched": dispatched}
        used = {when: {name: asdict(part) for name, part in parts.items()} for when, parts in kept.items()}
        Path(arguments.json).write_text(json.dumps(used, indent=1) + "\n")
    return 0 if report(alone, watched, dispatched.get("dispatcher")) else 1


@contextlib.contextmanager
def running(folder: str) -> Iterator[System]:
    """Run the processes of `make run` in a new home with a superuser; delete it afterwards."""
    place = Path(tempfile.mkdtemp(prefix="calltally-benchmark-", dir=folder))
    system = System(place / "var", ROLL_UP_EVERY_S="10", **PERSON)
    try:
        system.start()
        system.manage("shell", "-c", AT_A_DESTINATION)
        yield system
    finally:
        system.stop()
        shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def watching(system: System) -> Iterator[None]:
    """Sign in, and read a stream of calls that ring."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    address = f"http://127.0.0.1:{system.port}/accounts/login/"
    form = opener.open(address).read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
    assert token
    values = {
        "username": PERSON["DJANGO_SUPERUSER_USERNAME"],
        "password": PERSON["DJANGO_SUPERUSER_PASSWORD"],
        "csrfmiddlewaretoken": token[1],
    }
    opener.open(address, urllib.parse.urlencode(values).encode()).close()
    # Cookies do not distinguish ports.
    stream = opener.open(f"http://127.0.0.1:{system.port + 1}/live/events", timeout=60)
    if stream.status != 200 or not stream.readline():
        raise SystemExit(f"the stream was answered {stream.status}")

    def listen() -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):  # when the process `live` is stopped
            stream.read()

    threading.Thread(target=listen, daemon=True).start()
    yield


def measure(system: System, seconds: float) -> dict[str, Used]:
    """Return what each process uses, by its name. Processes that begin or end meanwhile are left out."""
    assert system.process
    quickstart = system.process.pid
    trees = {name_of(pid): tree_of(pid) for pid in children_of(quickstart)} | {QUICKSTART: [quickstart]}
    before = {pid: ticks(pid) for pids in trees.values() for pid in pids}
    time.sleep(seconds)
    return {name: used(pids, before, seconds) for name, pids in sorted(trees.items())}


def used(pids: Sequence[int], before: Mapping[int, int | None], seconds: float) -> Used:
    """Return what processes use together."""
    spent, memory = [], []
    for pid in pids:
        began, ended, size = before[pid], ticks(pid), megabytes(pid)
        if began is not None and ended is not None and size is not None:
            spent.append(ended - began)
            memory.append(size)
    return Used(len(spent), sum(memory), sum(spent) / TICKS_A_SECOND / seconds * 100)


def name_of(pid: int) -> str:
    words = command_line(pid).split()
    names = [name for name, word in WORDS.items() if word in words]
    if len(names) != 1:
        raise SystemExit(f"{words} is no process of `make run` that is known here")
    return names[0]


def megabytes(pid: int) -> float | None:
    """Return the memory of a process; None if it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def ticks(pid: int) -> int | None:
    """Return the processor time of a process; None if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[11]) + int(fields[12])


def report(alone: dict[str, Used], watched: dict[str, Used], dispatcher: Used | None) -> bool:
    """Print the figures; return whether the targets were reached."""
    if dispatcher is None:
        raise SystemExit("the dispatcher did not begin")
    say(f"{'':12}{'processes':>10}{'MB':>8}{'% of a processor':>18}{'MB, one stream':>17}{'% of a processor':>18}")
    for name, used in alone.items():
        print_figures(name, used, watched[name])
    all_alone = total(alone)
    print_figures("all", all_alone, total(watched))
    say(f"dispatcher, with an endpoint: {dispatcher.megabytes:.1f} MB, {dispatcher.percent:.2f} % of a processor")
    reached = {
        f"all of `make run` ≤ {MOST_MB:.0f} MB": all_alone.megabytes <= MOST_MB,
        f"live ≤ {MOST_MB_OF_LIVE:.0f} MB": alone["live"].megabytes <= MOST_MB_OF_LIVE,
        f"live with one stream ≤ {MOST_PERCENT_OF_LIVE:.0f} % of a processor": watched["live"].percent
        <= MOST_PERCENT_OF_LIVE,
        "without an endpoint no dispatcher": "dispatcher" not in alone,
        f"dispatcher ≤ {MOST_MB_OF_DISPATCHER:.0f} MB": dispatcher.megabytes <= MOST_MB_OF_DISPATCHER,
        f"dispatcher ≤ {MOST_PERCENT_OF_DISPATCHER:.0f} % of a processor": dispatcher.percent
        <= MOST_PERCENT_OF_DISPATCHER,
    }
    for target, is_reached in reached.items():
        say(f"{target}: {'reached' if is_reached else 'NOT REACHED'}")
    return all(reached.values())


def print_figures(name: str, used: Used, watched: Used) -> None:
    memory, then = f"{used.megabytes:8.1f}{used.percent:18.2f}", f"{watched.megabytes:17.1f}{watched.percent:18.2f}"
    say(f"{name:12}{used.processes:10}{memory}{then}")


def total(parts: dict[str, Used]) -> Used:
    return Used(
        sum(used.processes for used in parts.values()),
        sum(used.megabytes for used in parts.values()),
        sum(used.percent for used in parts.values()),
    )


if __name__ == "__main__":
    sys.exit(main())
