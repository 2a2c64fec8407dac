"""Writes posts into calls and events: in batches, one statement each, committed before the answer.

calls.ingest.intake passes it the posts queued during the previous commit; docs/architecture.md says why."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, TypeVar

import psycopg
from django.db import connection as django_connection
from django.db import transaction

from calls.keys import live_sql
from calls.models import Call
from calls.posts import CallPost, as_row
from calls.quarter_hours import quarter_hour_sql

PAUSES_AFTER_DEADLOCKS_S = (0.05, 0.2)
SHORTEST_REST_S, LONGEST_REST_S = 0.5, 4.0
# Limits on the server's side; on ours, no post waits that long.
LOCK_TIMEOUT_MS = 1_500
STATEMENT_TIMEOUT_MS = 2_500
CONNECT_TIMEOUT_S = 2
# A database host that disappeared without closing the connection is noticed after this time.
HOST_IS_GONE_AFTER_S = 10

LOCK_OF_POSTS_WITHOUT_UUID = 0x63616C6C

CONTENT_IS_BAD = (
    psycopg.errors.DataError,
    psycopg.errors.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,
)


T = TypeVar("T")


class Unwritable(Exception):  # noqa: N818 (named for what the post is)
    """The database refuses the content of a post, also if it is tried again; with the SQLSTATE."""


# How new data of a call is merged into its row: by least and greatest, so that the order does not matter.
MERGE = """
    correlation_id = coalesce(
      least(nullif(known.correlation_id, ''), nullif(excluded.correlation_id, '')), ''),
    callback_id = greatest(known.callback_id, excluded.callback_id),
    first_post_at = least(known.first_post_at, excluded.first_post_at),
    last_post_at = greatest(known.last_post_at, excluded.last_post_at),
    call_start_at = least(known.call_start_at, excluded.call_start_at),
    forwarded_at = least(known.forwarded_at, excluded.forwarded_at),
    answered_at = least(known.answered_at, excluded.answered_at),
    ended_at = greatest(known.ended_at, excluded.ended_at),
    silent_at = NULL,
    moved_from = CASE WHEN excluded.first_post_at < known.first_post_at THEN known.first_post_at END,
    decided_by = least(known.decided_by, excluded.decided_by),
    caller_id_number = (least(known.decided_by, excluded.decided_by))[4],
    customer_number = (least(known.decided_by, excluded.decided_by))[5],
    caller_least = least(known.caller_least, excluded.caller_least),
    caller_greatest = greatest(known.caller_greatest, excluded.caller_greatest),
    customer_number_least = least(known.customer_number_least, excluded.customer_number_least),
    customer_number_greatest = greatest(known.customer_number_greatest, excluded.customer_number_greatest),
    weakly_identified = known.weakly_identified OR excluded.weakly_identified,
    has_odd_posts = known.has_odd_posts OR excluded.has_odd_posts
"""

# One statement per batch. It guarantees, all or nothing: a post whose key is live and admits its number becomes an
# event of exactly one call, that call has merged it, and the quarter-hours that must be counted again are logged.
#
# - Keys are checked at the time of receipt, so that a post written late is treated as it would have been then.
# - A post without a number is accepted if its key admits exactly one number.
# - Rows are grouped by call, because an upsert cannot touch a row twice, and sorted, because otherwise two writers
#   could deadlock.
# - Merges use least and greatest only: order and repetition change nothing.
# - A post without call_uuid joins the call that has its correlation_id; without that, the open call of its caller.
KEEP_POSTS = f"""
WITH given AS (
  SELECT * FROM json_to_recordset(%(posts)s::json) AS given (
    ingest_id uuid, received_at timestamptz, fingerprint text, destination_number text,
    destination_number_received text, call_uuid text, correlation_id text, callback_id text,
    caller_id_number text, caller_received text, customer_number text, request_type text, block_type text,
    destination text, destination_type text, payload text, flags text[])
), opened AS MATERIALIZED (
  SELECT given.*, access_key.id AS access_key_id, number.id AS number_id,
    make_interval(hours => number.silent_after_h) AS silent_after,
    count(*) OVER (PARTITION BY given.ingest_id) AS numbers_opened
  FROM given
  JOIN calls_accesskey AS access_key ON access_key.fingerprint = given.fingerprint
    AND {live_sql("given.received_at")}
  JOIN calls_destinationnumber AS number ON number.id = access_key.destination_number_id
    AND (given.destination_number IS NULL OR number.e164 = given.destination_number)
), post AS MATERIALIZED (
  SELECT opened.*,
    CASE
      WHEN opened.call_uuid <> '' THEN opened.call_uuid
      WHEN opened.correlation_id <> '' THEN coalesce(correlated.call_uuid, '')
      ELSE coalesce(still_open.call_uuid, '')
    END AS key_uuid,
    CASE
      WHEN opened.call_uuid <> '' THEN ''
      WHEN opened.correlation_id <> '' THEN coalesce(correlated.weak_key, 'correlation:' || opened.correlation_id)
      ELSE coalesce(still_open.weak_key, 'post:' || opened.ingest_id)
    END AS key_weak,
    ARRAY[
      CASE WHEN request_type = 'CALL_START' THEN '0' WHEN opened.caller_id_number <> '' THEN '1' ELSE '2' END,
      to_char(received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'),
      ingest_id::text, opened.caller_id_number, opened.customer_number
    ] AS decided_by
  FROM opened
  LEFT JOIN LATERAL (
    SELECT known.call_uuid, known.weak_key FROM calls_call AS known
    WHERE opened.call_uuid = '' AND opened.correlation_id <> ''
      AND known.destination_number_id = opened.number_id AND known.correlation_id = opened.correlation_id
      AND known.correlation_id <> ''  -- repeated for this side, or the partial index is not used
    ORDER BY known.weak_key = '' DESC, known.first_post_at DESC, known.id DESC LIMIT 1
  ) AS correlated ON true
  LEFT JOIN LATERAL (
    SELECT known.call_uuid, known.weak_key FROM calls_call AS known
    WHERE opened.call_uuid = '' AND opened.correlation_id = ''
      AND known.destination_number_id = opened.number_id
      AND known.caller_id_number || '' = opened.caller_id_number  -- no index: half of the callers may be withheld
      AND known.ended_at IS NULL AND known.silent_at IS NULL
      AND known.last_post_at BETWEEN opened.received_at - opened.silent_after
                                 AND opened.received_at + opened.silent_after
    ORDER BY known.first_post_at DESC, known.id DESC LIMIT 1
  ) AS still_open ON true
  WHERE opened.destination_number IS NOT NULL OR opened.numbers_opened = 1
), upserted AS (
  INSERT INTO calls_call AS known (
    destination_number_id, call_uuid, weak_key, correlation_id, callback_id, first_post_at, last_post_at,
    call_start_at, forwarded_at, answered_at, ended_at, decided_by, caller_id_number, customer_number,
    caller_least, caller_greatest, customer_number_least, customer_number_greatest, weakly_identified,
    has_odd_posts)
  SELECT number_id, key_uuid, key_weak,
    coalesce(min(correlation_id) FILTER (WHERE correlation_id <> ''), ''), max(callback_id),
    min(received_at), max(received_at),
    min(received_at) FILTER (WHERE request_type = 'CALL_START'),
    min(received_at) FILTER (WHERE request_type = 'INITIATE_FORWARD'),
    min(received_at) FILTER (WHERE request_type = 'FORWARD_ANSWER'),
    max(received_at) FILTER (WHERE request_type = 'CALL_END'),
    min(decided_by), (min(decided_by))[4], (min(decided_by))[5],
    min(nullif(caller_id_number, '')), max(nullif(caller_id_number, '')),
    min(nullif(customer_number, '')), max(nullif(customer_number, '')),
    bool_or(call_uuid = ''), bool_or(flags <> '{{}}')
  FROM post
  GROUP BY number_id, key_uuid, key_weak
  ORDER BY number_id, key_uuid, key_weak
  ON CONFLICT (destination_number_id, call_uuid, weak_key) DO UPDATE SET {MERGE}
  RETURNING id, destination_number_id, call_uuid, weak_key, first_post_at, moved_from
), recorded AS (
  INSERT INTO calls_callevent (
    ingest_id, call_id, access_key_id, received_at, request_type, block_type, destination, destination_type,
    destination_number, caller_id_number, customer_number, flags, payload)
  SELECT post.ingest_id, upserted.id, post.access_key_id, post.received_at, post.request_type, post.block_type,
    post.destination, post.destination_type, post.destination_number_received, post.caller_received,
    post.customer_number, post.flags, post.payload
  FROM post JOIN upserted ON upserted.destination_number_id = post.number_id
    AND upserted.call_uuid = post.key_uuid AND upserted.weak_key = post.key_weak
  ORDER BY post.ingest_id
  ON CONFLICT (ingest_id) DO NOTHING
), changed AS (
  INSERT INTO calls_changedquarterhour (destination_number_id, quarter_hour)
  SELECT DISTINCT destination_number_id, {quarter_hour_sql("moment")}
  FROM upserted CROSS JOIN LATERAL (VALUES (first_post_at), (moved_from)) AS moments (moment)
  WHERE moment IS NOT NULL
)
SELECT ingest_id::text FROM post  -- a post that is absent here was refused
"""

# With PostgreSQL's own placeholder: psycopg would parse a text of this length again for each batch.
KEEP_POSTS_RAW = KEEP_POSTS.replace("%(posts)s", "$1").encode()

# A call known only by its correlation_id joins the call that has named its call_uuid since: merged as above, its events
# and notes moved, its row deleted, both quarter-hours logged. The weak row is locked, so that a post that is being
# written to it waits, finds the row deleted, and creates a new one for the next run.
WAITING_CALLS = """
SELECT weak.id AS weak_id, strong.id AS strong_id
FROM calls_call AS weak
JOIN LATERAL (
  SELECT id FROM calls_call AS known
  WHERE known.destination_number_id = weak.destination_number_id AND known.correlation_id = weak.correlation_id
    AND known.correlation_id <> '' AND known.weak_key = '' ORDER BY known.first_post_at DESC, known.id DESC LIMIT 1
) AS strong ON true
WHERE weak.weak_key LIKE 'correlation:%' AND weak.weak_key <> '' AND weak.correlation_id <> ''
  AND weak.last_post_at > (SELECT max(last_post_at) FROM calls_call WHERE weak_key <> '') - interval '8 days'
ORDER BY weak.id
"""
JOIN_CALLS = f"""
INSERT INTO calls_call AS known (
  destination_number_id, call_uuid, weak_key, correlation_id, callback_id, first_post_at, last_post_at,
  call_start_at, forwarded_at, answered_at, ended_at, decided_by, caller_id_number, customer_number, caller_least,
  caller_greatest, customer_number_least, customer_number_greatest, weakly_identified, has_odd_posts)
SELECT strong.destination_number_id, strong.call_uuid, '', weak.correlation_id, weak.callback_id,
  weak.first_post_at, weak.last_post_at, weak.call_start_at, weak.forwarded_at, weak.answered_at, weak.ended_at,
  weak.decided_by, weak.caller_id_number, weak.customer_number, weak.caller_least, weak.caller_greatest,
  weak.customer_number_least, weak.customer_number_greatest, weak.weakly_identified, weak.has_odd_posts
FROM calls_call AS weak, calls_call AS strong
WHERE weak.id = %(weak_id)s AND strong.id = %(strong_id)s
ON CONFLICT (destination_number_id, call_uuid, weak_key) DO UPDATE SET {MERGE}
"""
LOG_CALLS = f"""
INSERT INTO calls_changedquarterhour (destination_number_id, quarter_hour)
SELECT DISTINCT destination_number_id, {quarter_hour_sql("moment")}
FROM calls_call CROSS JOIN LATERAL (VALUES (first_post_at), (moved_from)) AS moments (moment)
WHERE id = ANY(%(ids)s) AND moment IS NOT NULL
"""


def write(connection: psycopg.Connection, posts: Sequence[CallPost]) -> set[str]:
    """Write posts, committed when this returns; return the ingest ids of accepted posts, as text.

    Writing the same posts again changes nothing, so after a failure half-way all of them can be tried again."""
    taken: set[str] = set()
    for has_uuid, group in groupby(posts, key=lambda post: bool(post.call_uuid)):
        if has_uuid:
            taken |= _keep(connection, list(group))
            continue
        # Posts without call_uuid search for their call. One at a time, because two at once would each create one. A
        # post that is stored already is skipped, because it might find another call than the first time.
        for post in group:
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK_OF_POSTS_WITHOUT_UUID])
                known = "SELECT FROM calls_callevent WHERE ingest_id = %s"
                if connection.execute(known, [post.ingest_id]).fetchone() is not None:
                    taken.add(str(post.ingest_id))
                else:
                    taken |= _keep(connection, [post])
    return taken


def _keep(connection: psycopg.Connection, posts: list[CallPost]) -> set[str]:
    rows = json.dumps([as_row(post) for post in posts])
    with psycopg.RawCursor(connection) as cursor:
        return {ingest_id for (ingest_id,) in cursor.execute(KEEP_POSTS_RAW, [rows])}


def reunite_calls() -> int:
    """Join calls known only by correlation_id with those that named their call_uuid since; return how many."""
    with django_connection.cursor() as cursor:
        cursor.execute(WAITING_CALLS)
        pairs = cursor.fetchall()
    joined = 0
    for weak_id, strong_id in pairs:
        with transaction.atomic(), django_connection.cursor() as cursor:
            # Locked in the order of their keys, as a batch of posts does: another order could deadlock.
            cursor.execute(
                "SELECT id FROM calls_call WHERE id IN (%s, %s) ORDER BY call_uuid, weak_key FOR UPDATE",
                [weak_id, strong_id],
            )
            if len(cursor.fetchall()) == 2:
                ids = {"weak_id": weak_id, "strong_id": strong_id}
                cursor.execute(JOIN_CALLS, ids)
                cursor.execute(LOG_CALLS, {"ids": [weak_id, strong_id]})
                for table, column in _rows_of_calls():
                    cursor.execute(f"UPDATE {table} SET {column} = %(strong_id)s WHERE {column} = %(weak_id)s", ids)
                cursor.execute("DELETE FROM calls_call WHERE id = %(weak_id)s", ids)
                joined += 1
    return joined


def _rows_of_calls() -> list[tuple[str, str]]:
    """Return the tables whose rows belong to calls, such as events, each with the column that names the call."""
    relations: Any = Call._meta.related_objects
    return [(relation.related_model._meta.db_table, relation.field.column) for relation in relations]


class Writer:
    """Writes batches of posts on its own connection, which is opened at first use and reopened when it breaks.

    After a failure it rests: one batch is tried at a time, with growing pauses, until one succeeds. To be used by one
    thread at a time, except for `is_resting`."""

    def __init__(self, application_name: str) -> None:
        self._application_name = application_name
        self._connection: psycopg.Connection | None = None
        self._pause_s = 0.0  # 0 while there is no failure
        self._next_try_at = 0.0
        self._trying = threading.Lock()

    def is_resting(self) -> bool:
        """Return whether not to use it now. While it rests, the first caller after each pause gets False and tries."""
        if not self._pause_s:
            return False
        with self._trying:
            if not self._pause_s:
                return False
            now = time.monotonic()
            if now < self._next_try_at:
                return True
            self._next_try_at = now + self._pause_s
            return False

    def write(self, posts: Sequence[CallPost]) -> list[bool | Exception]:
        """Write a batch; return for each post whether it was accepted, or Unwritable if its content was refused.

        Raise any other error: database down, slow, locked, full, table missing. Part of the batch may have been written
        then; writing it again does no harm."""
        try:
            taken = self._write_with_retries(posts)
        except CONTENT_IS_BAD as error:
            if len(posts) > 1:
                # One bad row must not block the others: halving finds it in fewer statements than single rows.
                middle = len(posts) // 2
                return self.write(posts[:middle]) + self.write(posts[middle:])
            return [Unwritable(f"SQLSTATE {error.sqlstate}")]
        except Exception:
            self._rest()
            raise
        self._pause_s = 0.0
        return [str(post.ingest_id) in taken for post in posts]

    def execute(self, statement: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        """Run a statement on the same connection and return its rows. Raises as `write` does."""
        return self.run(lambda connection: connection.execute(statement, parameters).fetchall())

    def run(self, ask: Callable[[psycopg.Connection], T]) -> T:
        """Call `ask` with the same connection; it may be called twice. Raises as `write` does."""
        try:
            answer = self._retry_if_disconnected(ask)
        except Exception:
            self._rest()
            raise
        self._pause_s = 0.0
        return answer

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _write_with_retries(self, posts: Sequence[CallPost]) -> set[str]:
        """Write posts; try again if PostgreSQL cancelled the statement to end a deadlock."""
        for pause_s in PAUSES_AFTER_DEADLOCKS_S:
            try:
                return self._retry_if_disconnected(lambda connection: write(connection, posts))
            except psycopg.errors.DeadlockDetected:
                # Let the other transaction get its lock before the next attempt.
                time.sleep(pause_s)
        return self._retry_if_disconnected(lambda connection: write(connection, posts))

    def _retry_if_disconnected(self, ask: Callable[[psycopg.Connection], T]) -> T:
        """Call `ask`; if the connection turns out to be dead, call it once more on a new one."""
        was_there = self._connection is not None and not self._connection.closed
        try:
            return ask(self._connected())
        except psycopg.OperationalError:
            if not was_there or not self._is_disconnected():
                raise
            return ask(self._connected())

    def _connected(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._application_name)
        return self._connection

    def _is_disconnected(self) -> bool:
        return self._connection is None or self._connection.closed

    def _rest(self) -> None:
        with self._trying:
            self._pause_s = min(max(SHORTEST_REST_S, self._pause_s * 2), LONGEST_REST_S)
            self._next_try_at = time.monotonic() + self._pause_s


def connect(application_name: str = "calltally writer") -> psycopg.Connection:
    """Open a connection for a writer: autocommit, every statement prepared, short timeouts."""
    settings = django_connection.get_connection_params()
    for its_own in ("context", "cursor_factory", "prepare_threshold"):
        del settings[its_own]  # Django's handling of values and statements; the rest says where and how to connect
    limits = f"-c lock_timeout={LOCK_TIMEOUT_MS} -c statement_timeout={STATEMENT_TIMEOUT_MS} -c TimeZone=UTC"
    limits += " -c log_parameter_max_length_on_error=0"  # no value of a post in the server's log
    settings |= {"options": f"{settings.get('options', '')} {limits}".strip()}
    noticing_a_gone_host = {
        "keepalives_idle": HOST_IS_GONE_AFTER_S,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": HOST_IS_GONE_AFTER_S * 1000,
    }
    connection: psycopg.Connection = psycopg.connect(
        **noticing_a_gone_host
        | settings
        | {"connect_timeout": CONNECT_TIMEOUT_S, "application_name": application_name},
        autocommit=True,
        prepare_threshold=0,
    )
    return connection
