"""`make bench-exports`: the time of downloads compared with psql's COPY of the same rows, and the memory they need.

Uses made-up calls of twelve months with five posts each. Every file is downloaded over HTTP from a Calltally that
serves as `make run` does; for the CSV of calls, psql and Calltally run in turns."""

from __future__ import annotations

import argparse
import http.client
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from config import embedded
from tests.benchmarks.__main__ import database_for_pages, say
from tests.benchmarks.contenders import Web
from tests.faults.system import tree_of

DAYS = 365
PROMISED_RATIO, PROMISED_MB = 0.7, 100

CALLS = """
INSERT INTO calls_call (
  destination_number_id, call_uuid, weak_key, correlation_id, callback_id, first_post_at, last_post_at, call_start_at,
  forwarded_at, answered_at, ended_at, caller_id_number, customer_number, decided_by, weakly_identified, has_odd_posts
)
SELECT (%(numbers)s::bigint[])[1 + n %% cardinality(%(numbers)s)], md5(n::text)::uuid, '', n, '', at,
  at + interval '200 s', at, at + interval '9 s', CASE WHEN n %% 5 > 0 THEN at + interval '21 s' END,
  at + interval '200 s', '+49221' || 1000000 + n * 7 %% 9000000, '200001', '{}', false, false
FROM generate_series(1, %(calls)s) AS n
CROSS JOIN LATERAL (SELECT %(first)s + n * (%(length)s / %(calls)s) AS at) AS began
"""
EVENTS = """
INSERT INTO calls_callevent (
  ingest_id, call_id, received_at, request_type, block_type, destination, destination_type,
  destination_number, caller_id_number, customer_number, flags, payload
)
SELECT gen_random_uuid(), call.id, first_post_at + n * interval '1 s', request_type, block_type,
  CASE WHEN request_type IN ('INITIATE_FORWARD', 'FORWARD_ANSWER') THEN 'anna' ELSE '' END,
  CASE WHEN request_type IN ('INITIATE_FORWARD', 'FORWARD_ANSWER') THEN 'SIP_USER' ELSE '' END,
  '', caller_id_number, customer_number, '{}', '{}'
FROM calls_call AS call
CROSS JOIN (VALUES
  (0, 'CALL_START', ''), (5, 'BLOCK_END', 'ANNOUNCEMENT'), (9, 'INITIATE_FORWARD', ''), (21, 'FORWARD_ANSWER', ''),
  (200, 'CALL_END', '')
) AS post (n, request_type, block_type)
WHERE request_type <> 'FORWARD_ANSWER' OR answered_at IS NOT NULL
"""


# The code of the files worker; prints its peak memory in MB.
MAKE = """
import os, resource, django
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()
from reports import workbook_jobs
workbook_jobs.make_waiting()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)
"""


@dataclass(frozen=True)
class Download:
    """The time and size of a download."""

    seconds: float
    first_byte_s: float
    rows: int
    megabytes: float
    peak_mb: float  # peak of the largest process of the web server


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-exports", description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000_000, help="how many calls there are (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="how often the CSV of calls is made (%(default)s)")
    parser.add_argument("--folder", default="/var/tmp", help="where the database lies while it runs (%(default)s)")
    arguments = parser.parse_args()
    with database_for_pages(arguments.folder) as server:
        began = time.monotonic()
        fill(arguments.calls)
        say(f"Made up {arguments.calls:,} calls of {DAYS} days in {time.monotonic() - began:.0f} s.\n")
        with serving(server.home) as (web, cookie):
            return 0 if measure(web, cookie, arguments.rounds) else 1


def fill(calls: int) -> None:
    """Create calls and their posts, and count them."""
    from django.db import connection

    from calls.models import DestinationNumber
    from reports import periods
    from reports.counting import rollups

    first = periods.day_start(periods.today() - DAYS * periods.DAY)
    with connection.cursor() as cursor:
        numbers = list(DestinationNumber.objects.values_list("pk", flat=True))
        length = timedelta(days=DAYS)
        cursor.execute(CALLS, {"numbers": numbers, "calls": calls, "first": first, "length": length})
        cursor.execute(EVENTS)
        cursor.execute("VACUUM (ANALYZE)")
    rollups.rebuild()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")


@contextmanager
def serving(home: Path) -> Iterator[tuple[Web, str]]:
    """Yield Calltally's web server, and the cookie of a user who sees all numbers."""
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.test import Client

    from config.services import services

    client = Client()
    client.force_login(User.objects.create_superuser("bench"))
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    web = Web("Calltally", lambda port: services(port)["web"], home / "logs")
    web.start()
    try:
        yield web, cookie
    finally:
        web.stop()


def measure(web: Web, cookie: str, rounds: int) -> bool:
    """Print the figures of each file; return whether the targets were reached."""
    from reports import periods

    last = periods.today() - periods.DAY
    year = f"from={last - (DAYS - 1) * periods.DAY}&to={last}"
    download(web, cookie, f"/reports/calls.csv?from={last}&to={last}")  # warms up
    say(f"{'':38}{'s':>8}{'first byte':>12}{'rows':>12}{'MB':>8}{'peak MB':>9}")
    ours, theirs, peaks = [], [], []
    for _ in range(rounds):
        got = download(web, cookie, f"/reports/calls.csv?{year}")
        print_figures("calls.csv", got)
        seconds, rows = copied(last)
        say(f"{'the same by psql':38}{seconds:8.1f}{'':12}{rows:12,}")
        if rows != got.rows:
            raise SystemExit(f"{got.rows} rows were downloaded, psql has {rows}")
        ours.append(got.seconds)
        theirs.append(seconds)
        peaks.append(got.peak_mb)
    for name, address in {
        "calls.csv for Excel": f"/reports/calls.csv?{year}&format=excel",
        "counts.csv by quarter-hour": f"/reports/counts.csv?{year}&by=quarter-hour",
        "blocks.csv by quarter-hour": f"/reports/blocks.csv?{year}&by=quarter-hour",
        "planner.csv": f"/reports/planner.csv?{year}",
    }.items():
        got = download(web, cookie, address)
        print_figures(name, got)
        peaks.append(got.peak_mb)
    for name, kind, query in (
        ("counts.xlsx by quarter-hour", "counts", f"{year}&by=quarter-hour"),
        ("calls.xlsx", "calls", year),
    ):
        got = made(kind, query)
        print_figures(name, got)
        peaks.append(got.peak_mb)
    ratio = statistics.median(copy / download for copy, download in zip(theirs, ours, strict=True))
    is_fast, is_small = ratio >= PROMISED_RATIO, max(peaks) <= PROMISED_MB
    say(
        f"\npsql's time ÷ ours: {ratio:.2f}{'' if is_fast else '   not reached'}\n"
        f"most memory of a process: {max(peaks):.0f} MB{'' if is_small else '   not reached'}"
    )
    return is_fast and is_small


def print_figures(name: str, got: Download) -> None:
    say(f"{name:38}{got.seconds:8.1f}{got.first_byte_s:12.2f}{got.rows:12,}{got.megabytes:8.0f}{got.peak_mb:9.0f}")


def download(web: Web, cookie: str, address: str) -> Download:
    """Read a file to its end without storing it; the number of rows excludes the header."""
    assert web.child.pid
    workers = tree_of(web.child.pid)
    for pid in workers:
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # resets the peak
    began = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=600)
    connection.request("GET", address, headers={"Cookie": cookie})
    answer = connection.getresponse()
    if answer.status != 200:
        raise SystemExit(f"{address}: {answer.status} {answer.read(200)!r}")
    first, size, lines = None, 0, -1
    while piece := answer.read1(1 << 16):
        first = first or time.perf_counter() - began
        size += len(piece)
        lines += piece.count(b"\n")
    connection.close()
    peak = max(peak_mb(pid) for pid in workers)
    return Download(time.perf_counter() - began, first or 0.0, lines, size / 1e6, peak)


def made(kind: str, query: str) -> Download:
    """Make a workbook in a process as the files worker does; its first byte is available once it is complete."""
    from django.contrib.auth.models import User
    from django.contrib.sessions.backends.base import SessionBase
    from django.http import QueryDict

    from reports.exports import downloads, workbook_jobs
    from reports.models import WorkbookState

    user = User.objects.get(username="bench")
    job = workbook_jobs.ask(downloads.read(kind, QueryDict(query), user, SessionBase()), user)
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", MAKE], check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    job.refresh_from_db()
    if job.state != WorkbookState.READY:
        raise SystemExit(f"{kind}.xlsx: {job.state} {job.error}")
    return Download(seconds, seconds, job.rows, job.size / 1e6, float(done.stdout))


def copied(last: Any) -> tuple[float, int]:
    """Copy the rows of the CSV of calls with psql; return the seconds and the number of rows."""
    from django.conf import settings

    from calls.access import Rights
    from calls.models import Call, Right
    from reports import periods
    from reports.exports import csv_files

    period = periods.Period(last - (DAYS - 1) * periods.DAY, last)
    calls = Call.objects.filter(first_post_at__gte=period.start, first_post_at__lt=period.end)
    query = csv_files.calls_query(calls, Rights(frozenset(Right)))
    config = settings.DATABASES["default"]
    began = time.perf_counter()
    psql = subprocess.Popen(
        [embedded.find_binaries().path("psql"), "--no-psqlrc", "--quiet", config["NAME"]],
        env=os.environ
        | {"PGHOST": config["HOST"], "PGPORT": str(config["PORT"]), "PGUSER": config["USER"]}
        | {
            "PGPASSWORD": config["PASSWORD"],
            "PGTZ": settings.TIME_ZONE,
            "PGOPTIONS": "-c jit=off -c max_parallel_workers_per_gather=0",
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert psql.stdin
    assert psql.stdout
    psql.stdin.write(f"COPY ({query}) TO STDOUT WITH (FORMAT csv, HEADER);\n".encode())
    psql.stdin.close()
    lines = -1
    while piece := psql.stdout.read(1 << 16):
        lines += piece.count(b"\n")
    if psql.wait():
        raise SystemExit("psql did not copy")
    return time.perf_counter() - began, lines


def peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1000


if __name__ == "__main__":
    sys.exit(main())
