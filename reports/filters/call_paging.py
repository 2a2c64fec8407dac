"""Pages of a list of calls, newest first. A page begins before or after a call, so nothing is counted to find it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.http import QueryDict

from calls.models import Call
from reports import periods
from reports.queries import calls as call_queries

CALLS_ON_A_PAGE = 50
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class PageOfCalls:
    """Some calls, newest first, and the query strings that lead on; empty where there is nothing more."""

    calls: Sequence[Call]
    newer: str
    older: str


def page_of_calls(calls: QuerySet[Call], asked: QueryDict, query: Callable[..., str]) -> PageOfCalls:
    """Return the calls before or after the one that an address names, so that none is shown twice or left out.

    `query` returns the query string of the list with what it is given: `before` or `after`."""
    if place := _place(asked.get("after", "")):
        found = list(call_queries.later(calls, *place)[: CALLS_ON_A_PAGE + 1])
        if len(found) > CALLS_ON_A_PAGE:
            found = found[CALLS_ON_A_PAGE - 1 :: -1]
            return PageOfCalls(found, query(after=_cursor(found[0])), query(before=_cursor(found[-1])))
        # Less than a page above: show the first page whole.
        place = None
    else:
        place = _place(asked.get("before", ""))
    calls = call_queries.earlier(calls, *place) if place else call_queries.newest_first(calls)
    found = list(calls[: CALLS_ON_A_PAGE + 1])
    more, found = len(found) > CALLS_ON_A_PAGE, found[:CALLS_ON_A_PAGE]
    return PageOfCalls(
        found,
        query(after=_cursor(found[0])) if found and place else "",
        query(before=_cursor(found[-1])) if more else "",
    )


def _cursor(call: Call) -> str:
    return f"{(call.first_post_at - periods.EPOCH) // _MICROSECOND}-{call.pk}"


def _place(cursor: str) -> tuple[datetime, int] | None:
    """Return the moment and id a cursor names; None for what is no cursor, which leads to the first page."""
    at, _dash, pk = cursor.partition("-")
    if not (at.isascii() and at.isdigit() and len(at) < 18 and pk.isascii() and pk.isdigit() and len(pk) < 19):
        return None
    try:
        return periods.EPOCH + int(at) * _MICROSECOND, int(pk)
    except OverflowError:
        return None
