"""The default broker: Kombu's transport with messages in files, made tolerant of corrupt files."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

from kombu.transport import filesystem

logger = logging.getLogger(__name__)


class Channel(filesystem.Channel):
    """Skips messages that a full disk or a power cut left incomplete.

    Messages carry no data, so that the next one has the same effect."""

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        while True:
            # A file that cannot be read has been moved out of the folder already; the exception Empty ends the loop.
            with contextlib.suppress(ValueError):
                message = super()._get(queue)
                if isinstance(message, dict) and "properties" in message:
                    return message
            logger.warning("A broken message for %s was skipped.", queue)

    def get_table(self, exchange: str) -> Any:
        with contextlib.suppress(ValueError):
            return super().get_table(exchange)
        return []

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str | None, queue: str) -> None:
        try:
            super()._queue_bind(exchange, routing_key, pattern, queue)
        except ValueError:
            logger.warning("The stored bindings of the exchange %s were broken and are written again.", exchange)
            (self.control_folder / f"{exchange}.exchange").unlink(missing_ok=True)
            super()._queue_bind(exchange, routing_key, pattern, queue)


class Transport(filesystem.Transport):
    Channel = Channel
