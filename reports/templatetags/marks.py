"""Icons, swatches of outcomes, terms with their definition, sparklines, marks of posts."""

from __future__ import annotations

from functools import cache

from django import template
from django.templatetags.static import static
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from reports.counting import outcomes
from reports.counting.outcomes import Outcome
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
