"""What only the owner of the tables may do. Tests connect as the application, as pages and workers do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection


@contextmanager
def as_owner(session: Any = connection) -> Iterator[None]:
    """Let a connection, of Django or psycopg, do what the owner may; also in the middle of a transaction."""
    with session.cursor() as cursor:
        cursor.execute("SELECT tableowner FROM pg_tables WHERE tablename = 'django_migrations'")
        ((owner,),) = cursor.fetchall()
        cursor.execute(f"SET ROLE {connection.ops.quote_name(owner)}")
    try:
        yield
    finally:
        with session.cursor() as cursor:
            cursor.execute("RESET ROLE")
