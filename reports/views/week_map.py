"""The map of the hours of the week: its rows and cells, and the figure to choose for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.http import HttpRequest
from django.utils import timezone
from django.utils.dates import WEEKDAYS_ABBR
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from calls.models import DestinationNumber, Right
from reports.figures.cells import Row
from reports.figures.coverage import Coverage
from reports.figures.definitions import LISTED_AS
from reports.filters.report_filter import ReportForm
from reports.periods import Grain, Opening
from reports.queries import counts, hours_of_week
from reports.queries.hours_of_week import HourOfWeek, Shown, Week
from reports.views.readable import Readable
from reports.views.shared import PeriodPage, without_empty_ends

# The figures that the map can show.
SHOWN = {
    Shown.LOST: _("Lost"),
    Shown.MISSED: _("Not answered"),
    Shown.REACHED: _("Reached (%)"),
    Shown.OFFERED: _("Calls"),
}
# The figure whose calls a cell of the map leads to.
MAPPED = {Shown.OFFERED: "offered", Shown.REACHED: "answered", Shown.MISSED: "missed", Shown.LOST: "lost"}


@dataclass(frozen=True)
class MapCell(Readable):
    """An hour of the week on the map: its text, its shade, and the filters that list its calls."""

    cell: HourOfWeek
    step: int
    calls: int | None
    text: str
    title: str
    query: str
    # Whether it is outside the opening hours of all numbers.
    is_closed: bool = False

    @property
    def is_short(self) -> bool:
        """Whether too few people were there to answer."""
        return self.cell.is_short


@dataclass(frozen=True)
class MapRow(Readable):
    """An hour on the map, or the whole day; its cells are the weekdays."""

    name: Any
    cells: Sequence[MapCell]
    sum: MapCell


@dataclass(frozen=True, kw_only=True)
class WeekMapPage(PeriodPage):
    """A page with the map; of a single day with a list of its hours instead."""

    # None for a single day.
    week: Week | None
    # The figure on the map.
    shown: Shown
    map: Sequence[MapRow]
    # The hours of a single day, from the first with calls to the last.
    hours: Sequence[Row]

    hour_keys: ClassVar = ("offered", "answered", "lost", "reached")

    @property
    def weekdays(self) -> list[tuple[Any, Any]]:
        """The weekdays of the map, in short and in full."""
        return [(WEEKDAYS_ABBR[n], name) for n, name in enumerate(hours_of_week.WEEKDAYS)]

    @cached_property
    def has_closed_hours(self) -> bool:
        return any(cell.is_closed for row in self.map for cell in row.cells)

    @property
    def shows(self) -> list[tuple[Shown, Any, str]]:
        """The figures to choose from for the map, with the query that shows each."""
        return [(choice, SHOWN[choice], self.form.query_with(kept=[("show", choice.value)])) for choice in Shown]

    @cached_property
    def figure(self) -> str:
        """The figure whose calls a cell of the map leads to."""
        return MAPPED[self.shown]


def shown_by(request: HttpRequest) -> Shown | None:
    """Return the figure that an address asks for; None if it names none."""
    return next((choice for choice in Shown if choice.value == request.GET.get("show")), None)


def read_map(
    form: ReportForm, coverage: Coverage, totals: Row, shown: Shown | None, number: DestinationNumber | None = None
) -> dict[str, Any]:
    """Return the attributes of a `WeekMapPage`. `number` is the number of the page, if it is about one.

    Without a figure to show it is lost calls, or calls if those are not measured."""
    shown = shown or (Shown.LOST if totals["lost"].is_measured else Shown.OFFERED)
    if form.period.length == 1:
        hours = counts.by_bucket(coverage, form.period, Grain.HOUR, WeekMapPage.hour_keys)
        return {"week": None, "shown": shown, "map": [], "hours": without_empty_ends(hours)}
    week = hours_of_week.of_week(coverage, form.period, totals, timezone.now())
    # Only calls outside opening hours are shown, or only those inside: then the page says so.
    is_mixed = form.opening == Opening.ALL
    closed = hours_of_week.closed_hours(coverage, form.period) if is_mixed else frozenset()
    selected = [number] if number else form.selected
    return {"week": week, "shown": shown, "map": _map(week, shown, form, totals, selected, closed), "hours": []}


def _map(  # noqa: PLR0917 (each is something else)
    week: Week,
    shown: Shown,
    form: ReportForm,
    totals: Row,
    selected: Sequence[DestinationNumber],
    closed: frozenset[tuple[int, int]],
) -> list[MapRow]:
    """Return the rows of the map: texts, shades, and the addresses of calls."""
    most = week.most(shown)
    covered = totals[shown.value]
    # If the figure does not cover all numbers or all of the time.
    measured = [("measured", shown.value)] if covered.left_out or covered.since else []
    lists_calls = form.rights.may_each(Right.CALLS, selected or form.numbers)

    def cell(hour: HourOfWeek) -> MapCell:
        text, title = _words_of(hour, shown)
        is_closed = bool(text) and (hour.weekday, hour.hour) in closed
        if is_closed and hour.calls(shown) is not None:
            title = gettext("%(words)s. Outside opening hours") % {"words": title}
        query = _query_of(hour, shown, form, selected, measured) if lists_calls else ""
        step = hours_of_week.step(hour, shown, most)
        return MapCell(hour, step, hour.calls(shown), text, title, query, is_closed)

    return [
        MapRow(f"{hour:02}:00", [cell(hours[n]) for _weekday, hours in week.rows], cell(week.of_hours[hour]))
        for n, hour in enumerate(week.hours)
    ] + [MapRow(_("Day"), [cell(week.of_days[weekday]) for weekday, _hours in week.rows], cell(week.whole))]


def _words_of(one: HourOfWeek, shown: Shown) -> tuple[str, str]:
    """Return the text of a cell and its title."""
    if one.calls(shown) is None:
        return "–", gettext("not measured")
    if not one.times and not one.offered:
        return "", gettext("This hour did not occur in the period")
    if shown is Shown.REACHED:
        share = one.reached
        text = "–" if share is None else f"{round(share * 100)}"
        return text, gettext("%(n)d of %(all)d calls") % {"n": one.answered or 0, "all": one.wanted or 0}
    mean = one.mean(shown) or 0.0
    text = "0" if not mean else "<1" if mean < 1 else str(int(mean + 0.5))
    # Of a weekday as a whole, days are counted instead of hours.
    title = gettext("Calls: %(n)d, days: %(times)d") if one.hour < 0 else gettext("Calls: %(n)d, hours: %(times)d")
    return text, title % {"n": one.calls(shown) or 0, "times": one.times}


def _query_of(
    hour: HourOfWeek,
    shown: Shown,
    form: ReportForm,
    selected: Sequence[DestinationNumber],
    measured: list[tuple[str, str]],
) -> str:
    """Return the query string that lists exactly the calls of a cell; blank if there are none."""
    if not hour.calls(shown):
        return ""
    pairs = [("from", form.period.first.isoformat()), ("to", form.period.last.isoformat())]
    pairs += [("weekday", str(hour.weekday))] * bool(hour.weekday) + [("hour", str(hour.hour))] * (hour.hour >= 0)
    pairs += [("number", number.e164) for number in selected]
    if form.opening != Opening.ALL:
        pairs.append(("opening", form.opening.value))
    return urlencode([*pairs, *LISTED_AS[MAPPED[shown]], *measured])
