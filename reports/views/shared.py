"""Parts that several pages share: page classes, filters, responses."""

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

from calls.access import Rights
from calls.models import DestinationNumber, Right
from reports import periods, permissions
from reports.counting.outcomes import CALLBACK, Outcome
from reports.figures.cells import Blocks, Cell, CellState, Row
from reports.figures.coverage import Coverage
from reports.figures.definitions import WAITED_AS
from reports.filters import session_filter
from reports.filters.base import Chip
from reports.filters.presets import Preset
from reports.filters.report_filter import ReportForm
from reports.periods import Grain, Opening, Period
from reports.queries import comparison, counts, pins, trouble
from reports.queries.comparison import Compared, Week
from reports.views.headline import HeadlineFigure
from reports.views.readable import Readable

STALE_AFTER = timedelta(minutes=2)
NUMBERS_IN_NAVIGATION = 12
# Pages are personal: no cache may store them, so that nothing is left after signing out.
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


@dataclass(frozen=True, kw_only=True)
class Page(Readable):
    """A page as templates read it, with the attributes that the base template needs."""

    # Whether numbers can be selected on it, if it has filters.
    has_number_filter: ClassVar[bool] = True
    # The time zone of the times on it; blank if it shows none.
    zone: str = ""
    # The number it is about, if it is about one.
    number: DestinationNumber | None = None

    @property
    def exports_calls(self) -> bool:
        """Whether it offers downloads of single calls: the user may have those of all its numbers."""
        return False

    @property
    def exports_whole_callers(self) -> bool:
        """Whether it offers them with whole callers, too: the user may have these of any of its numbers."""
        return False


@dataclass(frozen=True, kw_only=True)
class PeriodPage(Page):
    """A page about the calls of a period. Its builder reads the database; properties only derive."""

    form: ReportForm
    # The totals of the period.
    now: Row
    # Until when calls are counted; None before the first roll-up.
    counted_at: datetime | None
    # If the period has no calls: the last day that has.
    last_day: date | None
    # The figures of both periods; None if the page does not compare, or no part of the period is over.
    compared: Compared | None = None

    @property
    def period(self) -> Period:
        return self.form.period

    @property
    def chips(self) -> list[Chip]:
        """The filters that are set and apply to the page."""
        return self.form.chips(numbers=self.has_number_filter)

    @property
    def chosen(self) -> Sequence[DestinationNumber]:
        """The selected numbers; empty for all."""
        return self.form.selected

    @property
    def rights(self) -> Rights:
        return self.form.rights

    @property
    def about(self) -> Sequence[DestinationNumber]:
        """The numbers of which it shows figures."""
        return [self.number] if self.number else self.form.numbers

    @cached_property
    def lists_calls(self) -> bool:
        """Whether its counts lead to their calls: the user may see the single calls of all its numbers."""
        return self.rights.may_each(Right.CALLS, self.about)

    @property
    def exports_calls(self) -> bool:
        return self.rights.may_each(Right.EXPORT, self.about)

    @property
    def exports_whole_callers(self) -> bool:
        return any(permissions.may_have_callers(self.rights, number) for number in self.about)

    @cached_property
    def unclassified(self) -> int:
        """The offered calls whose outcome is not measured."""
        return self.now.unclassified

    @property
    def is_stale(self) -> bool:
        """Whether counting is behind."""
        return self.counted_at is None or timezone.now() - self.counted_at > STALE_AFTER

    @property
    def includes_today(self) -> bool:
        return periods.today() in self.period

    @property
    def compared_days(self) -> str:
        """The previous period; blank if it is not compared."""
        return self.compared.days.then.label if self.compared else ""

    @property
    def last_day_query(self) -> str:
        return self.form.query_with(period=Period(self.last_day, self.last_day)) if self.last_day else ""

    @cached_property
    def when(self) -> str:
        """The period, worded for the end of a sentence."""
        return when_in_words(self.form)


@dataclass(frozen=True, kw_only=True)
class ReportPage(PeriodPage):
    """The overview or the summary of a number: headline figures and the chart of calls."""

    figures: Sequence[HeadlineFigure]
    buckets: Sequence[Row]

    unclassified_word: ClassVar = _("Not measured")
    unclassified_text: ClassVar = _("Calls whose outcome is not measured. With them the rows add up to all calls.")

    @cached_property
    def outcomes(self) -> list[tuple[str, Any]]:
        """Keys and labels of the outcomes that the chart stacks."""
        return shown_outcomes(self.now)

    @property
    def chart_heading(self) -> Any:
        return CHART_HEADINGS[self.form.grain]

    @cached_property
    def usual_weeks(self) -> int:
        """The number of weeks before that most headline figures are compared with; 0 if none is."""
        return max((pair.periods for figure in self.figures if (pair := figure.judged_by_usual)), default=0)

    @cached_property
    def compared_numbers(self) -> str:
        """The text that says how many numbers are compared; blank if all are."""
        compared = [pair for figure in self.figures for pair in (figure.pair, figure.usual_pair)]
        pairs = [pair for pair in compared if pair and pair.of_numbers]
        if (
            self.compared is None
            or len(self.compared.coverage) < 2
            or all(pair.numbers == pair.of_numbers for pair in pairs)
        ):
            return ""
        fewest, most = min(pair.numbers for pair in pairs), max(pair.numbers for pair in pairs)
        words = (
            gettext("%(n)d of %(all)d numbers are compared (measured in both periods)")
            if fewest == most
            else gettext("%(n)d to %(most)d of %(all)d numbers are compared (measured in both periods)")
        )
        return words % {"n": fewest, "most": most, "all": max(pair.of_numbers for pair in pairs)}


@dataclass(frozen=True, kw_only=True)
class BlocksPage(PeriodPage):
    """A page with the blocks of the period by type."""

    blocks: Blocks

    @cached_property
    def block_sums(self) -> dict[str, Cell]:
        return {key: sum_of(self.blocks, key) for key in ("blocks", "last_in_call", "lost")}


def page_of(
    request: HttpRequest,
    template: str,
    page: Page,
    choices: Sequence[DestinationNumber],
    question: str = "",
    *,
    troubled: int | None = None,
) -> HttpResponse:
    """Render a page. `choices` are all numbers that the user may see, `question` is what its links to reports carry.

    `troubled` is how many of the numbers have trouble now, if the page has read that."""
    context = {"page": page, "question": question, **frame_of(request.user, choices, troubled)}
    return render(request, template, context)


def frame_of(
    user: Any, choices: Sequence[DestinationNumber] | None = None, troubled: int | None = None
) -> dict[str, Any]:
    """Return what the frame of a page shows to a person: the navigation, and who they are.

    `choices` are all numbers that they may see, and `troubled` how many of them have trouble, if already read."""
    rights = Rights.of(user)
    if choices is None:
        choices = list(DestinationNumber.objects.visible_to(user))
    pinned = pins.pinned(user, choices)
    return {
        "navigation": pinned or (choices if len(choices) <= NUMBERS_IN_NAVIGATION else []),
        "choices": choices,
        # How many of them have trouble, beside Data quality.
        "troubled": trouble.count_troubled(choices) if troubled is None else troubled,
        "opens_admin": permissions.opens_admin(user),
        "administers": permissions.may_administer(user),
        "opens_contacts": permissions.opens_contacts(user),
        # TENIOS' own terms beside ours.
        "sees_codes": permissions.opens_admin(user),
        "sees_system": permissions.may_see_system(user),
        "sees_all_numbers": rights.everywhere(Right.FIGURES),
        "sees_calls": rights.anywhere(Right.CALLS),
    }


def read_report(
    request: HttpRequest, *, number: DestinationNumber | None = None, is_for_others: bool = False, **options: Any
) -> ReportForm:
    """Read the filters of a page of counts from the query string, else from the session; and store them in the session.

    The page of a number shows only this one and leaves the selected numbers in the session unchanged. With
    `is_for_others` the page only passes the question on; numbers that the user may not see are then left out."""
    query, is_recalled = session_filter.completed(request.GET, request.session)
    if number and "number" not in query:
        query = query.copy()
        query.setlist("number", session_filter.recalled(request.session).getlist("number"))
    ignore_others = is_recalled or is_for_others
    form = ReportForm(query, request.user, number=number, is_recalled=ignore_others, **options)
    if form.is_asked and not is_recalled and not form.errors:
        session_filter.remember(request, form.question_to_remember)
    return form


def passed_on(request: HttpRequest) -> str:
    """Return the question that a page without filters of its own passes on."""
    if not session_filter.is_asked(session_filter.completed(request.GET, request.session)[0]):
        return ""
    return read_report(request, is_for_others=True).question


def last_question(request: HttpRequest) -> str:
    """Return the question in the session, whatever the query string has."""
    kept = session_filter.recalled(request.session)
    return ReportForm(kept, request.user, is_recalled=True).question if kept else ""


def last_day_with_calls(form: ReportForm, coverage: Coverage, totals: Row) -> date | None:
    """Return the last day that has calls if the period has none."""
    return None if totals.offered else counts.last_day_with_calls(coverage, opening=form.opening)


def when_in_words(form: ReportForm) -> str:
    """The period as the end of a sentence."""
    days = _days_in_words(form)
    if form.opening == Opening.INSIDE:
        return gettext("%(days)s during opening hours") % {"days": days}
    if form.opening == Opening.OUTSIDE:
        return gettext("%(days)s outside opening hours") % {"days": days}
    return days


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
    """Return the sum of a column. All rows are measured to the same extent, and so is the sum."""
    cells: list[Cell] = [getattr(row, key) for row in blocks]
    if not cells or cells[0].value is None:
        return cells[0] if cells else Cell(0)
    return cells[0]._replace(value=sum(int(cell.value or 0) for cell in cells))


def shown_outcomes(totals: Row) -> list[tuple[str, Any]]:
    """Return the outcomes in the order of charts, without those that apply to none of the numbers."""
    return [(key, label) for key, label in OUTCOMES if totals[key].applies]


def compared_with(
    form: ReportForm, coverage: Coverage, rows: list[Row] | None = None, keys: tuple[str, ...] = counts.OF_CALLS
) -> Compared | None:
    """Return figures of the period and the previous one for each number; None if no part of the period is over.

    `rows` are the numbers' rows in the period, if already read."""
    days = form.compared
    if days is None:
        return None
    return comparison.compare(coverage, days, rows if days.now == form.period else None, keys)


def compared_with_usual(
    form: ReportForm, coverage: Coverage, rows: Sequence[Row], keys: tuple[str, ...]
) -> tuple[Compared | None, list[Week]]:
    """Return the results of `compared_with` and `weeks_before`, by fewer statements."""
    days = form.compared
    if days is None:
        return None, []
    weeks = periods.USUAL_WEEKS if form.period.length <= 7 else 0
    return comparison.compare_with_usual(coverage, days, rows if days.now == form.period else None, keys, weeks)


def weeks_before(form: ReportForm, coverage: Coverage, keys: tuple[str, ...] = counts.OF_CALLS) -> list[Week]:
    """Return the same weekdays in the weeks before, up to the current time if the period includes today.

    Empty for a period of more than seven days."""
    days = form.compared
    if days is None or form.period.length > 7:
        return []
    return comparison.weeks_before(coverage, days.now, periods.USUAL_WEEKS, keys)


def shown_outcome(call: Any, coverage: Coverage) -> str:
    """Return the outcome of an annotated call; blank if it is not measured for its number at that time."""
    if call.callback_id:
        return CALLBACK
    since = coverage.shown_from(call.destination_number, call.outcome)
    return call.outcome if since is not None and call.first_post_at >= since else ""


def waited(call: Any, outcome: str, coverage: Coverage) -> Cell:
    """Return how many seconds the caller of an annotated call with this shown outcome waited, or why it is not known.

    Until the answer, else until the end. It does not apply to calls that have neither, or that no caller began."""
    key = WAITED_AS.get(outcome)
    if outcome and key is None:
        return Cell(None, CellState.DOES_NOT_APPLY)
    since = coverage.shown_from(call.destination_number, key) if key else None
    if call.waited is None or since is None or call.first_post_at < since:
        return Cell(None, CellState.NOT_MEASURED)
    return Cell(call.waited.total_seconds())


def without_empty_ends(rows: list[Row]) -> list[Row]:
    """Return the rows from the first to the last with calls."""
    with_calls = [n for n, row in enumerate(rows) if row.offered]
    return rows[with_calls[0] : with_calls[-1] + 1] if with_calls else []
