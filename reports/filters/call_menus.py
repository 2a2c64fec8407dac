"""The menus of the list of calls: period, numbers, opening hours. Each link keeps the other filters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.utils.translation import gettext as _

from calls.models import DestinationNumber
from reports import periods
from reports.filters import presets
from reports.filters.base import Chip, Filter, chips_of_numbers
from reports.filters.call_filter import CallFilter
from reports.filters.calls_by_course import CallbackFilter, FlagFilter, NumberFilter, OutcomeFilter
from reports.filters.calls_by_time import AtOnceFilter, DaysFilter, MomentsFilter, OpeningFilter, WeeksFilter
from reports.filters.presets import Preset
from reports.filters.report_filter import PresetLink
from reports.filters.search import SearchFilter
from reports.filters.session_filter import DAYS, EVERY_DAY, FORGET
from reports.periods import Opening, Period

# Filters by time other than whole days.
_MOMENTS = (MomentsFilter, AtOnceFilter, WeeksFilter)
_DAYS = (DaysFilter, *_MOMENTS)


@dataclass(frozen=True)
class CallMenus:
    """What the menus need to know of a call filter; ReportForm has the same properties for reports."""

    asked: CallFilter

    @property
    def errors(self) -> dict[str, str]:
        return self.asked.errors

    @property
    def choices(self) -> list[DestinationNumber]:
        return self.asked.choices

    @property
    def selected(self) -> list[DestinationNumber]:
        return self.asked.numbers

    @property
    def opening(self) -> Opening:
        return self.asked[OpeningFilter].opening

    @property
    def period(self) -> Period | None:
        """The listed days; None unless both ends are set and no other filter by time is."""
        days = self.asked[DaysFilter]
        if self.errors or not days.first or not days.last or any(self.asked[kind].to_query() for kind in _MOMENTS):
            return None
        return Period(days.first, days.last)

    @property
    def _chosen(self) -> Preset | None:
        named = self.asked[DaysFilter].named
        if self.period is None or named == DAYS:
            return None
        return Preset(named) if named in Preset.values else presets.matching(self.period, periods.today())

    @property
    def preset(self) -> Preset | None:
        """The preset to show as selected."""
        return presets.current(self._chosen, self.period, periods.today()) if self.period else None

    @property
    def has_own_days(self) -> bool:
        return self.period is not None and not self.preset

    @property
    def lists_every_day(self) -> bool:
        asked = [name for kind in _DAYS for name, _value in self.asked[kind].to_query()]
        return not self.errors and all(name == "period" for name in asked)

    @property
    def every_day(self) -> str:
        """The query string of the same filters for every day."""
        return urlencode([*DaysFilter.query_of(named=EVERY_DAY), *self.asked.pairs(*_DAYS)])

    def presets(self) -> list[PresetLink]:
        today, current = periods.today(), self.preset
        return [
            PresetLink(preset, self._of(preset.period(today), preset), preset is current)
            for preset in presets.offered(today)
        ]

    def earlier(self) -> str:
        """The query string of the previous period; blank if the list has no period."""
        return (self.period and self._of(presets.step(self.period, self._chosen, periods.today(), -1))) or ""

    def later(self) -> str:
        """The query string of the next period; blank if it is not over, unless it ends today."""
        if self.period is None:
            return ""
        today = periods.today()
        following = presets.step(self.period, self._chosen, today, 1)
        return self._of(following) if following.first < today or following.last == today else ""

    def openings(self) -> list[tuple[Opening, str]]:
        """The choices of opening hours, as links; empty if no number has opening hours."""
        if self.opening == Opening.ALL and not any(number.opening_hours_id for number in self.asked.choices):
            return []
        rest = self.asked.pairs(OpeningFilter)
        queries = ((opening, urlencode([*rest, *OpeningFilter.query_of(opening)])) for opening in Opening)
        return [(opening, query or self.query_to_reset) for opening, query in queries]

    @property
    def query_of_all_numbers(self) -> str:
        return self.asked.query(NumberFilter) or self.query_to_reset

    @property
    def beside_days(self) -> list[tuple[str, str]]:
        """The hidden fields of the form for custom days."""
        return [*DaysFilter.query_of(named=DAYS), *self.asked.pairs(*_DAYS)]

    @property
    def beside_numbers(self) -> list[tuple[str, str]]:
        """The hidden fields of the form for numbers. With none of them and no number, the kept filters would apply."""
        return self.asked.pairs(NumberFilter) or [("period", FORGET)]

    @property
    def query_to_reset(self) -> str:
        """The query string of the list of all calls."""
        return urlencode([("period", FORGET)])

    def chips(self) -> list[Chip]:
        """Return a chip for each filter that is set."""
        days = self.asked[DaysFilter]
        return self._chips((str(self.preset.label) if self.preset else days.label()) if days.are_kept else "")

    def in_words(self) -> str:
        """Return all that is set, with the days of a named period; blank for all calls.

        Of a search it only says that there is one: a searched caller would be shown whole beside masked ones."""
        labels = [chip.label for chip in self._chips(self.asked[DaysFilter].label(), SearchFilter)]
        return "; ".join([*labels, _("Search")] if self.asked[SearchFilter].text else labels)

    def _chips(self, days: str, *without: type[Filter]) -> list[Chip]:
        asked, chips = self.asked, []
        if days:
            chips.append(Chip(days, self._without_days()))
        chips += chips_of_numbers(
            self.selected, self.choices, lambda others: self._with(NumberFilter, NumberFilter.query_of(others))
        )
        if self.opening != Opening.ALL:
            chips.append(Chip(str(self.opening.label), self._with(OpeningFilter)))
        if asked[OutcomeFilter].are_lost:
            chips.append(Chip(asked[OutcomeFilter].label(), self._with(OutcomeFilter)))
        for kind in (FlagFilter,) if asked[OutcomeFilter].are_lost else (OutcomeFilter, FlagFilter):
            for value, label, is_chosen in asked[kind].options():
                if is_chosen:
                    others = [pair for pair in asked[kind].to_query() if pair[1] != value]
                    chips.append(Chip(label, self._with(kind, others)))
        if asked[CallbackFilter].are_left_out:
            chips.append(Chip(_("Without callbacks"), self._with(CallbackFilter)))
        return [
            *chips,
            *(Chip(chip.label, chip.query_without or self.query_to_reset) for chip in asked.chips(*without)),
        ]

    def _without_days(self) -> str:
        """Return the query string for every day; that of a reset if no other filter is set."""
        rest = self.asked.pairs(DaysFilter, WeeksFilter)
        return urlencode([*DaysFilter.query_of(named=EVERY_DAY), *rest]) if rest else self.query_to_reset

    def _with(self, kind: type[Filter], pairs: Sequence[tuple[str, str]] = ()) -> str:
        """Return the query string with other pairs of one filter; that of a reset if no filter is left."""
        return urlencode([*self.asked.pairs(kind), *pairs]) or self.query_to_reset

    def _of(self, period: Period, preset: Preset | None = None) -> str:
        days = DaysFilter.query_of(period.first, period.last, preset.value if preset else DAYS)
        return urlencode([*days, *self.asked.pairs(*_DAYS)])
