"""Entries of downloads: one that is committed before the first byte, and one with rows and bytes after the last."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Generator
from pathlib import Path
from typing import Any

from django.db import Error

from accounts.audit import actors
from accounts.audit.actions import Action
from accounts.audit.entries import Subject, is_writing, write

Pieces = Generator[bytes, None, None]

logger = logging.getLogger("calltally.audit")


class Download:
    """A download that begins now: an entry says so, with its filters, which hold no caller."""

    def __init__(self, kind: str, filters: dict[str, Any]) -> None:
        self._about = Subject("download", "", kind)
        # A response is streamed when its request is over, so who it is for is kept.
        self._actor = actors.current()
        self.rows = self.bytes = 0
        write(Action.EXPORT_BEGUN, self._about, actor=self._actor, after=filters)

    def counted(self, pieces: Pieces) -> Pieces:
        """Yield the pieces of a CSV, and count its rows, without the first one, and bytes."""
        self.rows = -1
        with contextlib.closing(pieces):
            for piece in pieces:
                self.rows += piece.count(b"\n")
                self.bytes += len(piece)
                yield piece

    def streamed(self, pieces: Pieces) -> Pieces:
        """Yield the pieces of a CSV, and note the end, also if the client leaves before."""
        is_complete = False
        try:
            # Closed before the entry is written, on the connection of a query that may still run.
            with contextlib.closing(self.counted(pieces)) as counted:
                yield from counted
            is_complete = True
        finally:
            self.end(is_complete=is_complete)

    def end(self, *, is_complete: bool) -> None:
        """Note the end. What was sent cannot be taken back, so a database that is away is only logged."""
        if is_writing():
            logger.error("audit: the end of a download that was not closed was not noted")
            return
        done = {"is_complete": is_complete}
        try:
            rows = max(self.rows, 0)
            write(Action.EXPORT_ENDED, self._about, actor=self._actor, after=done, rows=rows, size=self.bytes)
        except Error as error:
            logger.error("audit: the end of a download was not noted: %s", type(error).__name__)


class NotedFile(io.BufferedReader):
    """A file that is downloaded: closing it notes how much was read."""

    def __init__(self, path: Path, download: Download, rows: int) -> None:
        super().__init__(io.FileIO(path))
        self._download, self._rows, self._size = download, rows, path.stat().st_size

    def close(self) -> None:
        if not self.closed:
            self._download.rows, self._download.bytes = self._rows, self.tell()
            is_complete = self.tell() >= self._size
            super().close()
            self._download.end(is_complete=is_complete)
