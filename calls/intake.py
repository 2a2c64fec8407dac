"""Keeps a post: in the database, or in the spool where that is away or slow. Nobody waits long for either."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from concurrent.futures import Future
from datetime import datetime
from typing import NoReturn

from calls import keyring, keys
from calls.groupcommit import Busy, GroupCommit
from calls.keyring import Keyring, Verdict
from calls.posts import CallPost
from calls.spool import Held, Spool, SpoolError, of_this_host
from calls.writer import Unwritable, Writer

logger = logging.getLogger(__name__)

WAIT_FOR_DATABASE_S = 0.75
WAIT_FOR_SPOOL_S = 1.0
READ_KEYS_EVERY_S = 60.0
READ_KEYS_AFTER_FAILURE_S = 5.0
OLD_S = 60.0  # a post that waits in the spool for longer is worth a word
SAY_AGAIN_AFTER_S = 60.0
NO_KEY = keys.fingerprint("")


class Unavailable(Exception):  # noqa: N818 (the post is at no fault)
    """Neither database nor spool can take the post now."""


class Intake:
    """What one process has for keeping posts: a thread for the database, one for the spool, one that reads keys.

    Each starts at first use. Everything here may be called from any thread."""

    def __init__(self, spool: Spool) -> None:
        self._writer = Writer("calltally writer")
        self._database: GroupCommit[CallPost, bool] = GroupCommit("writer", self._writer.write, self._writer.close)
        self._disk: GroupCommit[tuple[CallPost, bool], None] = GroupCommit("spool", spool.add, spool.close)
        self._keyring = Keyring()
        self._key_reader = Writer("calltally key reader")
        self._keys: GroupCommit[str | None, None] = GroupCommit("keys", self._read_keys, self._key_reader.close)
        self._read_keys_at = 0.0
        self._said: dict[str, float] = {}
        self._deciding = threading.Lock()

    def keep(self, post: CallPost) -> bool:
        """Keep a post; return whether its key was live and opened its number, as far as that can be said now.

        It is on disk when this returns True. Raise Unavailable where it cannot be, within 1.75 seconds."""
        self._remember_keys()
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
        return self._keep_on_disk(post)

    def opens_any_number(self, access_key: str, moment: datetime) -> bool:
        """Say whether a key admits posts for some number at a moment, as far as that can be said now."""
        fingerprint = keys.fingerprint(access_key)
        verdict = self._keyring.judge(fingerprint, None, moment)
        if verdict is Verdict.UNKNOWN and fingerprint != NO_KEY and not self._key_reader.is_resting():
            with contextlib.suppress(Exception):  # then it stays unknown
                self._keys.ask(fingerprint, WAIT_FOR_DATABASE_S)
            verdict = self._keyring.judge(fingerprint, None, moment)
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
        for thread in (self._database, self._disk, self._keys):
            thread.close()

    def _keep_on_disk(self, post: CallPost) -> bool:
        verdict = self._keyring.judge(post.fingerprint, post.destination_number, post.received_at)
        if verdict is Verdict.WRONG or post.fingerprint == NO_KEY:
            return False
        try:
            self._disk.ask((post, verdict is Verdict.LIVE), WAIT_FOR_SPOOL_S)
        except Busy:
            self._give_up("the disk did not answer in time")
        except SpoolError as error:
            self._give_up(str(error))
        return True

    def _give_up(self, why: str) -> NoReturn:
        self._say(f"posts can be kept neither in the database nor in the spool: {why}", logging.CRITICAL)
        raise Unavailable(why)

    def _remember_keys(self) -> None:
        """Have all keys read again once what is remembered is a minute old; nobody waits for it."""
        now = time.monotonic()
        if now < self._read_keys_at:
            return
        with self._deciding:
            if now < self._read_keys_at:
                return
            self._read_keys_at = now + READ_KEYS_EVERY_S
        self._keys.submit(None).add_done_callback(self._try_sooner_after_failure)

    def _try_sooner_after_failure(self, reading: Future[None]) -> None:
        if reading.exception() is not None:
            self._read_keys_at = time.monotonic() + READ_KEYS_AFTER_FAILURE_S

    def _read_keys(self, asked_for: list[str | None]) -> list[None]:
        """Read all keys anew where None asks for that, else those of the fingerprints."""
        if None in asked_for:
            self._keyring.replace(self._key_reader.execute(keyring.KEYS, []))
        else:
            self._keyring.add(self._key_reader.execute(keyring.KEYS_OF, [asked_for]))
        return [None] * len(asked_for)

    def _say(self, what: str, level: int = logging.ERROR) -> None:
        """Log something, once a minute at most: an outage is one event, not one for every post."""
        now = time.monotonic()
        if now >= self._said.get(what, 0.0):
            self._said[what] = now + SAY_AGAIN_AFTER_S
            logger.log(level, "%s", what)


def held_in_spool() -> Held:
    """Say what this host's spool holds; note in the log what has waited there for long. Raise SpoolError."""
    with contextlib.closing(of_this_host()) as spool:
        held = spool.held()
    if held.oldest_s > OLD_S:
        logger.warning("%d posts wait in the spool, the oldest for %.0f s", held.waiting, held.oldest_s)
    return held


def prove_spool() -> None:
    """Raise SpoolError where this host's spool could keep no post."""
    with contextlib.closing(of_this_host()) as spool:
        spool.prove()


_of_this_process = Intake(of_this_host())
keep = _of_this_process.keep
opens_any_number = _of_this_process.opens_any_number
has_database = _of_this_process.has_database
close = _of_this_process.close
