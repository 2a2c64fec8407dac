"""Events are read once each, in whatever order their transactions are committed, and gaps that stay are given up."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest
from django.db import connection, transaction
from django.utils import timezone

from calls.models import CallEvent
from live import tail
from live.tail import Position
from tests.factories import make_number, take

pytestmark = pytest.mark.django_db(transaction=True)

INSERT = """
INSERT INTO calls_callevent (id, ingest_id, call_id, received_at, request_type, block_type, destination,
  destination_type, destination_number, caller_id_number, customer_number, flags, payload)
SELECT coalesce(%(id)s, nextval(pg_get_serial_sequence('calls_callevent', 'id'))), gen_random_uuid(), call_id,
  received_at, request_type, block_type, destination, destination_type, destination_number, caller_id_number,
  customer_number, flags, payload
FROM calls_callevent ORDER BY id LIMIT 1 RETURNING id
"""


@pytest.fixture
def first():
    """A stored event, which others are copies of."""
    take(make_number(), "CALL_START", timezone.now() - timedelta(minutes=1))
    return CallEvent.objects.get().pk


@contextmanager
def another_writer():
    """A connection whose transaction stays open until it is committed or rolled back."""
    settings = connection.get_connection_params()
    for its_own in ("context", "cursor_factory", "prepare_threshold"):
        settings.pop(its_own, None)
    with psycopg.connect(**settings) as other:
        yield other


def insert(other=None, pk=None):
    with (other or connection).cursor() as cursor:
        cursor.execute(INSERT, {"id": pk})
        return cursor.fetchone()[0]


def read(position):
    with transaction.atomic():
        events, position = tail.read(position)
    return [event.id for event in events], position


def test_an_event_that_is_committed_after_one_with_a_greater_id_is_read(first):
    with another_writer() as slow:
        lower = insert(slow)
        higher = insert()
        ids, position = read(Position(first))
        assert ids == [higher]
        assert read(position) == ([], position), "the gap stays as long as its transaction is open"
        insert()
        slow.commit()
        ids, position = read(position)
    assert ids == [lower, higher + 1]
    assert not read(position)[1].gaps


def test_a_gap_that_stays_is_given_up_although_an_older_transaction_had_no_number_yet(first):
    with another_writer() as rolled_back:
        insert(rolled_back)
        rolled_back.rollback()
    higher = insert()
    ids, position = read(Position(first))
    assert ids == [higher]
    assert position.gaps
    until = time.monotonic() + 60
    while position.gaps:  # as long as a transaction of another database of this server
        assert time.monotonic() < until
        ids, position = read(position)
        assert ids == []
    assert position == Position(higher)


def test_a_gap_is_kept_while_the_transaction_that_may_fill_it_goes_on_however_many_others_end(first):
    with another_writer() as slow:
        lower = insert(slow)
        position = Position(first)
        seen = []
        for _other in range(20):
            higher = insert()
            ids, position = read(position)
            seen += ids
        assert seen == list(range(lower + 1, higher + 1))
        slow.commit()
        ids, position = read(position)
    assert ids == [lower]
    assert read(position)[1] == Position(higher)


def test_many_events_are_read_in_pieces_without_losing_any(first, monkeypatch):
    monkeypatch.setattr(tail, "BATCH", 3)
    with another_writer() as slow:
        late = [insert(slow) for _ in range(7)]
        rest = [insert() for _ in range(7)]
        position, seen = Position(first), []
        for _piece in range(4):
            ids, position = read(position)
            seen += ids
        assert seen == rest
        slow.commit()
        for _piece in range(4):
            ids, position = read(position)
            seen += ids
    assert sorted(seen) == late + rest
    assert len(seen) == len(set(seen))


def test_after_a_restore_reading_begins_at_the_events_that_are_there(first):
    ids, position = read(Position(first + 1_000_000))
    assert (ids, position) == ([], Position(first))
    new = insert()
    assert read(position)[0] == [new]
