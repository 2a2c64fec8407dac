"""Moves spooled posts into the database: first written and committed, then removed from the spool.

If a drainer is killed in between, or if two run at once, posts are written twice, which changes nothing."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from calls.ingest import refused_posts
from calls.ingest.spool import Spool, Spooled
from calls.ingest.writer import CONTENT_IS_BAD, Unwritable, Writer
from calls.posts import CallPost

logger = logging.getLogger(__name__)

BATCH = 128
WRONG_KEY = "no live key of its number"
UNREADABLE = "not a post that this version can read"
# SQLSTATE classes in which the database accepts no statement at all: connection lost, out of resources, shutting down.
AWAY = ("08", "53", "57P")


@dataclass
class Drained:
    """The result of one batch."""

    written: int = 0
    set_aside: int = 0
    failed: str = ""  # why no more could be written


def drain_some(spool: Spool, writer: Writer) -> Drained:
    """Move at most one batch of the posts that have waited longest. Raise SpoolError if the spool cannot be used.

    Posts that the database refuses for good are quarantined. If it cannot take a batch now, a smaller one is tried; a
    single post that it cannot take is moved behind the others."""
    drained = Drained()
    posts: list[tuple[Spooled, CallPost]] = []
    for spooled in spool.waiting(BATCH):
        try:
            posts.append((spooled, spooled.read()))
        except ValueError:
            spool.set_aside([spooled], UNREADABLE)
            drained.set_aside += 1
    while posts:
        try:
            answers = writer.write([post for _, post in posts])
        except Exception as error:  # noqa: BLE001 (whatever the error, the posts stay in the spool)
            drained.failed = type(error).__name__
            if _is_away(error):
                break
            if len(posts) == 1:
                spool.note_tries([posts[0][0]])
                break
            posts = posts[: len(posts) // 2]
        else:
            _settle(spool, posts, answers, drained)
            break
    return drained


def drain_refused(spool: Spool, writer: Writer) -> int:
    """Move at most one batch of refused posts; return how many left the spool.

    They stay in the spool as long as the database is unavailable. Raise SpoolError if the spool cannot be used."""
    waiting = spool.refused(BATCH)
    readable = [refused for refused in waiting.values() if refused is not None]
    if readable:
        try:
            writer.run(lambda connection: refused_posts.keep(connection, readable))
        except CONTENT_IS_BAD as error:
            logger.error("refused posts could not be kept: SQLSTATE %s", error.sqlstate)
        except Exception:  # noqa: BLE001 (the database may be down)
            return 0
    if waiting:
        spool.remove_refused(list(waiting))
    return len(waiting)


def _settle(
    spool: Spool, posts: Sequence[tuple[Spooled, CallPost]], answers: Sequence[bool | Exception], drained: Drained
) -> None:
    """Remove the posts that are in the database from the spool, and quarantine the others."""
    refused: dict[str, list[Spooled]] = {}
    written = []
    for (spooled, _), answer in zip(posts, answers, strict=True):
        if answer is True:
            written.append(spooled)
        else:
            reason = f"refused by the database, {answer}" if isinstance(answer, Unwritable) else WRONG_KEY
            refused.setdefault(reason, []).append(spooled)
    for reason, group in refused.items():
        spool.set_aside(group, reason)
    spool.remove(written)
    drained.written, drained.set_aside = len(written), drained.set_aside + len(posts) - len(written)


def _is_away(error: Exception) -> bool:
    state = getattr(error, "sqlstate", None)
    return isinstance(error, psycopg.OperationalError) and (state is None or state.startswith(AWAY))
