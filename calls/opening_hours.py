"""Decides when a number is open: weekly hours, public holidays of a German state, and single days that differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays

# Half-open intervals in minutes of the local day; 1440 is its end.
Spans = tuple[tuple[int, int], ...]

STATES = {
    "BW": "Baden-Württemberg",
    "BY": "Bayern",
    "BE": "Berlin",
    "BB": "Brandenburg",
    "HB": "Bremen",
    "HH": "Hamburg",
    "HE": "Hessen",
    "MV": "Mecklenburg-Vorpommern",
    "NI": "Niedersachsen",
    "NW": "Nordrhein-Westfalen",
    "RP": "Rheinland-Pfalz",
    "SL": "Saarland",
    "SN": "Sachsen",
    "ST": "Sachsen-Anhalt",
    "SH": "Schleswig-Holstein",
    "TH": "Thüringen",
}


@lru_cache(maxsize=512)
def holidays_of(state: str, year: int) -> Mapping[date, str]:
    """Return the public holidays of a state in a year, by day; empty without a state."""
    if not state:
        return {}
    return dict(holidays.country_holidays("DE", subdiv=state, years=year, language="de"))


@dataclass(frozen=True, eq=False)
class Schedule:
    """Opening hours in local time. Single days take precedence over holidays, and holidays over weekly hours."""

    zone: str
    # By ISO weekday: 1 is Monday.
    weekly: Mapping[int, Spans]
    # Days with their own hours; a day without any is closed.
    days: Mapping[date, Spans]
    state: str
    _spans: dict[date, Spans] = field(default_factory=dict, repr=False)

    def is_open(self, moment: datetime) -> bool:
        """Return whether a moment is inside the hours. Local time decides, also in the hour that occurs twice."""
        local = moment.astimezone(ZoneInfo(self.zone))
        minute = local.hour * 60 + local.minute
        return any(opens <= minute < closes for opens, closes in self.spans_on(local.date()))

    def spans_on(self, day: date) -> Spans:
        """Return the opening hours of a day."""
        try:
            return self._spans[day]
        except KeyError:
            spans = self._spans[day] = self._find(day)
            return spans

    def holidays(self, first: date, last: date) -> set[date]:
        """Return the public holidays from one day to another, both included."""
        years = range(first.year, last.year + 1)
        return {day for year in years for day in holidays_of(self.state, year) if first <= day <= last}

    def next_holidays(self, day: date, days: int = 365) -> list[tuple[date, str]]:
        """Return the public holidays from a day to `days` later, in order, with their names."""
        last = day + timedelta(days=days)
        named = [item for year in range(day.year, last.year + 1) for item in holidays_of(self.state, year).items()]
        return sorted((holiday, name) for holiday, name in named if day <= holiday <= last)

    def _find(self, day: date) -> Spans:
        if day in self.days:
            return self.days[day]
        if day in holidays_of(self.state, day.year):
            return ()
        return self.weekly.get(day.isoweekday(), ())
