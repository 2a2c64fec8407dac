"""Where Django keeps the contents of sessions: its own table, read by plain SQL.

Every page reads them, and the ORM takes three times as long to say it."""

from __future__ import annotations

from typing import Any

from django.contrib.sessions.backends import db
from django.db import connection
from django.utils import timezone

_CONTENTS = "SELECT session_data FROM django_session WHERE session_key = %s AND expire_date > %s"


class SessionStore(db.SessionStore):
    def _get_session_from_db(self) -> Any:
        """Return Django's row of the session; None if it has expired, or there is none."""
        with connection.cursor() as cursor:
            cursor.execute(_CONTENTS, [self.session_key, timezone.now()])
            row = cursor.fetchone()
        if row is None:
            self._session_key = None
            return None
        return self.model(session_data=row[0])
