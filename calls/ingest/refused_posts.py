"""Stores refused posts, so that they can be counted once a wrong setting is fixed, up to fixed limits."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import psycopg
from django.db import connection as django_connection
from django.db import transaction

from calls import keys, posts, redaction
from calls.models import Reason, RefusedPost
from calls.posts import CallPost, Refusal

MOST_DAYS = 30
MOST_ROWS = 2_000
MOST_BYTES = 64 * 1024 * 1024
ROW_BYTES = 1024  # the most that a row takes besides its body
MOST_RECEIPTS = 100
LOCK_OF_REFUSED_POSTS = 0x63616C72

# Reasons that equal the error code of the answer; the others say why the answer was `forbidden`.
CODES = {Reason.FOREIGN_ADDRESS, Reason.BAD_POST, Reason.BAD_JSON, Reason.TOO_LARGE, Reason.MEDIA_TYPE}


@dataclass(frozen=True, slots=True)
class RefusedPostDraft:
    """A refused post that is not stored yet. `code` is the error code of the answer, or `foreign_address`."""

    ingest_id: str
    received_at: str  # ISO 8601
    status: int
    code: str
    address: str | None
    is_listed: bool
    fingerprint: str
    destination_number: str
    request_type: str
    body: str

    @property
    def digest(self) -> str:
        """A hash that is equal for posts that differ only in their time of receipt."""
        alike = [self.status, self.code, self.address, self.fingerprint, self.destination_number, self.body]
        return hashlib.sha256(json.dumps(alike).encode()).hexdigest()

    @classmethod
    def of_post(cls, post: CallPost, code: str, **more: Any) -> RefusedPostDraft:
        return cls(
            ingest_id=str(post.ingest_id),
            received_at=post.received_at.isoformat(),
            code=code,
            fingerprint=post.fingerprint,
            destination_number=post.destination_number or "",
            request_type=post.request_type,
            body=post.payload,
            **more,
        )

    @classmethod
    def of_refusal(cls, refusal: Refusal, received_at: datetime, ingest_id: uuid.UUID, **more: Any) -> RefusedPostDraft:
        return cls(
            ingest_id=str(ingest_id),
            received_at=received_at.isoformat(),
            fingerprint=refusal.fingerprint,
            destination_number=refusal.destination_number,
            request_type="",
            **more,
        )


# Why posts were refused, by the current keys and numbers. Reads a table `given` with the columns of RefusedPostDraft.
REASONS = f"""
SELECT given.*, opens_any, CASE
  WHEN given.code <> 'forbidden' THEN given.code
  WHEN given.fingerprint = %(no_key)s THEN 'no_key'
  WHEN given.destination_number = '' THEN CASE WHEN opens_any THEN 'no_number' ELSE 'unknown_key' END
  WHEN number.id IS NULL THEN 'unknown_number'
  WHEN is_of_number THEN 'key_over'
  WHEN is_known THEN 'key_of_another'
  ELSE 'unknown_key'
END AS reason
FROM given
LEFT JOIN calls_destinationnumber AS number ON number.e164 = given.destination_number
CROSS JOIN LATERAL (
  SELECT count(*) > 0 AS is_known, coalesce(bool_or(destination_number_id = number.id), false) AS is_of_number,
    coalesce(bool_or({keys.live_sql("given.received_at")}), false) AS opens_any
  FROM calls_accesskey AS access_key WHERE fingerprint = given.fingerprint
) AS known_key
"""
# Stores posts from listed addresses or with live keys. Identical posts share a row; each is counted once.
KEEP = f"""
WITH given AS (
  SELECT * FROM json_to_recordset(%(refused)s::json) AS given (
    digest text, ingest_id uuid, received_at timestamptz, status smallint, code text, address inet,
    is_listed boolean, fingerprint text, destination_number text, request_type text, body text)
), judged AS ({REASONS})
INSERT INTO calls_refusedpost AS known (
  digest, reason, status, received_at, last_received_at, count, address, destination_number, request_type,
  fingerprint, body, ingest_ids, receipts)
SELECT digest, min(reason), min(status), min(received_at), max(received_at), count(*), min(address),
  min(destination_number), min(request_type), min(fingerprint), min(body),
  (array_agg(ingest_id ORDER BY ingest_id))[:%(most_receipts)s],
  (array_agg(received_at ORDER BY ingest_id))[:%(most_receipts)s]
FROM judged
WHERE (is_listed OR opens_any) AND NOT EXISTS (
  SELECT FROM calls_refusedpost AS other WHERE other.digest = judged.digest AND ingest_id = ANY(other.ingest_ids))
GROUP BY digest
ON CONFLICT (digest) DO UPDATE SET
  reason = excluded.reason,
  received_at = least(known.received_at, excluded.received_at),
  last_received_at = greatest(known.last_received_at, excluded.last_received_at),
  count = known.count + excluded.count,
  ingest_ids = (known.ingest_ids || excluded.ingest_ids)[:%(most_receipts)s],
  receipts = (known.receipts || excluded.receipts)[:%(most_receipts)s],
  replayed_at = NULL
"""
# Each reason may fill an equal share, and more if others leave room: rows are ranked by their position within their
# reason, with rows that are not counted yet first and then the newest first. A flood of posts with one reason therefore
# pushes out only rows of that reason.
PRUNE = """
WITH placed AS (
  SELECT id, last_received_at, length(body) + %(row_bytes)s AS size,
    row_number() OVER newest_first AS place,
    sum(length(body) + %(row_bytes)s) OVER newest_first AS bytes_to_here
  FROM calls_refusedpost
  WINDOW newest_first AS (PARTITION BY reason ORDER BY replayed_at IS NOT NULL, last_received_at DESC, id DESC)
), ranked AS (
  SELECT id, last_received_at, row_number() OVER (ORDER BY place, id) AS rank,
    sum(size) OVER (ORDER BY bytes_to_here, id) AS bytes
  FROM placed
)
DELETE FROM calls_refusedpost WHERE id IN (
  SELECT id FROM ranked
  WHERE rank > %(most_rows)s OR bytes > %(most_bytes)s
    OR last_received_at < now() - make_interval(days => %(most_days)s))
"""
KNOWN_KEYS = "SELECT DISTINCT fingerprint FROM calls_accesskey"
# Merges one row into another that became identical when its secrets were removed.
MERGE = """
WITH gone AS (DELETE FROM calls_refusedpost WHERE id = %(id)s RETURNING *)
UPDATE calls_refusedpost AS known SET
  received_at = least(known.received_at, gone.received_at),
  last_received_at = greatest(known.last_received_at, gone.last_received_at),
  count = known.count + gone.count,
  ingest_ids = (known.ingest_ids || gone.ingest_ids)[:%(most_receipts)s],
  receipts = (known.receipts || gone.receipts)[:%(most_receipts)s],
  replayed_at = CASE WHEN known.replayed_at IS NOT NULL AND gone.replayed_at IS NOT NULL
    THEN greatest(known.replayed_at, gone.replayed_at) END
FROM gone WHERE known.digest = %(digest)s
"""
# Updates the reason of posts that are still refused.
JUDGE_AGAIN = f"""
WITH given AS (
  SELECT id, 'forbidden' AS code, received_at, fingerprint, destination_number FROM calls_refusedpost
  WHERE id = ANY(%(ids)s)
), judged AS ({REASONS})
UPDATE calls_refusedpost AS known SET reason = judged.reason FROM judged WHERE known.id = judged.id
"""


def without_secrets(post: RefusedPostDraft, is_known: redaction.IsKnown) -> RefusedPostDraft:
    """Return a refused post without known access keys, and without values whose names suggest a secret."""
    body = redaction.without_secrets(post.body, is_known)
    if body == post.body:
        return post
    request_type, destination_number = ("" if redaction.is_marked(name) else name for name in posts.named_in(body))
    return replace(post, body=body, request_type=request_type, destination_number=destination_number)


def keep(connection: psycopg.Connection, refused: Sequence[RefusedPostDraft]) -> None:
    """Store refused posts from listed addresses or with live keys; delete rows beyond the limits.

    Storing the same posts twice changes nothing."""
    known = {fingerprint for (fingerprint,) in connection.execute(KNOWN_KEYS)}
    refused = [without_secrets(post, known.__contains__) for post in refused]
    rows = json.dumps([asdict(post) | {"digest": post.digest} for post in refused])
    with connection.transaction():
        # One transaction at a time: two that insert and delete rows in different orders could deadlock.
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK_OF_REFUSED_POSTS])
        connection.execute(KEEP, {"refused": rows, "no_key": keys.fingerprint(""), "most_receipts": MOST_RECEIPTS})
        connection.execute(
            PRUNE,
            {
                "row_bytes": ROW_BYTES,
                "most_rows": MOST_ROWS,
                "most_bytes": MOST_BYTES,
                "most_days": MOST_DAYS,
            },
        )


def judge_again(ids: Sequence[int]) -> None:
    """Update the reasons of posts that were refused for their key or number."""
    with django_connection.cursor() as cursor:
        cursor.execute(JUDGE_AGAIN, {"ids": list(ids), "no_key": keys.fingerprint("")})


def redact_kept() -> int:
    """Remove secrets from stored posts: those that an older version stored, and keys that were issued since.

    Return how many posts were changed."""
    with django_connection.cursor() as cursor:
        cursor.execute(KNOWN_KEYS)
        known = {fingerprint for (fingerprint,) in cursor.fetchall()}
    changed = 0
    for row in RefusedPost.objects.order_by("pk").iterator(100):
        kept = _of_row(row)
        cleared = without_secrets(kept, known.__contains__)
        if cleared != kept:
            changed += _replace(row.pk, cleared)
    return changed


def _of_row(row: RefusedPost) -> RefusedPostDraft:
    return RefusedPostDraft(
        ingest_id="",
        received_at="",
        status=row.status,
        code=str(row.reason) if row.reason in CODES else "forbidden",
        address=row.address,
        is_listed=True,
        fingerprint=row.fingerprint,
        destination_number=row.destination_number,
        request_type=row.request_type,
        body=row.body,
    )


@transaction.atomic
def _replace(row_id: int, cleared: RefusedPostDraft) -> int:
    """Replace a row by a post without secrets. Return how many rows were changed; 0 if the row no longer exists."""
    with django_connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK_OF_REFUSED_POSTS])
        if RefusedPost.objects.filter(digest=cleared.digest).exclude(pk=row_id).exists():
            cursor.execute(MERGE, {"id": row_id, "digest": cleared.digest, "most_receipts": MOST_RECEIPTS})
            return int(cursor.rowcount)
    return RefusedPost.objects.filter(pk=row_id).update(
        digest=cleared.digest,
        body=cleared.body,
        request_type=cleared.request_type,
        destination_number=cleared.destination_number,
    )
