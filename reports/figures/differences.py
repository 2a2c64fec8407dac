"""Whether a figure differs from what is usual by more than chance explains. docs/figures.md says the same in words."""

from __future__ import annotations

from math import sqrt

from reports.figures.definitions import Kind

# Smaller differences are never noteworthy, however many calls they are of: a part of what is usual, and of a share.
LEAST_PART = 0.05
LEAST_POINTS = 2
# A difference by chance is larger than this many standard deviations in one of twenty cases.
DEVIATIONS = 2


def is_noteworthy(  # noqa: PLR0917 (the figure, then what it is of)
    kind: Kind, now: float, then: float, whole_now: int = 0, whole_then: int = 0, periods: int = 1
) -> bool:
    """Return whether a figure differs from an earlier one by more than chance explains.

    A count varies by the square root of itself, as calls that come independently of each other do (Poisson); `then` is
    its average in `periods`. A share varies as one of that many calls does (binomial). Times of calls vary about as
    much as their average, as in a queue (exponential); their average varies less, the more calls it is of."""
    difference = abs(now - then)
    if kind == "share":
        points = abs(round(now * 100) - round(then * 100))
        return points >= LEAST_POINTS and difference > DEVIATIONS * _of_share(now, then, whole_now, whole_then)
    if difference <= LEAST_PART * then:
        return False
    if kind == "seconds":
        return round(difference) >= 1 and difference > DEVIATIONS * then * sqrt(_parts(whole_now, whole_then))
    rate = (now + periods * then) / (1 + periods)
    return difference > DEVIATIONS * sqrt(rate * (1 + 1 / periods))


def _of_share(now: float, then: float, whole_now: int, whole_then: int) -> float:
    """Return the standard deviation of the difference of two shares, if both are the same by nature."""
    whole = whole_now + whole_then
    share = (now * whole_now + then * whole_then) / whole if whole else 0.0
    return sqrt(max(0.0, share * (1 - share)) * _parts(whole_now, whole_then))


def _parts(whole_now: int, whole_then: int) -> float:
    return 1 / max(1, whole_now) + 1 / max(1, whole_then)
