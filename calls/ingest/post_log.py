"""Logs one line for each post that was refused or spooled, without the caller and without the body."""

from __future__ import annotations

import logging
from typing import Any

from calls import phones
from calls.ingest.refused_posts import RefusedPostDraft
from calls.log_limits import LogRateLimit
from calls.posts import KNOWN_REQUEST_TYPES, CallPost

logger = logging.getLogger("calltally.posts")


logger.addFilter(LogRateLimit())


def refused(post: RefusedPostDraft) -> None:
    known = {"ingest_id": post.ingest_id, "status": post.status, "code": post.code}
    _write("refused", post.destination_number, post.request_type, known)


def spooled(post: CallPost) -> None:
    known = {"ingest_id": str(post.ingest_id), "status": 200}
    _write("spooled", post.destination_number or "", post.request_type, known)


def _write(what: str, number: str, request_type: str, known: dict[str, Any]) -> None:
    # An invalid number or an unknown request type may contain anything, so it is not logged.
    if phones.e164(number) == number:
        known["number"] = number
    if request_type in KNOWN_REQUEST_TYPES:
        known["request_type"] = request_type
    logger.warning("%s", what, extra={"fields": known})
