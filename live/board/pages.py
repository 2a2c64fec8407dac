"""The pages of the board: for people who are signed in, and for screens on the wall, which enter a key instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from calls.access import Rights
from calls.models import DestinationNumber, Right
from live.board import keys, messages, table
from live.board.figures import BoardFigures
from live.board.messages import Numbers
from live.board.table import BoardRow
from live.views import stream_url
from reports.views.shared import Page, page_of, passed_on, personal

# How often a browser asks while it has no stream.
POLL_S = 5


@cache
def figures() -> BoardFigures:
    """Return the figures that all threads of this process share."""
    return BoardFigures()


@dataclass(frozen=True, kw_only=True)
class BoardPage(Page):
    """The board of some numbers as it is first drawn."""

    rows: Sequence[BoardRow]
    all: BoardRow
    empty: BoardRow
    headings: Sequence[tuple[str, Any, Any]]
    # The numbers of which a live figure is not measured, with the boxes in TENIOS that are missing.
    not_measured: Sequence[str]
    order: str
    at: str
    # Until when the calls of today are counted: 10:15; blank in the first quarter-hour of a day.
    until: str
    stream_url: str
    state_url: str
    poll_s: int = POLL_S


@require_safe
@personal
def board(request: HttpRequest) -> HttpResponse:
    """The board; with `kiosk=1` that of a screen, without caller, person or link."""
    if "kiosk" in request.GET:
        return _kiosk(request)
    if not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    order = table.BY_NAME if request.GET.get("sort") == table.BY_NAME else table.BY_WAITING
    rights = Rights.of(request.user)
    page = build_board_page(request, rights.numbers(Right.FIGURES), order, rights)
    choices = list(DestinationNumber.objects.visible_to(request.user))
    return page_of(request, "live/board.html", page, choices, passed_on(request))


def _kiosk(request: HttpRequest) -> HttpResponse:
    cookie = keys.cookie_of(request.COOKIES)
    board_key = keys.remembered(cookie)
    if board_key is None:
        return _enter_key(request, has_ended=bool(cookie))
    keys.note_use([board_key.pk])
    page = build_board_page(request, keys.shown_by(board_key), table.BY_WAITING)
    return render(request, "live/kiosk.html", {"page": page, "name": board_key.name})


@require_POST
@personal
def enter_key(request: HttpRequest) -> HttpResponse:
    """Take the key of a screen from its form, so that no address has it."""
    board_key = keys.entered(request.POST.get("key", "").strip())
    if board_key is None:
        return _enter_key(request, is_wrong=True)
    response = HttpResponseRedirect(f"{reverse('live:board')}?kiosk=1")
    keys.remember(response, board_key)
    return response


@require_safe
@personal
def state(request: HttpRequest) -> HttpResponse:
    """Return the whole board, for browsers that have no stream; 403 if signed out, or if the key has ended."""
    numbers: Numbers
    if "kiosk" in request.GET:
        board_key = keys.remembered(keys.cookie_of(request.COOKIES))
        if board_key is None:
            return JsonResponse({}, status=403)
        keys.note_use([board_key.pk])
        numbers = keys.shown_by(board_key)
    elif request.user.is_authenticated:
        numbers = Rights.of(request.user).numbers(Right.FIGURES)
    else:
        return JsonResponse({}, status=403)
    return JsonResponse(messages.whole(figures().read(), numbers))


def build_board_page(request: HttpRequest, numbers: Numbers, order: str, rights: Rights | None = None) -> BoardPage:
    """Build the board of these numbers; without rights that of a screen."""
    snapshot, kiosk = figures().read(), "kiosk=1" if rights is None else ""
    return BoardPage(
        zone=settings.TIME_ZONE,
        rows=table.rows_of(snapshot, numbers, order, rights),
        all=table.row_of_all(snapshot, numbers),
        empty=table.empty_row(),
        headings=table.headings(),
        not_measured=table.not_measured(snapshot, numbers),
        order=order,
        at=snapshot.at.isoformat(),
        until=messages.until_of(snapshot),
        stream_url=f"{stream_url(request)}?board=1{kiosk and '&' + kiosk}",
        state_url=f"{reverse('live:board_state')}{kiosk and '?' + kiosk}",
    )


def _enter_key(request: HttpRequest, *, is_wrong: bool = False, has_ended: bool = False) -> HttpResponse:
    context = {"is_wrong": is_wrong, "has_ended": has_ended}
    return render(request, "live/board_key.html", context, status=403 if is_wrong else 200)
