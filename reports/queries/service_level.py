"""Numbers whose service level is below its target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from calls.models import DestinationNumber
from reports import periods
from reports.figures.cells import Row
from reports.figures.coverage import Coverage
from reports.periods import Period
from reports.queries import counts

DAYS = 7
# A share of fewer calls says little.
LEAST_CALLS = 30


@dataclass(frozen=True)
class Below:
    """A number below its target in the last whole days."""

    number: DestinationNumber
    period: Period
    service_level: float

    @property
    def says(self) -> str:
        return _("%(number)s: service level %(level)d %% in the last %(days)d days, target %(target)d %%.") % {
            "number": self.number.name,
            # Rounded down, so that it never looks equal to the target.
            "level": int(self.service_level * 100 + 1e-9),
            "days": DAYS,
            "target": self.number.service_level_aim,
        }


def is_reached(number: DestinationNumber, service_level: float | None) -> bool | None:
    """Return whether a service level reaches the number's target; None if either is not known.

    Compared as shares, because equal ratios of integers are equal floats; in percent they may differ."""
    aim = number.service_level_aim
    return None if service_level is None or aim is None else service_level >= aim / 100


def points_short(number: DestinationNumber, service_level: float | None) -> float | None:
    """Return percentage points below target, rounded to 0.1, and at least 0.1. None if reached or unknown."""
    if is_reached(number, service_level) is not False:
        return None
    short = (number.service_level_aim or 0) - (service_level or 0) * 100
    return max(0.1, round(short, 1))


def callers_short(number: DestinationNumber, in_time: int | None, whole: int | None) -> int | None:
    """Return how many more callers, answered in time, would reach the target. None if reached or unknown.

    The least k with (in_time + k) / whole >= target: the calls are the same, more of them are answered in time."""
    aim = number.service_level_aim
    if aim is None or in_time is None or not whole:
        return None
    needed = -(-aim * whole // 100)  # rounded up
    return needed - in_time if needed > in_time else None


def target_in_words(rows: Sequence[Row]) -> str:
    """Return the target of these rows of numbers, or how many reach theirs if targets differ; blank without any.

    Only numbers with a service level count."""
    measured = [(row.number, row["service_level"].value) for row in rows if row.number]
    levels = [(number, value) for number, value in measured if value is not None]
    aims = {number.service_level_aim for number, _value in levels}
    if len(aims) == 1:
        (aim,) = aims
        return "" if aim is None else _("target: %(target)d %%") % {"target": aim}
    reached = [is_reached(number, value) for number, value in levels if number.service_level_aim is not None]
    if not reached:
        return ""
    return ngettext(
        "%(n)d of %(all)d number reaches its target", "%(n)d of %(all)d numbers reach their target", len(reached)
    ) % {"n": sum(map(bool, reached)), "all": len(reached)}


def last_days() -> Period:
    """Return the days that are checked: whole days up to yesterday."""
    yesterday = periods.today() - periods.DAY
    return Period(yesterday - (DAYS - 1) * periods.DAY, yesterday)


def below(numbers: Sequence[DestinationNumber] | Coverage) -> list[Below]:
    """Return the numbers below target, furthest below first, without those that have few calls or no target."""
    aiming = [number for number in numbers if number.service_level_aim is not None]
    if not aiming:
        return []
    period, misses = last_days(), []
    for row in counts.by_number(Coverage.read(numbers).only(*aiming), period, ("service_level",)):
        level = row["service_level"]
        if row.number and (level.whole or 0) >= LEAST_CALLS and is_reached(row.number, level.value) is False:
            misses.append(Below(row.number, period, level.value or 0.0))
    return sorted(misses, key=lambda miss: miss.service_level - (miss.number.service_level_aim or 0) / 100)
