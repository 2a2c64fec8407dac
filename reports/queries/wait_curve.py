"""The cumulative curve of waiting times: how many callers had an answer after how many seconds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from calls.models import DestinationNumber
from reports.figures.cells import Row
from reports.queries.durations import Times, TimesClass, cumulative

# Distances between ticks on the axis of seconds, and how many of them fit.
_STEPS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600)
_MOST_TICKS = 8
# The axis ends where this share of the answered calls is shown, but never before twice the limit.
_SHOWN = 0.95


class ClassOnCurve(NamedTuple):
    """What a class of waiting times has of the curve."""

    # The share answered by the end of the class, 0 to 1.
    share: float
    # The points of the class as the chart reads them from the table: `5:12.5 8:25`, seconds and percent.
    points: str


@dataclass(frozen=True)
class WaitCurve:
    """The curve of a number with its limit and target.

    With lost calls the curve is of the calls that the service level is of: at the limit it has the same value."""

    times: Times
    # The lost calls; None if they are not measured for the same calls. Then the curve is of the answered calls only.
    lost: int | None
    limit_s: int
    target: int | None

    @classmethod
    def read(cls, number: DestinationNumber, times: Times, totals: Row) -> WaitCurve:
        """Return the curve of a number from the waiting times and totals of a period."""
        level, waits = totals["service_level"], totals["time_to_answer"]
        is_of_same_calls = level.value is not None and level.since == waits.since
        lost = (level.whole or 0) - times.calls if is_of_same_calls else None
        return cls(times, lost, number.service_level_s, number.service_level_aim)

    @property
    def whole(self) -> int:
        """The calls that 100 % stands for."""
        return self.times.calls + (self.lost or 0)

    @property
    def includes_lost(self) -> bool:
        return self.lost is not None

    def of(self, times_class: TimesClass) -> ClassOnCurve:
        """Return what a class has of the curve."""
        above, to = times_class.above or -1, times_class.to
        points = (
            f"{second}:{share * 100:.4g}"
            for second, share in self._points
            if second > above and (to is None or second <= to)
        )
        return ClassOnCurve(self._share_within(to), " ".join(points))

    @cached_property
    def share(self) -> float:
        """The share that was answered at all, 0 to 1."""
        return self._share_within(None)

    @cached_property
    def _points(self) -> list[tuple[int, float]]:
        return cumulative(self.times, self.whole)

    def _share_within(self, seconds: int | None) -> float:
        return self.times.between(-1, seconds) / self.whole

    @cached_property
    def step(self) -> int:
        """The seconds between two ticks of the axis."""
        return next((step for step in _STEPS if step * _MOST_TICKS >= self._least_end), _STEPS[-1])

    @property
    def end(self) -> int:
        """Where the axis of seconds ends."""
        return ceil(self._least_end / self.step) * self.step

    @property
    def _least_end(self) -> int:
        return max(2 * self.limit_s, self.times.within(_SHOWN) or 0, 1)

    @property
    def beyond(self) -> int:
        """The calls that waited longer than the axis shows."""
        return self.times.between(self.end, None)

    @property
    def marks(self) -> dict[str, Any]:
        """What the chart draws besides the curve, each with its name."""
        named = [
            (_("Half of the answered within %(seconds)d s"), 0.5),
            (_("9 in 10 of them within %(seconds)d s"), 0.9),
        ]
        dots = [(name, seconds) for name, share in named if (seconds := self.times.within(share)) is not None]
        return {
            "end": self.end,
            "step": self.step,
            "limit": {"x": self.limit_s, "name": _("Limit %(seconds)d s") % {"seconds": self.limit_s}},
            "target": self._target,
            "dots": [
                {"x": seconds, "y": round(self._share_within(seconds) * 100, 1), "name": name % {"seconds": seconds}}
                for name, seconds in dots
            ],
        }

    @property
    def _target(self) -> dict[str, Any] | None:
        # The target is a share of answered and lost calls, so it has no place on a curve of answered calls only.
        if self.target is None or not self.includes_lost:
            return None
        return {"y": self.target, "name": _("Target %(percent)d %%") % {"percent": self.target}}
