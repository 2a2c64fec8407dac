"""Single figures: the value with a link to its calls, or why there is none; changes and shares."""

from __future__ import annotations

import html
from collections.abc import Sequence
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, NamedTuple

from django import template
from django.conf import settings
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from calls.models import DestinationNumber, Right
from reports import periods
from reports.figures.cells import Cell, Row
from reports.figures.definitions import FIGURES, LISTED_AS, PARTS_OF_FIGURES
from reports.filters.calls_by_time import DaysFilter, MomentsFilter
from reports.periods import Opening
from reports.queries.comparison import Pair
from reports.queries.concurrent_calls import Peak
from reports.templatetags.formats import EN_DASH, seconds, shown
from reports.templatetags.links import to_coverage

register = template.Library()


@register.simple_block_tag
def data_table(content: str, label: str, name: str = "", classes: str = "", *, sorts: bool = False) -> SafeString:
    """A table that scrolls sideways in narrow windows. `label` is for screen readers, `name` its id.

    With `sorts` its rows can be sorted by the heads that do not have `data-unsorted` (tables.js). It needs an id."""
    return format_html(
        '<div class="table-responsive" role="group" tabindex="0" aria-label="{}">'
        '<table class="data-table{}{}"{}{}>{}</table></div>',
        label,
        " " if classes else "",
        classes,
        format_html(' id="{}"', name) if name else "",
        " data-sorts" if sorts else "",
        content,
    )


# Places in which each figure that is not measured explains itself: tiles, and tables with a row for each figure.
TILE = "fig"
_EACH_EXPLAINED = frozenset({TILE, "tm", "tmb", "today", "pvn", "pvt"})

NIL, ZERO = SafeString('<span class="no-value">–</span>'), SafeString('<span class="zero">0</span>')


@cache
def list_of_calls() -> str:
    """Return the address of the list of calls."""
    return reverse("calls")


def calls_url(
    context: template.Context,
    key: str,
    cell: Cell,
    row: Row | None,
    block_type: str | list[tuple[str, str]] | None = None,
) -> str:
    """Return the address that lists exactly the calls of a count; blank if no filter can, or the user may not.

    `block_type` may also be filters of the list."""
    if not cell.value or key not in WANTED or not (links := links_of(context, row)).is_shown:
        return ""
    part_filters = FIGURES[key].part_filters if key in FIGURES else ()
    if not block_type and part_filters:
        return ""
    more: list[tuple[str, str]] = block_type if isinstance(block_type, list) else []
    if cell.since is not None or cell.left_out:
        more = [*more, ("measured", _measured_as(key, more))]
    if block_type and isinstance(block_type, str):
        more = [*more, *((name, block_type) for name in part_filters)]
    return links.to(key, *([urlencode(more)] if more else []))


class Links(NamedTuple):
    """What the addresses of the calls of a row's figures have in common."""

    row: Row | None
    # Whether the user may see the single calls of its numbers.
    is_shown: bool
    start: str
    end: str

    def to(self, key: str, *more: str) -> str:
        """Return the address of the calls of a figure."""
        return "&".join([f"{self.start}&{WANTED[key]}{self.end}", *more])


def links_of(context: template.Context, row: Row | None) -> Links:
    """Return the links of a row. The last ones are kept, because a row has many figures."""
    render_context: Any = context.render_context
    links: Links | None = render_context.get(links_of)
    if links is None or links.row is not row:
        page = context["page"]
        number = row.number if row is not None and row.number is not None else page.number
        numbers = [number.e164] if number is not None else [chosen.e164 for chosen in page.chosen]
        when = row.bucket if row is not None and row.bucket else page.period
        opening = page.period.opening
        span = _span_query(settings.TIME_ZONE, when.start, when.end)
        links = Links(
            row,
            page.rights.may(Right.CALLS, number) if number is not None else page.lists_calls,
            "&".join([f"{list_of_calls()}?{span}", *map(_number_query, numbers)]),
            "" if opening == Opening.ALL else f"&{urlencode({'opening': opening.value})}",
        )
        render_context[links_of] = links
    return links


# Cached, because all numbers of a page have the same time, and all its times the same numbers.
@lru_cache(maxsize=4096)
def _span_query(_zone: str, start: datetime, end: datetime) -> str:
    """Return the filters of the list of calls for a time; whole days are given as days."""
    days = periods.whole_days(start, end)
    return urlencode(DaysFilter.query_of(*days) if days else MomentsFilter.query_of(start, end))


@lru_cache(maxsize=4096)
def _number_query(e164: str) -> str:
    return urlencode({"number": e164})


def _measured_as(key: str, filters: Sequence[tuple[str, str]]) -> str:
    """Return the figure whose coverage applies to a count."""
    part = PARTS_OF_FIGURES.get(key)
    return (part and part.measured_as) or dict(filters).get("took", key)


def linked_count(href: str, key: str, calls: int) -> SafeString:
    """Return a count with a link to its calls."""
    # Like format_html, but escapes only the address, and not by Django's slower function, because a page has thousands.
    text = f'<a href="{html.escape(href)}" data-figure="{key}" data-calls="{calls}">{shown(calls, "count")}</a>'
    return SafeString(text)  # the address is escaped; keys of figures and numbers need not be


# The query string of the list of calls for the calls of each figure.
WANTED = {key: urlencode(filters) for key, filters in LISTED_AS.items()}


@register.simple_tag(takes_context=True)
def cell(  # noqa: PLR0917 (a template names them in this order)
    context: template.Context,
    key: str,
    one: Cell,
    row: Row | None = None,
    kind: str = "count",
    place: str = "",
    block_type: str | list[tuple[str, str]] | None = None,
) -> SafeString:
    """A figure: its value with a link to its calls, or why there is none. `place` makes ids unique in a row.

    A star marks what is measured only since some time of the period; in tables `gaps` says of which numbers and why."""
    if not one.is_measured:
        if one.not_measured:
            return _not_measured(context, key, one, row, place)
        return format_html('<span class="no-value" title="{}">–</span>', _("not applicable"))
    href = calls_url(context, key, one, row, block_type) if kind == "count" else ""
    if one.value is None:
        value = NIL
    elif not one.value and kind == "count":
        value = ZERO
    elif href:
        value = linked_count(href, key, int(one.value))
    else:
        value = shown(one.value, kind)
    if one.since is not None:
        return format_html("{}{}", value, _since(one, key, place))
    return value


def _since(one: Cell, key: str, place: str) -> SafeString:
    """Return the mark of a figure that is measured only since some time; in tiles it can be opened."""
    word = _("since %(moment)s") % {"moment": periods.moment_label(one.since)} if one.since else ""
    if place != TILE:
        return format_html('<span class="since" title="{0}">*<span class="visually-hidden">{0}</span></span>', word)
    return format_html(
        '<span class="explained"><button type="button" class="term since" aria-describedby="tip-{place}">*'
        '<span class="visually-hidden">{word}</span></button>'
        '<span class="tip" role="tooltip" id="tip-{place}"><b>{word}</b>{reason}</span></span>',
        place=f"since-{place}-{key}",
        word=word,
        reason=one.reason,
    )


@register.simple_tag(takes_context=True)
def listed(  # noqa: PLR0917 (a template names them in this order)
    context: template.Context,
    key: str,
    calls: int | None,
    of_cell: Cell,
    row: Row,
    filters: list[tuple[str, str]] | None = None,
) -> SafeString:
    """A part of a figure's calls, with a link to them. Since when it is measured is shown at the figure itself."""
    if calls is None:
        return NIL
    if not calls:
        return ZERO
    href = calls_url(context, key, of_cell._replace(value=calls), row, filters)
    return linked_count(href, key, calls) if href else format_html("{}", shown(calls, "count"))


@register.simple_tag(takes_context=True)
def at_once(context: template.Context, peak: Peak, number: DestinationNumber) -> SafeString:
    """The peak of simultaneous calls of a bucket, with a link to these calls."""
    if not peak.calls or not peak.at:
        return ZERO
    if not context["page"].lists_calls:
        return format_html("{}", shown(peak.calls, "count"))
    filters = urlencode({"number": number.e164, "at_once": peak.at.isoformat()})
    return linked_count(f"{list_of_calls()}?{filters}", "at_once", peak.calls)


@register.simple_tag(takes_context=True)
def forward_cell(  # noqa: PLR0917 (a template names them in this order)
    context: template.Context, key: str, figure_cell: Cell, kind: str = "count", place: str = "", names: Any = None
) -> SafeString:
    """A figure of forwards; with a link to its calls if `names` has destinations."""
    listed = [names] if isinstance(names, str) else list(names or ())
    pairs = list(zip(FIGURES[key].part_filters, listed, strict=True)) if listed else []
    return cell(context, key, figure_cell, None, kind, place, pairs or None)


def _not_measured(context: template.Context, key: str, figure_cell: Cell, row: Row | None, place: str) -> SafeString:
    """Return the words, which can be opened at the first figure of a row; nowhere if `place` is blank."""
    if not place or (place not in _EACH_EXPLAINED and not _is_first(context, place)):
        return format_html('<i class="not-measured" title="{}">{}</i>', figure_cell.reason, _("not measured"))
    number = row.number if row is not None and row.number is not None else context["page"].number
    link = to_coverage(context, number)
    if number is not None and context["administers"]:
        link = format_html(
            '{} · <a href="{}">{}</a>',
            link,
            reverse("admin:calls_destinationnumber_change", args=[number.pk]),
            _("Settings of this number"),
        )
    return format_html(
        '<span class="explained"><button type="button" class="term not-measured" aria-describedby="tip-{place}">{word}'
        '</button><span class="tip" role="tooltip" id="tip-{place}"><b>{figure}</b>{reason}{link}</span></span>',
        place=f"nm-{place}-{key}",
        word=_("not measured"),
        figure=FIGURES[key].label,
        reason=figure_cell.reason,
        link=link,
    )


def _is_first(context: template.Context, place: str) -> bool:
    """Return whether no figure of a row has explained yet why it is not measured."""
    render_context: Any = context.render_context
    explained: set[str] = render_context.setdefault(_is_first, set())
    is_first = place not in explained
    explained.add(place)
    return is_first


@register.simple_tag
def usual(value: float | None, kind: str) -> str:
    """An average of several days, written like the figure; a dash for None."""
    if value is None:
        return EN_DASH
    return shown(round(value) if kind == "count" else value, kind)


@register.simple_tag
def within(time_s: int | None, figure_cell: Cell) -> str:
    """The time within which a share of calls lies; a dash if the figure is not measured."""
    return seconds(time_s) if figure_cell.is_measured else NIL


@register.simple_tag
def share_of(row: Row, key: str) -> SafeString:
    """An outcome as a share of offered calls, in small grey text."""
    share = row.share(key)
    if share is None:
        return SafeString('<span class="beside-count"></span>')
    return SafeString(f'<span class="beside-count">{round(share * 100)} %</span>')


@register.simple_tag
def changed(pair: Pair | None, kind: str = "count") -> str:
    """The change since the previous period alone; a dash if there is nothing to compare."""
    if pair is None or pair.now is None or not pair.then:
        return NIL
    return change(pair.now, pair.then, kind)


def change(now: float, then: float, kind: str) -> str:
    if kind == "share":
        return _("%(points)s pt") % {"points": _signed(round(now * 100) - round(then * 100))}
    if kind == "seconds":
        return _("%(seconds)s s") % {"seconds": _signed(round(now) - round(then))}
    return _("%(percent)s %%") % {"percent": _signed(round((now - then) / then * 100))}


def _signed(difference: int) -> str:
    sign = "+" if difference > 0 else "−" if difference < 0 else "±"
    return f"{sign}{abs(difference)}"


@register.filter
def of(row: Row, key: str) -> Cell:
    return row[key]
