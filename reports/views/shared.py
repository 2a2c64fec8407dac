"""What several pages are made of: their classes, the filters, headline figures, and the answer to a request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import cache_control

from calls.models import DestinationNumber
from reports import periods
from reports.counting.outcomes import CALLBACK, Outcome
from reports.figures.cells import Blocks, Cell, Row
from reports.figures.coverage import Coverage
from reports.figures.definitions import FIGURES
from reports.filters import session_filter
from reports.filters.presets import Preset
from reports.filters.report_filter import ReportForm
from reports.periods import Grain, Opening, Period
from reports.permissions import is_administrator
from reports.queries import comparison, counts
from reports.queries.comparison import Compared, Pair

STALE_AFTER = timedelta(minutes=2)
NUMBERS_IN_NAVIGATION = 12
# What people see is theirs alone, and gone from every cache on the way once they sign out.
personal = cache_control(private=True, no_store=True)
CHART_HEADINGS = {
    Grain.QUARTER_HOUR: _("Calls by quarter-hour"),
    Grain.HALF_HOUR: _("Calls by half-hour"),
    Grain.HOUR: _("Calls by hour"),
    Grain.DAY: _("Calls by day"),
    Grain.WEEK: _("Calls by week"),
    Grain.MONTH: _("Calls by month"),
}
OUTCOMES = [(outcome.value, outcome.label) for outcome in Outcome]
OUTCOME_KEYS = frozenset(Outcome.values)


class Readable:
    """Something that templates read attributes of. They look up every name as a key first: this answers at once, where
    otherwise each attribute would cost an error, on some pages thousands of times."""

    __getitem__ = object.__getattribute__


@dataclass(frozen=True, kw_only=True)
class Page(Readable):
    """A page as templates read it: what the frame around every page asks for."""

    # The time zone of the times on it; blank if it shows none.
    zone: str = ""
    # The number it is about, if it is about one.
    number: DestinationNumber | None = None


@dataclass(frozen=True, kw_only=True)
class PeriodPage(Page):
    """A page about the calls of a period. Its builder reads the database; properties only derive."""

    form: ReportForm
    # The totals of the period.
    now: Row
    # Up to when calls are counted; None before the first roll-up.
    counted_at: datetime | None
    # If the period has no calls: the last day that has.
    last_day: date | None

    @property
    def period(self) -> Period:
        return self.form.period

    @property
    def chosen(self) -> Sequence[DestinationNumber]:
        """The selected numbers; empty for all."""
        return self.form.selected

    @cached_property
    def unclassified(self) -> int:
        """The offered calls of which it is not measured what they came to."""
        return self.now.unclassified

    @property
    def is_stale(self) -> bool:
        """Whether counting is behind."""
        return self.counted_at is None or timezone.now() - self.counted_at > STALE_AFTER

    @property
    def last_day_query(self) -> str:
        return self.form.query_with(period=Period(self.last_day, self.last_day)) if self.last_day else ""

    @cached_property
    def when(self) -> str:
        """The period as the end of a sentence."""
        return when_in_words(self.form)


@dataclass(frozen=True, kw_only=True)
class HeadlineFigure(Readable):
    """A figure on top of a page, beside that of the period before and what is usual on the same weekdays."""

    key: str
    now: Cell
    pair: Pair | None
    usual: float | None

    @property
    def kind(self) -> str:
        return FIGURES[self.key].kind

    @property
    def is_outcome(self) -> bool:
        return self.key in OUTCOME_KEYS


@dataclass(frozen=True, kw_only=True)
class ReportPage(PeriodPage):
    """The overview or the page of a number: headline figures, the chart of calls, the blocks."""

    figures: Sequence[HeadlineFigure]
    compared: Compared | None
    buckets: Sequence[Row]
    blocks: Blocks

    unclassified_word: ClassVar = _("Not measured")
    unclassified_text: ClassVar = _("Offered calls of which it is not measured what they came to; so that rows add up.")
    how_reached: ClassVar = _("How it is counted")

    @property
    def includes_today(self) -> bool:
        return periods.today() in self.period

    @cached_property
    def outcomes(self) -> list[tuple[str, Any]]:
        """Keys and labels of the outcomes that the chart stacks."""
        return shown_outcomes(self.now)

    @property
    def chart_heading(self) -> Any:
        return CHART_HEADINGS[self.form.grain]

    @cached_property
    def block_sums(self) -> dict[str, Cell]:
        return {key: sum_of(self.blocks, key) for key in ("blocks", "last_in_call", "lost")}

    @property
    def compared_days(self) -> str:
        """The period that the headline figures are compared with; blank if they are not compared."""
        return self.compared.days.then.label if self.compared else ""

    @cached_property
    def compared_numbers(self) -> str:
        """Says how many numbers are compared; blank if all are."""
        pairs = [figure.pair for figure in self.figures if figure.pair and figure.pair.of_numbers]
        if (
            self.compared is None
            or len(self.compared.coverage) < 2
            or all(pair.numbers == pair.of_numbers for pair in pairs)
        ):
            return ""
        fewest, most = min(pair.numbers for pair in pairs), max(pair.numbers for pair in pairs)
        words = (
            gettext("Compared: %(n)d of %(all)d numbers, those measured in both periods")
            if fewest == most
            else gettext("Compared: %(n)d to %(most)d of %(all)d numbers, those measured in both periods")
        )
        return words % {"n": fewest, "most": most, "all": max(pair.of_numbers for pair in pairs)}


def page_of(
    request: HttpRequest,
    template: str,
    page: Page,
    choices: Sequence[DestinationNumber],
    asked: str = "",
) -> HttpResponse:
    """Answer with a page. `asked` is the question that its links to reports carry."""
    navigation = choices if len(choices) <= NUMBERS_IN_NAVIGATION else []
    context = {
        "page": page,
        "navigation": navigation,
        "choices": choices,
        "question": asked,
        "is_administrator": is_administrator(request.user),
    }
    return render(request, template, context)


def read_report(
    request: HttpRequest, *, number: DestinationNumber | None = None, is_for_others: bool = False, **options: Any
) -> ReportForm:
    """Read what a page of counts is asked: its own address, else the question that is remembered; and remember it.

    The page of a number asks for no other, and leaves those that are remembered as they are. A page that only hands the
    question on to others leaves out numbers that are not the person's."""
    query, is_recalled = session_filter.completed(request.GET, request.session)
    if number and "number" not in query:
        query = query.copy()
        query.setlist("number", session_filter.recalled(request.session).getlist("number"))
    ignores = is_recalled or is_for_others
    form = ReportForm(query, request.user, number=number, is_recalled=ignores, **options)
    if form.is_asked and not is_recalled and not form.errors:
        session_filter.remember(request, form.question_to_remember)
    return form


def passed_on(request: HttpRequest) -> str:
    """Return the question that a page hands on which asks none itself."""
    if not session_filter.is_asked(session_filter.completed(request.GET, request.session)[0]):
        return ""
    return read_report(request, is_for_others=True).question


def last_question(request: HttpRequest) -> str:
    """Return the question that is remembered, whatever the address asks."""
    kept = session_filter.recalled(request.session)
    return ReportForm(kept, request.user, is_recalled=True).question if kept else ""


def last_day_with_calls(form: ReportForm, coverage: Coverage, totals: Row) -> date | None:
    """Return the last day that has calls if the period has none."""
    return None if totals.offered else counts.last_day_with_calls(coverage, opening=form.opening)


def when_in_words(form: ReportForm) -> str:
    """The period as the end of a sentence."""
    if form.opening != Opening.ALL:
        return f"{_days_in_words(form)} {str(form.opening.label).lower()}"
    return _days_in_words(form)


def _days_in_words(form: ReportForm) -> str:
    period, today = form.period, periods.today()
    words = {
        Preset.TODAY: gettext("today"),
        Preset.YESTERDAY: gettext("yesterday"),
        Preset.THIS_MONTH: gettext("this month up to yesterday"),
        Preset.LAST_MONTH: gettext("last month"),
    }
    if form.preset:
        many = gettext("in the %(n)d days up to yesterday") % {"n": period.length}
        return words.get(form.preset, many)
    if period.last == today and period.length > 1:
        return gettext("in the last %(n)d days") % {"n": period.length}
    if period.length == 1:
        return gettext("on %(day)s") % {"day": period.label}
    return gettext("from %(period)s") % {"period": period.label}


def sum_of(blocks: Blocks, key: str) -> Cell:
    """Return the sum of a column; it is measured as far as its rows are, which all are alike in that."""
    cells: list[Cell] = [getattr(row, key) for row in blocks]
    if not cells or cells[0].value is None:
        return cells[0] if cells else Cell(0)
    return cells[0]._replace(value=sum(int(cell.value or 0) for cell in cells))


def shown_outcomes(now: Row) -> list[tuple[str, Any]]:
    """The outcomes as a chart stacks them; those that do not apply to any of the numbers are left away."""
    return [(key, label) for key, label in OUTCOMES if now[key].applies]


def compared_with(
    form: ReportForm, coverage: Coverage, rows: list[Row] | None = None, keys: tuple[str, ...] = counts.OF_CALLS
) -> Compared | None:
    """Some figures of the period beside the one before, number by number; None where nothing of it is over.

    `rows` are those of the numbers in the period, where they are known."""
    days = form.compared
    if days is None:
        return None
    return comparison.compare(coverage, days, rows if days.now == form.period else None, keys)


def same_days_before(form: ReportForm, coverage: Coverage) -> list[Row]:
    """The same weekdays of the weeks before, where the period is short enough; up to now where it includes today."""
    days = form.compared
    if days is None or form.period.length > 7:
        return []
    return comparison.same_days_before(coverage, days.now, periods.USUAL_WEEKS)


def headline(totals: Row, compared: Compared | None, weeks: list[Row], keys: Sequence[str]) -> list[HeadlineFigure]:
    """Return the figures on top of a page; `weeks` are the same weekdays of the weeks before."""
    return [
        HeadlineFigure(
            key=str(key),
            now=totals[key],
            pair=compared.pair(key) if compared else None,
            usual=comparison.usual_of(weeks, key),
        )
        for key in keys
    ]


def shown_outcome(one: Any, coverage: Coverage) -> str:
    """Return the outcome of an annotated call; blank where it is not measured for its number at that time."""
    if one.callback_id:
        return CALLBACK
    since = coverage.shown_from(one.destination_number, one.outcome)
    return one.outcome if since is not None and one.first_post_at >= since else ""
