"""The question that links carry from page to page: period, numbers, opening hours. The session keeps the last one.

A query string with any part of a question is complete: nothing from the session is added to it."""

from __future__ import annotations

from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, QueryDict

NAMES = ("from", "to", "period", "kept", "number", "opening")
# Values of `period` other than presets: custom days; every day (lists of calls); reset the question.
DAYS, EVERY_DAY, FORGET = "days", "all", "default"
# The value of `kept` with days that nobody chose: links carry the default of a page, but the session does not keep it.
NOT_KEPT = "no"
KEPT_AS = "question"


def is_asked(query: QueryDict) -> bool:
    """Return whether a query string has any part of a question."""
    return any(value.strip() for name in NAMES for value in query.getlist(name))


def recalled(session: SessionBase) -> QueryDict:
    """Return the question in the session; empty if there is none."""
    return QueryDict(str(session.get(KEPT_AS, "")))


def completed(query: QueryDict, session: SessionBase) -> tuple[QueryDict, bool]:
    """Return a query string, with the question from the session if it has none itself; and whether that was added.

    `period=default` removes the question from the session."""
    if query.get("period") == FORGET:
        session.pop(KEPT_AS, None)
        query = query.copy()
        query.pop("period")
    if is_asked(query) or not (kept := recalled(session)):
        return query, False
    query = query.copy()
    for name in NAMES:
        query.setlist(name, kept.getlist(name))
    return query, True


def remember(request: HttpRequest, question: str) -> None:
    """Store a question in the session, unless a page only refreshes itself: its question may be outdated."""
    refreshes_itself = "HX-Request" in request.headers and "HX-Boosted" not in request.headers
    if not refreshes_itself and request.session.get(KEPT_AS, "") != question:
        request.session[KEPT_AS] = question


def carry(address: str, question: str) -> str:
    """Return an address with a question added."""
    address, hash_sign, place = address.partition("#")
    if question:
        address += ("&" if "?" in address else "?") + question
    return address + hash_sign + place
