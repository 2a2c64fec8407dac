"""Keeps a post: in the database, or in the spool where that is away or slow. Nobody waits long for either."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Hashable, Mapping
from concurrent.futures import Future, wait
from datetime import datetime
from typing import NoReturn

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
from calls.posts import CallPost

logger = logging.getLogger(__name__)

WAIT_FOR_DATABASE_S = 0.75
WAIT_S = 1.75  # in all, for the database and then for the spool
READ_KEYS_EVERY_S = 60.0
READ_KEYS_AFTER_FAILURE_S = 5.0
OLD_S = 60.0  # a post that waits in the spool for longer is worth a word
SAY_AGAIN_AFTER_S = 60.0
NO_KEY = keys.fingerprint("")


class Unavailable(Exception):  # noqa: N818 (the post is at no fault)
    """Neither database nor spool can take the post now."""


class Intake:
    """What one process has for keeping posts: a thread for the database, one for the spool, one that reads keys and
    from where posts may come, and two for posts that were refused.

    Each starts at first use. Everything here may be called from any thread."""

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
        self._said: dict[str, float] = {}
        self._deciding = threading.Lock()

    def keep(self, post: CallPost) -> bool:
        """Keep a post; return whether its key was live and opened its number, as far as that can be said now.

        It is on disk when this returns True. Raise Unavailable where it cannot be, within 1.75 seconds."""
        self._remember()
        until = time.monotonic() + WAIT_S
        if not self._writer.is_resting():
            try:
                return self._database.ask(post, WAIT_FOR_DATABASE_S)
            except Busy:
                self._say("the database did not answer in time; posts go to the spool")
            except Unwritable as error:
                # No fault of the sender that we know of: it is kept, and will be set aside and shown.
                self._say(f"the database refused the content of a post ({error}); it goes to the spool")
            except Exception as error:  # noqa: BLE001 (whatever it was: the post goes to the spool)
                self._say(f"the database takes no posts ({type(error).__name__}); they go to the spool")
        return self._keep_on_disk(post, until)

    # --- Who sends ---

    def sender_of(self, meta: Mapping[str, str]) -> Sender:
        """Say who sent a request, by its META."""
        self._remember()
        return self._policy.judge(meta)

    def wait_s(self, sender: Sender) -> int:
        """Return the seconds until a sender may post again, 0 where it may now. Listed ones always may."""
        return 0 if sender.is_trustworthy else self._rate_limit.wait_s(_responsible(sender))

    def note_taken(self, sender: Sender) -> None:
        """Note that a post of a sender was taken: whatever it was slowed down for is forgiven."""
        if not sender.is_trustworthy:
            self._rate_limit.taken(_responsible(sender))

    def keep_refused(self, refused: RefusedPostDraft, sender: Sender) -> None:
        """Keep a post that was refused, where it is worth it: it came from a listed address, or with a live key.

        On disk when this returns for a listed address, if it can be at all. For others nobody waits: how long an
        answer takes must not tell whether a key is known."""
        if sender.is_trustworthy:
            until = time.monotonic() + WAIT_S
            if not self._refused_writer.is_resting():
                with contextlib.suppress(Exception):  # whatever it is: there is the spool
                    return self._refused.ask(refused, WAIT_FOR_DATABASE_S)
            wait([self._spool_refused(refused)], until - time.monotonic())
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

    def _spool_refused(self, refused: RefusedPostDraft) -> Future[None]:
        future = self._refused_disk.submit(refused)
        future.add_done_callback(
            lambda kept: (
                self._say(f"a refused post could not be kept: {kept.exception()}") if kept.exception() else None
            )
        )
        return future

    # --- Keys ---

    def _write(self, posts: list[CallPost]) -> list[bool | Exception]:
        metrics.BATCH.observe(len(posts))
        return self._writer.write(posts)

    def opens_any_number(self, fingerprint: str, moment: datetime) -> bool:
        """Say whether a key admits posts for some number at a moment, as far as that can be said now."""
        verdict = self._key_cache.judge(fingerprint, None, moment)
        if verdict is Verdict.UNKNOWN and fingerprint != NO_KEY and not self._key_reader.is_resting():
            with contextlib.suppress(Exception):  # then it stays unknown
                self._keys.ask(fingerprint, WAIT_FOR_DATABASE_S)
            verdict = self._key_cache.judge(fingerprint, None, moment)
        return verdict is Verdict.LIVE

    def has_database(self) -> bool:
        """Say whether the database answers, within 0.75 seconds."""
        try:
            self._keys.ask(NO_KEY, WAIT_FOR_DATABASE_S)
        except Exception:  # noqa: BLE001 (then it does not)
            return False
        return True

    def close(self) -> None:
        """End the threads and their connections; the next post starts them again."""
        for thread in (self._database, self._disk, self._keys, self._refused, self._refused_disk):
            thread.close()

    def read_again(self) -> None:
        """Have keys and policy read again before the next post is judged."""
        self._read_keys_at, self._has_read = 0.0, False

    def _keep_on_disk(self, post: CallPost, until: float) -> bool:
        verdict = self._key_cache.judge(post.fingerprint, post.destination_number, post.received_at)
        if verdict is Verdict.WRONG or post.fingerprint == NO_KEY:
            return False
        try:
            self._disk.ask((post, verdict is Verdict.LIVE), until - time.monotonic())
        except Busy:
            self._give_up("the disk did not answer in time")
        except SpoolError as error:
            self._give_up(str(error))
        metrics.SPOOLED.inc()
        post_log.spooled(post)
        return True

    def _give_up(self, why: str) -> NoReturn:
        self._say(f"posts can be kept neither in the database nor in the spool: {why}", logging.CRITICAL)
        raise Unavailable(why)

    def _remember(self) -> None:
        """Have keys and policy read again once what is remembered is a minute old. Only the very first post waits."""
        now = time.monotonic()
        if now < self._read_keys_at:
            return
        with self._deciding:
            if now < self._read_keys_at:
                return
            self._read_keys_at = now + READ_KEYS_EVERY_S
        reading = self._keys.submit(None)
        reading.add_done_callback(self._try_sooner_after_failure)
        if not self._has_read and not self._key_reader.is_resting():
            with contextlib.suppress(Exception):  # then with what is known
                reading.result(WAIT_FOR_DATABASE_S)

    def _try_sooner_after_failure(self, reading: Future[None]) -> None:
        if reading.exception() is not None:
            self._read_keys_at = time.monotonic() + READ_KEYS_AFTER_FAILURE_S

    def _read_keys(self, asked_for: list[str | None]) -> list[None]:
        """Read all keys and the policy anew where None asks for that, else the keys of the fingerprints."""
        if None in asked_for:
            self._key_cache.replace(self._key_reader.execute(key_cache.KEYS, []))
            self._policy = Policy.from_rows(self._key_reader.execute(sender_policy.POLICY, []))
            self._has_read = True
        else:
            self._key_cache.add(self._key_reader.execute(key_cache.KEYS_OF, [asked_for]))
        return [None] * len(asked_for)

    def _say(self, what: str, level: int = logging.ERROR) -> None:
        """Log something, once a minute at most: an outage is one event, not one for every post."""
        now = time.monotonic()
        if now >= self._said.get(what, 0.0):
            self._said[what] = now + SAY_AGAIN_AFTER_S
            logger.log(level, "%s", what)


def _responsible(sender: Sender) -> Hashable:
    return None if sender.address is None else neighbourhood(sender.address)


def held_in_spool() -> SpoolContents:
    """Say what this host's spool holds; note in the log what has waited there for long. Raise SpoolError."""
    with contextlib.closing(open_spool()) as spool:
        held = spool.held()
    if held.oldest_s > OLD_S:
        logger.warning("%d posts wait in the spool, the oldest for %.0f s", held.waiting, held.oldest_s)
    return held


def prove_spool() -> None:
    """Raise SpoolError where this host's spool could keep no post."""
    with contextlib.closing(open_spool()) as spool:
        spool.prove()


_making = threading.Lock()
_intake: Intake | None = None


def get_intake() -> Intake:
    """Return the intake of this process, which is made at first use."""
    global _intake  # noqa: PLW0603 (one a process)
    if _intake is None:
        with _making:
            _intake = _intake or Intake(open_spool())
    return _intake
