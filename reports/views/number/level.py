"""The service level of a number, which two tabs show."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from reports.figures.cells import Cell, Row
from reports.queries import service_level
from reports.views.number.base import NumberPage
from reports.views.readable import Readable

# The line of the service level leaves out shares of fewer calls.
LEAST_CALLS = 10


@dataclass(frozen=True)
class Level(Readable):
    """The service level of a bucket or period, with numerator, denominator and the value for the chart."""

    row: Row
    cell: Cell

    @property
    def whole(self) -> int | None:
        return self.cell.whole

    @property
    def in_time(self) -> int | None:
        """The calls answered in time, the numerator."""
        share, whole = self.cell.value, self.cell.whole
        return None if share is None else round(share * (whole or 0))

    @property
    def drawn(self) -> float | None:
        """The value for the chart in percent; None if it is of few calls."""
        share = self.cell.value if (self.cell.whole or 0) >= LEAST_CALLS else None
        return share and round(share * 100, 1)


@dataclass(frozen=True, kw_only=True)
class LevelPage(NumberPage):
    """A tab with the service level of the period, its formula, and what is missing to the target."""

    @cached_property
    def level(self) -> Level:
        return Level(self.now, self.now["service_level"])

    @property
    def aim(self) -> int | None:
        return self.number.service_level_aim

    @cached_property
    def reaches_aim(self) -> bool | None:
        return service_level.is_reached(self.number, self.level.cell.value)

    @property
    def points_short(self) -> float | None:
        return service_level.points_short(self.number, self.level.cell.value)

    @cached_property
    def callers_short(self) -> int | None:
        return service_level.callers_short(self.number, self.level.in_time, self.level.whole)

    @cached_property
    def without_start(self) -> int:
        """The answered calls that the service level leaves out; 0 if it covers other calls than these figures."""
        level, answered, lost = self.level.cell, self.now["answered"], self.now["lost"]
        if level.value is None or level.since or answered.since or lost.since or None in (answered.value, lost.value):
            return 0
        return int((answered.value or 0) + (lost.value or 0)) - (level.whole or 0)
