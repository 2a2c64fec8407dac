"""Icons, swatches of outcomes, terms with their definition, sparklines, strips of days, marks of posts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from django import template
from django.templatetags.static import static
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from reports import periods
from reports.counting import outcomes
from reports.counting.outcomes import Outcome
from reports.figures.completeness import MOST_DAYS, NumberDay, State
from reports.figures.definitions import FIGURES

register = template.Library()


@register.simple_tag
@cache
def icon(name: str) -> SafeString:
    """An icon, hidden from screen readers, because the word beside it says the same."""
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
    """An outcome as colour, pattern and label."""
    if kind == outcomes.CALLBACK:
        return format_html('<span class="outcome">{}</span>', outcomes.CALLBACK_LABEL)
    return format_html('<span class="outcome">{}{}</span>', swatch(kind), Outcome(kind).label)


@register.simple_tag
def explained(place: str, word: object, text: object) -> SafeString:
    """A word with its definition, shown on hover and focus, closed with Esc. `place` makes its id unique."""
    return format_html(
        '<span class="explained"><button type="button" class="term" aria-describedby="tip-{place}">{word}</button>'
        '<span class="tip" role="tooltip" id="tip-{place}"><b>{word}</b>{text}</span></span>',
        place=place,
        word=word,
        text=text,
    )


@register.simple_tag
def term(place: str, key: str, word: object = "") -> SafeString:
    """The label of a figure with its definition."""
    return explained(f"{place}-{key}", word or FIGURES[key].label, FIGURES[key].definition)


_SPARKLINE = (
    '<svg class="sparkline" viewBox="-3 -3 106 30" role="img" aria-label="{words}"><title>{words}</title>'
    '<polyline points="{points}"/><circle cx="{x}" cy="{y}" r="2"/></svg>'
)


@register.simple_tag
def spark(days: dict[int, list[int]], number_id: int) -> SafeString:
    """The calls of each day as a sparkline, with a text for screen readers."""
    values = days.get(number_id) or [0]
    most, width, height = max(*values, 1), 100, 24
    along = _along(len(values), width)
    points = " ".join([f"{x},{height - value / most * height:.1f}" for x, value in zip(along, values, strict=True)])
    words = _("%(least)d to %(most)d calls a day, %(last)d on the last day") % {
        "least": min(values),
        "most": max(values),
        "last": values[-1],
    }
    last = f"{height - values[-1] / most * height:.1f}"
    # The words are escaped; the rest are numbers. Not by format_html, which takes several times as long.
    return SafeString(_SPARKLINE.format(words=escape(words), points=points, x=f"{width:.1f}", y=last))


# Height and top of the bar of a day by its state; a day before the number was set up has none.
_BARS = {State.COMPLETE: (4, 12), State.INCOMPLETE: (0, 16), State.NO_CALLS: (13, 3)}


@register.simple_tag
def day_strip(days: Sequence[NumberDay]) -> SafeString:
    """Whether each day of a number is complete: a bar for each, with a text for screen readers."""
    words = escape(_days_in_words(days))
    bars = {
        state.value: "".join(f"M{6 * n} {top}h5v{height}h-5z" for n, day in enumerate(days) if day.state is state)
        for state, (top, height) in _BARS.items()
    }
    paths = "".join(f'<path class="day-{state}" d="{path}"/>' for state, path in bars.items() if path)
    return SafeString(  # the words are escaped; the rest are ours
        f'<svg class="day-strip" viewBox="0 0 {6 * len(days) - 1} 16" role="img" aria-label="{words}">'
        f"<title>{words}</title>{paths}</svg>"
    )


@register.simple_tag
@cache
def day_swatch(state: str) -> SafeString:
    """A bar of the strip, for its key."""
    top, height = _BARS[State(state)]
    return format_html(
        '<svg class="day-swatch" viewBox="0 0 5 16" aria-hidden="true"><path class="day-{}" d="M0 {}h5v{}h-5z"/></svg>',
        state,
        top,
        height,
    )


def _days_in_words(days: Sequence[NumberDay]) -> str:
    incomplete = [periods.day_label(day.day) for day in days if day.state is State.INCOMPLETE]
    if incomplete:
        # Further days are listed where the number is described.
        if len(incomplete) > MOST_DAYS:
            about = {"n": len(incomplete), "day": incomplete[-1]}
            return _("incomplete on %(n)d days, last on %(day)s") % about
        return _("incomplete on %(days)s") % {"days": ", ".join(incomplete)}
    complete = sum(day.state is State.COMPLETE for day in days)
    if not complete:
        return State.NOT_SET_UP.label if all(day.state is State.NOT_SET_UP for day in days) else _("no calls")
    return ngettext("complete on %(n)d day with calls", "complete on all %(n)d days with calls", complete) % {
        "n": complete
    }


@cache
def _along(points: int, width: int) -> list[str]:
    """Return evenly spaced places from 0 to `width`."""
    step = width / max(1, points - 1)
    return [f"{place * step:.1f}" for place in range(points)]


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
