"""Replays refused posts once the cause is fixed: like any other post, with their original time of receipt."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from django.db.models import QuerySet
from django.utils import timezone

from accounts.addresses import read_address, read_networks
from calls import posts
from calls.ingest import refused_posts
from calls.ingest.group_commit import LARGEST_BATCH
from calls.ingest.sender_policy import Policy
from calls.ingest.writer import Writer
from calls.models import DestinationNumber, Reason, RefusedPost, SenderPolicy
from calls.posts import CallPost

BATCH = 100


class ReplayError(Exception):
    """The database could not take posts. Posts that were taken before remain stored. `reason` is the error's name."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The database is not accepting posts ({reason}).")
        self.reason = reason


@dataclass
class Replayed:
    """The result of a replay, in posts."""

    taken: int = 0
    refused: int = 0


def replay(refused: QuerySet[RefusedPost], meant: DestinationNumber | None = None) -> Replayed:
    """Replay refused posts, oldest first; update the reason of those that are still refused. Raise ReplayError.

    With `meant` they are taken as posts for that number, whichever they name.
    A post that was taken before becomes the same event again: replaying twice changes nothing."""
    result = Replayed()
    current = SenderPolicy.current()
    policy = Policy(current.mode, read_networks(current.networks))
    with contextlib.closing(Writer("calltally replay")) as writer:
        for batch in _batches(refused.order_by("received_at", "id").iterator(BATCH)):
            readable = [
                (row, _posts_of(row, meant)) for row in batch if row.can_be_replayed and _is_admitted(row, policy)
            ]
            taken = _write(writer, [post for _, of_row in readable for post in of_row])
            done = [
                row.pk for row, of_row in readable if of_row and all(str(post.ingest_id) in taken for post in of_row)
            ]
            RefusedPost.objects.filter(pk__in=done).update(replayed_at=timezone.now())
            refused_posts.judge_again([row.pk for row, _ in readable if row.pk not in done])
            result.taken += len(taken)
            result.refused += sum(row.count for row in batch if row.pk not in done)
    return result


def _posts_of(row: RefusedPost, meant: DestinationNumber | None) -> list[CallPost]:
    try:
        parsed = [
            posts.parse_again(row.body, row.fingerprint, received_at, ingest_id)
            for ingest_id, received_at in zip(row.ingest_ids, row.receipts, strict=True)
        ]
    except posts.Refusal:
        return []
    return [replace(post, destination_number=meant.e164) for post in parsed] if meant else parsed


def _write(writer: Writer, of_batch: list[CallPost]) -> set[str]:
    """Write posts; return the ingest ids of those that were taken, as text."""
    taken = set()
    for first in range(0, len(of_batch), LARGEST_BATCH):
        part = of_batch[first : first + LARGEST_BATCH]
        try:
            answers = writer.write(part)
        except Exception as error:
            raise ReplayError(type(error).__name__) from error
        taken |= {str(post.ingest_id) for post, answer in zip(part, answers, strict=True) if answer is True}
    return taken


def _is_admitted(row: RefusedPost, policy: Policy) -> bool:
    """Return whether the sender policy now allows the address that a post was refused for."""
    return row.reason != Reason.FOREIGN_ADDRESS or not policy.refuses(read_address(row.address or ""))


def _batches(rows: Iterable[RefusedPost]) -> Iterator[list[RefusedPost]]:
    batch: list[RefusedPost] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
