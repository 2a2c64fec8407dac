"""Refused posts are stored under conditions, and counted with their time of receipt."""

import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from calls.ingest import intake, refused_posts
from calls.ingest.writer import connect
from calls.models import Call, CallEvent, Reason, RefusedPost
from tests.calls.refused import OTHER, STRANGER, TENIOS, made_up, send, set_policy, settled, start
from tests.factories import ACCESS_KEY, E164, make_key, make_number, post_body

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_intake")]

# --- Which posts are stored, and the reason --------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (start("+4940555555"), 403, Reason.UNKNOWN_NUMBER),
        (start("+4940555555", "a-key-nobody-knows"), 403, Reason.UNKNOWN_NUMBER),
        (start(key="a-key-nobody-knows"), 403, Reason.UNKNOWN_KEY),
        (start(OTHER), 403, Reason.KEY_OF_ANOTHER),
        (start(key="the-key-that-expired"), 403, Reason.KEY_OVER),
        (start(key="the-key-that-was-revoked"), 403, Reason.KEY_OVER),
        (start(key="the-key-of-tomorrow"), 403, Reason.KEY_OVER),
        (start(key=None), 403, Reason.NO_KEY),
        (start(key="  "), 403, Reason.NO_KEY),
        (start(key="the-key-of-two-numbers", destination_number=None), 403, Reason.NO_NUMBER),
        (start(key="a-key-nobody-knows", destination_number=None), 403, Reason.UNKNOWN_KEY),
        (start(requestType=None), 400, Reason.BAD_POST),
    ],
)
def test_a_refused_post_from_a_listed_address_is_stored_with_the_reason(client, number, body, status, reason):
    now = timezone.now()
    make_key(number, "the-key-that-expired", expires_at=now - timedelta(days=1))
    make_key(number, "the-key-that-was-revoked", revoked_at=now - timedelta(days=1))
    make_key(number, "the-key-of-tomorrow", valid_from=now + timedelta(days=1))
    for with_key in (number, make_number(OTHER)):
        make_key(with_key, "the-key-of-two-numbers")

    assert send(client, body).status_code == status

    (kept,) = settled()
    assert (kept.reason, kept.status, kept.address, kept.count) == (reason, status, TENIOS, 1)
    named = body["variables"].get("destination_number") or ""
    assert kept.destination_number == named
    assert "accessKey" not in kept.body
    assert body.get("accessKey", "").strip() not in kept.body or not body.get("accessKey", "").strip()
    assert json.loads(kept.body)["variables"] == body["variables"]
    assert abs(kept.received_at - now) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("raw", "kept_body"),
    [
        (b'{"accessKey": "the-key-of-the-tests-0123456789", broken', '{"accessKey": [access key], broken'),
        (b"{'accessKey': 'the-key-of-the-tests-0123456789'}", "{'accessKey': [access key]}"),
        (b'{"a": 1, "a": "\xff\n"}', r'{"a": 1, "a": "\xff\n"}'),
        (b'{"\\u0061ccessKey": "the-key-of-the-tests-0123456789", ', ""),
        ('{"accessKey": "the-key-of-the-tests-0123456789"'.encode("utf-16"), ""),
    ],
)
def test_a_body_that_is_not_json_is_stored_only_if_it_contains_no_key(client, number, raw, kept_body):
    answer = client.post("/tenios/posts", raw, content_type="application/json", REMOTE_ADDR=TENIOS)

    assert answer.status_code == 400
    (kept,) = settled()
    assert (kept.reason, kept.body) == (Reason.BAD_JSON, kept_body)
    assert not kept.can_be_replayed


def test_a_post_from_a_foreign_address_is_stored_only_with_a_live_key(client, number):
    for body in (start(key="a-key-nobody-knows"), start(key=None), start(requestType=None, key="also-unknown")):
        assert send(client, body, STRANGER).status_code == 403
    assert client.post("/tenios/posts", b"{", content_type="application/json", REMOTE_ADDR=STRANGER).status_code == 400
    assert not settled()

    assert send(client, start("+4940555555"), STRANGER).status_code == 403

    (kept,) = settled()
    assert (kept.reason, kept.address) == (Reason.UNKNOWN_NUMBER, STRANGER)


def test_identical_posts_are_one_row_and_each_of_them_is_replayed(client):
    body = start()
    for _ in range(3):
        send(client, body)
    send(client, start(call_uuid="another"))

    first, second = settled()
    assert (first.count, len(first.ingest_ids), second.count) == (3, 3, 1)
    assert first.received_at < first.last_received_at

    make_key(make_number(), ACCESS_KEY)
    call_command("replay_refused")
    assert CallEvent.objects.count() == 4


def test_refused_posts_wait_in_the_spool_while_the_database_is_down(client, number, monkeypatch):
    assert send(client, start()).status_code == 200  # keys are known from here on
    there = connection.settings_dict["PORT"]
    intake.get_intake().close()
    monkeypatch.setitem(connection.settings_dict, "PORT", "1")
    try:
        assert send(client, start(key=None)).status_code == 403
        assert send(client, start(requestType=None)).status_code == 400
        assert intake.held_in_spool().refused == 2
    finally:
        intake.get_intake().close()
        monkeypatch.setitem(connection.settings_dict, "PORT", there)
        connection.close()
    call_command("drain_spool", "--once")

    assert intake.held_in_spool().refused == 0
    assert {kept.reason for kept in RefusedPost.objects.all()} == {Reason.NO_KEY, Reason.BAD_POST}


# --- Limits ----------------------------------------------------------------------------------


@pytest.fixture
def writing():
    with connect("tests") as connection:
        yield connection


def test_a_flood_with_one_reason_pushes_out_only_that_reason(writing, monkeypatch):
    monkeypatch.setattr(refused_posts, "MOST_ROWS", 30)
    refused_posts.keep(writing, [made_up(place, "bad_post") for place in range(10)])
    for flood in range(5):
        refused_posts.keep(writing, [made_up(place) for place in range(100 + flood * 100, 200 + flood * 100)])

    kept = RefusedPost.objects
    assert kept.filter(reason=Reason.BAD_POST).count() == 10
    newest = kept.filter(reason=Reason.UNKNOWN_KEY)
    assert sorted(int(row.fingerprint) for row in newest) == list(range(580, 600))


def test_a_few_large_posts_leave_room_for_the_others(writing, monkeypatch):
    monkeypatch.setattr(refused_posts, "MOST_BYTES", 100_000)
    refused_posts.keep(writing, [made_up(place, "bad_post") for place in range(10)])
    refused_posts.keep(writing, [made_up(place, body="x" * 40_000) for place in range(100, 110)])

    assert RefusedPost.objects.filter(reason=Reason.BAD_POST).count() == 10
    assert RefusedPost.objects.filter(reason=Reason.UNKNOWN_KEY).count() == 2


def test_posts_older_than_thirty_days_are_deleted(writing):
    long_ago = (timezone.now() - timedelta(days=31)).isoformat()
    refused_posts.keep(writing, [made_up(1, received_at=long_ago), made_up(2)])

    assert RefusedPost.objects.count() == 1


def test_storing_the_same_posts_twice_changes_nothing(writing):
    alike = {"fingerprint": "f" * 64}
    refused_posts.keep(writing, [made_up(1, **alike)])
    refused_posts.keep(writing, [made_up(1, **alike), made_up(2, **alike)])

    assert (RefusedPost.objects.get().count, len(RefusedPost.objects.get().ingest_ids)) == (2, 2)


# --- Replay ----------------------------------------------------------------------------------


def test_a_replay_keeps_the_time_of_receipt_and_a_second_one_changes_nothing(client, capsys):
    for kind in ("CALL_START", "INITIATE_FORWARD", "CALL_END"):
        send(client, post_body(kind, E164, ACCESS_KEY))
    receipts = [row.received_at for row in settled()]
    make_key(make_number(), ACCESS_KEY)

    call_command("replay_refused", "--reason", "unknown_number", "--since", "2020-01-01", "--number", "0221 55400300")
    assert capsys.readouterr().out == "3 posts accepted, 0 refused again.\n"
    call = Call.objects.get()
    assert (call.first_post_at, call.ended_at) == (receipts[0], receipts[2])
    RefusedPost.objects.update(replayed_at=None)
    call_command("replay_refused")

    assert CallEvent.objects.count() == 3
    assert Call.objects.get().last_post_at == receipts[2]


def test_posts_that_are_still_refused_get_the_current_reason(client, capsys):
    send(client, start())
    settled()
    make_number()

    call_command("replay_refused", "--reason", "unknown_number")

    assert capsys.readouterr().out == (
        "0 posts accepted, 1 refused again.\n  1 for +4922155400300: unknown access key\n"
    )
    assert RefusedPost.objects.get().reason == Reason.UNKNOWN_KEY
    call_command("replay_refused", "--since", "2999-01-01")
    assert capsys.readouterr().out == "0 posts accepted, 0 refused again.\n"


def test_a_post_from_a_refused_address_waits_until_the_address_is_listed(client, number):
    set_policy("enforce")
    assert send(client, start(), STRANGER).status_code == 403
    assert settled().get().reason == Reason.FOREIGN_ADDRESS
    call_command("replay_refused")
    assert not CallEvent.objects.exists()

    set_policy("enforce", f"{TENIOS}  # theirs\n{STRANGER}")
    call_command("replay_refused")

    assert CallEvent.objects.count() == 1
    assert send(client, start(), STRANGER).status_code == 200
