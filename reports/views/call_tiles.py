"""The times at the top of the page of a call: only those that apply to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from reports.counting.outcomes import Outcome
from reports.figures.cells import Cell
from reports.figures.coverage import Coverage
from reports.figures.definitions import FIGURES, WAITED_AS
from reports.templatetags.formats import day, seconds, time_of_day
from reports.views.call_sentence import rang_for
from reports.views.readable import Readable


@dataclass(frozen=True)
class Tile(Readable):
    """A time of a call with its definition and a line below; without a value it says why it is not measured."""

    key: str
    name: str
    definition: str
    value: str = ""
    note: str = ""
    reason: str = ""


def tiles_of(call: Any, outcome: str, waited: Cell, coverage: Coverage) -> list[Tile]:
    """Return the times of an annotated call with this shown outcome."""
    tiles = [_started(call)]
    if waited.applies and outcome:
        tiles.append(_waited(call, outcome, waited, coverage))
    rang, attempts = call.ring_time if call.answered_at else rang_for(call), _attempts(call)
    if rang is not None and call.answered_at:
        tiles.append(_of_figure("ring", seconds(rang), attempts))
    elif rang is not None:
        words = _("From the first forwarding to the end of the call, which no destination answered.")
        tiles.append(Tile("rang", str(FIGURES["ring"].label), words, seconds(rang), attempts))
    if call.talk_time is not None:
        tiles.append(_of_figure("talk", seconds(call.talk_time), _("approximate")))
    if len(tiles) == 1 and call.lasted:
        words = _("From the first message of the call to the last.")
        tiles.append(Tile("lasted", _("Duration"), words, seconds(call.lasted)))
    return tiles


def _started(call: Any) -> Tile:
    words = _("The time at which the first message was received. TENIOS sends no times.")
    note = f"{day(call.first_post_at)}, {settings.TIME_ZONE}"
    return Tile("started", _("Started"), words, time_of_day(call.first_post_at), note)


def _waited(call: Any, outcome: str, waited: Cell, coverage: Coverage) -> Tile:
    if outcome == Outcome.ANSWERED:
        name, words = str(FIGURES["time_to_answer"].label), str(FIGURES["time_to_answer"].definition)
    else:
        name, words = _("Waited"), _("From the start of the call to its end, because no destination answered.")
    if waited.value is None:
        number = call.destination_number
        reason = coverage.reason(number, WAITED_AS[outcome], call.first_post_at)
        return Tile("waited", name, words, reason=reason or _("The start or the end of this call was not reported."))
    note = ""
    if outcome == Outcome.ANSWERED:
        limit = call.destination_number.service_level_s
        in_time = waited.value <= limit
        note = (_("in time (limit %(limit)d s)") if in_time else _("too late (limit %(limit)d s)")) % {"limit": limit}
    return Tile("waited", name, words, seconds(waited.value), note)


def _of_figure(key: str, value: str, note: str) -> Tile:
    return Tile(key, str(FIGURES[key].label), str(FIGURES[key].definition), value, note)


def _attempts(call: Any) -> str:
    if not call.forwards:
        return ""
    return ngettext("%(n)d attempt", "%(n)d attempts", call.forwards) % {"n": call.forwards}
