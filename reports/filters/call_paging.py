"""Pages of the list of calls, newest first. A page begins before or after a call, so no count or offset is needed."""

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
    """One page of calls, newest first, and the query strings of the newer and older page; blank if there is none."""

    calls: Sequence[Call]
    newer: str
    older: str


def page_of_calls(calls: QuerySet[Call], parameters: QueryDict, query: Callable[..., str]) -> PageOfCalls:
    """Return the page before or after the call named in the query string, so that no call is shown twice or left out.

    `query` returns the query string of the list with `before` or `after` added."""
    if place := _place(parameters.get("after", "")):
        page = list(call_queries.later(calls, *place)[: CALLS_ON_A_PAGE + 1])
        if len(page) > CALLS_ON_A_PAGE:
            page = page[CALLS_ON_A_PAGE - 1 :: -1]
            return PageOfCalls(page, query(after=_cursor(page[0])), query(before=_cursor(page[-1])))
        # Fewer newer calls than a page holds: show the first page.
        place = None
    else:
        place = _place(parameters.get("before", ""))
    calls = call_queries.earlier(calls, *place) if place else call_queries.newest_first(calls)
    page = list(calls[: CALLS_ON_A_PAGE + 1])
    more, page = len(page) > CALLS_ON_A_PAGE, page[:CALLS_ON_A_PAGE]
    return PageOfCalls(
        page,
        query(after=_cursor(page[0])) if page and place else "",
        query(before=_cursor(page[-1])) if more else "",
    )


def _cursor(call: Call) -> str:
    return f"{(call.first_post_at - periods.EPOCH) // _MICROSECOND}-{call.pk}"


def _place(cursor: str) -> tuple[datetime, int] | None:
    """Return the time and id of a cursor; None if it is not a cursor, which leads to the first page."""
    at, _dash, pk = cursor.partition("-")
    if not (at.isascii() and at.isdigit() and len(at) < 18 and pk.isascii() and pk.isdigit() and len(pk) < 19):
        return None
    try:
        return periods.EPOCH + int(at) * _MICROSECOND, int(pk)
    except OverflowError:
        return None
