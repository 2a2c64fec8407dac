"""Log formatters: for people, or as JSON for machines."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return the fields of a log record besides its message: names and plain values."""
    held_back = getattr(record, "held_back", 0)
    return getattr(record, "fields", {}) | ({"held_back": held_back} if held_back else {})


class LineFormatter(logging.Formatter):
    """`2026-03-29 14:30:00,123+02:00 WARNING calltally.posts: refused status=403 code=forbidden`"""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 (logging's name)
        """Return the local time with its offset, without which an hour of each autumn is ambiguous."""
        local = datetime.fromtimestamp(record.created).astimezone()
        return local.isoformat(" ", "milliseconds").replace(".", ",")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's name)
        fields = "".join(f" {name}={value}" for name, value in fields_of(record).items())
        return super().formatMessage(record) + fields


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time (ISO 8601, UTC), level, logger, message and fields."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line | fields_of(record))
