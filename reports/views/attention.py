"""What needs attention, on the overview: three lines at most, what callers feel first, what is to be set up last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext, ngettext

from calls import notices
from calls.notices import Notice
from reports import permissions
from reports.figures.coverage import Coverage
from reports.filters import session_filter
from reports.queries import post_arrivals, service_level
from reports.queries.post_arrivals import Arrival, Silence
from reports.queries.service_level import Below
from reports.views.readable import Readable

MOST_LINES = 3


@dataclass(frozen=True)
class Line(Readable):
    """One thing that needs attention, with a link to where it is explained or fixed."""

    text: str
    href: str
    link: str
    advice: str = ""


@dataclass(frozen=True)
class Attention(Readable):
    """The lines that are shown, and how many more things there are, with the address that lists them."""

    lines: Sequence[Line] = ()
    things: int = 0
    more: int = 0
    href: str = ""

    @property
    def more_in_words(self) -> str:
        return ngettext("%(n)d more", "%(n)d more", self.more) % {"n": self.more}


def read_attention(everything: Coverage, silences: Sequence[Silence], question: str, user: Any) -> Attention:
    """Return what needs attention, whatever the filters: silent numbers, missed service levels, missing posts.

    For people who open the admin, one last line has what they may set up or fix there. Links carry `question`, except
    those of a service level, which have its own days."""
    address = session_filter.carry(reverse("data_quality"), question)
    lacking = post_arrivals.needing_somebody(everything.numbers)
    found: list[Silence | Below | Arrival] = [*silences, *service_level.below(everything), *lacking]
    to_set_up = notices.for_user(user) if permissions.opens_admin(user) else []
    shown = found[: MOST_LINES - bool(to_set_up)]
    rest = found[len(shown) :]
    lines = [_line(one, address) for one in shown]
    if to_set_up:
        lines.append(_to_set_up(to_set_up))
    if rest and all(isinstance(one, Below) for one in rest):
        address = session_filter.carry(reverse("numbers"), question)
    return Attention(lines, len(found) + len(to_set_up), len(rest), address)


def _line(found: Silence | Below | Arrival, address: str) -> Line:
    """Return the line of one of them. `address` is that of the page of data quality."""
    if isinstance(found, Below):
        days = f"from={found.period.first}&to={found.period.last}"
        href = f"{reverse('number', args=[found.number.pk])}?{days}#service-level"
        return Line(found.says, href, gettext("View"))
    href = f"{address}#n-{found.number.pk}"
    return Line(found.says, href, gettext("View"), found.advice if isinstance(found, Arrival) else "")


def _to_set_up(found: Sequence[Notice]) -> Line:
    """Return one line for all that is to be set up; a single thing is named."""
    if len(found) == 1:
        return Line(found[0].text, found[0].address, gettext("Fix"))
    words = ngettext("%(n)d thing to set up.", "%(n)d things to set up.", len(found)) % {"n": len(found)}
    return Line(words, reverse("admin:index"), gettext("View"))
