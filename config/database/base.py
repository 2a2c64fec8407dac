"""Django's PostgreSQL backend, extended by the time limits of config.time_limits for web requests."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import psycopg
from django.db.backends.postgresql import base

from config import time_limits
from config.time_limits import SocketHandle

# Has the server cancel a statement whose client is gone. Otherwise it would continue until it has a row to send.
CHECK_CLIENT_EVERY = "2s"


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that the watchdog can end. Outside of web requests it behaves as Django's."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.socket_handle: SocketHandle | None = None
        self._statement_ms: int | None = None  # the session's statement_timeout; None before it was set

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        limit = time_limits.current()
        if limit is None:
            return super().get_new_connection(conn_params)
        within_s = limit.connect_within_s()
        asked_for = int(conn_params.get("connect_timeout") or within_s)
        connection = super().get_new_connection(conn_params | {"connect_timeout": min(within_s, asked_for)})
        self._close_handle()
        self.socket_handle = SocketHandle(connection.fileno())
        return connection

    def init_connection_state(self) -> None:
        super().init_connection_state()
        if self.socket_handle is not None:
            with suppress(psycopg.errors.InvalidParameterValue):  # the server's operating system may not support it
                self.connection.execute(f"SET client_connection_check_interval = '{CHECK_CLIENT_EVERY}'")

    def hold(self) -> None:
        """Let the watchdog reach the connection, also if it was opened before the limit began."""
        if self.socket_handle is None and self.connection is not None and not self.connection.closed:
            self.socket_handle = SocketHandle(self.connection.fileno())

    def create_cursor(self, name: str | None = None) -> Any:
        limit = time_limits.current()
        if limit is not None and limit.statement_ms != self._statement_ms:
            self.connection.execute(f"SET statement_timeout = {limit.statement_ms}")
            # Within a transaction, a rollback would reset it.
            self._statement_ms = None if self.in_atomic_block else limit.statement_ms
        return super().create_cursor(name)

    def _close(self) -> Any:
        self._close_handle()
        return super()._close()  # type: ignore[misc]  # the stubs leave it out

    def _close_handle(self) -> None:
        handle, self.socket_handle, self._statement_ms = self.socket_handle, None, None
        if handle is not None:
            handle.close()
