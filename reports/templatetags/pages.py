"""What the pages' templates say often: icons, outcomes, counts with their links, times, definitions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from django import template
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.dateformat import format as formatted
from django.utils.formats import get_format, localize
from django.utils.html import escape, format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from calls import phones, posts
from calls.models import DestinationNumber
from reports import periods
from reports.counting import outcomes
from reports.counting.outcomes import Outcome
from reports.figures import FIGURES, KINDS, Cell, Row, State, block_label
from reports.filters import call_filter, session_filter
from reports.periods import Opening, Period
from reports.permissions import is_administrator
from reports.queries.comparison import Pair
from reports.queries.concurrent_calls import Peak

register = template.Library()

EN_DASH = "–"
# Figures of one block type, or of one destination: without it no filter says which calls they are of.
OF_PARTS = frozenset(
    {"blocks", "block_calls", "last_in_call", "block_lost", "attempts", "tried", "forward_answers", "handovers"}
)


# --- Marks -------------------------------------------------------------------------------------


@register.simple_tag
@cache
def icon(name: str) -> SafeString:
    """An icon of the sprite; the word beside it says the same."""
    href = f"{static('reports/vendor/bootstrap-icons/icons.svg')}#{name}"
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}"></use></svg>', href)


@register.simple_tag
@cache
def swatch(kind: str) -> SafeString:
    """The colour and pattern of an outcome, or of `not_measured`."""
    frame = (2, 10) if kind == Outcome.IN_PROGRESS else (1, 11) if kind == "not_measured" else (0, 12)
    return format_html(
        '<svg class="swatch" viewBox="0 0 12 12" aria-hidden="true"><rect class="fill-{kind}" x="{at}" y="{at}" '
        'width="{side}" height="{side}"/></svg>',
        kind=kind,
        at=frame[0] / 2 if frame[0] else 0,
        side=frame[1],
    )


@register.simple_tag
def outcome(kind: str) -> SafeString:
    """An outcome as colour, pattern and word."""
    if kind == outcomes.CALLBACK:
        return format_html('<span class="outcome">{}</span>', outcomes.CALLBACK_LABEL)
    return format_html('<span class="outcome">{}{}</span>', swatch(kind), Outcome(kind).label)


@register.simple_tag
def explained(place: str, word: object, text: object) -> SafeString:
    """A word with its definition: open on hover and focus, closed with Esc. `place` keeps ids apart."""
    return format_html(
        '<span class="explained"><button type="button" class="term" aria-describedby="tip-{place}">{word}</button>'
        '<span class="tip" role="tooltip" id="tip-{place}"><b>{word}</b>{text}</span></span>',
        place=place,
        word=word,
        text=text,
    )


@register.simple_tag
def term(place: str, key: str, word: object = "") -> SafeString:
    """A figure's name with its definition."""
    return explained(f"{place}-{key}", word or FIGURES[key].label, FIGURES[key].definition)


# The files that pages offer: their names, and what a row of them is.
FILES = {
    "counts": (gettext_lazy("Counts"), gettext_lazy("One row per number and stretch of time")),
    "blocks": (gettext_lazy("Blocks"), gettext_lazy("One row per number and block type")),
    "week": (gettext_lazy("Week by hours"), gettext_lazy("One row per weekday and hour")),
    "times": (gettext_lazy("Times"), gettext_lazy("Median, 90 % and classes, one row per class")),
    "peaks": (gettext_lazy("Calls at once"), gettext_lazy("At most, one row per stretch of time")),
    "forwards": (gettext_lazy("Forwards"), gettext_lazy("One row per number, stretch of time, destination and course")),
    "calls": (gettext_lazy("Calls"), gettext_lazy("One row per call, oldest first")),
    "coverage": (gettext_lazy("Coverage"), gettext_lazy("One row per number and kind of post")),
    "planner": (gettext_lazy("For planners"), gettext_lazy("Every quarter-hour in UTC, no header")),
}


@register.filter
def file_label(kind: str) -> str:
    """Return what a download is called on pages."""
    return str(FILES[kind][0]) if kind in FILES else kind


@register.inclusion_tag("reports/_export.html", takes_context=True)
def export_menu(context: template.Context, names: str, query: str = "", **queries: str) -> dict[str, Any]:
    """The menu of a page's files, for windows that are wide enough. A file may have a query of its own."""
    return {"files": _files(names, query, queries), "question": context.get("question", "")}


@register.inclusion_tag("reports/_export_links.html")
def export_links(names: str, query: str = "", **queries: str) -> dict[str, Any]:
    """The same files as a line of links, for those that are not."""
    return {"files": _files(names, query, queries)}


def _files(names: str, query: str, queries: dict[str, str]) -> list[dict[str, Any]]:
    def address(name: str, ending: str) -> str:
        return f"{reverse(f'{name}_{ending}')}?{queries.get(name, query)}"

    return [
        {
            "label": FILES[name][0],
            "row": FILES[name][1],
            "csv": address(name, "csv"),
            "xlsx": name != "planner" and address(name, "xlsx"),
        }
        for name in names.split()
    ]


# --- Values ------------------------------------------------------------------------------------


def clock(seconds: float) -> str:
    """Return a time span as people say it: `21 s`, `4:18 min`, `2:05:00 h`."""
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}:{rest:02} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h"


def shown(value: Any, kind: str) -> SafeString:
    if kind == "share":
        return SafeString(f"{round(value * 100)} %")
    if kind == "seconds":
        return SafeString(clock(value))
    # As Django localizes a whole number, which takes many times as long.
    text = f"{value:,}"
    return SafeString(text.replace(",", get_format("THOUSAND_SEPARATOR")) if "," in text else text)


_NIL, _ZERO = SafeString('<span class="no-value">–</span>'), SafeString('<span class="zero">0</span>')


@register.filter
def seconds(value: Any) -> str:
    """A number of seconds or a timedelta in words; nothing as a dash."""
    if value is None:
        return EN_DASH
    return clock(value.total_seconds() if hasattr(value, "total_seconds") else value)


@register.filter
def percent(value: float | None) -> str:
    return EN_DASH if value is None else f"{round(value * 100)} %"


@register.filter
def readable(number: str) -> str:
    """A phone number as people write it; what is none comes back unchanged."""
    return phones.readable(number)


@register.filter
def day(moment: datetime) -> str:
    return formatted(moment.astimezone(periods.zone()), "D j M Y")


@register.filter
def precise(moment: datetime) -> str:
    """The time of day to the tenth of a second, in the reports' zone."""
    local = moment.astimezone(periods.zone())
    return f"{local:%H:%M:%S}.{local.microsecond // 100_000}"


@register.filter
def time_of_day(moment: datetime) -> str:
    return f"{moment.astimezone(periods.zone()):%H:%M:%S}"


@register.filter("clock")
def clock_of(moment: datetime) -> str:
    """The time of day to the minute; of an hour that comes twice with its offset."""
    return periods.moment_label(moment).rpartition(", ")[2]


@register.filter
def moment(value: datetime) -> str:
    return periods.moment_label(value)


@register.filter
def iso(moment: datetime) -> str:
    return moment.astimezone(periods.zone()).isoformat()


@register.filter
def age(moment: datetime) -> str:
    """How long ago, in the largest whole unit."""
    past = max(0, int((timezone.now() - moment).total_seconds()))
    if past < 120:
        return ngettext("%(n)d second ago", "%(n)d seconds ago", past) % {"n": past}
    if past < 7200:
        return ngettext("%(n)d minute ago", "%(n)d minutes ago", past // 60) % {"n": past // 60}
    if past < 172_800:
        return ngettext("%(n)d hour ago", "%(n)d hours ago", past // 3600) % {"n": past // 3600}
    return ngettext("%(n)d day ago", "%(n)d days ago", past // 86_400) % {"n": past // 86_400}


@register.filter
def pretty_json(payload: str) -> str:
    """A stored payload, indented."""
    return posts.pretty(payload)


# --- Cells -------------------------------------------------------------------------------------


@register.simple_tag(takes_context=True)
def sum_cell(context: template.Context, key: str, one: Cell, kind: str, place: str) -> SafeString:
    """A figure of the same days of the weeks before together; a count leads to the calls of all of them."""
    if not one.is_measured or not one.value:
        return cell(context, key, one, None, kind, place)
    page = context["page"]
    if key not in _WANTED:
        return format_html("{}", shown(one.value, kind))
    period: Period = page.period
    wanted = [("from", period.first), ("to", period.last), ("number", page.number.e164)]
    if period.opening != Opening.ALL:
        wanted.append(("opening", period.opening.value))
    if any(not row[key].is_measured or row[key].since for row in page.weeks):
        wanted.append(("measured", key))
    href = f"{_list_of_calls()}?{urlencode([*wanted, ('weeks', len(page.weeks))])}&{_WANTED[key]}"
    return _link(href, key, int(one.value))


@cache
def _list_of_calls() -> str:
    return reverse("calls")


def calls_url(
    context: template.Context,
    key: str,
    cell: Cell,
    row: Row | None,
    block_type: str | list[tuple[str, str]] | None = None,
) -> str:
    """Return the address of exactly the calls that a count is of, or nothing where no filter says it.

    In place of a block type may stand filters of the list themselves."""
    if not cell.value or key not in _WANTED:
        return ""
    if not block_type and key in OF_PARTS:
        return ""
    page = context["page"]
    number = row.number if row is not None and row.number is not None else page.number
    numbers = [number.e164] if number is not None else [chosen.e164 for chosen in page.chosen]
    when = row.bucket if row is not None and row.bucket else page.period
    # The figures of a row begin alike.
    place = (when.start, when.end, *numbers)
    render_context: Any = context.render_context
    known: dict[tuple[object, ...], str] = render_context.setdefault(calls_url, {})
    if place not in known:
        known[place] = f"{_list_of_calls()}?{urlencode(_span(when.start, when.end, numbers))}"
    more: list[tuple[str, str]] = block_type if isinstance(block_type, list) else []
    if cell.since is not None or cell.left_out:
        more = [*more, ("measured", _measured_as(key, more))]
    opening = page.period.opening
    if opening != Opening.ALL:
        more = [("opening", opening.value), *more]
    if block_type and isinstance(block_type, str):
        more = [*more, ("last_block" if key in ("last_in_call", "block_lost") else "block", block_type)]
    return "&".join([known[place], _WANTED[key], *([urlencode(more)] if more else [])])


def _measured_as(key: str, filters: Sequence[tuple[str, str]]) -> str:
    """Return the figure that says since when a count is measured."""
    if key in ("in_time", "level_of"):
        return "service_level"
    return dict(filters).get("took", key)


def _link(href: str, key: str, calls: int) -> SafeString:
    """A count that leads to its calls."""
    # As format_html, but for what needs no escaping: a page has thousands of these.
    text = f'<a href="{escape(href)}" data-figure="{key}" data-calls="{calls}">{shown(calls, "count")}</a>'
    return mark_safe(text)  # noqa: S308 (the address is escaped; figures' keys and numbers need not be)


# What the list of calls is asked for the calls of a figure.
_WANTED = {key: urlencode(wanted) for key, wanted in call_filter.COUNTED_AS.items()}


def _span(start: datetime, end: datetime, numbers: list[str]) -> list[tuple[str, str]]:
    """Return what the list of calls is asked for a time, in whole days where it is made of such, and numbers."""
    days = call_filter.days_of(start, end)
    span = (
        [("from", days[0].isoformat()), ("to", days[1].isoformat())]
        if days
        else [("start", start.isoformat()), ("end", end.isoformat())]
    )
    return [*span, *(("number", e164) for e164 in numbers)]


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
    """A figure in a table: its value with a link to its calls, or why there is none."""
    if one.state is State.DOES_NOT_APPLY:
        return format_html('<span class="no-value" title="{}">–</span>', _("does not apply"))
    if one.state is State.NOT_MEASURED:
        return _not_measured(context, key, one, row, place)
    href = calls_url(context, key, one, row, block_type) if kind == "count" else ""
    if one.value is None:
        value = _NIL
    elif not one.value and kind == "count":
        value = _ZERO
    elif href:
        value = _link(href, key, int(one.value))
    else:
        value = shown(one.value, kind)
    if one.since is not None:
        since = format_html(
            '<span class="explained"><button type="button" class="term since" aria-describedby="tip-{place}">*'
            '<span class="visually-hidden">{word}</span></button>'
            '<span class="tip" role="tooltip" id="tip-{place}"><b>{word}</b>{reason}</span></span>',
            place=f"since-{place}-{key}",
            word=_("since %(moment)s") % {"moment": periods.moment_label(one.since)},
            reason=one.reason,
        )
        value = format_html("{}{}", value, since)
    return value


@register.simple_tag(takes_context=True)
def listed(  # noqa: PLR0917 (a template names them in this order)
    context: template.Context,
    key: str,
    calls: int | None,
    of_cell: Cell,
    row: Row,
    filters: list[tuple[str, str]] | None = None,
) -> SafeString:
    """Some of the calls that a figure is of, with a link to them. Since when it is measured stands beside it."""
    if calls is None:
        return _NIL
    if not calls:
        return _ZERO
    href = calls_url(context, key, of_cell._replace(value=calls), row, filters)
    return _link(href, key, calls) if href else format_html("{}", shown(calls, "count"))


@register.simple_tag
def at_once(peak: Peak, number: DestinationNumber) -> SafeString:
    """The most calls at once of a stretch, with a link to those that went on."""
    if not peak.calls or not peak.at:
        return _ZERO
    wanted = urlencode({"number": number.e164, "at_once": peak.at.isoformat()})
    return _link(f"{_list_of_calls()}?{wanted}", "at_once", peak.calls)


@register.simple_tag(takes_context=True)
def cells(context: template.Context, row: Row, keys: Sequence[str], place: str) -> SafeString:
    """The cells of figures of a row, in a table; as `cell` for each, which takes twice as long."""
    written = (cell(context, key, row[key], row, KINDS.get(key, "count"), place) for key in keys)
    return mark_safe("".join(f'<td class="num">{one}</td>' for one in written))  # noqa: S308 (cells are safe)


@register.simple_tag(takes_context=True)
def charted_cells(context: template.Context, row: Row, series: Sequence[tuple[str, object]], place: str) -> SafeString:
    """The counts of a row, as `cells`, each with the plain number that a chart draws. `series` are keys and labels."""
    return mark_safe(  # noqa: S308 (cells are safe, and so are numbers)
        "".join(
            f'<td class="num" data-v="{plain(row[key].value)}">{cell(context, key, row[key], row, "count", place)}</td>'
            for key, _label in series
        )
    )


# The filters of the list of calls that name the calls of a figure of a destination.
_LISTED_BY = {"tried": ("tried",), "forward_answers": ("answered_by",), "handovers": ("tried_first", "answered_by")}


@register.simple_tag(takes_context=True)
def forward_cell(  # noqa: PLR0917 (a template names them in this order)
    context: template.Context, key: str, one: Cell, kind: str = "count", place: str = "", names: Any = None
) -> SafeString:
    """A figure of forwards; where it is of named destinations, with a link to its calls."""
    listed = [names] if isinstance(names, str) else list(names or ())
    pairs = list(zip(_LISTED_BY[key], listed, strict=True)) if listed else []
    return cell(context, key, one, None, kind, place, pairs or None)


@register.simple_tag(takes_context=True)
def report_url(context: template.Context, name: str, *args: object, place: str = "") -> str:
    """The address of a report, with the question that is being asked; `place` is one on its page."""
    return session_filter.carry(f"{reverse(name, args=args)}{place and f'#{place}'}", context.get("question") or "")


@register.simple_tag(takes_context=True)
def to_coverage(context: template.Context, number: DestinationNumber | None = None) -> SafeString:
    """A link to which posts arrive, behind the words why something is not measured."""
    href = report_url(context, "coverage", place=f"n-{number.pk}" if number else "")
    return format_html(' <a href="{}">{}</a>', href, _("Coverage"))


def _not_measured(context: template.Context, key: str, one: Cell, row: Row | None, place: str) -> SafeString:
    number = row.number if row is not None and row.number is not None else context["page"].number
    link = to_coverage(context, number)
    if number is not None and is_administrator(context["user"]):
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
        reason=one.reason,
        link=link,
    )


@register.simple_tag
def spark(days: dict[int, list[int]], number_id: int) -> SafeString:
    """The calls of each day as a small line; in words for those who do not see it."""
    values = days.get(number_id) or [0]
    most, width, height = max(*values, 1), 100, 24
    step = width / max(1, len(values) - 1)
    points = " ".join(f"{place * step:.1f},{height - value / most * height:.1f}" for place, value in enumerate(values))
    words = _("%(least)d to %(most)d calls a day, %(last)d on the last") % {
        "least": min(values),
        "most": max(values),
        "last": values[-1],
    }
    return format_html(
        '<svg class="sparkline" viewBox="-3 -3 106 30" role="img" aria-label="{words}"><title>{words}</title>'
        '<polyline points="{points}"/><circle cx="{x}" cy="{y}" r="2"/></svg>',
        words=words,
        points=points,
        x=f"{width:.1f}",
        y=f"{height - values[-1] / most * height:.1f}",
    )


@register.simple_tag
def usual(value: float | None, kind: str) -> str:
    """A mean of several days, as the figure of one; nothing as a dash."""
    if value is None:
        return EN_DASH
    return shown(round(value) if kind == "count" else value, kind)


@register.simple_tag
def share_of(row: Row, key: str) -> SafeString:
    """An outcome's share of offered, small and quiet."""
    share = row.share(key)
    if share is None:
        return mark_safe('<span class="beside-count"></span>')
    return format_html('<span class="beside-count">{}</span>', f"{round(share * 100)} %")


@register.simple_tag
def before(pair: Pair | None, kind: str = "count") -> SafeString:
    """The same figure of the period before, and the change: in percent, rates in points, times in seconds."""
    if pair is None or pair.then is None:
        return format_html("{}", _("before –"))
    text = format_html("{} <b>{}</b>", _("before"), shown(pair.then, kind))
    if pair.now is None:
        return text
    return format_html("{}, {}", text, change(pair.now, pair.then, kind)) if pair.then else text


def change(now: float, then: float, kind: str) -> str:
    if kind == "share":
        return _signed(round(now * 100) - round(then * 100), _(" pt"))
    if kind == "seconds":
        return _signed(round(now) - round(then), " s")
    return _signed(round((now - then) / then * 100), " %")


def _signed(difference: int, unit: str) -> str:
    sign = "+" if difference > 0 else "−" if difference < 0 else "±"
    return f"{sign}{abs(difference)}{unit}"


# --- Small things templates cannot say ------------------------------------------------------------


@register.filter
def of(row: Row, key: str) -> Cell:
    return row[key]


@register.filter
def item(cells: dict[str, Cell], key: str) -> Cell:
    return cells[key]


@register.filter
def plain(value: float | None) -> str:
    """A number as machines read it; nothing as nothing, which a chart draws as a gap."""
    return "" if value is None else str(value)


@register.filter
def raw(value: float) -> str:
    """A number in an SVG attribute: no thousands separator, a point before the fraction."""
    return f"{value:g}"


@register.filter
def place(value: object, prefix: str) -> str:
    """Part of an id: a row's key after a prefix, nothing in it but letters, digits and dashes."""
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return prefix + "-" + "".join(c if c.isascii() and c.isalnum() else "-" for c in text)


@register.filter
def block(block_type: str) -> str:
    return block_label(block_type)


@register.filter
def zero(count: int) -> SafeString:
    """A count with a quiet 0."""
    return format_html('<span class="zero">0</span>' if not count else "{}", localize(count))


@register.filter
def day_short(moment: datetime) -> str:
    local = moment.astimezone(periods.zone())
    return formatted(local, "D j M" if local.year == periods.today().year else "D j M Y")


@register.filter
def exact_seconds(span: Any) -> str:
    """A gap between posts: to the tenth while that matters."""
    total = span.total_seconds()
    return f"{total:.1f} s" if total < 100 else clock(total)


@register.simple_tag
def mark(kind: str) -> SafeString:
    """The mark of a post on the timeline."""
    shapes = {
        "ring": '<circle class="mark-ring" cx="7" cy="7" r="5"/>',
        "arrow": '<path class="mark-arrow" d="M1.5 7H12M8 3l4 4-4 4"/>',
        "disc": '<circle class="mark-disc" cx="7" cy="7" r="6"/>',
    }
    shape = shapes.get(kind, '<rect class="mark-square" x="3.5" y="3.5" width="7" height="7" rx="1.5"/>')
    return format_html('<svg class="event-mark" viewBox="0 0 14 14" aria-hidden="true">{}</svg>', mark_safe(shape))  # noqa: S308 (constants)


@register.simple_tag(takes_context=True)
def open_or_unknown(context: template.Context, row: Row, place: str) -> SafeString:
    """Calls in progress and calls whose end is unknown, each with its link; 0 where there is neither."""
    going, unknown = row["in_progress"], row["end_unknown"]
    if not going.is_measured or not unknown.is_measured:
        return cell(context, "in_progress", going, row, "count", place)
    if not going.value and not unknown.value:
        return cell(context, "in_progress", going, row, "count", place)
    parts = []
    if going.value:
        parts.append(cell(context, "in_progress", going, row, "count", place))
    if unknown.value:
        parts.append(cell(context, "end_unknown", unknown, row, "count", place))
    words = [_("open")] * bool(going.value) + [_("unknown")] * bool(unknown.value)
    return format_html_join(
        "", '<span class="d-block">{} <span class="beside-count wide">{}</span></span>', zip(parts, words, strict=True)
    )


@register.simple_tag
def filter_in_words(asked: call_filter.CallFilter) -> SafeString:
    """What a list of calls was narrowed to, as one phrase."""
    parts: list[str] = []
    if asked.outcomes:
        names = {**dict(Outcome.choices), **outcomes.MORE_OUTCOMES}
        parts.append(_(" or ").join(str(names[kind]).lower() for kind in asked.outcomes))
    elif asked.without_callbacks:
        parts.append(_("all but callbacks"))
    parts += [str(call_filter.FLAGS[flag]).lower() for flag in asked.flags]
    opening = "" if asked.opening == Opening.ALL else str(asked.opening.label).lower()
    parts += [
        label
        for label in (asked.period_label, opening, asked.hours_label, asked.times_label, asked.destinations_label)
        if label
    ]
    if asked.numbers:
        parts.append(", ".join(one.name for one in asked.numbers))
    return format_html("{}.", ", ".join(parts) or _("those you searched for"))
