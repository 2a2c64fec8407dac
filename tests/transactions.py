"""What other transactions do meanwhile: threads with a connection of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from django.db import connection, connections

from calls.ingest import writer


def run_until_it_waits(task: Callable[[], Any]) -> threading.Thread:
    """Run a task in a thread, and return the thread once it waits for a lock, or has ended."""
    thread = threading.Thread(target=lambda: _and_disconnect(task), daemon=True)
    thread.start()
    while thread.is_alive() and not _one_waits_for_a_lock():
        thread.join(0.01)
    return thread


@contextmanager
def calls_joined_before(statement: str) -> Iterator[list[int]]:
    """Join calls once, just before the first statement of this thread that contains this text; how many is then in the
    list."""
    joined: list[int] = []

    def join(execute: Any, sql: str, *arguments: Any) -> Any:
        if statement in sql and not joined:
            with ThreadPoolExecutor(1) as pool:
                joined.append(pool.submit(_and_disconnect, writer.reunite_calls).result())
        return execute(sql, *arguments)

    with connection.execute_wrapper(join):
        yield joined


def _and_disconnect(task: Callable[[], Any]) -> Any:
    try:
        return task()
    finally:
        connections.close_all()


def _one_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # otherwise a transaction keeps its first snapshot
        cursor.execute("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
        return cursor.fetchone() is not None
