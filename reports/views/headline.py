"""The figures at the top of a page: each with one comparison in words, and what else belongs to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext, gettext_lazy

from reports.counting.outcomes import Outcome
from reports.figures.cells import Cell, Row
from reports.figures.coverage import Coverage
from reports.figures.definitions import FIGURES, HEADLINE, Kind
from reports.figures.differences import is_noteworthy
from reports.queries import comparison, service_level
from reports.queries.comparison import Compared, Pair, Week
from reports.templatetags.formats import clock
from reports.views.readable import Readable

# The figures of numbers that handle all calls automatically.
WITHOUT_FORWARDS = ("offered", "served_in_plan", "short", "in_progress", "end_unknown", "talk")
OUTCOME_KEYS = frozenset(Outcome.values)
_PARTS_OF_LOST = (Outcome.MISSED.value, Outcome.ABANDONED.value)

# By kind: more, and less.
_THAN_USUAL: dict[Kind, tuple[Any, Any]] = {
    "count": (gettext_lazy("%(percent)d %% more than usual"), gettext_lazy("%(percent)d %% fewer than usual")),
    "share": (gettext_lazy("%(points)d points more than usual"), gettext_lazy("%(points)d points less than usual")),
    "seconds": (gettext_lazy("%(time)s longer than usual"), gettext_lazy("%(time)s shorter than usual")),
}
_THAN_BEFORE: dict[Kind, tuple[Any, Any]] = {
    "count": (
        gettext_lazy("%(percent)d %% more than the previous period"),
        gettext_lazy("%(percent)d %% fewer than the previous period"),
    ),
    "share": (
        gettext_lazy("%(points)d points more than the previous period"),
        gettext_lazy("%(points)d points less than the previous period"),
    ),
    "seconds": (
        gettext_lazy("%(time)s longer than the previous period"),
        gettext_lazy("%(time)s shorter than the previous period"),
    ),
}


@dataclass(frozen=True)
class Part(Readable):
    """An outcome that a figure is the sum of."""

    key: str
    now: Cell

    @property
    def label(self) -> Any:
        return FIGURES[self.key].label


@dataclass(frozen=True, kw_only=True)
class HeadlineFigure(Readable):
    """A figure at the top of a page, with the previous period and what is usual on the same weekdays."""

    key: str
    now: Cell
    # In the period and the previous one, and in the period and on the same weekdays before.
    pair: Pair | None
    usual_pair: Pair | None
    # What is usual for all numbers, as far as it is measured.
    usual: float | None
    parts: Sequence[Part] = ()
    # Its target in words; blank if it has none.
    target: str = ""

    @property
    def kind(self) -> Kind:
        return FIGURES[self.key].kind

    @property
    def is_outcome(self) -> bool:
        return self.key in OUTCOME_KEYS

    @property
    def judged(self) -> Pair | None:
        """The pair that is put into words: what is usual if it is known, else the previous period."""
        for pair in (self.usual_pair, self.pair):
            if pair is not None and pair.now is not None and pair.then is not None:
                return pair
        return None

    @property
    def judged_by_usual(self) -> Pair | None:
        """The pair that is put into words, if it is of what is usual."""
        return self.judged if self.judged is self.usual_pair else None

    @property
    def judgement(self) -> str:
        """The comparison in words, such as *23 % more than usual*; blank if there is nothing to compare."""
        pair = self.judged
        if pair is None or pair.now is None or pair.then is None:
            return ""
        is_of_usual = pair is self.usual_pair
        now, then = pair.now, pair.then
        if not is_noteworthy(self.kind, now, then, pair.whole_now, pair.whole_then, pair.periods):
            return gettext("as usual") if is_of_usual else gettext("as in the previous period")
        if self.kind == "count" and not round(then):
            return gettext("more than usual") if is_of_usual else gettext("more than the previous period")
        words = (_THAN_USUAL if is_of_usual else _THAN_BEFORE)[self.kind][now < then]
        return str(words) % {
            "percent": round(abs(now - then) / then * 100) if then else 0,
            "points": abs(round(now * 100) - round(then * 100)),
            "time": clock(abs(round(now) - round(then))),
        }


def headline_keys(coverage: Coverage) -> tuple[str, ...]:
    """Return the figures at the top of a page about these numbers: others if no call reaches people."""
    is_of_people = not len(coverage) or any(coverage.applies(number, Outcome.ANSWERED) for number in coverage)
    return HEADLINE if is_of_people else WITHOUT_FORWARDS


def headline(
    totals: Row, rows: Sequence[Row], compared: Compared | None, weeks: Sequence[Week], keys: Sequence[str]
) -> list[HeadlineFigure]:
    """Return the figures at the top of a page.

    `rows` are those of each number in the period, `weeks` the same weekdays in the weeks before."""
    together = [week.together for week in weeks]
    return [
        HeadlineFigure(
            key=key,
            now=totals[key],
            pair=compared.pair(key) if compared else None,
            usual_pair=compared.usual(key, weeks) if compared else None,
            usual=comparison.usual_of(together, key),
            parts=[Part(part, totals[part]) for part in _PARTS_OF_LOST if key == "lost" and totals.lost_is_sum],
            target=service_level.target_in_words(rows) if key == "service_level" else "",
        )
        for key in map(str, keys)
    ]
