"""Rows of tables of figures. Long tables have a tag for each whole row: a template takes several times as long."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Any

from django import template
from django.utils.formats import get_format, localize
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from calls.models import DestinationNumber
from reports.figures.cells import Cell, Row
from reports.figures.definitions import FIGURES, TABLE_OF_NUMBERS
from reports.periods import Opening, Period
from reports.queries.forwards import Forwards
from reports.templatetags.figures import (
    NIL,
    WANTED,
    ZERO,
    cell,
    linked_count,
    links_of,
    list_of_calls,
    listed,
    open_or_unknown,
    share_of,
)
from reports.templatetags.formats import clock_of, grouped, plain, shown
from reports.templatetags.formats import place as id_of
from reports.templatetags.links import report_url
from reports.templatetags.marks import spark, term

if TYPE_CHECKING:
    from reports.views.busy_hours import MapCell

register = template.Library()

# The figures whose calls can be listed without a filter of a part, with the query string of the list.
_LINKED = {key: escape(wanted) for key, wanted in WANTED.items() if key in FIGURES and not FIGURES[key].part_filters}


class _RowWriter:
    """Writes the figures of rows as `cell` does, most of them in a fraction of the time. A page has thousands."""

    def __init__(self, context: template.Context) -> None:
        self.context = context
        self._separator = get_format("THOUSAND_SEPARATOR")
        self._row: Any = None
        self._start = self._end = ""
        self._is_shown = False

    @classmethod
    def of(cls, context: template.Context) -> _RowWriter:
        """Return the writer of a page."""
        render_context: Any = context.render_context
        if cls not in render_context:
            render_context[cls] = cls(context)
        writer: _RowWriter = render_context[cls]
        return writer

    def figure(self, row: Row | Forwards, key: str, place: str) -> str:
        """Return a figure of a row: its value with a link to its calls, or why there is none."""
        one, kind = row[key], FIGURES[key].kind
        linked = row if isinstance(row, Row) else None
        if one.since is not None or not one.is_measured:
            return cell(self.context, key, one, linked, kind, place)
        if one.value is None:
            return NIL
        if kind != "count":
            return shown(one.value, kind)
        if not one.value:
            return ZERO
        if one.left_out or key not in _LINKED:
            return cell(self.context, key, one, linked, kind, place)
        return self._link(linked, key, int(one.value))

    def figures(self, row: Row | Forwards, keys: Sequence[str], place: str) -> str:
        """Return the table cells of figures of a row."""
        return "".join([f'<td class="num">{self.figure(row, key, place)}</td>' for key in keys])

    def _link(self, row: Row | None, key: str, calls: int) -> str:
        """Return a count with a link to its calls, as `linked_count` does, if the user may see these calls."""
        if self._row is not row or not self._start:
            links = links_of(self.context, row)
            self._row, self._start, self._end = row, escape(links.start), escape(links.end)
            self._is_shown = links.is_shown
        if not self._is_shown:
            return grouped(calls, self._separator)
        href = f"{self._start}&amp;{_LINKED[key]}{self._end}"
        return f'<a href="{href}" data-figure="{key}" data-calls="{calls}">{grouped(calls, self._separator)}</a>'


@register.simple_tag
def headings(place: str, keys: Sequence[str]) -> SafeString:
    """The column headings of figures, each with its definition; `place` makes ids unique."""
    written = (term(place, key) for key in keys)
    return SafeString("".join(f'<th scope="col" class="num">{heading}</th>' for heading in written))  # terms are safe


@register.simple_tag(takes_context=True)
def cells(context: template.Context, row: Row | Forwards, keys: Sequence[str], place: str) -> SafeString:
    """The table cells of a row's figures."""
    return SafeString(_RowWriter.of(context).figures(row, keys, place))  # cells are safe


# --- Numbers -----------------------------------------------------------------------------------

# Cells of the table of numbers: those that every window shows, and those that narrow ones and phones hide.
_SHOWN, _HIDDEN_NARROW, _HIDDEN_PHONE = (
    '<td class="num">',
    '<td class="num hide-narrow">',
    '<td class="num hide-phone">',
)
_COLUMNS = {
    "answered": _HIDDEN_PHONE,
    "short": _HIDDEN_NARROW,
    "served_in_plan": _HIDDEN_NARROW,
    "in_progress": _HIDDEN_NARROW,
    "service_level": _HIDDEN_PHONE,
    "time_to_answer": _HIDDEN_PHONE,
    "talk": _HIDDEN_PHONE,
}


@register.simple_tag(takes_context=True)
def number_row(context: template.Context, row: Row, sparks: dict[int, list[int]]) -> SafeString:
    """The row of a number; `sparks` are the offered calls of the last days, by the id of the number."""
    number = row.number
    if number is None:
        raise ValueError("the row is of no number")
    heading = f'<a href="{escape(report_url(context, "number", number.pk))}">{escape(number.name)}</a>'
    if number.label:
        heading += f'<span class="second-line nowrap">{escape(number.readable)}</span>'
    # All of it is escaped.
    return SafeString(
        f'<tr><th scope="row">{heading}</th><td class="hide-narrow">{spark(sparks, number.pk)}</td>'
        f"{cells_of_number(context, row, f'n-{number.pk}')}</tr>\n"
    )


@register.simple_tag(takes_context=True)
def cells_of_number(context: template.Context, row: Row, place: str) -> SafeString:
    """The cells of a row in the table of numbers, or of its sum."""
    writer, written = _RowWriter.of(context), []
    for key in TABLE_OF_NUMBERS:
        text = open_or_unknown(context, row, place) if key == "in_progress" else writer.figure(row, key, place)
        if key == "answered":
            text = f"{text} {share_of(row, key)}"
        elif key == "service_level" and row.number is not None and row[key].value is not None:
            text = f"{text}{_limit(get_language(), row.number.service_level_s)}"
        written.append(f"{_COLUMNS.get(key, _SHOWN)}{text}</td>")
    return SafeString("".join(written))  # cells are safe


@lru_cache(maxsize=256)
def _limit(_language: str | None, service_level_s: int) -> str:
    """Return the limit of a number's service level. Cached, because most numbers have the same."""
    words = _("in %(limit)s s") % {"limit": localize(service_level_s)}
    return format_html('<span class="second-line">{}</span>', words)


@register.simple_tag
def number_choices(choices: Sequence[DestinationNumber], selected: Sequence[DestinationNumber]) -> SafeString:
    """A checkbox for each number that can be selected."""
    chosen, written = {number.pk for number in selected}, []
    for number in choices:
        checked = " checked" * (number.pk in chosen)
        second = f'<span class="second-line">{escape(number.readable)}</span>' if number.label else ""
        written.append(
            f'<label class="choice"><input type="checkbox" name="number" value="{escape(number.e164)}"{checked}> '
            f"<span>{escape(number.name)}{second}</span></label>\n"
        )
    return SafeString("".join(written))  # all of it is escaped


# --- Time steps --------------------------------------------------------------------------------


@register.simple_tag(takes_context=True)
def step_row(context: template.Context, row: Row, *, clock: bool) -> SafeString:
    """The row of a time step on the page Trend, named by the time of day if `clock` is set.

    The outcomes are also plain numbers for the chart."""
    page, writer = context["page"], _RowWriter.of(context)
    bucket = row.bucket
    if bucket is None:
        raise ValueError("the row is of no time step")
    place = id_of(bucket.start, "i")
    written = [writer.figures(row, ["offered"], place)]
    written += [
        f'<td class="num" data-v="{plain(row[key].value)}">{writer.figure(row, key, place)}</td>'
        for key, _label in page.outcomes
    ]
    if page.unclassified:
        unclassified = listed(context, "unclassified", row.unclassified, row["offered"], row)
        written.append(f'<td class="num" data-v="{plain(row.unclassified)}">{unclassified}</td>')
    written.append(writer.figures(row, page.means, place))
    label = clock_of(bucket.start) if clock else bucket.label
    heading = f'<th scope="row" data-label="{escape(bucket.tick)}">{escape(label)}</th>'
    return SafeString(f"<tr>{heading}{''.join(written)}</tr>\n")  # all of it is escaped


@register.simple_tag(takes_context=True)
def charted_row(context: template.Context, row: Row) -> SafeString:
    """The row of a time step under the chart of calls, with plain numbers for the chart."""
    page, writer = context["page"], _RowWriter.of(context)
    bucket = row.bucket
    if bucket is None:
        raise ValueError("the row is of no time step")
    place = id_of(bucket.start, "b")
    written = [
        f'<td class="num" data-v="{plain(row[key].value)}">{writer.figure(row, key, place)}</td>'
        for key, _label in page.outcomes
    ]
    if page.unclassified:
        unclassified = listed(context, "unclassified", row.unclassified, row["offered"], row)
        written.append(f'<td class="num" data-v="{plain(row.unclassified)}">{unclassified}</td>')
    written.append(f'<td class="num">{writer.figure(row, "offered", place)}</td>')
    heading = f'<th scope="row" data-label="{escape(bucket.tick)}">{escape(bucket.label)}</th>'
    return SafeString(f"<tr>{heading}{''.join(written)}</tr>\n")  # all of it is escaped


# --- Hours of the week -------------------------------------------------------------------------


@register.simple_tag(takes_context=True)
def map_cell(context: template.Context, one: MapCell, is_sum: bool) -> SafeString:
    """An hour of the week on the map, or a sum of hours."""
    step, is_short = one.step, one.is_short and not is_sum
    text = str(escape(one.text))
    if is_short:
        text += f'<span class="visually-hidden"> {escape(_("too few people"))}</span>'
    title = escape(one.title)
    if one.query:
        href = escape(f"{list_of_calls()}?{one.query}")
        key = context["page"].figure
        text = f'<a href="{href}" title="{title}" data-figure="{key}" data-calls="{one.calls}">{text}</a>'
    else:
        text = f'<span title="{title}">{text}</span>'
    # All of it is escaped.
    if is_sum:
        return SafeString(f'<td class="sum">{text}</td>\n')
    if not one.text:
        return SafeString(f"<td>{text}</td>\n")
    if is_short:
        return SafeString(f'<td class="heat-{step} short-staffed">{text}</td>\n')
    return SafeString(f'<td class="heat-{step}">{text}</td>\n')


# --- The same days of the weeks before ---------------------------------------------------------


@register.simple_tag(takes_context=True)
def sum_cells(context: template.Context, sums: dict[str, Cell], keys: Sequence[str], place: str) -> SafeString:
    """The cells of figures summed over the same days of the weeks before."""
    written = (_sum_cell(context, key, sums[key], place) for key in keys)
    return SafeString("".join(f'<td class="num">{text}</td>' for text in written))  # cells are safe


def _sum_cell(context: template.Context, key: str, figure_cell: Cell, place: str) -> SafeString:
    """Return one of these cells; a count links to the calls of all these days."""
    kind = FIGURES[key].kind
    if not figure_cell.is_measured or not figure_cell.value:
        return cell(context, key, figure_cell, None, kind, place)
    page = context["page"]
    if key not in WANTED or not page.lists_calls:
        return shown(figure_cell.value, kind)
    period: Period = page.period
    filters = [("from", period.first), ("to", period.last), ("number", page.number.e164)]
    if period.opening != Opening.ALL:
        filters.append(("opening", period.opening.value))
    if any(not row[key].is_measured or row[key].since for row in page.weeks):
        filters.append(("measured", key))
    href = f"{list_of_calls()}?{urlencode([*filters, ('weeks', len(page.weeks))])}&{WANTED[key]}"
    return linked_count(href, key, int(figure_cell.value))
