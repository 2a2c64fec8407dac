"""Entries of downloads: one that is committed before the first byte, and one with rows and bytes after the last.

The last one is written when everything was sent or the server closes the response, never when Python cleans up what was
not closed: that can be at any moment, also within a statement, whose connection would then wait for itself."""

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
from accounts.audit.entries import Subject, write

Pieces = Generator[bytes, None, None]

logger = logging.getLogger("calltally.audit")


class Download:
    """A download that begins now: an entry says so, with its filters and the reason, which hold no caller."""

    def __init__(self, kind: str, filters: dict[str, Any], reason: str = "") -> None:
        self._about = Subject("download", "", kind)
        # A response is streamed when its request is over, so who it is for is kept.
        self._actor = actors.current()
        self.rows = self.bytes = 0
        write(Action.EXPORT_BEGUN, self._about, actor=self._actor, after=filters, reason=reason)

    def counted(self, pieces: Pieces) -> Pieces:
        """Yield the pieces of a CSV, and count its rows, without the first one, and bytes."""
        self.rows = -1
        with contextlib.closing(pieces):
            for piece in pieces:
                self.rows += piece.count(b"\n")
                self.bytes += len(piece)
                yield piece

    def streamed(self, pieces: Pieces) -> NotedPieces:
        """Return the pieces of a CSV for a response; their end is noted, also if the client leaves before."""
        return NotedPieces(self, pieces)

    def end(self, *, is_complete: bool) -> None:
        """Note the end. What was sent cannot be taken back, so a database that is away is only logged."""
        done = {"is_complete": is_complete}
        try:
            rows = max(self.rows, 0)
            write(Action.EXPORT_ENDED, self._about, actor=self._actor, after=done, rows=rows, size=self.bytes)
        except Error as error:
            logger.error("audit: the end of a download was not noted: %s", type(error).__name__)


class NotedPieces:
    """The pieces of a CSV that is downloaded: the last one, or closing them, notes how much was sent."""

    def __init__(self, download: Download, pieces: Pieces) -> None:
        self._download, self._pieces = download, download.counted(pieces)
        self._has_ended = False

    def __iter__(self) -> NotedPieces:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._pieces)
        except StopIteration:
            self._end(is_complete=True)
            raise

    def close(self) -> None:
        """End the download. Every server calls it, as `close` of the response."""
        # First, because the query may still run, and the entry is written on its connection.
        self._pieces.close()
        self._end(is_complete=False)

    def _end(self, *, is_complete: bool) -> None:
        if not self._has_ended:
            self._has_ended = True
            self._download.end(is_complete=is_complete)


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

    def __del__(self) -> None:
        super().close()
