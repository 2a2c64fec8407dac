"""Rows of tables of figures. Long tables have a tag for each whole row: a template takes several times as long."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Any

from django import template
from django.urls import reverse
from django.utils.formats import get_format, localize
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.text import get_text_list
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from calls.models import BOXES, DestinationNumber, RequestType
from reports.figures.cells import Cell, Row
from reports.figures.definitions import FIGURES, TABLE_OF_NUMBERS
from reports.periods import Opening, Period
from reports.queries.forwards import Forwards
from reports.queries.service_level import is_reached
from reports.templatetags.charts import UNCLASSIFIED, charted_cell
from reports.templatetags.figures import (
    NIL,
    WANTED,
    ZERO,
    cell,
    linked_count,
    links_of,
    list_of_calls,
    listed,
    share_of,
)
from reports.templatetags.formats import clock_of, grouped, plain, shown
from reports.templatetags.links import report_url
from reports.templatetags.marks import spark, term

if TYPE_CHECKING:
    from reports.views.week_map import MapCell

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

# The columns of the table of numbers that people choose; Calls is always there. The first ones are shown at first.
_SHOWN_AT_FIRST = ("answered", "lost", "service_level", "time_to_answer")
_CHOSEN = tuple(key for key in TABLE_OF_NUMBERS if key != "offered")
# The figures that numbers whose forwards are not measured have none of. They lie side by side.
_OF_PEOPLE = _SHOWN_AT_FIRST
_CELLS = {key: f'<td class="num col-{key}">' for key in _CHOSEN} | {"offered": '<td class="num">'}


@register.simple_tag
def column_choices() -> SafeString:
    """A checkbox for each column of the table of numbers that can be hidden. The style sheet reads them by their id."""
    labels = {key: FIGURES[key].label for key in _CHOSEN}
    labels |= {"days": _("28 days"), "in_progress": _("Ongoing or unknown")}
    at_first = {"days", *_SHOWN_AT_FIRST}
    return SafeString(
        "".join(
            f'<label class="choice"><input type="checkbox" id="col-{key}"{" checked" * (key in at_first)}> '
            f"<span>{escape(str(labels[key]))}</span></label>\n"
            for key in ("days", *_CHOSEN)
        )
    )  # all of it is escaped


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
        f'<tr><th scope="row">{heading}</th><td class="col-days">{spark(sparks, number.pk)}</td>'
        f"{cells_of_number(context, row, f'n-{number.pk}')}</tr>\n"
    )


@register.simple_tag(takes_context=True)
def cells_of_number(context: template.Context, row: Row, place: str) -> SafeString:
    """The cells of a row in the table of numbers, or of its sum."""
    writer, written = _RowWriter.of(context), []
    keys: Iterable[str] = TABLE_OF_NUMBERS
    if row.number is not None and all(row[key].not_measured for key in _OF_PEOPLE):
        written = [f"{_CELLS['offered']}{writer.figure(row, 'offered', place)}</td>", _without_people(context, row)]
        keys, place = [key for key in _CHOSEN if key not in _OF_PEOPLE], ""
    for key in keys:
        if key == "in_progress":
            written.append(_open_or_unknown(writer, row, place))
            continue
        text = _figure_of_number(writer, row, key, place)
        if key == "answered":
            text = f"{text} {share_of(row, key)}"
        written.append(f"{_CELLS[key]}{text}</td>")
    return SafeString("".join(written))  # cells are safe


@register.simple_tag(takes_context=True)
def figures_of_number(context: template.Context, row: Row, keys: Sequence[str]) -> SafeString:
    """The cells of some figures of a number in a table beside which `gaps` explains what is not measured."""
    writer = _RowWriter.of(context)
    written = (f'<td class="num">{_figure_of_number(writer, row, key, "")}</td>' for key in keys)
    return SafeString("".join(written))  # cells are safe


def _figure_of_number(writer: _RowWriter, row: Row, key: str, place: str) -> str:
    """Return a figure of a number or of a sum; a service level of a number with its limit, and its target if missed."""
    text = writer.figure(row, key, place)
    if key != "service_level" or row.number is None or row[key].value is None:
        return text
    target = row.number.service_level_aim if is_reached(row.number, row[key].value) is False else None
    return f"{text}{_limit(get_language(), row.number.service_level_s, target)}"


def _open_or_unknown(writer: _RowWriter, row: Row, place: str) -> str:
    """Return the cell of calls in progress and calls with unknown end, each with its link; 0 if there are none.

    tables.js sorts by their sum in `data-v`."""
    going, unknown = row["in_progress"], row["end_unknown"]
    if not going.is_measured or not unknown.is_measured or not (going.value or unknown.value):
        return f"{_CELLS['in_progress']}{writer.figure(row, 'in_progress', place)}</td>"
    words = {"in_progress": _("ongoing"), "end_unknown": _("unknown")}
    written = [
        f'<span class="d-block">{writer.figure(row, key, place)} '
        f'<span class="beside-count wide">{escape(word)}</span></span>'
        for key, word in words.items()
        if row[key].value
    ]
    total = plain((going.value or 0) + (unknown.value or 0))
    return f'<td class="num col-in_progress" data-v="{total}">{"".join(written)}</td>'


@lru_cache(maxsize=256)
def _limit(_language: str | None, service_level_s: int, target: int | None) -> str:
    """Return the limit of a service level, and its target if it is missed. Cached, because most numbers are alike."""
    if target is None:
        words = _("in %(limit)s s") % {"limit": localize(service_level_s)}
        return format_html('<span class="second-line">{}</span>', words)
    words = _("in %(limit)s s, target %(target)s %%") % {"limit": localize(service_level_s), "target": target}
    return format_html('<span class="second-line missed-target">{}</span>', words)


def _without_people(context: template.Context, row: Row) -> str:
    """Return one cell instead of all figures of forwards of a number: that they are not measured, and what is missing.

    tables.js adapts it to the columns that are shown, of which `data-from` is the first."""
    number = row.number
    if number is None:
        raise ValueError("the row is of no number")
    posts = dict.fromkeys(post for key in _OF_PEOPLE for post in row[key].missing)
    boxes = [_("“%(box)s”") % {"box": BOXES[RequestType(post)]} for post in posts]
    words = ngettext(
        "The messages of the box %(boxes)s are missing.",
        "The messages of the boxes %(boxes)s are missing.",
        len(boxes),
    ) % {"boxes": get_text_list(boxes, _("and"))}
    settings = ""
    if context["administers"]:
        address = reverse("admin:calls_destinationnumber_change", args=[number.pk])
        settings = format_html(' <a href="{}">{}</a>', address, _("Settings of this number"))
    return format_html(
        '<td class="num" colspan="{}" data-from="{}"><a class="not-measured" href="{}">{}</a> '
        '<span class="second-line hide-phone">{}{}</span></td>',
        len(_OF_PEOPLE),
        len(("name", "days", "offered")),
        report_url(context, "data_quality", place=f"n-{number.pk}"),
        _("not measured"),
        words,
        settings,
    )


@register.simple_tag
def number_choices(choices: Sequence[DestinationNumber], selected: Sequence[DestinationNumber]) -> SafeString:
    """A checkbox for each number that can be selected."""
    chosen, written = {number.pk for number in selected}, []
    for number in choices:
        checked = " checked" * (number.pk in chosen)
        second = f'<span class="second-line">{escape(number.readable)}</span>' if number.label else ""
        written.append(
            f'<label class="choice"><input type="checkbox" id="with-{number.pk}" name="number" '
            f'value="{escape(number.e164)}"{checked}> '
            f"<span>{escape(number.name)}{second}</span></label>\n"
        )
    return SafeString("".join(written))  # all of it is escaped


# --- Time steps --------------------------------------------------------------------------------


@register.simple_tag(takes_context=True)
def step_row(context: template.Context, row: Row, totals: Row, *, clock: bool) -> SafeString:
    """The row of a time step on the page Trend, named by the time of day if `clock` is set.

    The outcomes are also plain numbers for the chart. `totals` are those of the table."""
    page, writer = context["page"], _RowWriter.of(context)
    bucket = row.bucket
    if bucket is None:
        raise ValueError("the row is of no time step")
    # Without a place, because `gaps` beside the table explains what is not measured, instead of each of many rows.
    written = [writer.figures(row, ["offered"], ""), _outcome_cells(context, row, totals)]
    written.append(writer.figures(row, page.means, ""))
    label = clock_of(bucket.start) if clock else bucket.label
    heading = f'<th scope="row" data-label="{escape(bucket.tick)}">{escape(label)}</th>'
    return SafeString(f"<tr>{heading}{''.join(written)}</tr>\n")  # all of it is escaped


@register.simple_tag(takes_context=True)
def charted_row(context: template.Context, row: Row, totals: Row) -> SafeString:
    """The row of a time step under the chart of calls, with plain numbers for the chart. `totals` are the table's."""
    bucket = row.bucket
    if bucket is None:
        raise ValueError("the row is of no time step")
    cells = f"{_outcome_cells(context, row, totals)}{_RowWriter.of(context).figures(row, ['offered'], '')}"
    heading = f'<th scope="row" data-label="{escape(bucket.tick)}">{escape(bucket.label)}</th>'
    return SafeString(f"<tr>{heading}{cells}</tr>\n")  # all of it is escaped


def _outcome_cells(context: template.Context, row: Row, totals: Row) -> str:
    """Return the cells of a row's outcomes, which charts read."""
    page, writer = context["page"], _RowWriter.of(context)
    written = [charted_cell(context, row, key, writer.figure(row, key, ""), totals) for key, _label in page.outcomes]
    if page.unclassified:
        unclassified = listed(context, UNCLASSIFIED, row.unclassified, row["offered"], row)
        written.append(charted_cell(context, row, UNCLASSIFIED, unclassified, totals))
    return "".join(written)


# --- Hours of the week -------------------------------------------------------------------------


@register.simple_tag(takes_context=True)
def map_cell(context: template.Context, one: MapCell, is_sum: bool) -> SafeString:
    """An hour of the week on the map, or a sum of hours."""
    step, is_short = one.step, one.is_short and not is_sum
    text = str(escape(one.text))
    if is_short:
        text += f'<span class="visually-hidden"> {escape(_("too few people"))}</span>'
    if one.is_closed:
        text += f'<span class="visually-hidden"> {escape(_("closed"))}</span>'
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
    if is_short and one.is_closed:
        return SafeString(f'<td class="heat-{step} short-staffed closed">{text}</td>\n')
    if is_short:
        return SafeString(f'<td class="heat-{step} short-staffed">{text}</td>\n')
    if one.is_closed:
        return SafeString(f'<td class="heat-{step} closed">{text}</td>\n')
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
