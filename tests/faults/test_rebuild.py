"""`rebuild_counts` is killed half-way and run again while posts arrive, settings change and first posts come late."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from urllib.parse import urlencode

import pytest

from calls import posts
from calls.ingest import silent_calls, writer
from reports.counting import rollups
from reports.counting.count_tables import HOURS, PEAKS, TABLES
from tests.factories import post_body
from tests.faults.conftest import full_or
from tests.faults.readers import sign_in
from tests.faults.reckoning import SETTINGS, Post, rows_of
from tests.faults.system import ACCESS_KEY, System, wait_until
from tests.reports import expected
from tests.reports.scenario import BERLIN, BLOCK, KINDS

pytestmark = pytest.mark.faults

# Long over, with a day of 25 hours and three months.
FIRST, LAST = date(2025, 9, 20), date(2025, 11, 10)
CALLS = 120
COUNTED = [
    *(name for table in TABLES for name in (table.of_quarter_hours, table.of_days, table.of_months)),
    *(HOURS, PEAKS, "reports_firstpost"),
]

# A process whose application name is `stops at row N` waits before it inserts or deletes its Nth row of counts, for as
# long as the test holds the advisory lock.
STOP = 0x73746F70
TRIPWIRE = f"""
CREATE SEQUENCE fault_row;
CREATE FUNCTION fault_stop() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  IF current_setting('application_name') LIKE 'stops at row %' THEN
    IF current_setting('application_name') = 'stops at row ' || nextval('fault_row') THEN
      PERFORM pg_advisory_xact_lock_shared({STOP});
    END IF;
  END IF;
  RETURN coalesce(new, old);
END $$;
""" + "".join(
    f"CREATE TRIGGER fault_stop BEFORE INSERT OR DELETE ON {name} FOR EACH ROW EXECUTE FUNCTION fault_stop();"
    for name in COUNTED
)
WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted"
CONNECTED = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
LOGGED = """
SELECT count(*) FROM calls_changedquarterhour AS log JOIN calls_destinationnumber AS number
ON number.id = log.destination_number_id WHERE e164 = ANY(%s)"""
STILL_OPEN = """
SELECT count(*) FROM calls_call AS call JOIN calls_destinationnumber AS number ON number.id = call.destination_number_id
WHERE e164 = ANY(%s) AND ended_at IS NULL AND silent_at IS NULL"""
# Keys admit no posts that were received before they were issued.
ISSUED_LONG_AGO = """
UPDATE calls_accesskey AS key SET valid_from = '2020-01-01' FROM calls_destinationnumber AS number
WHERE number.id = key.destination_number_id AND e164 = %s RETURNING fingerprint"""
CHANGE = """
from calls.models import DestinationNumber
for e164, settings in {settings!r}.items():
    number = DestinationNumber.objects.get(e164=e164)
    for name, value in settings.items():
        setattr(number, name, value)
    number.save()
"""


@pytest.fixture(scope="module")
def counted(running):
    """The system, whose processes can be stopped at a row of counts."""

    def change(statements: str) -> None:
        """Change tables while no roll-up runs, because both lock several tables."""
        with running.database() as connection, connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [rollups.LOCK])
            connection.execute(statements)

    change(TRIPWIRE)
    yield running
    change("DROP FUNCTION fault_stop CASCADE; DROP SEQUENCE fault_row")


@pytest.fixture(scope="module")
def cookie(counted):
    return sign_in(counted, 1)[0]


def random_posts(chance: Random, numbers: list[str]) -> list[Post]:
    """Return the posts of calls of all kinds; each number posts some kinds only from some day on."""
    begin = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=BERLIN).astimezone(UTC)
    days = (LAST - FIRST).days
    from_day = {(e164, kind): chance.choice([0, 0, chance.randrange(days)]) for e164 in numbers for kind in KINDS}
    made = []
    for index in range(CALLS):
        e164, starts_ms = chance.choice(numbers), chance.randrange(days * 86_400_000)
        callback = "callback" if chance.randrange(10) == 0 else ""
        kinds = [
            kind
            for kind in [*chance.sample(KINDS, chance.randrange(1, 6)), *[BLOCK] * chance.randrange(3)]
            if starts_ms >= from_day[e164, kind] * 86_400_000
        ]
        after_ms = chance.sample(range(chance.choice([4_000, 60_000, 1_500_000])), len(kinds))
        made += [
            Post(
                begin + timedelta(milliseconds=starts_ms + after),
                e164,
                f"rebuilt-{e164}-{index}",
                kind,
                chance.choice(["ANNOUNCEMENT", "QUEUE", "SAY"]) if kind == BLOCK else "",
                callback,
            )
            for kind, after in zip(kinds, after_ms, strict=True)
        ]
    chance.shuffle(made)
    return made


def held_back(chance: Random, made: list[Post]) -> list[Post]:
    """Choose posts that are stored late: some of all, and the first ones of two kinds of each number."""
    late = chance.sample(made, len(made) // 5)
    for e164 in sorted({post.e164 for post in made}):
        for kind in chance.sample(KINDS, 2):
            of_kind = [post for post in made if (post.e164, post.kind) == (e164, kind)]
            late += sorted(of_kind, key=lambda post: post.at)[: chance.randrange(1, 4)]
    chance.shuffle(late)
    return list(dict.fromkeys(late))


def add_number(system: System, e164: str) -> str:
    """Add a number whose key was issued long ago; return the fingerprint of the key."""
    system.command("add_number", e164, "--key", ACCESS_KEY)
    with system.database() as connection:
        fingerprint: str = connection.execute(ISSUED_LONG_AGO, [e164]).fetchone()[0]
    return fingerprint


def store(system: System, fingerprints: dict[str, str], made: list[Post]) -> None:
    """Store posts as received at their time, in batches, as the writer of the intake does."""
    with system.database() as connection:
        connection.execute("SET TIME ZONE 'UTC'")
        read = []
        for post in made:
            body = post_body(
                f"{post.kind} {post.block}".strip(),
                post.e164,
                call_uuid=post.call_uuid,
                correlation_id=post.call_uuid,
                callback_id=post.callback_id or None,
            )
            parsed = posts.parse(json.dumps(body).encode(), post.at)
            read.append(replace(parsed, fingerprint=fingerprints[post.e164]))
        for first in range(0, len(read), 20):
            batch = read[first : first + 20]
            assert len(writer.write(connection, batch)) == len(batch)


@contextlib.contextmanager
def stopped_rebuild(system: System, row: int) -> Iterator[object]:
    """Yield a running rebuild_counts that waits before a row of counts. It goes on afterwards, unless it was killed."""
    with system.database() as holding, system.database() as watching:
        holding.execute("SELECT setval('fault_row', 1, false), pg_advisory_lock(%s)", [STOP])
        process = system.popen("manage.py", "rebuild_counts", PGAPPNAME=f"stops at row {row}")
        try:
            waits = "the rebuild that stops"
            wait_until(lambda: watching.execute(WAITING, [STOP]).fetchone() == (1,) or process.poll(), what=waits)
            assert process.poll() is None
            yield process
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise


def some_row(system: System, chance: Random) -> int:
    """Choose one of the rows that rebuild_counts deletes or inserts. It inserts about as many as it deletes."""
    with system.database() as connection:
        rows = sum(connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in COUNTED)
    return chance.randrange(1, rows * 19 // 10)


def close_and_count(system: System, numbers: list[str]) -> None:
    """Close the calls without an end, and wait until the system has counted all calls of these numbers."""
    with system.database() as connection:

        def closed() -> bool:
            connection.execute(silent_calls.CLOSE_SILENT_CALLS)
            return connection.execute(STILL_OPEN, [numbers]).fetchone() == (0,)

        wait_until(closed, what="calls that are closed")
        wait_until(lambda: connection.execute(LOGGED, [numbers]).fetchone() == (0,), what="counting")


def hold_figures(system: System, cookie: str, made: list[Post], settings: dict[str, dict[str, object]]) -> None:
    """Compare the downloads of these numbers with what their posts come to."""
    for kind in ("counts", "blocks"):
        for grain in ("quarter-hour", "day", "month"):
            query = [("from", FIRST), ("to", LAST), ("by", grain), *(("number", e164) for e164 in settings)]
            address = f"http://127.0.0.1:{system.port}/reports/{kind}.csv?{urlencode(query)}"
            with urllib.request.urlopen(urllib.request.Request(address, headers={"Cookie": cookie})) as answer:
                rows = list(csv.DictReader(answer.read().decode().splitlines()))
            wanted = rows_of(kind, made, settings, expected.cut(FIRST, LAST, grain))
            assert len(wanted) > len(settings)
            assert [{name: row[name] for name in wanted[0]} for row in rows] == wanted, (kind, grain)


def change_of(chance: Random) -> dict[str, object]:
    """Return one setting with a new value."""
    name = chance.choice(list(SETTINGS))
    values: dict[str, list[object]] = {
        "expects_forward": [False],
        "short_call_s": [0, 30],
        "service_level_s": [5, 60],
        "silent_after_h": [1, 48],
    }
    return {name: chance.choice(values.get(name, ["on", "off"]))}


@pytest.mark.parametrize("seed", range(full_or(40, 2)))
def test_a_rebuild_is_killed_and_run_again_while_posts_arrive(counted, cookie, endure, note, seed):
    chance = Random(seed)
    numbers = [f"+4922155401{2 * seed + n:03}" for n in range(2)]
    fingerprints = {e164: add_number(counted, e164) for e164 in numbers}
    made = random_posts(chance, numbers)
    late = held_back(chance, made)
    early = [post for post in made if post not in late]
    settings = {e164: dict(SETTINGS) for e164 in numbers}
    store(counted, fingerprints, early)
    close_and_count(counted, numbers)
    changes = {e164: change_of(chance) for e164 in numbers}

    @contextlib.contextmanager
    def fault(system):
        row = some_row(system, chance)
        with stopped_rebuild(system, row) as process:
            yield
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        with system.database() as connection:
            wait_until(lambda: connection.execute(CONNECTED, [f"stops at row {row}"]).fetchone() == (0,))
        # Nothing has changed.
        system.command("verify_rollups")
        close_and_count(system, numbers)
        hold_figures(system, cookie, early, settings)

        half, again = len(late) // 2, some_row(system, chance)
        with stopped_rebuild(system, again) as process:
            store(system, fingerprints, late[:half])
            is_changed, printed = system.run(CHANGE.format(settings=changes))
            assert is_changed, printed
            roll_ups = [system.popen("manage.py", "roll_up") for _ in range(2)]
            with system.database() as connection:
                wait_until(lambda: connection.execute(WAITING, [rollups.LOCK]).fetchone()[0] >= 2, what="two roll-ups")
        store(system, fingerprints, late[half:])
        assert [one.wait(120) for one in (process, *roll_ups)] == [0, 0, 0]
        note(f"killed at row {row}, stopped at row {again}, {changes}")

    endure(counted, fault, until=lambda system: close_and_count(system, numbers))

    hold_figures(counted, cookie, made, {e164: settings[e164] | changes[e164] for e164 in numbers})
