"""Group commit: a worker thread that batches the items queued while the previous batch was committing."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

LARGEST_BATCH = 128

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Busy(Exception):  # noqa: N818 (a state, not a fault)
    """There was no answer within the time limit."""


class Asked(Generic[Item, Answer]):
    """An item whose sender waits for the answer. A lock costs half as much as the condition of a Future."""

    __slots__ = ("_answered", "_claimed", "answer", "is_answered", "item")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.answer: Answer | Exception
        self.is_answered = False
        self._answered = threading.Lock()
        self._answered.acquire()
        self._claimed = threading.Lock()

    def claim(self) -> bool:
        """Return True only to the first caller: the thread that starts on the item, or the sender that gives up."""
        return self._claimed.acquire(blocking=False)

    def resolve(self, answer: Answer | Exception) -> None:
        self.answer, self.is_answered = answer, True
        self._answered.release()

    def wait(self, within_s: float) -> bool:
        """Wait for the answer; return whether it came in time."""
        return self._answered.acquire(timeout=max(0.0, within_s))


class Submitted(Generic[Item, Answer]):
    """An item whose answer a Future holds."""

    __slots__ = ("_future", "item")

    def __init__(self, item: Item, future: Future[Answer]) -> None:
        self.item = item
        self._future = future

    def claim(self) -> bool:
        return self._future.set_running_or_notify_cancel()

    def resolve(self, answer: Answer | Exception) -> None:
        if isinstance(answer, Exception):
            self._future.set_exception(answer)
        else:
            self._future.set_result(answer)


class GroupCommit(Generic[Item, Answer]):
    """Passes items to `work` in batches, on a thread that starts at first use. No timer delays a batch.

    `work` returns an answer for each item, in the same order; an answer that is an exception is raised to the sender
    of that item. If `work` itself raises, all senders of the batch get that exception."""

    def __init__(
        self,
        name: str,
        work: Callable[[list[Item]], Sequence[Answer | Exception]],
        at_end: Callable[[], None] = lambda: None,
    ) -> None:
        """`at_end` runs on the worker thread when it is closed."""
        self._name = name
        self._work = work
        self._at_end = at_end
        self._queue: queue.SimpleQueue[Asked[Item, Answer] | Submitted[Item, Answer] | None] = queue.SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._busy_since: float | None = None

    def submit(self, item: Item) -> Future[Answer]:
        """Queue an item; return a future that holds its answer."""
        future: Future[Answer] = Future()
        self._put(Submitted(item, future))
        return future

    def ask(self, item: Item, within_s: float) -> Answer:
        """Return the answer to an item. Raise Busy if it takes longer than `within_s`.

        Raise Busy at once if the current batch has taken longer than that already. After Busy the item is dropped,
        unless its batch has started: then it is still processed, and its answer is lost."""
        busy_since = self._busy_since
        if busy_since is not None and time.monotonic() - busy_since > within_s:
            raise Busy
        asked: Asked[Item, Answer] = Asked(item)
        self._put(asked)
        if not asked.wait(within_s) and (asked.claim() or not asked.is_answered):
            raise Busy
        if isinstance(asked.answer, Exception):
            raise asked.answer
        return asked.answer

    def close(self) -> None:
        """Stop the thread after all queued items are processed; the next item starts it again."""
        with self._starting:
            thread, self._thread = self._thread, None
            if thread is not None:
                self._queue.put(None)
                thread.join()

    def _put(self, entry: Asked[Item, Answer] | Submitted[Item, Answer]) -> None:
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._queue.put(entry)

    def _run(self) -> None:
        while (batch := self._next_batch()) is not None:
            claimed = [entry for entry in batch if entry.claim()]
            if claimed:
                self._busy_since = time.monotonic()
                answers = self._answers([entry.item for entry in claimed])
                self._busy_since = None
                for entry, answer in zip(claimed, answers, strict=True):
                    entry.resolve(answer)
        self._at_end()

    def _answers(self, items: list[Item]) -> Sequence[Answer | Exception]:
        try:
            return self._work(items)
        except Exception as error:  # noqa: BLE001 (the thread must go on, and senders must get the error)
            return [error] * len(items)

    def _next_batch(self) -> list[Asked[Item, Answer] | Submitted[Item, Answer]] | None:
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
                self._queue.put(None)  # stop after this batch
                break
            batch.append(following)
        return batch
