"""Where pages keep messages, such as *Saved.*, until they are shown: in the session, not in a cookie of their own."""

from __future__ import annotations

from typing import Any

from django.contrib.messages.storage.session import SessionStorage
from django.http import HttpResponseBase


class SessionMessages(SessionStorage):
    """Messages in the session. Begins no session: without one, what is not shown in the same answer is dropped."""

    def update(self, response: HttpResponseBase) -> list[Any] | None:
        return None if self.request.session.is_empty() else super().update(response)
