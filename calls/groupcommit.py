"""One thread that does for many what they would otherwise each do alone: what queued up meanwhile is its next batch."""

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
    """No answer within the time one would wait."""


class GroupCommit(Generic[Item, Answer]):
    """Hands items to `work` in batches, on a thread of its own that starts at first use. No timer waits.

    `work` returns an answer for each item, in their order; an answer that is an exception is raised to the one who
    asked. What `work` itself raises is raised to everybody of the batch."""

    def __init__(
        self,
        name: str,
        work: Callable[[list[Item]], Sequence[Answer | Exception]],
        at_end: Callable[[], None] = lambda: None,
    ) -> None:
        """`at_end` runs on the thread when it is closed."""
        self._name = name
        self._work = work
        self._at_end = at_end
        self._queue: queue.SimpleQueue[tuple[Item, Future[Answer]] | None] = queue.SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._busy_since: float | None = None

    def submit(self, item: Item) -> Future[Answer]:
        """Queue an item; the future tells its answer."""
        future: Future[Answer] = Future()
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._queue.put((item, future))
        return future

    def ask(self, item: Item, within_s: float) -> Answer:
        """Return the answer to an item. Raise Busy where it takes longer, at once where the batch before does.

        After Busy the item is dropped, unless its batch has begun: then it is done, and nobody is told."""
        busy_since = self._busy_since
        if busy_since is not None and time.monotonic() - busy_since > within_s:
            raise Busy
        future = self.submit(item)
        try:
            return future.result(within_s)
        except TimeoutError:
            if future.cancel() or not future.done():
                raise Busy from None
            return future.result()  # it came this very moment, or `work` raised a TimeoutError of its own

    def close(self) -> None:
        """End the thread once all that is queued is done; the next item starts it again."""
        with self._starting:
            thread, self._thread = self._thread, None
            if thread is not None:
                self._queue.put(None)
                thread.join()

    def _run(self) -> None:
        while (batch := self._next_batch()) is not None:
            waiting = [(item, future) for item, future in batch if future.set_running_or_notify_cancel()]
            if waiting:
                self._busy_since = time.monotonic()
                answers = self._answers([item for item, _ in waiting])
                self._busy_since = None
                for (_, future), answer in zip(waiting, answers, strict=True):
                    if isinstance(answer, Exception):
                        future.set_exception(answer)
                    else:
                        future.set_result(answer)
        self._at_end()

    def _answers(self, items: list[Item]) -> Sequence[Answer | Exception]:
        try:
            return self._work(items)
        except Exception as error:  # noqa: BLE001 (the thread must live on, and those who wait must hear of it)
            return [error] * len(items)

    def _next_batch(self) -> list[tuple[Item, Future[Answer]]] | None:
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
