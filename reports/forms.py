"""Reads a report's filters from a query string: `from`, `to`, `number`, `by`, `opening`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.http import Http404, QueryDict
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _

from calls import phones
from calls.models import DestinationNumber
from reports import periods
from reports.periods import DAY, Grain, Opening, Period

DEFAULT_DAYS = 7
LONGEST_DAYS = 3 * 366
# What a page draws of quarter-hours, half-hours and hours; downloads have no such limit.
LONGEST_DAYS_BY_QUARTER_HOUR = 31
LONGEST_DAYS_BY_HOUR = 92
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2199, 12, 31)


def read_numbers(texts: list[str], choices: list[DestinationNumber]) -> list[DestinationNumber]:
    """Return the numbers that were named, in any spelling, once each.

    Raise Http404 for one that is not among the choices: another's is answered like one that does not exist."""
    known = {number.e164: number for number in choices}
    chosen = {}
    for text in texts:
        # Nothing chosen in a list of choices.
        if not text.strip():
            continue
        # A plus that crossed a query string unquoted arrives as a space.
        spelling = f"+{text[1:]}" if text.startswith(" ") else text
        number = known.get(phones.e164(spelling) or "")
        if number is None:
            raise Http404
        chosen[number.pk] = number
    return list(chosen.values())


def read_opening(text: str, errors: dict[str, str]) -> Opening:
    """Return the part of the day that was asked for; what cannot be read is said in `errors`, and is all of it."""
    text = text.strip()
    if text and text not in Opening.values:
        errors["opening"] = _("“%(text)s” is none of: %(known)s.") % {
            "text": text[:40],
            "known": ", ".join(Opening.values),
        }
    return Opening(text) if text in Opening.values else Opening.ALL


@dataclass(frozen=True)
class Preset:
    """A period that people ask for by name."""

    label: str
    period: Period
    query: str
    current: bool


class ReportForm:
    """What a person asked for, never outside what they may see.

    What cannot be read is replaced by the default and said in `errors`, by name of the field. A number that is not
    theirs is answered like one that does not exist: Http404."""

    def __init__(
        self,
        query: QueryDict,
        user: Any,
        *,
        download: bool = False,
        unbounded: bool = False,
        kept: Sequence[tuple[str, str]] = (),
    ) -> None:
        """`unbounded` takes any grain for any period; `kept` stands in every address beside the filters."""
        self.errors: dict[str, str] = {}
        self.unbounded = download or unbounded
        self.kept = kept
        # All that the person may see, to choose from.
        self.choices: list[DestinationNumber] = list(DestinationNumber.objects.visible_to(user))
        self.selected = read_numbers(query.getlist("number"), self.choices)
        self.opening = read_opening(query.get("opening", ""), self.errors)
        days = self._read_period(query.get("from", "").strip(), query.get("to", "").strip())
        self.period = Period(*days, self.opening)
        self.by = self._read_grain(query.get("by", "").strip())
        self.grain = self.by or (Grain.DAY if download else self._usual_grain())

    @property
    def numbers(self) -> list[DestinationNumber]:
        """The numbers to report: those selected, or all that the person may see."""
        return self.selected or self.choices

    @property
    def query(self) -> str:
        """The query string that leads to the same filters."""
        return self.query_with()

    @property
    def query_of_all_numbers(self) -> str:
        """The query string of the same filters, but for the numbers."""
        return self.query_with(numbers=[])

    @property
    def download_query(self) -> str:
        """The query string of a download that is cut as the page is."""
        return self.query_with(by=self.grain)

    def query_with(
        self,
        period: Period | None = None,
        by: str | None = None,
        kept: Sequence[tuple[str, str]] | None = None,
        opening: Opening | None = None,
        numbers: Sequence[DestinationNumber] | None = None,
    ) -> str:
        """Return the query string of these filters, but for what is given."""
        period = period or self.period
        query = QueryDict(mutable=True)
        query["from"], query["to"] = period.first.isoformat(), period.last.isoformat()
        if named := self.selected if numbers is None else numbers:
            query.setlist("number", [number.e164 for number in named])
        if by or self.by:
            query["by"] = str(by or self.by)
        if (opening or self.opening) != Opening.ALL:
            query["opening"] = str(opening or self.opening)
        for name, value in self.kept if kept is None else kept:
            query[name] = value
        return query.urlencode()

    def openings(self) -> list[tuple[Opening, str]]:
        """Return the parts of a day that can be asked for, as links that keep the other filters; none where no number
        has opening hours."""
        if self.opening == Opening.ALL and not any(number.opening_hours_id for number in self.choices):
            return []
        return [(opening, self.query_with(opening=opening)) for opening in Opening]

    def presets(self) -> list[Preset]:
        """Return the periods people ask for by name, as links that keep the other filters."""
        today = periods.today()
        month = today.replace(day=1)
        before = (month - DAY).replace(day=1)
        named = [
            (_("Today"), Period(today, today)),
            (_("Yesterday"), Period(today - DAY, today - DAY)),
            (_("7 days"), Period(today - 6 * DAY, today)),
            (_("28 days"), Period(today - 27 * DAY, today)),
            (_("This month"), Period(month, today)),
            (_("Last month"), Period(before, month - DAY)),
        ]
        asked = self.period.first, self.period.last
        return [
            Preset(label, period, self.query_with(period), current=(period.first, period.last) == asked)
            for label, period in named
        ]

    def earlier(self) -> str:
        """Return the query string of the period before."""
        return self.query_with(self.period.previous())

    def later(self) -> str | None:
        """Return the query string of the period after; None where that has not begun."""
        following = self.period.following()
        return self.query_with(following) if following.first <= periods.today() else None

    def _read_period(self, first_text: str, last_text: str) -> tuple[date, date]:
        today = periods.today()
        default = today - (DEFAULT_DAYS - 1) * DAY, today
        first, last = self._read_day("from", first_text), self._read_day("to", last_text)
        if "from" in self.errors or "to" in self.errors:
            return default
        if first is None and last is None:
            return default
        last = last or max(today, first or today)
        first = first or last - timedelta(days=DEFAULT_DAYS - 1)
        if first > last:
            self.errors["from"] = _(
                "The first day, %(first)s, is after the last, %(last)s. Swap them, or choose others."
            ) % {"first": Period(first, first).label, "last": Period(last, last).label}
            return default
        if Period(first, last).length > LONGEST_DAYS:
            self.errors["from"] = _("A report covers three years at most. Choose a later first day.")
            return default
        return first, last

    def _read_day(self, name: str, text: str) -> date | None:
        if not text:
            return None
        try:
            day = parse_date(text)
        except ValueError:
            day = None
        if day is None or not FIRST_DAY <= day <= LAST_DAY:
            self.errors[name] = _("“%(text)s” is no day we know. Write it as 2026-09-15.") % {"text": text[:40]}
            return None
        return day

    def _read_grain(self, text: str) -> Grain | None:
        if not text:
            return None
        if text not in Grain.values:
            self.errors["by"] = _("“%(text)s” is no way to cut a report. Choose one of: %(choices)s.") % {
                "text": text[:40],
                "choices": ", ".join(Grain.values),
            }
            return None
        quarters = (Grain.QUARTER_HOUR, Grain.HALF_HOUR)
        if text in quarters and not self.unbounded and self.period.length > LONGEST_DAYS_BY_QUARTER_HOUR:
            self.errors["by"] = _(
                "Quarter-hours are shown for up to %(days)d days. Choose a shorter period, or download them."
            ) % {"days": LONGEST_DAYS_BY_QUARTER_HOUR}
            return None
        if text == Grain.HOUR and not self.unbounded and self.period.length > LONGEST_DAYS_BY_HOUR:
            self.errors["by"] = _(
                "Hours are shown for up to %(days)d days. Choose a shorter period, or download them."
            ) % {"days": LONGEST_DAYS_BY_HOUR}
            return None
        return Grain(text)

    def _usual_grain(self) -> Grain:
        """Return how a page cuts a period where nobody chose."""
        if self.period.length == 1:
            return Grain.HOUR
        if self.period.length <= 92:
            return Grain.DAY
        return Grain.WEEK if self.period.length <= 366 else Grain.MONTH
