"""The board as its page is first drawn. The script board.js goes on from there and writes the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from calls.access import Rights
from calls.models import BOXES, DestinationNumber, Right
from live.board.figures import Snapshot, together
from live.board.messages import Numbers
from reports import periods
from reports.figures.definitions import LISTED_AS
from reports.filters.calls_by_time import DaysFilter

EN_DASH = "–"
# The columns, with what each of them means.
LABELS = {
    "in_plan": gettext_lazy("In plan"),
    "ringing": gettext_lazy("Ringing"),
    "talking": gettext_lazy("Talking"),
    "wait": gettext_lazy("Longest wait"),
    "today": gettext_lazy("Today"),
    "lost": gettext_lazy("Lost today"),
}
MEANINGS = {
    "in_plan": gettext_lazy("Callers who hear an announcement, a menu or a queue right now. No phone rings for them."),
    "ringing": gettext_lazy("Calls that ring at a destination right now."),
    "talking": gettext_lazy("Calls that were answered and go on."),
    "wait": gettext_lazy("How long the caller has waited who has waited longest, from the start of the call."),
    "today": gettext_lazy("Calls today up to the last full quarter-hour, beside a usual day by this time."),
    "lost": gettext_lazy("Calls of today that were not answered or whose caller hung up before ringing."),
}
BESIDE = {"today": "usual_today", "lost": "usual_lost"}
BY_WAITING, BY_NAME = "waiting", "name"


@dataclass(frozen=True)
class BoardCell:
    """A figure of a row: its text, and what is written below it."""

    key: str
    text: str
    beside: str
    is_measured: bool = True


@dataclass(frozen=True)
class BoardRow:
    """A number, or all numbers together; then `number` is blank."""

    number: str
    name: str
    cells: Sequence[BoardCell]
    without_end: str = ""
    # Its place by name, to which the script goes back.
    place: int = 0
    # Blank where the reader may not see it, and on screens.
    number_url: str = ""
    calls_url: str = ""


def headings() -> list[tuple[str, Any, Any]]:
    """Return the columns: key, label and meaning."""
    return [(key, label, MEANINGS[key]) for key, label in LABELS.items()]


def rows_of(snapshot: Snapshot, numbers: Numbers, order: str, rights: Rights | None = None) -> list[BoardRow]:
    """Return the rows of these numbers; with links as far as these rights go."""
    pks = snapshot.of(numbers)
    places = {pk: place for place, pk in enumerate(pks)}
    if order == BY_WAITING:
        pks = sorted(pks, key=lambda pk: (*_most_waiting_first(snapshot.figures[pk]), places[pk]))
    rows = []
    for pk in pks:
        number = snapshot.numbers[pk]
        sees_calls = rights is not None and rights.may(Right.CALLS, number)
        rows.append(
            BoardRow(
                str(pk),
                number.name,
                _cells(snapshot.figures[pk], snapshot.at),
                _without_end(snapshot.figures[pk]),
                places[pk],
                reverse("number", args=[pk]) if rights is not None else "",
                _ongoing_calls(number) if sees_calls else "",
            )
        )
    return rows


def row_of_all(snapshot: Snapshot, numbers: Numbers) -> BoardRow:
    """Return the row of all these numbers together."""
    figures = together(snapshot.figures[pk] for pk in snapshot.of(numbers))
    return BoardRow("", _("All numbers"), _cells(figures, snapshot.at), _without_end(figures))


def empty_row() -> BoardRow:
    """Return what the script makes rows of new numbers from."""
    return BoardRow("", "", [BoardCell(key, "", "") for key in LABELS])


def not_measured(snapshot: Snapshot, numbers: Numbers) -> list[str]:
    """Return for each number of which a live figure is not measured which messages from TENIOS are missing."""
    return [
        _("%(number)s: %(posts)s")
        % {"number": snapshot.numbers[pk].name, "posts": ", ".join(str(BOXES[post]) for post in snapshot.missing[pk])}
        for pk in snapshot.of(numbers)
        if pk in snapshot.missing
    ]


def waited(since: str, now: datetime) -> str:
    """Return how long ago a moment was: 0:42, 1:05:10."""
    seconds = max(0, int((now - datetime.fromisoformat(since)).total_seconds()))
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _cells(figures: Mapping[str, Any], now: datetime) -> list[BoardCell]:
    return [_cell(key, figures, now) for key in LABELS]


def _cell(key: str, figures: Mapping[str, Any], now: datetime) -> BoardCell:
    value, part = figures[key], figures.get("of", {}).get(key)
    if value is None:
        return BoardCell(key, _("not measured"), "", is_measured=False)
    beside = ""
    if part:
        beside = _("%(n)d of %(all)d numbers") % {"n": part[0], "all": part[1]}
    elif key in BESIDE and isinstance(usual := figures[BESIDE[key]], int):
        beside = _("usually %(n)d") % {"n": usual}
    if not isinstance(value, str):
        return BoardCell(key, str(value), beside)
    return BoardCell(key, waited(value, now) if value else EN_DASH, beside)


def _without_end(figures: Mapping[str, Any]) -> str:
    calls = figures["no_end"]
    return _("%(n)d without an end") % {"n": calls} if isinstance(calls, int) and calls else ""


def _most_waiting_first(figures: Mapping[str, Any]) -> tuple[int, bool, str]:
    waiting = sum(value for key in ("in_plan", "ringing") if isinstance(value := figures[key], int))
    return -waiting, not figures["wait"], figures["wait"] or ""


def _ongoing_calls(number: DestinationNumber) -> str:
    """Return the address of the list of a number's calls that go on."""
    today = periods.today()
    filters = [*DaysFilter.query_of(today - periods.DAY, today), ("number", number.e164), *LISTED_AS["in_progress"]]
    return f"{reverse('calls')}?{urlencode(filters)}"
