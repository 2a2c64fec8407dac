"""Reads a report's filters from a query string: `from`, `to`, `period`, `kept`, `number`, `by`, `opening`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _

from calls.access import Rights
from calls.models import DestinationNumber
from reports import periods
from reports.filters import presets, session_filter
from reports.filters.base import Chip, Pairs, chips_of_numbers
from reports.filters.calls_by_course import NumberFilter
from reports.filters.calls_by_time import DaysFilter, OpeningFilter
from reports.filters.presets import Comparison, Preset
from reports.filters.readers import read_choices, read_day, read_numbers, read_opening
from reports.filters.session_filter import DAYS, FORGET, NOT_KEPT
from reports.periods import Grain, Opening, Period
from reports.queries import counts

DEFAULT_DAYS = 7
LONGEST_DAYS = 3 * 366
# The longest periods that pages show by quarter-hour, half-hour and hour; downloads have no such limit.
LONGEST_DAYS_BY_QUARTER_HOUR = 31
LONGEST_DAYS_BY_HOUR = 92


@dataclass(frozen=True)
class PresetLink:
    """A named period, as a link that keeps the other filters."""

    preset: Preset
    query: str
    is_current: bool

    @property
    def label(self) -> str:
        return str(self.preset.label)


class ReportForm:
    """The filters of one report, limited to what the user may see.

    A value that cannot be read is replaced by the default and reported in `errors` by name of the field. Raise Http404
    for a number that the user may not see or that does not exist."""

    def __init__(
        self,
        query: QueryDict,
        user: Any,
        *,
        download: bool = False,
        unbounded: bool = False,
        is_recalled: bool = False,
        kept: Sequence[tuple[str, str]] = (),
        number: DestinationNumber | None = None,
        default: Preset = Preset.WEEK,
    ) -> None:
        """Read the query string.

        `unbounded` allows any grain for any period. If the query `is_recalled` from the session, numbers that the user
        may no longer see are left out. `kept` is added to every query string. `number` is the number of the page, whose
        links still carry the numbers that are selected elsewhere. `default` is the period if none is asked for; another
        than the seven days of all reports goes along with links to other pages."""
        self.errors: dict[str, str] = {}
        self.unbounded = download or unbounded
        self.kept = kept
        self.default = default
        self.is_asked = session_filter.is_asked(query)
        self.rights = Rights.of(user)
        # All numbers that the user may see, to choose from.
        self.choices: list[DestinationNumber] = list(DestinationNumber.objects.visible_to(user))
        ignore_others = is_recalled or number is not None
        self.asked_numbers = read_numbers(query.getlist("number"), self.choices, ignore_others=ignore_others)
        self.selected = [] if number else self.asked_numbers
        self.opening = read_opening(query.get("opening", ""), self.errors)
        preset = query.get("period", "").strip()
        self.chosen_preset = self._read_preset(preset)
        days = self._read_period(query.get("from", "").strip(), query.get("to", "").strip(), number)
        self.period = Period(*days, self.opening)
        self._names_days = any(query.get(name, "").strip() for name in ("from", "to", "period"))
        if preset != DAYS and self.chosen_preset is None:
            self.chosen_preset = presets.matching(self.period, periods.today())
        # Whether the days are a choice. Those of this or another page's own default go along in links, marked as such.
        if self._names_days:
            self.are_days_kept = query.get("kept") != NOT_KEPT
        else:
            self.are_days_kept = default is Preset.WEEK or self.chosen_preset is not default
        self.by = self._read_grain(query.get("by", "").strip())
        self.grain = self.by or (Grain.DAY if download else self._usual_grain())

    @property
    def numbers(self) -> list[DestinationNumber]:
        """The numbers to report: those selected, or all that the user may see."""
        return self.selected or self.choices

    @property
    def query(self) -> str:
        """The query string of these filters."""
        return self.query_with()

    @property
    def query_of_all_numbers(self) -> str:
        """The query string of the same filters without the numbers."""
        return self.query_with(numbers=[])

    @property
    def download_query(self) -> str:
        """The query string of a download with the same time steps as the page."""
        return self.query_with(by=self.grain)

    def query_with(
        self,
        *,
        period: Period | None = None,
        by: str | None = None,
        kept: Sequence[tuple[str, str]] | None = None,
        opening: Opening | None = None,
        numbers: Sequence[DestinationNumber] | None = None,
        preset: Preset | None = None,
    ) -> str:
        """Return the query string of these filters, with the given ones replaced."""
        pairs = self._own_days if preset is None and period is None else self._days(period or self.period, preset)
        pairs += NumberFilter.query_of(self.selected if numbers is None else numbers)
        if by or self.by:
            pairs.append(("by", str(by or self.by)))
        pairs += OpeningFilter.query_of(opening or self.opening)
        return urlencode([*pairs, *(self.kept if kept is None else kept)])

    @staticmethod
    def _days(period: Period, preset: Preset | None) -> Pairs:
        return DaysFilter.query_of(period.first, period.last, preset.value if preset else "")

    @property
    def _own_days(self) -> Pairs:
        preset = self.chosen_preset.value if self.chosen_preset else ""
        return DaysFilter.query_of(self.period.first, self.period.last, preset, are_kept=self.are_days_kept)

    def _numbers_and_hours(self) -> Pairs:
        return [*NumberFilter.query_of(self.asked_numbers), *OpeningFilter.query_of(self.opening)]

    @property
    def question(self) -> str:
        """The period, numbers and hours as links to other pages carry them; blank if these have the same without it."""
        if (self.are_days_kept and not self.is_asked) or self.errors:
            return ""
        return urlencode([*self._own_days, *self._numbers_and_hours()])

    @property
    def question_to_remember(self) -> str:
        """The question to keep for another day: a named period is then relative to that day. Days only if chosen."""
        if not self.are_days_kept:
            return urlencode(self._numbers_and_hours())
        preset = self.chosen_preset
        days = [("period", preset.value)] if preset else self._days(self.period, None)
        return urlencode([*days, *self._numbers_and_hours()])

    @property
    def query_to_renew(self) -> str:
        """The query string that reloads the page later: a named period is then relative to that day."""
        pairs = QueryDict(self.query, mutable=True)
        if self.preset:
            pairs.pop("from")
            pairs.pop("to")
        return pairs.urlencode()

    @property
    def query_to_reset(self) -> str:
        """The query string that resets the filters to the defaults."""
        by = [("by", str(self.by))] if self.by else []
        return urlencode([("period", FORGET), *by, *self.kept])

    def chips(self, *, numbers: bool = True) -> list[Chip]:
        """Return a chip for each filter that is set: days other than those of a first visit, numbers, opening hours.

        Without `numbers`, those of a page that shows all numbers, whichever are selected."""
        chips = []
        if self._names_days and self.are_days_kept and self.preset not in (Preset.WEEK, self.default):
            chips.append(Chip(str(self.preset.label) if self.preset else self.period.label, self._without_days()))
        selected = self.selected if numbers else []
        chips += chips_of_numbers(selected, self.choices, lambda others: self.query_with(numbers=others))
        if self.opening != Opening.ALL:
            chips.append(Chip(str(self.opening.label), self.query_with(opening=Opening.ALL)))
        return chips

    def _without_days(self) -> str:
        """Return the query string of these filters without days; that of a reset if no other filter is set."""
        if not self.asked_numbers and self.opening == Opening.ALL:
            return self.query_to_reset
        by = [("by", str(self.by))] if self.by else []
        return urlencode([*self._numbers_and_hours(), *by, *self.kept])

    @property
    def beside_days(self) -> list[tuple[str, str]]:
        """The hidden fields of the form for custom days."""
        pairs = parse_qsl(self.query, keep_blank_values=True)
        return [("period", DAYS), *(pair for pair in pairs if pair[0] not in DaysFilter.names)]

    @property
    def beside_numbers(self) -> list[tuple[str, str]]:
        """The hidden fields of the form for numbers."""
        return [pair for pair in parse_qsl(self.query, keep_blank_values=True) if pair[0] != "number"]

    def openings(self) -> list[tuple[Opening, str]]:
        """Return the choices of opening hours, as links that keep the other filters; empty if no number has any."""
        if self.opening == Opening.ALL and not any(number.opening_hours_id for number in self.choices):
            return []
        return [(opening, self.query_with(opening=opening)) for opening in Opening]

    @property
    def preset(self) -> Preset | None:
        """The preset to show as selected; None for custom days."""
        return presets.current(self.chosen_preset, self.period, periods.today())

    @property
    def has_own_days(self) -> bool:
        """Whether the days are not those of a preset."""
        return not self.preset

    @property
    def compared(self) -> Comparison | None:
        """What is compared with the previous period; None if no part of the period is over."""
        return presets.compared(self.period, self.chosen_preset, timezone.now())

    def presets(self) -> list[PresetLink]:
        """Return the named periods, as links that keep the other filters."""
        today, current = periods.today(), self.preset
        return [
            PresetLink(preset, self.query_with(period=preset.period(today), preset=preset), preset is current)
            for preset in presets.offered(today)
        ]

    def earlier(self) -> str:
        """Return the query string of the previous period."""
        return self.query_with(period=presets.step(self.period, self.chosen_preset, periods.today(), -1))

    def later(self) -> str | None:
        """Return the query string of the next period; None if it is not over, unless it ends today."""
        today = periods.today()
        following = presets.step(self.period, self.chosen_preset, today, 1)
        return self.query_with(period=following) if following.first < today or following.last == today else None

    def _read_preset(self, text: str) -> Preset | None:
        named = read_choices("period", [text] if text else [], [*Preset.values, DAYS], self.errors)
        return Preset(named[0]) if named and named != [DAYS] else None

    def _read_period(self, first_text: str, last_text: str, number: DestinationNumber | None) -> tuple[date, date]:
        today = periods.today()
        first, last = read_day("from", first_text, self.errors), read_day("to", last_text, self.errors)
        if "from" in self.errors or "to" in self.errors:
            return self._default_days(number)
        if first is None and last is None:
            if self.chosen_preset:
                period = self.chosen_preset.period(today)
                return period.first, period.last
            return self._default_days(number)
        last = last or max(today, first or today)
        first = first or last - timedelta(days=DEFAULT_DAYS - 1)
        if first > last:
            self.errors["from"] = _(
                "The first day (%(first)s) is after the last day (%(last)s). Swap them, or choose other days."
            ) % {"first": Period(first, first).label, "last": Period(last, last).label}
            return self._default_days(number)
        if Period(first, last).length > LONGEST_DAYS:
            self.errors["from"] = _("A report can cover three years at most. Choose a later first day.")
            return self._default_days(number)
        return first, last

    def _default_days(self, number: DestinationNumber | None) -> tuple[date, date]:
        """Return the default period; today if no call came before it, so that first calls are shown."""
        today = periods.today()
        is_new = not counts.has_calls_before([number] if number else self.choices, today)
        period = (Preset.TODAY if is_new else self.default).period(today)
        return period.first, period.last

    def _read_grain(self, text: str) -> Grain | None:
        if not text:
            return None
        if text not in Grain.values:
            self.errors["by"] = _("“%(text)s” is not a valid time step. Valid time steps: %(choices)s.") % {
                "text": text[:40],
                "choices": ", ".join(Grain.values),
            }
            return None
        quarters = (Grain.QUARTER_HOUR, Grain.HALF_HOUR)
        if text in quarters and not self.unbounded and self.period.length > LONGEST_DAYS_BY_QUARTER_HOUR:
            self.errors["by"] = _(
                "Quarter-hours can be shown for up to %(days)d days. Choose a shorter period, or download them."
            ) % {"days": LONGEST_DAYS_BY_QUARTER_HOUR}
            return None
        if text == Grain.HOUR and not self.unbounded and self.period.length > LONGEST_DAYS_BY_HOUR:
            self.errors["by"] = _(
                "Hours can be shown for up to %(days)d days. Choose a shorter period, or download them."
            ) % {"days": LONGEST_DAYS_BY_HOUR}
            return None
        return Grain(text)

    def _usual_grain(self) -> Grain:
        """Return the default time steps of a page."""
        if self.period.length == 1:
            return Grain.HOUR
        if self.period.length <= 92:
            return Grain.DAY
        return Grain.WEEK if self.period.length <= 366 else Grain.MONTH
