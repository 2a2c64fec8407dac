"""Comparisons of headline figures with the previous period and with what is usual, with their numbers."""

from __future__ import annotations

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from reports.figures.definitions import FIGURES
from reports.queries.comparison import Pair
from reports.templatetags.figures import change, usual
from reports.templatetags.formats import shown
from reports.templatetags.marks import explained
from reports.views.headline import HeadlineFigure

register = template.Library()


@register.simple_tag
def figure_term(figure: HeadlineFigure) -> SafeString:
    """The label of a headline figure with its definition, and with the numbers that it is compared with."""
    registered = FIGURES[figure.key]
    lines = [before(figure.pair, figure.kind)]
    if figure.usual is not None:
        lines.insert(0, _("usual: %(value)s") % {"value": usual(figure.usual, figure.kind)})
    compared = format_html_join("", '<span class="tip-line">{}</span>', ([line] for line in lines))
    return explained(f"fig-{figure.key}", registered.label, format_html("{}{}", registered.definition, compared))


def before(pair: Pair | None, kind: str = "count") -> str:
    """Return the figure of the previous period, and the change: in percent, in points of shares, in seconds."""
    if pair is None or pair.then is None:
        return _("vs. previous period: –")
    then = shown(pair.then, kind)
    if pair.now is None or not pair.then:
        return _("vs. previous period: %(value)s") % {"value": then}
    words = _("vs. previous period: %(value)s, %(change)s")
    return words % {"value": then, "change": change(pair.now, pair.then, kind)}
