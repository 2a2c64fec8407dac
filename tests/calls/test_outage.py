"""While the database is down, slow or locked, no post that was answered 2xx is lost, and answers come in time."""

import json
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from calls import posts
from calls.ingest import writer
from calls.ingest.drain import drain_some
from calls.ingest.spool import open_spool
from calls.models import AccessKey, Call, CallEvent
from tests.calls.spooled import drain, held, start
from tests.factories import make_key, post, post_body
from tests.owner import as_owner

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_intake")]


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
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE calls_callevent RENAME TO elsewhere")
    try:
        assert post(client, post_body("CALL_END", number)).status_code == 200
        with pytest.raises(SystemExit, match=r"1 posts still wait\. The database cannot store them now"):
            drain()
        assert (held().waiting, held().set_aside) == (1, 0)
    finally:
        with as_owner(), connection.cursor() as cursor:
            cursor.execute("ALTER TABLE elsewhere RENAME TO calls_callevent")
    drain()

    assert CallEvent.objects.count() == 2


@pytest.fixture
def refusing(number):
    """Make the database refuse posts whose block type is REFUSED."""
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE calls_callevent ADD CONSTRAINT refusing CHECK (block_type <> 'REFUSED') NOT VALID")
    yield
    with as_owner(), connection.cursor() as cursor:
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

    with as_owner(), connection.cursor() as cursor:
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
