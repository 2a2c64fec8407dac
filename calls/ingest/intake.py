"""Stores posts in the database, or in the spool while the database is down or slow, within a time limit."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Hashable, Mapping
from concurrent.futures import Future, wait
from datetime import datetime

from accounts.addresses import neighbourhood
from calls import keys
from calls.ingest import key_cache, metrics, post_log, refused_posts, sender_policy
from calls.ingest.group_commit import Busy, GroupCommit
from calls.ingest.key_cache import KeyCache, Verdict
from calls.ingest.rate_limit import RateLimit
from calls.ingest.refused_posts import RefusedPostDraft
from calls.ingest.sender_policy import Policy, Sender
from calls.ingest.spool import Spool, SpoolContents, SpoolError, open_spool
from calls.ingest.writer import Unwritable, Writer
from calls.log_limits import OnceAMinute
from calls.posts import CallPost

logger = logging.getLogger(__name__)

WAIT_FOR_DATABASE_S = 0.75
WAIT_S = 1.75  # in total, for the database and then for the spool
READ_KEYS_EVERY_S = 60.0
READ_KEYS_AFTER_FAILURE_S = 5.0
OLD_S = 60.0  # posts that wait in the spool for longer are reported
NO_KEY = keys.fingerprint("")


class Unavailable(Exception):  # noqa: N818 (not an error of the post)
    """Neither the database nor the spool can store the post now."""


class Intake:
    """Stores the posts of one process. It has a thread each for the database, for the spool, and for reading access
    keys and the sender policy, and two threads for refused posts.

    Each thread starts at first use. All methods may be called from any thread."""

    def __init__(self, spool: Spool) -> None:
        other = Spool(spool.path, spool.most_bytes)
        self._writer = Writer("calltally writer")
        self._refused_writer = Writer("calltally refusals")
        self._database: GroupCommit[CallPost, bool] = GroupCommit("writer", self._write, self._writer.close)
        self._disk: GroupCommit[tuple[CallPost, bool], None] = GroupCommit("spool", spool.add, spool.close)
        self._refused: GroupCommit[RefusedPostDraft, None] = GroupCommit(
            "refused", self._keep_refused, self._refused_writer.close
        )
        self._refused_disk: GroupCommit[RefusedPostDraft, None] = GroupCommit(
            "refused spool",
            lambda refused: other.add_refused(
                [refused_posts.without_secrets(post, self._key_cache.knows) for post in refused]
            ),
            other.close,
        )
        self._rate_limit = RateLimit()
        self._policy = Policy()
        self._key_cache = KeyCache()
        self._key_reader = Writer("calltally key reader")
        self._keys: GroupCommit[str | None, None] = GroupCommit("keys", self._read_keys, self._key_reader.close)
        self._read_keys_at = 0.0
        self._has_read = False
        self._log_limit = OnceAMinute()
        self._refreshing = threading.Lock()

    def keep(self, post: CallPost) -> bool:
        """Store a post; return whether its key was live for its number, as far as that is known now.

        The post is on disk when this returns True. Raise Unavailable if it cannot be stored within 1.75 seconds."""
        self._refresh_cache()
        until = time.monotonic() + WAIT_S
        if not self._writer.is_resting():
            try:
                return self._database.ask(post, WAIT_FOR_DATABASE_S)
            except Busy:
                self._say("the database did not answer in time; posts go to the spool")
            except Unwritable as error:
                # Not the sender's fault as far as we know: the post is kept, and will be quarantined and shown.
                self._say(f"the database refused the content of a post ({error}); it goes to the spool")
            except Exception as error:  # noqa: BLE001 (whatever the error, the post goes to the spool)
                self._say(f"the database takes no posts ({type(error).__name__}); they go to the spool")
        try:
            return self._keep_on_disk(post, until)
        except (Busy, SpoolError) as error:
            why = "the disk did not answer in time" if isinstance(error, Busy) else str(error)
        # A database that failed may be back before it is tried again, which takes up to 4 s. No post is refused before.
        with contextlib.suppress(Exception):
            return self._database.ask(post, min(WAIT_FOR_DATABASE_S, until - time.monotonic()))
        self._say(f"posts can be kept neither in the database nor in the spool: {why}", logging.CRITICAL)
        raise Unavailable(why)

    # --- Senders ---

    def sender_of(self, meta: Mapping[str, str]) -> Sender:
        """Return the sender of a request, from its META."""
        self._refresh_cache()
        return self._policy.judge(meta)

    def wait_s(self, sender: Sender) -> int:
        """Return the seconds until a sender may post again; 0 if it may now. Listed senders always may."""
        return 0 if sender.is_trustworthy else self._rate_limit.wait_s(_responsible(sender))

    def note_taken(self, sender: Sender) -> None:
        """Note that a post of a sender was accepted, which resets its rate limit."""
        if not sender.is_trustworthy:
            self._rate_limit.taken(_responsible(sender))

    def keep_refused(self, refused: RefusedPostDraft, sender: Sender) -> None:
        """Store a refused post if it came from a listed address or with a live key.

        For a listed address it is on disk when this returns, if it can be stored at all. For others this does not
        wait: the time that an answer takes must not reveal whether a key is known."""
        if sender.is_trustworthy:
            until = time.monotonic() + WAIT_S
            if not self._refused_writer.is_resting():
                with contextlib.suppress(Exception):  # whatever the error, the spool is left
                    return self._refused.ask(refused, WAIT_FOR_DATABASE_S)
            spooled = self._refused_disk.submit(refused)
            wait([spooled], until - time.monotonic())
            if spooled.done() and spooled.exception():
                # As with other posts: the database may be back.
                stored = self._refused.submit(refused)
                stored.add_done_callback(self._say_if_lost)
                wait([stored], until - time.monotonic())
            return None
        self._rate_limit.refused(_responsible(sender))
        verdict = self._key_cache.judge(refused.fingerprint, None, datetime.fromisoformat(refused.received_at))
        if verdict is Verdict.LIVE:
            self._refused.submit(refused).add_done_callback(
                lambda kept: self._spool_refused(refused) if kept.exception() else None
            )
        return None

    def _keep_refused(self, refused: list[RefusedPostDraft]) -> list[None]:
        self._refused_writer.run(lambda connection: refused_posts.keep(connection, refused))
        return [None] * len(refused)

    def _spool_refused(self, refused: RefusedPostDraft) -> None:
        self._refused_disk.submit(refused).add_done_callback(self._say_if_lost)

    def _say_if_lost(self, kept: Future[None]) -> None:
        if kept.exception():
            self._say(f"a refused post could not be kept: {kept.exception()}")

    # --- Keys ---

    def _write(self, posts: list[CallPost]) -> list[bool | Exception]:
        metrics.BATCH.observe(len(posts))
        return self._writer.write(posts)

    def opens_any_number(self, fingerprint: str, moment: datetime) -> bool:
        """Return whether a key admits posts for any number at a moment, as far as that is known now."""
        verdict = self._key_cache.judge(fingerprint, None, moment)
        if verdict is Verdict.UNKNOWN and fingerprint != NO_KEY and not self._key_reader.is_resting():
            with contextlib.suppress(Exception):  # then the key stays unknown
                self._keys.ask(fingerprint, WAIT_FOR_DATABASE_S)
            verdict = self._key_cache.judge(fingerprint, None, moment)
        return verdict is Verdict.LIVE

    def has_database(self) -> bool:
        """Return whether the database answers, within 0.75 seconds."""
        try:
            self._keys.ask(NO_KEY, WAIT_FOR_DATABASE_S)
        except Exception:  # noqa: BLE001 (any error means no)
            return False
        return True

    def close(self) -> None:
        """Stop the threads and close their connections; the next post starts them again."""
        for thread in (self._database, self._disk, self._keys, self._refused, self._refused_disk):
            thread.close()

    def read_again(self) -> None:
        """Have keys and sender policy read again before the next post is authenticated."""
        self._read_keys_at, self._has_read = 0.0, False

    def _keep_on_disk(self, post: CallPost, until: float) -> bool:
        verdict = self._key_cache.judge(post.fingerprint, post.destination_number, post.received_at)
        if verdict is Verdict.WRONG or post.fingerprint == NO_KEY:
            return False
        self._disk.ask((post, verdict is Verdict.LIVE), until - time.monotonic())
        metrics.SPOOLED.inc()
        post_log.spooled(post)
        return True

    def _refresh_cache(self) -> None:
        """Have keys and sender policy read again once they are a minute old. Only the very first post waits for it."""
        now = time.monotonic()
        if now < self._read_keys_at:
            return
        with self._refreshing:
            if now < self._read_keys_at:
                return
            self._read_keys_at = now + READ_KEYS_EVERY_S
        reading = self._keys.submit(None)
        reading.add_done_callback(self._try_sooner_after_failure)
        if not self._has_read and not self._key_reader.is_resting():
            with contextlib.suppress(Exception):  # then the post is judged by what is cached
                reading.result(WAIT_FOR_DATABASE_S)

    def _try_sooner_after_failure(self, reading: Future[None]) -> None:
        if reading.exception() is not None:
            self._read_keys_at = time.monotonic() + READ_KEYS_AFTER_FAILURE_S

    def _read_keys(self, asked_for: list[str | None]) -> list[None]:
        """Read the keys of these fingerprints; if None is among them, read all keys and the sender policy instead."""
        if None in asked_for:
            self._key_cache.replace(self._key_reader.execute(key_cache.KEYS, []))
            self._policy = Policy.from_rows(self._key_reader.execute(sender_policy.POLICY, []))
            self._has_read = True
        else:
            self._key_cache.add(self._key_reader.execute(key_cache.KEYS_OF, [asked_for]))
        return [None] * len(asked_for)

    def _say(self, what: str, level: int = logging.ERROR) -> None:
        if self._log_limit.is_due(what):
            logger.log(level, "%s", what)


def _responsible(sender: Sender) -> Hashable:
    return None if sender.address is None else neighbourhood(sender.address)


def held_in_spool() -> SpoolContents:
    """Return the contents of this host's spool; log a warning if posts have waited there too long. Raise SpoolError."""
    with contextlib.closing(open_spool()) as spool:
        held = spool.held()
    if held.oldest_s > OLD_S:
        logger.warning("%d posts wait in the spool, the oldest for %.0f s", held.waiting, held.oldest_s)
    return held


def prove_spool() -> None:
    """Raise SpoolError if this host's spool cannot store posts."""
    with contextlib.closing(open_spool()) as spool:
        spool.prove()


_creating = threading.Lock()
_intake: Intake | None = None


def get_intake() -> Intake:
    """Return the intake of this process, which is created at first use."""
    global _intake  # noqa: PLW0603 (one per process)
    if _intake is None:
        with _creating:
            _intake = _intake or Intake(open_spool())
    return _intake
