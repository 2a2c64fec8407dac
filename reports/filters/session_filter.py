"""The question people ask from page to page: period, numbers, hours. A session remembers the last one.

An address that asks any part of it is a whole question: nothing of the one that is remembered is added."""

from __future__ import annotations

from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, QueryDict

NAMES = ("from", "to", "period", "number", "opening")
# In place of a preset in `period`: the days were chosen one by one; every day (lists of calls); forget the question.
DAYS, EVERY_DAY, FORGET = "days", "all", "default"
KEPT_AS = "question"


def is_asked(query: QueryDict) -> bool:
    """Whether an address asks any part of a question."""
    return any(value.strip() for name in NAMES for value in query.getlist(name))


def recalled(session: SessionBase) -> QueryDict:
    """Return the question that is remembered; empty where none is."""
    return QueryDict(str(session.get(KEPT_AS, "")))


def completed(query: QueryDict, session: SessionBase) -> tuple[QueryDict, bool]:
    """Return an address with the remembered question, where it asks none itself; and whether that was added.

    `period=default` forgets the question that is remembered."""
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
    """Remember a question; not that of a page that only renews itself, which may be older than the last one."""
    renews_itself = "HX-Request" in request.headers and "HX-Boosted" not in request.headers
    if not renews_itself and request.session.get(KEPT_AS, "") != question:
        request.session[KEPT_AS] = question


def carry(address: str, question: str) -> str:
    """Return an address with a question."""
    address, hash_sign, place = address.partition("#")
    if question:
        address += ("&" if "?" in address else "?") + question
    return address + hash_sign + place
