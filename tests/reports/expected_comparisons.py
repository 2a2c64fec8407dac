"""What a figure of the scripted month is compared with, and in which words: as docs/figures.md has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, time, timedelta
from fractions import Fraction

from django.utils import timezone

from tests.reports import expected, scenario
from tests.reports.expected import Figure, Stretch, figure
from tests.reports.scenario import BERLIN, DAY, Line, local

# First and last day; and inside or outside opening hours, if filtered by them.
Period = tuple[date, date] | tuple[date, date, str]


def compared_days(period: Period) -> tuple[Stretch, Stretch] | None:
    """Return which part of a period is compared with what, as in docs/figures.md; None if no part is over."""
    first, last, *opening = period
    now = timezone.now().astimezone(BERLIN)
    today, until = now.date(), expected.quarter_hour(now.astimezone(UTC))
    is_of_months = first.day == 1 and last > first
    is_over = last < today
    end = min(last, today)
    if first <= today <= last and until.astimezone(BERLIN).time() == time(0):
        if first == today:
            return None
        end, until = today - DAY, local(today, 0).astimezone(UTC)
    whole = expected.days(first, end, *opening)
    cut = Stretch(whole.start, min(whole.end, until), *opening)
    if not is_of_months:
        gap = (last - first) + DAY
        return cut, _as_long(first - gap, end - gap, cut, opening)
    months = (last.year - first.year) * 12 + last.month - first.month + 1
    begins, of_end = _months_before(first, months), _months_before(end.replace(day=1), months)
    ends = _months_before(end.replace(day=1), months - 1) - DAY  # the last day of that month
    if (is_over and (last + DAY).day == 1) or end.day > ends.day:
        return cut, expected.days(begins, ends, *opening)
    return cut, _as_long(begins, of_end + (end.day - 1) * DAY, cut, opening)


def _as_long(first: date, last: date, cut: Stretch, opening: Sequence[str]) -> Stretch:
    """Return days that end at the same time of day as `cut`."""
    whole, clock = expected.days(first, last, *opening), cut.end.astimezone(BERLIN)
    end = whole.end if clock.time() == time(0) else local(last, clock.hour, clock.minute).astimezone(UTC)
    return Stretch(whole.start, end, *opening)


def _months_before(first: date, months: int) -> date:
    for _month in range(months):
        first = (first - DAY).replace(day=1)
    return first


def first_day(lines: Sequence[Line]) -> date:
    """Return the day of the first call of these numbers."""
    return min(call.day for call in scenario.CALLS if call.line in lines)


def weeks_before(lines: Sequence[Line], period: Period, *, whole: bool = False) -> list[Stretch]:
    """Return the same weekdays of the four weeks before, latest first, from the first call on; for at most a week.

    If the period is not over they end at the same time of day, unless `whole`."""
    if period[1] - period[0] >= 7 * DAY:
        return []
    gaps = [7 * n * DAY for n in range(1, 5) if period[0] - 7 * n * DAY >= first_day(lines)]
    if whole:
        return [expected.days(period[0] - gap, period[1] - gap, *period[2:]) for gap in gaps]
    days = compared_days(period)
    if days is None:
        return []
    last = (days[0].end - timedelta(microseconds=1)).astimezone(BERLIN).date()
    return [_as_long(period[0] - gap, last - gap, days[0], period[2:]) for gap in gaps]


def usual(lines: Sequence[Line], period: Period, key: str) -> str:
    """Return what is usual on these weekdays: the average of counts, or the share or average of all their calls."""
    words = usual_of(lines, weeks_before(lines, period), key)
    return "" if words == "–" else f"usual: {words} "


def usual_of(lines: Sequence[Line], weeks: Sequence[Stretch], key: str) -> str:
    cells = [cell for cell in (figure(lines, week, key) for week in weeks) if not cell.why]
    if key in expected.SHARES | expected.TIMES:
        whole = sum(cell.whole or 0 for cell in cells)
        value = sum(Fraction(cell.value or 0) * (cell.whole or 0) for cell in cells) / whole if whole else None
        return Figure(key, value).words
    return str(round(sum(int(cell.value or 0) for cell in cells) / len(cells))) if cells else "–"


def compared(lines: Sequence[Line], days: tuple[Stretch, Stretch] | None, key: str) -> tuple[str, int, int]:
    """Return the line below a figure: the previous period and the change, for the numbers measured in both.

    Also how many numbers these are, and for how many the figure is shown."""
    if days is None:
        return "vs. previous period: –", 0, 0
    now, then = days
    shown = [
        line
        for line in lines
        if not figure([line], now, key).why and (expected.offered([line], now) or expected.offered([line], then))
    ]
    both = [line for line in shown if is_compared(line, now, then, key)]
    new, old = figure(both, now, key), figure(both, then, key)
    if not both or old.value is None:
        return "vs. previous period: –", len(both), len(shown)
    text = f"vs. previous period: {old.words}"
    if new.value is not None and old.value:
        text += f", {change(new, old)}"
    return text, len(both), len(shown)


@dataclass(frozen=True)
class Compared:
    """A figure in a period and before, of the numbers that are compared; `then` is the average of counts."""

    now: Figure
    then: float | None
    whole: int
    periods: int
    numbers: int
    of: int
    words: tuple[str, str]


def previous_pair(lines: Sequence[Line], days: tuple[Stretch, Stretch] | None, key: str) -> Compared | None:
    return days and _pair(lines, days[0], [days[1]], key, ("as in the previous period", "than the previous period"))


def usual_pair(lines: Sequence[Line], period: Period, key: str) -> Compared | None:
    """Return a figure beside the same weekdays before; None if there are none."""
    weeks, days = weeks_before(lines, period), compared_days(period)
    return _pair(lines, days[0], weeks, key, ("as usual", "than usual")) if days and weeks else None


def _pair(lines: Sequence[Line], now: Stretch, before: Sequence[Stretch], key: str, words: tuple[str, str]) -> Compared:
    shown = [
        line
        for line in lines
        if not figure([line], now, key).why and any(expected.offered([line], stretch) for stretch in (now, *before))
    ]
    both = [line for line in shown if all(is_compared(line, now, stretch, key) for stretch in before)]
    old = [figure(both, stretch, key) for stretch in before]
    values, wholes = [float(one.value or 0) for one in old], [one.whole or 0 for one in old]
    then: float | None = sum(values) / len(before)
    if key in {*expected.SHARES, *expected.TIMES}:
        total = sum(value * whole for value, whole in zip(values, wholes, strict=True))
        then = total / sum(wholes) if sum(wholes) else None
    return Compared(figure(both, now, key), then if both else None, sum(wholes), len(old), len(both), len(shown), words)


def judgement(pairs: Sequence[Compared | None], key: str) -> str:
    """Return the words of the first comparison that has both sides: as docs/figures.md has it."""
    known = [pair for pair in pairs if pair and pair.then is not None and pair.numbers and pair.now.value is not None]
    if not known:
        return ""
    pair = known[0]
    new, old, n, m = float(pair.now.value or 0), pair.then or 0, pair.now.whole or 1, pair.whole or 1
    weeks, more = pair.periods, new > old
    if key in expected.SHARES:
        points = abs(round(new * 100) - round(old * 100))
        common = (new * n + old * m) / (n + m)
        by_chance = 2 * (max(0, common * (1 - common)) * (1 / n + 1 / m)) ** 0.5
        is_usual, words = points < 2, f"{points} points {'more' if more else 'less'}"
    elif key in expected.TIMES:
        by_chance = 2 * old * (1 / n + 1 / m) ** 0.5
        is_usual = round(abs(new - old)) < 1 or abs(new - old) <= 0.05 * old
        words = f"{abs(round(new) - round(old))} s {'longer' if more else 'shorter'}"
    else:
        by_chance = 2 * ((new + weeks * old) / (weeks + 1) * (1 + 1 / weeks)) ** 0.5
        is_usual = abs(new - old) <= 0.05 * old
        percent = f"{round(abs(new - old) / old * 100)} % " if round(old) else ""
        words = f"{percent}{'more' if more else 'fewer'}"
    return pair.words[0] if is_usual or abs(new - old) <= by_chance else f"{words} {pair.words[1]}"


def is_compared(line: Line, now: Stretch, then: Stretch, key: str) -> bool:
    """Return whether a figure of a number is measured throughout both periods, and its first call came before."""
    cells = [figure([line], stretch, key) for stretch in (now, then)]
    return expected.days(first_day([line]), first_day([line])).start <= then.start and not any(
        cell.why or cell.since for cell in cells
    )


def change(now: Figure, then: Figure) -> str:
    new, old = float(now.value or 0), float(then.value or 0)
    if now.key in expected.SHARES:
        difference, unit = round(new * 100) - round(old * 100), " pt"
    elif now.key in expected.TIMES:
        difference, unit = round(new) - round(old), " s"
    else:
        difference, unit = round((new - old) / old * 100), " %"
    sign = "+" if difference > 0 else "−" if difference < 0 else "±"
    return f"{sign}{abs(difference)}{unit}"
