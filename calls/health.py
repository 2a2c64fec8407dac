"""The health check: whether posts can be stored, and how many wait in the spool."""

from __future__ import annotations

import logging

from django.http import HttpRequest, JsonResponse

from calls.ingest import intake
from calls.ingest.spool import SpoolError
from calls.monitoring_access import may_watch

logger = logging.getLogger(__name__)


def healthz(request: HttpRequest) -> JsonResponse:
    """Answer 200 if the database or the spool can store posts, else 503; with details if the client may watch."""
    answer = health()
    content = answer if may_watch(request.META) else {"status": answer["status"]}
    return JsonResponse(content, status=200 if answer["status"] == "ok" else 503)


def health() -> dict[str, object]:
    """Return whether database and spool can store posts, and what waits in the spool."""
    answer: dict[str, object] = {
        "status": "ok",
        "database": "ok" if intake.get_intake().has_database() else "away",
        "spool": "ok",
    }
    try:
        held = intake.held_in_spool()
        answer |= {"spooled": held.waiting, "oldest_spooled_s": round(held.oldest_s), "set_aside": held.set_aside}
        if held.oldest_s > intake.OLD_S:
            answer["spool"] = f"posts have waited for more than {intake.OLD_S:.0f} s"
        if answer["database"] == "away":
            intake.prove_spool()
    except SpoolError as error:
        logger.error("the spool cannot keep posts: %s", error)
        answer["spool"] = "cannot keep posts"
        if answer["database"] == "away":
            answer["status"] = "unavailable"
    return answer
