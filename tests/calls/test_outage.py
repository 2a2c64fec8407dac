"""While the database is down, slow or locked, no post that was answered 2xx is lost, and answers come in time."""

import contextlib
import json
import sqlite3
import stat
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from calls import posts
from calls.ingest import intake, writer
from calls.ingest.drain import drain_some
from calls.ingest.spool import Spool, SpoolError, open_spool
from calls.models import AccessKey, Call, CallEvent
from tests.factories import ACCESS_KEY, make_key, post, post_body

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_intake")]


@pytest.fixture
def away(own_intake, monkeypatch):
    """Return a function that makes the database unavailable to the intake; it returns a function that undoes this."""

    def back():
        monkeypatch.setitem(connection.settings_dict, "PORT", there)
        connection.close()

    there = connection.settings_dict["PORT"]

    def go():
        own_intake.close()  # its connections would stay open
        monkeypatch.setitem(connection.settings_dict, "PORT", "1")
        return back

    yield go
    back()


def held():
    return intake.held_in_spool()


def drain(*words):
    call_command("drain_spool", *words or ["--once"])


def start(number, key=ACCESS_KEY, **more):
    return post_body("CALL_START", number, key, **more)


def test_a_post_is_answered_200_while_the_database_is_away_and_drained_with_its_time_of_receipt(client, number, away):
    before = timezone.now()
    back = away()
    assert post(client, start(number)).status_code == 200
    after = timezone.now()
    assert held().waiting == 1

    back()
    drain()

    event = CallEvent.objects.get()
    assert before <= event.received_at <= after
    assert event.call.first_post_at == event.received_at
    assert held().waiting == 0


def test_posts_are_written_again_as_soon_as_the_database_is_back(client, number, away):
    back = away()
    post(client, start(number))
    back()

    until = time.monotonic() + 20
    while not CallEvent.objects.exists():
        assert post(client, start(number)).status_code == 200
        assert time.monotonic() < until

    assert CallEvent.objects.count() == 1


def test_only_its_owner_can_read_the_spool_and_it_contains_no_key(client, number, away):
    away()
    post(client, start(number, note=f"my key is {ACCESS_KEY}"))

    files = list(django_settings.SPOOL_FOLDER.iterdir())
    assert len(files) > 1  # its WAL file too
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(django_settings.SPOOL_FOLDER.stat().st_mode) == 0o700
    assert not any(ACCESS_KEY.encode() in path.read_bytes() for path in files)
    with sqlite3.connect(files[0].parent / "posts.sqlite3") as file:
        assert file.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.time_limits
@pytest.mark.parametrize(
    "table", ["calls_call", "calls_callevent", "calls_changedquarterhour", "calls_accesskey", "calls_destinationnumber"]
)
def test_a_locked_table_delays_no_post_and_its_posts_are_stored_once_afterwards(client, number, table):
    assert post(client, start(number)).status_code == 200
    with writer.connect() as other:
        with other.transaction():
            other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            for kind in ("BLOCK_END", "BLOCK_END", "CALL_END"):
                assert post(client, post_body(kind, number)).status_code == 200
            assert held().waiting == 3
        drain()

    assert CallEvent.objects.count() == 4
    assert Call.objects.get().ended_at is not None
    assert held().waiting == 0


@pytest.mark.time_limits
def test_a_post_that_the_database_wrote_after_the_time_limit_is_stored_once(client, number):
    """The statement waits for a lock longer than the request does, and then succeeds."""
    assert post(client, start(number)).status_code == 200
    with writer.connect() as other, other.transaction():
        other.execute("SELECT FROM calls_call FOR UPDATE")
        assert post(client, post_body("CALL_END", number)).status_code == 200
        assert held().waiting == 1
    until = time.monotonic() + 10
    while CallEvent.objects.count() < 2:
        assert time.monotonic() < until

    drain()

    assert CallEvent.objects.count() == 2


def test_a_table_that_is_missing_during_a_migration_quarantines_nothing(client, number):
    assert post(client, start(number)).status_code == 200
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE calls_callevent RENAME TO elsewhere")
    try:
        assert post(client, post_body("CALL_END", number)).status_code == 200
        with pytest.raises(SystemExit, match=r"1 posts still wait\. The database cannot store them now"):
            drain()
        assert (held().waiting, held().set_aside) == (1, 0)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE elsewhere RENAME TO calls_callevent")
    drain()

    assert CallEvent.objects.count() == 2


@pytest.fixture
def refusing(number):
    """Make the database refuse posts whose block type is REFUSED."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE calls_callevent ADD CONSTRAINT refusing CHECK (block_type <> 'REFUSED') NOT VALID")
    yield
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE calls_callevent DROP CONSTRAINT IF EXISTS refusing")


def test_one_bad_row_does_not_block_its_batch(number, refusing):
    batch = [
        posts.parse(json.dumps(post_body(kind, number, call_uuid=f"call {index}")).encode())
        for index, kind in enumerate(["BLOCK_END GOOD"] * 41 + ["BLOCK_END REFUSED"] + ["BLOCK_END GOOD"] * 22)
    ]
    own = writer.Writer("calltally writer")

    answers = own.write(batch)

    assert [index for index, answer in enumerate(answers) if answer is not True] == [41]
    assert isinstance(answers[41], writer.Unwritable)
    assert CallEvent.objects.count() == 63
    own.close()


def test_posts_that_the_database_refuses_are_quarantined_shown_and_retried(client, number, refusing, away, capsys):
    assert post(client, post_body("BLOCK_END REFUSED", number, caller_id_number="+49301112223")).status_code == 200
    back = away()
    for _ in range(3):
        assert post(client, post_body("BLOCK_END GOOD", number)).status_code == 200
    back()
    drain()

    assert CallEvent.objects.count() == 3
    assert (held().waiting, held().set_aside) == (0, 1)
    assert client.get("/healthz").json()["set_aside"] == 1
    drain("--show")
    said = capsys.readouterr().out
    assert "0 posts wait; 1 are quarantined." in said
    assert "refused by the database, SQLSTATE 23514: BLOCK_END for +4922155400300" in said
    assert "+49301112223" not in said

    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE calls_callevent DROP CONSTRAINT refusing")
    drain("--once", "--try-again")
    assert CallEvent.objects.count() == 4
    assert held().set_aside == 0


def test_keys_that_cannot_be_checked_are_checked_when_posts_are_drained(client, number, away):
    back = away()  # before this process has read any key
    assert post(client, start(number)).status_code == 200
    assert post(client, start(number, "not-a-key-of-ours-12345")).status_code == 200
    assert (held().waiting, held().unverified) == (2, 2)

    back()
    drain()

    assert CallEvent.objects.count() == 1
    assert (held().waiting, held().set_aside) == (0, 1)


def test_an_ended_or_missing_key_is_refused_without_the_database_too(client, number, away, own_intake):
    for name, end in (("revoked", "revoked_at"), ("expired", "expires_at")):
        make_key(number, f"{name}-key-0123456789", **{end: timezone.now() - timedelta(minutes=1)})
    post(client, start(number))
    own_intake._keys.ask(None, 10)  # as happens once a minute
    away()

    for key in ("revoked-key-0123456789", "expired-key-0123456789", "", None):
        answer = post(client, start(number, accessKey=key))
        assert (answer.status_code, answer.content) == (403, b'{"error":"forbidden"}'), key
    assert post(client, start(number)).status_code == 200
    assert (held().waiting, held().unverified) == (1, 0)

    # And for an unreadable post, the answer depends on a live key as always.
    assert post(client, start(number, requestType=None)).status_code == 400
    assert post(client, start(number, "some-other-key-1234", requestType=None)).status_code == 403


def test_a_key_revoked_while_its_post_waits_is_judged_by_the_time_of_receipt(client, number, away):
    back = away()
    assert post(client, start(number)).status_code == 200
    back()
    AccessKey.objects.update(revoked_at=timezone.now())
    drain()

    assert CallEvent.objects.count() == 1


def test_a_full_spool_without_a_database_answers_503_and_health_reports_it(client, number, settings, away):
    settings.SPOOL_MOST_MB = 1
    own = intake.Intake(open_spool())
    make_key(number, "another-key-0123456789")
    assert post(client, start(number)).status_code == 200
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intake, "get_intake", lambda: own)
        own._keys.ask(None, 10)
        back = away()
        own.close()
        taken = 0
        while (answer := post(client, start(number, call_uuid=str(taken), note="x" * 60_000))).status_code == 200:
            taken += 1
            assert taken < 30
        assert (answer.status_code, answer.content) == (503, b'{"error":"unavailable"}')
        assert int(answer["Retry-After"]) > 0
        health = client.get("/healthz")
        assert (health.status_code, health.json()["status"]) == (503, "unavailable")
        back()
    own.close()
    assert taken > 5
    assert sum(path.stat().st_size for path in settings.SPOOL_FOLDER.glob("*.sqlite3")) <= 1024 * 1024

    # No post that was answered 200 is lost, and there is room again.
    drain()
    assert CallEvent.objects.count() == 1 + taken
    assert client.get("/healthz").status_code == 200


def test_posts_with_unchecked_keys_leave_room_for_those_with_live_keys(number, tmp_path):
    spool = Spool(tmp_path / "posts.sqlite3", 1024 * 1024)

    def large(index):
        return posts.parse(json.dumps(start(number, call_uuid=str(index), note="x" * 30_000)).encode())

    unverified = [spool.add([(large(index), False)])[0] for index in range(20)]
    verified = [spool.add([(large(index), True)])[0] for index in range(20, 35)]

    assert 5 <= unverified.count(None) <= 9
    assert isinstance(unverified[-1], SpoolError)
    assert verified.count(None) == 15
    spool.close()


def test_a_spool_that_was_emptied_returns_its_space(number, tmp_path):
    with contextlib.closing(Spool(tmp_path / "posts.sqlite3", 64 * 1024 * 1024)) as spool:

        def size():
            with contextlib.closing(sqlite3.connect(spool.path)) as file:
                file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return spool.path.stat().st_size

        bodies = [json.dumps(start(number, call_uuid=str(index), note="x" * 30_000)).encode() for index in range(200)]
        spool.add([(posts.parse(body), True) for body in bodies])
        assert size() > 200 * 30_000
        spool.remove(spool.waiting(150))
        spool.shrink()
        assert 50 * 30_000 < size() < 60 * 30_000 + 256 * 4096
        assert len(spool.waiting(200)) == 50


def test_another_process_that_closes_the_spool_does_not_remove_its_log(tmp_path):
    """A process writes to the spool through one connection, and looks into it through others."""
    path = tmp_path / "posts.sqlite3"
    with contextlib.closing(Spool(path, 10_000_000)) as spool:
        assert spool.waiting(1) == []
        with contextlib.closing(Spool(path, 10_000_000)) as another:
            assert another.waiting(1) == []
        log = path.with_name(f"{path.name}-wal")
        begun = log.stat().st_ino
        reads = (
            "import sqlite3, sys; file = sqlite3.connect(sys.argv[1]); file.execute('SELECT * FROM post').fetchall()"
        )
        subprocess.run([sys.executable, "-c", f"{reads}; file.close()", path], check=True)
        assert log.stat().st_ino == begun


def test_parallel_writers_of_the_spool_take_turns(tmp_path):
    class SlowDisk(list):
        def __iter__(self):
            time.sleep(0.02)  # no one else can write meanwhile, as during a slow sync
            return super().__iter__()

    turns = Counter()

    def write(name):
        with contextlib.closing(Spool(tmp_path / "posts.sqlite3", 1024 * 1024)) as spool:
            while turns.total() < 60:
                spool.add(SlowDisk())
                turns[name] += 1

    with ThreadPoolExecutor() as writers:
        assert list(writers.map(write, "abc")) == [None] * 3

    assert min(turns.values()) >= 12, turns


def test_a_drainer_that_was_killed_before_it_could_delete_writes_nothing_twice(client, number, away):
    back = away()
    bodies = [
        start(number),
        post_body("INITIATE_FORWARD", number, call_uuid=None),
        post_body("CALL_END", number, call_uuid=None, correlation_id=None),
        post_body("CALL_END", number, call_uuid=None, correlation_id=None),
    ]
    for body in bodies:
        assert post(client, body).status_code == 200
    back()
    spool, own = open_spool(), writer.Writer("calltally drainer")
    assert len(own.write([spooled.read() for spooled in spool.waiting(100)])) == 4  # and killed
    before = list(Call.objects.order_by("pk").values())

    assert drain_some(spool, own).written == 4

    assert CallEvent.objects.count() == 4
    assert [row | {"moved_from": None} for row in Call.objects.order_by("pk").values()] == before
    assert not spool.waiting(1)
    spool.close()
    own.close()


def test_a_corrupt_spool_is_renamed_and_a_new_one_created(client, number, away, tmp_path):
    folder = tmp_path / "spool"
    folder.mkdir()
    (folder / "posts.sqlite3").write_bytes(b"rubbish " * 1000)
    away()

    statuses = [post(client, start(number)).status_code for _ in range(3)]

    assert statuses == [503, 200, 200]
    assert held().waiting == 2
    (broken,) = folder.glob("posts.sqlite3.broken-*")
    assert broken.read_bytes().startswith(b"rubbish")


def test_a_spool_that_is_renamed_while_in_use_is_created_again(client, number, away, tmp_path):
    away()
    assert post(client, start(number)).status_code == 200
    (tmp_path / "spool").rename(tmp_path / "elsewhere")
    assert post(client, start(number)).status_code == 200

    assert held().waiting == 1


def test_an_unreadable_row_is_quarantined_and_blocks_no_other(client, number, away, tmp_path):
    back = away()
    for _ in range(2):
        post(client, start(number))
    with sqlite3.connect(tmp_path / "spool" / "posts.sqlite3") as file:
        file.execute("UPDATE post SET post = 'rubbish' WHERE id = 1")
    back()
    drain()

    assert CallEvent.objects.count() == 1
    assert (held().waiting, held().set_aside) == (0, 1)
    drain("--show")


def test_health_and_log_report_posts_that_wait_for_more_than_a_minute(client, number, away, tmp_path, caplog):
    away()
    post(client, start(number))
    assert client.get("/healthz").json()["spool"] == "ok"
    with sqlite3.connect(tmp_path / "spool" / "posts.sqlite3") as file:
        file.execute("UPDATE post SET spooled_at = spooled_at - 75")

    health = client.get("/healthz")

    assert health.status_code == 200
    assert health.json() == {
        "status": "ok",
        "database": "away",
        "spool": "posts have waited for more than 60 s",
        "spooled": 1,
        "oldest_spooled_s": 75,
        "set_aside": 0,
    }
    assert "1 posts wait in the spool, the oldest for 75 s" in caplog.text
