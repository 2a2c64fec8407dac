"""Pages of the list of calls, newest first, and the place of a call in it.

A page begins before or after a call, so no count or offset is needed."""

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
# The most calls that are counted to say where a call stands in its list.
MOST_COUNTED = 1_000
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
            return PageOfCalls(page, query(after=_cursor_of(page[0])), query(before=_cursor_of(page[-1])))
        # Fewer newer calls than a page holds: show the first page.
        place = None
    else:
        place = _place(parameters.get("before", ""))
    calls = call_queries.earlier(calls, *place) if place else call_queries.newest_first(calls)
    page = list(calls[: CALLS_ON_A_PAGE + 1])
    more, page = len(page) > CALLS_ON_A_PAGE, page[:CALLS_ON_A_PAGE]
    return PageOfCalls(
        page,
        query(after=_cursor_of(page[0])) if page and place else "",
        query(before=_cursor_of(page[-1])) if more else "",
    )


@dataclass(frozen=True)
class PlaceInList:
    """Where a call stands in a list, newest first, and the query string of the page of the list that shows it.

    Calls are counted up to MOST_COUNTED; `place` and `total` are None beyond. A call that is not in the list, such as a
    call in progress that has ended since, has calls beside it by time, but no place."""

    newer: int | None
    older: int | None
    place: int | None
    total: int | None
    page: str
    is_listed: bool = True


def place_in_list(calls: QuerySet[Call], at: datetime, pk: int, query: Callable[..., str]) -> PlaceInList:
    """Return the place of the call with this start and id among calls.

    One query says whether it is one of them, and two that stop at MOST_COUNTED find those beside it.

    `query` returns the query string of the list with `before` added."""
    is_listed = calls.filter(pk=pk).exists()
    newer = list(call_queries.later(calls, at, pk).values_list("first_post_at", "pk")[: MOST_COUNTED + 1])
    before = len(newer)
    # At least one, which is the next call.
    rest = max(1, MOST_COUNTED - before)
    older = list(call_queries.earlier(calls, at, pk).values_list("pk", flat=True)[:rest])
    total = before + 1 + len(older)
    # The last call of the page before, of which `newer` has the nearest call first.
    last = before % CALLS_ON_A_PAGE if before <= MOST_COUNTED else 0
    return PlaceInList(
        newer=newer[0][1] if newer else None,
        older=older[0] if older else None,
        place=before + 1 if is_listed and before < MOST_COUNTED else None,
        total=total if is_listed and total <= MOST_COUNTED else None,
        page=query(before=_cursor(*newer[last])) if before >= CALLS_ON_A_PAGE else query(),
        is_listed=is_listed,
    )


def _cursor_of(call: Call) -> str:
    return _cursor(call.first_post_at, call.pk)


def _cursor(at: datetime, pk: int) -> str:
    return f"{(at - periods.EPOCH) // _MICROSECOND}-{pk}"


def _place(cursor: str) -> tuple[datetime, int] | None:
    """Return the time and id of a cursor; None if it is not a cursor, which leads to the first page."""
    at, _dash, pk = cursor.partition("-")
    if not (at.isascii() and at.isdigit() and len(at) < 18 and pk.isascii() and pk.isdigit() and len(pk) < 19):
        return None
    try:
        return periods.EPOCH + int(at) * _MICROSECOND, int(pk)
    except OverflowError:
        return None
