"""Stores posts on this host's disk while the database is down: a SQLite file, synced before a post is answered.

Web processes add posts; `manage.py drain_spool` removes them. docs/reliability.md says what is kept and what is not."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from django.conf import settings

from calls.ingest.refused_posts import RefusedPostDraft
from calls.posts import CallPost, as_row, from_row

logger = logging.getLogger(__name__)

WAIT_FOR_OTHERS_S = 1.5  # for other processes that are writing to the file
ASK_EVERY_S, LEAVE_TO_OTHERS_S = 0.001, 0.005
PAGE = 4096
KEPT_FREE, GIVEN_BACK_AT_ONCE = 256, 256  # pages
ROOM_FOR_A_POST = 40  # pages: the longest post and its share of the indexes
BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
# Posts whose key could not be checked may fill one SHARE-th of the file, and quarantined posts another; the rest is
# for posts with a known live key.
SHARE = 4
SET_ASIDE_FOR_S = 30 * 24 * 3600
# Refused posts that wait: as many as the database would store, and at most one SHARE_OF_REFUSED-th of the file.
MOST_REFUSED = 2_000
SHARE_OF_REFUSED = 16

TABLES = """
CREATE TABLE IF NOT EXISTS post (
  id integer PRIMARY KEY,
  ingest_id text NOT NULL UNIQUE,
  post text NOT NULL,                    -- a row of calls.posts.as_row, as JSON: no access key
  is_verified integer NOT NULL,          -- whether its key was known to be live
  spooled_at real NOT NULL,              -- seconds since 1970
  tries integer NOT NULL DEFAULT 0,      -- how often the database could not take it for a reason that may pass
  set_aside_at real,
  reason text NOT NULL DEFAULT ''        -- why it was set aside
);
CREATE INDEX IF NOT EXISTS post_waiting ON post (tries, id) WHERE set_aside_at IS NULL;
CREATE INDEX IF NOT EXISTS post_oldest ON post (spooled_at) WHERE set_aside_at IS NULL;
CREATE INDEX IF NOT EXISTS post_set_aside ON post (set_aside_at) WHERE set_aside_at IS NOT NULL;
-- Totals, kept up to date by triggers: counting millions of rows on every request would take seconds.
CREATE TABLE IF NOT EXISTS held (state text PRIMARY KEY, posts integer NOT NULL, bytes integer NOT NULL);
INSERT OR IGNORE INTO held VALUES ('verified', 0, 0), ('unverified', 0, 0), ('set aside', 0, 0);
CREATE TABLE IF NOT EXISTS refused (
  id integer PRIMARY KEY,
  ingest_id text NOT NULL UNIQUE,
  refused blob NOT NULL                  -- a calls.ingest.refused_posts.RefusedPostDraft as JSON: no access key
);
CREATE TRIGGER IF NOT EXISTS post_came AFTER INSERT ON post BEGIN
  UPDATE held SET posts = posts + 1, bytes = bytes + length(new.post) WHERE state = {state_of_new};
END;
CREATE TRIGGER IF NOT EXISTS post_went AFTER DELETE ON post BEGIN
  UPDATE held SET posts = posts - 1, bytes = bytes - length(old.post) WHERE state = {state_of_old};
END;
CREATE TRIGGER IF NOT EXISTS post_changed AFTER UPDATE OF set_aside_at ON post BEGIN
  UPDATE held SET posts = posts - 1, bytes = bytes - length(old.post) WHERE state = {state_of_old};
  UPDATE held SET posts = posts + 1, bytes = bytes + length(new.post) WHERE state = {state_of_new};
END;
"""
STATE = "iif({row}.set_aside_at IS NOT NULL, 'set aside', iif({row}.is_verified, 'verified', 'unverified'))"
TABLES = TABLES.replace("{state_of_new}", STATE.format(row="new")).replace("{state_of_old}", STATE.format(row="old"))


T = TypeVar("T")


class SpoolError(Exception):
    """The spool or its disk is full, or its folder cannot be used; the message says which."""


@dataclass(frozen=True)
class Spooled:
    """A post that waits in the spool."""

    id: int
    row: str

    def read(self) -> CallPost:
        """Return the post. Raise ValueError if it cannot be read."""
        row = json.loads(self.row)
        if not isinstance(row, dict):
            raise ValueError("no object")  # noqa: TRY004 (one exception for everything unreadable)
        return from_row(row)


@dataclass(frozen=True)
class SpoolContents:
    """The contents of a spool, in posts."""

    waiting: int = 0
    unverified: int = 0
    set_aside: int = 0
    refused: int = 0
    bytes: int = 0
    oldest_s: float = 0.0  # how long the oldest has waited


@dataclass(frozen=True)
class QuarantinedPost:
    """A post that the database refused for good, as shown to people: without its caller."""

    ingest_id: str
    set_aside_at: float
    reason: str
    received_at: str
    request_type: str
    destination_number: str


class Spool:
    """The spool file of a host. An instance may be used by one thread only; any number of instances may be open."""

    def __init__(self, path: Path, most_bytes: int) -> None:
        self.path = path
        self.most_bytes = most_bytes
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._wrote_until = 0.0

    # --- Adding ---

    def add(self, posts: Sequence[tuple[CallPost, bool]]) -> list[Exception | None]:
        """Store posts, each with whether its key is known to be live; they are on disk when this returns.

        The answer for a post without room is a SpoolError. Raise SpoolError if no post can be stored."""
        now = time.time()
        with self._transaction() as connection:
            room = self.most_bytes // SHARE - self._bytes("unverified")
            answers: list[Exception | None] = []
            rows = []
            for post, is_verified in posts:
                row = json.dumps(as_row(post), separators=(",", ":"))
                if not is_verified:
                    room -= len(row)
                    if room < 0:
                        answers.append(SpoolError("too many posts with unverified keys are waiting"))
                        continue
                rows.append((str(post.ingest_id), row, is_verified, now))
                answers.append(None)
            connection.executemany(
                "INSERT INTO post (ingest_id, post, is_verified, spooled_at) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (ingest_id) DO NOTHING",
                rows,
            )
        return answers

    def add_refused(self, refused: Sequence[RefusedPostDraft]) -> list[None]:
        """Store refused posts; delete the oldest beyond the limits. Raise SpoolError if none can be stored."""
        with self._transaction() as connection:
            connection.executemany(
                "INSERT INTO refused (ingest_id, refused) VALUES (?, ?) ON CONFLICT (ingest_id) DO NOTHING",
                [(post.ingest_id, json.dumps(asdict(post)).encode()) for post in refused],
            )
            connection.execute(
                "DELETE FROM refused WHERE id IN (SELECT id FROM (SELECT id, row_number() OVER newest_first AS rank, "
                "sum(length(refused)) OVER newest_first AS bytes FROM refused WINDOW newest_first AS (ORDER BY id DESC)"
                ") WHERE rank > ? OR bytes > ?)",
                [MOST_REFUSED, self.most_bytes // SHARE_OF_REFUSED],
            )
        return [None] * len(refused)

    # --- Draining ---

    def waiting(self, most: int) -> list[Spooled]:
        """Return waiting posts in order of arrival; those with failed attempts come after the others."""
        rows = self._read("SELECT id, post FROM post WHERE set_aside_at IS NULL ORDER BY tries, id LIMIT ?", most)
        return [Spooled(*row) for row in rows]

    def remove(self, posts: Sequence[Spooled]) -> None:
        """Delete posts that are in the database."""
        if posts:
            with self._transaction() as connection:
                connection.executemany("DELETE FROM post WHERE id = ?", [[post.id] for post in posts])

    def set_aside(self, posts: Sequence[Spooled], reason: str) -> None:
        """Quarantine posts that the database refused, so that they do not block the others.

        Deletes posts that were quarantined 30 days ago, and the oldest if they fill more than their share."""
        if not posts:
            return
        with self._transaction() as connection:
            now = time.time()
            connection.executemany(
                "UPDATE post SET set_aside_at = ?, reason = ? WHERE id = ? AND set_aside_at IS NULL",
                [[now, reason, post.id] for post in posts],
            )
            gone = connection.execute("DELETE FROM post WHERE set_aside_at < ?", [now - SET_ASIDE_FOR_S]).rowcount
            while self._bytes("set aside") > self.most_bytes // SHARE:
                gone += connection.execute(
                    "DELETE FROM post WHERE id IN (SELECT id FROM post WHERE set_aside_at IS NOT NULL "
                    "ORDER BY set_aside_at, id LIMIT 100)"
                ).rowcount
        if gone:
            logger.warning("%s quarantined posts were deleted because they were too old or too many", gone)

    def note_tries(self, posts: Sequence[Spooled]) -> None:
        """Move posts that could not be written behind the others."""
        with self._transaction() as connection:
            connection.executemany("UPDATE post SET tries = tries + 1 WHERE id = ?", [[post.id] for post in posts])

    def try_again(self) -> int:
        """Return all quarantined posts to the queue; return how many there were."""
        with self._transaction() as connection:
            again = "UPDATE post SET set_aside_at = NULL, reason = '', tries = 0 WHERE set_aside_at IS NOT NULL"
            return connection.execute(again).rowcount

    def refused(self, most: int) -> dict[int, RefusedPostDraft | None]:
        """Return waiting refused posts by their row id; None for one that cannot be read."""
        rows = self._read("SELECT id, refused FROM refused ORDER BY id LIMIT ?", most)
        return {place: _parse_refused(row) for place, row in rows}

    def remove_refused(self, places: Sequence[int]) -> None:
        with self._transaction() as connection:
            connection.executemany("DELETE FROM refused WHERE id = ?", [[place] for place in places])

    # --- Contents ---

    def held(self) -> SpoolContents:
        """Return the contents of the spool; empty if it was never used. Raise SpoolError if it cannot be read."""
        if not self.path.exists():
            return SpoolContents()
        held = {state: rest for state, *rest in self._read("SELECT state, posts, bytes FROM held")}
        ((refused,),) = self._read("SELECT count(*) FROM refused")
        ((oldest,),) = self._read("SELECT min(spooled_at) FROM post WHERE set_aside_at IS NULL")
        return SpoolContents(
            waiting=held["verified"][0] + held["unverified"][0],
            unverified=held["unverified"][0],
            set_aside=held["set aside"][0],
            refused=refused,
            bytes=sum(size for _, size in held.values()),
            oldest_s=max(0.0, time.time() - oldest) if oldest else 0.0,
        )

    def list_quarantined(self, limit: int) -> list[QuarantinedPost]:
        """Return the most recently quarantined posts, newest first."""
        rows = self._read(
            "SELECT ingest_id, set_aside_at, reason, post FROM post WHERE set_aside_at IS NOT NULL "
            "ORDER BY set_aside_at DESC, id DESC LIMIT ?",
            limit,
        )
        quarantined = []
        for ingest_id, set_aside_at, reason, row in rows:
            try:
                post = json.loads(row)
                words = [str(post[name]) for name in ("received_at", "request_type", "destination_number")]
            except (ValueError, KeyError, TypeError):
                words = ["", "", ""]
            quarantined.append(QuarantinedPost(ingest_id, set_aside_at, reason, *words))
        return quarantined

    def prove(self) -> None:
        """Write and sync as a test. Raise SpoolError if no post could be stored."""
        with self._transaction() as connection:
            used, free, most = (
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "max_page_count")
            )
            if used - free > most - ROOM_FOR_A_POST:
                raise SpoolError(f"{self.path} is full")
            connection.execute("UPDATE held SET posts = posts WHERE state = 'verified'")

    def shrink(self) -> None:
        """Return free pages to the file system after an outage; a few are kept for reuse."""
        ((free,),) = self._read("PRAGMA freelist_count")
        for _ in range(KEPT_FREE, free, GIVEN_BACK_AT_ONCE):
            with self._transaction() as connection:
                for _ in range(GIVEN_BACK_AT_ONCE):
                    # One page at a time: Python's sqlite3 runs only one step of a statement without columns.
                    connection.execute("PRAGMA incremental_vacuum(1)")

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    # --- The file ---

    def _read(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        with self._raising_spool_errors():
            connection = self._connected()
            return _retry_while_locked(lambda: connection.execute(statement, parameters).fetchall())

    def _bytes(self, state: str) -> int:
        (size,) = self._connected().execute("SELECT bytes FROM held WHERE state = ?", [state]).fetchone()
        return int(size)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._raising_spool_errors():
            connection = self._connected()
            time.sleep(max(0.0, self._wrote_until + LEAVE_TO_OTHERS_S - time.monotonic()))
            _retry_while_locked(lambda: connection.execute("BEGIN IMMEDIATE"))
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            finally:
                self._wrote_until = time.monotonic()

    @contextlib.contextmanager
    def _raising_spool_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            if not _is_busy(error):
                with contextlib.suppress(sqlite3.Error):
                    self.close()  # whatever the error, the next attempt opens a new connection
            if getattr(error, "sqlite_errorcode", None) in BROKEN:
                self._rename_broken_file()
            raise SpoolError(f"{self.path}: {error}") from error

    def _rename_broken_file(self) -> None:
        """Rename a file that SQLite cannot read any more, so that posts can be stored in a new one."""
        if self._file != _identity(self.path):
            return  # another process has done so
        away = self.path.with_name(f"{self.path.name}.broken-{time.time_ns()}")
        with contextlib.suppress(OSError):
            for ending in ("", "-wal", "-shm"):
                part = self.path.with_name(self.path.name + ending)
                if part.exists():
                    part.rename(f"{away}{ending}")
            logger.critical(
                "the spool %s cannot be read; it was moved to %s and replaced by a new one", self.path, away
            )

    def _connected(self) -> sqlite3.Connection:
        """Return a connection to the file that is at our path now: a file that was moved away is never drained."""
        if self._connection is not None and self._file != _identity(self.path):
            self.close()
        if self._connection is None:
            self._connection = self._open()
        return self._connection

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite creates its other files with the same mode. A file that exists is not opened here: to close it would
        # release the locks of every connection of this process, and another process could then remove the log.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        self._file = _identity(self.path)
        connection = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            _retry_while_locked(lambda: self._prepare(connection))
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")  # no caller remains in freed pages
        connection.execute(f"PRAGMA max_page_count = {self.most_bytes // PAGE}")
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'refused'").fetchone():
            # Settings that the file stores. Setting them again would wait for other writers.
            connection.execute(f"PRAGMA page_size = {PAGE}")
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(f"BEGIN IMMEDIATE; {TABLES} COMMIT;")


def _retry_while_locked(run: Callable[[], T]) -> T:
    """Retry a function while other connections write to the file.

    SQLite's own retry waits up to 0.1 s between attempts. If syncs are slow, a connection that has just written and
    writes again at once would overtake the waiting ones every time. So waiting connections retry every millisecond, and
    a connection that has just written pauses for longer than that."""
    until = time.monotonic() + WAIT_FOR_OTHERS_S
    while True:
        try:
            return run()
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or time.monotonic() > until:
                raise
            time.sleep(ASK_EVERY_S)


def _is_busy(error: Exception) -> bool:
    """Return whether the error means only that another connection holds the lock."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def _parse_refused(row: bytes) -> RefusedPostDraft | None:
    try:
        return RefusedPostDraft(**json.loads(row))
    except (ValueError, TypeError):
        return None


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def open_spool() -> Spool:
    """Return the spool of this host, with its own connection."""
    return Spool(Path(settings.SPOOL_FOLDER) / "posts.sqlite3", settings.SPOOL_MOST_MB * 1024 * 1024)
