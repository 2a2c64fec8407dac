"""Which numbers stay below the service level they aim at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from django.utils.translation import gettext as _

from calls.models import DestinationNumber
from reports import periods
from reports.figures.coverage import Coverage
from reports.periods import Period
from reports.queries import counts

DAYS = 7
# On fewer calls a share says little.
LEAST_CALLS = 30


@dataclass(frozen=True)
class Below:
    """A number below its aim in the last whole days."""

    number: DestinationNumber
    period: Period
    service_level: float

    @property
    def says(self) -> str:
        return _(
            "Service level of %(number)s was %(level)d %% in the last %(days)d days, below its aim of %(aim)d %%."
        ) % {
            "number": self.number.name,
            # Rounded down, so that it never reads as the aim itself.
            "level": int(self.service_level * 100 + 1e-9),
            "days": DAYS,
            "aim": self.number.service_level_aim,
        }


def is_reached(number: DestinationNumber, service_level: float | None) -> bool | None:
    """Say whether a service level is at least the one a number aims at; None where either is not known.

    Compared as shares: the same ratio of whole numbers is the same float, which it is not in percent."""
    aim = number.service_level_aim
    return None if service_level is None or aim is None else service_level >= aim / 100


def points_short(number: DestinationNumber, service_level: float | None) -> float | None:
    """Return by how many percentage points a service level misses the aim, rounded up to a tenth: never nought.

    None where it is reached, or not known."""
    if is_reached(number, service_level) is not False:
        return None
    short = (number.service_level_aim or 0) - (service_level or 0) * 100
    return max(0.1, ceil(round(short * 10, 6)) / 10)


def last_days() -> Period:
    """Return the days that are looked at: whole ones, up to yesterday."""
    yesterday = periods.today() - periods.DAY
    return Period(yesterday - (DAYS - 1) * periods.DAY, yesterday)


def below(numbers: Sequence[DestinationNumber] | Coverage) -> list[Below]:
    """Return the numbers below their aim, the farthest below first; none without an aim, or with few calls."""
    aiming = [number for number in numbers if number.service_level_aim is not None]
    if not aiming:
        return []
    period, found = last_days(), []
    for row in counts.by_number(Coverage.read(numbers).only(*aiming), period, ("service_level",)):
        level = row["service_level"]
        if row.number and (level.whole or 0) >= LEAST_CALLS and is_reached(row.number, level.value) is False:
            found.append(Below(row.number, period, level.value or 0.0))
    return sorted(found, key=lambda one: one.service_level - (one.number.service_level_aim or 0) / 100)
