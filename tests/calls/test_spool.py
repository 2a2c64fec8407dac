"""The spool, in which posts wait for the database: its file, its limits, and what is wrong in it."""

import contextlib
import json
import sqlite3
import stat
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings as django_settings

from calls import posts
from calls.ingest import intake, writer
from calls.ingest.spool import Spool, SpoolError, open_spool
from calls.models import Call, CallEvent, RefusedPost
from tests.calls.refused import send
from tests.calls.spooled import drain, held, start
from tests.factories import ACCESS_KEY, make_key, post

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_intake")]


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


def test_with_a_full_spool_a_database_that_is_back_is_asked_before_it_is_due(
    client, number, own_intake, away, monkeypatch
):
    monkeypatch.setattr(writer, "SHORTEST_REST_S", 600.0)
    monkeypatch.setattr(writer, "LONGEST_REST_S", 600.0)
    assert send(client, start(number)).status_code == 200
    own_intake._keys.ask(None, 10)
    refused = start(number) | {"requestType": None}
    back = away()
    assert send(client, start(number, call_uuid="spooled")).status_code == 200
    assert send(client, refused).status_code == 400
    monkeypatch.setattr(Spool, "_connected", no_space)
    assert send(client, start(number, call_uuid="lost")).status_code == 503

    back()

    assert own_intake._writer.is_resting()
    assert own_intake._refused_writer.is_resting()
    assert send(client, start(number, call_uuid="stored")).status_code == 200
    assert send(client, refused).status_code == 400
    assert Call.objects.filter(call_uuid="stored").exists()
    assert RefusedPost.objects.count() == 1


def no_space(*_):
    raise SpoolError("no space left")


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
