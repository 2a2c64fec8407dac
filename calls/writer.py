"""The only writer of calls: batches of posts, one statement each, committed before the answer.

Request threads hand their post to one writer thread per process, started at first use; it writes all that queued up
while the last batch was committing. docs/architecture.md says why."""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from itertools import groupby

import psycopg
from django.db import connection as django_connection
from django.db import transaction

from calls.posts import CallPost

logger = logging.getLogger(__name__)

LARGEST_BATCH = 128
PAUSES_AFTER_DEADLOCKS_S = (0.05, 0.2)
LONGEST_WAIT_S = 3.0  # of a request; TENIOS' own client gives up after 4
LOCK_TIMEOUT_MS = 2_000
STATEMENT_TIMEOUT_MS = 2_500
CONNECT_TIMEOUT_S = 2

LOCK_OF_POSTS_WITHOUT_ID = 0x63616C6C

CONTENT_IS_BAD = (
    psycopg.errors.DataError,
    psycopg.errors.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,
)


class Unavailable(Exception):  # noqa: N818 (the database is away; the post is at no fault)
    """The database cannot take the post now."""


# One statement per batch. It promises: a post whose key is live and opens its number is an event of exactly one
# call, that call has merged it, and the quarter-hours that must be counted again are logged - all or nothing.
#
# - Judged by the time of receipt, so that a post written late is judged as it would have been then.
# - A post without a number is taken where its key opens exactly one.
# - Grouped by call, for an upsert cannot touch a row twice; sorted, for otherwise two writers deadlock.
# - Merges are by least and greatest only: order and repetition change nothing.
# - A post without call_uuid joins the call that has its correlation_id; without that, the open call of its caller.
KEEP_POSTS = """
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
    AND access_key.valid_from <= given.received_at
    AND (access_key.expires_at IS NULL OR access_key.expires_at > given.received_at)
    AND (access_key.revoked_at IS NULL OR access_key.revoked_at > given.received_at)
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
      AND known.correlation_id <> ''  -- said of this side too, or the index that leaves out blanks is not used
    ORDER BY known.weak_key = '' DESC, known.first_post_at DESC, known.id DESC LIMIT 1
  ) AS correlated ON true
  LEFT JOIN LATERAL (
    SELECT known.call_uuid, known.weak_key FROM calls_call AS known
    WHERE opened.call_uuid = '' AND opened.correlation_id = ''
      AND known.destination_number_id = opened.number_id
      AND known.caller_id_number || '' = opened.caller_id_number  -- not by index: half the table may be withheld
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
    bool_or(call_uuid = ''), bool_or(flags <> '{}')
  FROM post
  GROUP BY number_id, key_uuid, key_weak
  ORDER BY number_id, key_uuid, key_weak
  ON CONFLICT (destination_number_id, call_uuid, weak_key) DO UPDATE SET {merge}
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
  SELECT DISTINCT destination_number_id, date_bin('15 minutes', moment, '1970-01-01 00:00:00+00')
  FROM upserted CROSS JOIN LATERAL (VALUES (first_post_at), (moved_from)) AS moments (moment)
  WHERE moment IS NOT NULL
)
SELECT ingest_id::text FROM post  -- a post that is absent here was refused
"""

# How what is known of a call takes in more: by least and greatest, so that it does not matter which came first.
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
KEEP_POSTS = KEEP_POSTS.replace("{merge}", MERGE)

# A call known by its correlation_id alone joins the call that has named its call_uuid since: the same merge as
# above, its events moved, the row gone, both quarter-hours logged. Run under a lock on the weak row, so that a
# post that is just being written to it waits, finds the row gone, and makes a new one for the next run.
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
LOG_CALLS = """
INSERT INTO calls_changedquarterhour (destination_number_id, quarter_hour)
SELECT DISTINCT destination_number_id, date_bin('15 minutes', moment, '1970-01-01 00:00:00+00')
FROM calls_call CROSS JOIN LATERAL (VALUES (first_post_at), (moved_from)) AS moments (moment)
WHERE id = ANY(%(ids)s) AND moment IS NOT NULL
"""

# Stores that calls have fallen silent and logs their quarter-hours, in one statement. It waits for nobody, so it can
# be in no deadlock: a call that a post is being written to is not silent, and where a number's limit is being changed
# the next run judges by the new one.
CLOSE_SILENT_CALLS = """
WITH quiet AS MATERIALIZED (
  SELECT call.id FROM calls_call AS call
  JOIN calls_destinationnumber AS number ON number.id = call.destination_number_id
  WHERE call.ended_at IS NULL AND call.silent_at IS NULL
    AND call.last_post_at < now() - make_interval(hours => number.silent_after_h)
  FOR NO KEY UPDATE OF call SKIP LOCKED FOR SHARE OF number SKIP LOCKED
), fallen AS (
  UPDATE calls_call AS call SET silent_at = now() FROM quiet WHERE call.id = quiet.id
  RETURNING call.destination_number_id, call.first_post_at
), logged AS (
  INSERT INTO calls_changedquarterhour (destination_number_id, quarter_hour)
  SELECT DISTINCT destination_number_id, date_bin('15 minutes', first_post_at, '1970-01-01 00:00:00+00')
  FROM fallen
)
SELECT count(*) FROM fallen
"""


def keep(post: CallPost) -> bool:
    """Write one post; return whether its key was live and opened its number. Raise Unavailable if it is not on disk."""
    future = _writer.submit(post)
    try:
        return future.result(LONGEST_WAIT_S)
    except TimeoutError as error:
        future.cancel()
        raise Unavailable("the database did not answer in time") from error


def write(connection: psycopg.Connection, posts: Sequence[CallPost]) -> set[str]:
    """Write posts, each committed when this returns; return the ingest ids of those that were taken, as text.

    Writing the same posts again changes nothing, so a failure half-way is answered by trying all of them again."""
    taken: set[str] = set()
    for has_id, group in groupby(posts, key=lambda post: bool(post.call_uuid or post.correlation_id)):
        if has_id:
            taken |= _keep(connection, list(group))
            continue
        # Posts without any id find their call by looking: one at a time, or two at once would both make one.
        for post in group:
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK_OF_POSTS_WITHOUT_ID])
                taken |= _keep(connection, [post])
    return taken


def _keep(connection: psycopg.Connection, posts: list[CallPost]) -> set[str]:
    rows = json.dumps([_row(post) for post in posts])
    return {ingest_id for (ingest_id,) in connection.execute(KEEP_POSTS, {"posts": rows})}


def _row(post: CallPost) -> dict[str, object]:
    row = {name: getattr(post, name) for name in CallPost.__slots__}
    return row | {"ingest_id": str(post.ingest_id), "received_at": post.received_at.isoformat()}


def reunite_calls() -> int:
    """Join calls known by a correlation_id alone with those that named their call_uuid since; return how many."""
    with django_connection.cursor() as cursor:
        cursor.execute(WAITING_CALLS)
        pairs = cursor.fetchall()
    joined = 0
    for weak_id, strong_id in pairs:
        with transaction.atomic(), django_connection.cursor() as cursor:
            # In the order of their keys, as a batch of posts does: in another one the two could deadlock.
            cursor.execute(
                "SELECT id FROM calls_call WHERE id IN (%s, %s) ORDER BY call_uuid, weak_key FOR UPDATE",
                [weak_id, strong_id],
            )
            if len(cursor.fetchall()) == 2:
                ids = {"weak_id": weak_id, "strong_id": strong_id}
                cursor.execute(JOIN_CALLS, ids)
                cursor.execute(LOG_CALLS, {"ids": [weak_id, strong_id]})
                cursor.execute("UPDATE calls_callevent SET call_id = %(strong_id)s WHERE call_id = %(weak_id)s", ids)
                cursor.execute("DELETE FROM calls_call WHERE id = %(weak_id)s", ids)
                joined += 1
    return joined


def close_silent_calls() -> int:
    """Store which calls have fallen silent and log their quarter-hours; return how many."""
    with django_connection.cursor() as cursor:
        cursor.execute(CLOSE_SILENT_CALLS)
        return int(cursor.fetchone()[0])


class GroupCommit:
    """One thread that writes all posts that queued up while its last batch was committing. No waiting timer."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[tuple[CallPost, Future[bool]] | None] = queue.SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._connection: psycopg.Connection | None = None

    def submit(self, post: CallPost) -> Future[bool]:
        """Queue a post; the future tells whether it was taken, or raises Unavailable."""
        future: Future[bool] = Future()
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
                self._thread.start()
            self._queue.put((post, future))
        return future

    def close(self) -> None:
        """End the thread and its connection once all that is queued is written; the next post starts them again."""
        with self._starting:
            thread, self._thread = self._thread, None
            if thread is not None:
                self._queue.put(None)
                thread.join()

    def _run(self) -> None:
        while (batch := self._next_batch()) is not None:
            waiting = [(post, future) for post, future in batch if future.set_running_or_notify_cancel()]
            if waiting:
                self._write(waiting)
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _next_batch(self) -> list[tuple[CallPost, Future[bool]]] | None:
        first = self._queue.get()
        if first is None:
            return None
        batch = [first]
        while len(batch) < LARGEST_BATCH:
            try:
                following = self._queue.get_nowait()
            except queue.Empty:
                break
            if following is None:
                self._queue.put(None)  # end after this batch
                break
            batch.append(following)
        return batch

    def _write(self, batch: list[tuple[CallPost, Future[bool]]]) -> None:
        try:
            taken = self._attempt([post for post, _ in batch])
        except CONTENT_IS_BAD as error:
            if len(batch) > 1:
                # One bad row must not take the others with it.
                for single in batch:
                    self._write([single])
                return
            logger.error("a post was refused by the database: SQLSTATE %s", error.sqlstate)
            batch[0][1].set_exception(Unavailable("the database refused the post"))
        except Exception as error:  # noqa: BLE001 (the thread must live on, whatever it was)
            logger.error("posts could not be written: %s", type(error).__name__)
            for _, future in batch:
                future.set_exception(Unavailable(type(error).__name__))
        else:
            for post, future in batch:
                future.set_result(str(post.ingest_id) in taken)

    def _attempt(self, posts: list[CallPost]) -> set[str]:
        """Write posts; again where they were chosen to end a deadlock, once on a new connection where it is dead."""
        fresh = self._connection is None
        try:
            for pause_s in PAUSES_AFTER_DEADLOCKS_S:
                try:
                    return write(self._connected(), posts)
                except psycopg.errors.DeadlockDetected:
                    time.sleep(
                        pause_s
                    )  # ended with ours: so that the other one gets what it waited for before we ask again
            return write(self._connected(), posts)
        except psycopg.OperationalError:
            if fresh or not self._is_dead():
                raise
            return write(self._connected(), posts)

    def _is_dead(self) -> bool:
        return self._connection is None or self._connection.closed

    def _connected(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            self._connection = connect()
        return self._connection


def connect() -> psycopg.Connection:
    """Open a connection of the writer's own: autocommit, every statement prepared, never waiting long."""
    settings = django_connection.get_connection_params()
    for its_own in ("context", "cursor_factory", "prepare_threshold"):
        del settings[its_own]  # Django's ways with values and statements; the rest says where and how to connect
    limits = f"-c lock_timeout={LOCK_TIMEOUT_MS} -c statement_timeout={STATEMENT_TIMEOUT_MS} -c TimeZone=UTC"
    settings |= {"options": f"{settings.get('options', '')} {limits}".strip()}
    connection: psycopg.Connection = psycopg.connect(
        **settings | {"connect_timeout": CONNECT_TIMEOUT_S, "application_name": "calltally writer"},
        autocommit=True,
        prepare_threshold=0,
    )
    return connection


_writer = GroupCommit()
close = _writer.close
