"""Charts of calls: the series that columns of a table add up to, their legend, and the cells that a chart reads."""

from __future__ import annotations

from typing import Any, NamedTuple

from django import template
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from reports.counting.outcomes import Outcome
from reports.figures.cells import Row
from reports.figures.definitions import FIGURES
from reports.templatetags.figures import calls_url
from reports.templatetags.formats import plain
from reports.templatetags.marks import swatch

register = template.Library()

UNCLASSIFIED = "unclassified"


class Series(NamedTuple):
    """What a chart of calls stacks, and the columns that it adds up: outcomes, or `unclassified`."""

    key: str
    label: Any
    swatch: str
    columns: tuple[str, ...]


# In the order of the legend; charts.js stacks them in the same order.
SERIES = (
    Series("answered", Outcome.ANSWERED.label, Outcome.ANSWERED, (Outcome.ANSWERED,)),
    Series("lost", FIGURES["lost"].label, Outcome.MISSED, (Outcome.MISSED, Outcome.ABANDONED)),
    Series("served_in_plan", Outcome.SERVED_IN_PLAN.label, Outcome.SERVED_IN_PLAN, (Outcome.SERVED_IN_PLAN,)),
    Series("other", _("Other"), Outcome.SHORT, (Outcome.SHORT, Outcome.IN_PROGRESS, Outcome.END_UNKNOWN, UNCLASSIFIED)),
)
# Instead of the lost calls, where these are not the sum of the two.
_PARTS_OF_LOST = tuple(Series(part.value, part.label, part, (part,)) for part in (Outcome.MISSED, Outcome.ABANDONED))
SERIES_WITHOUT_LOST = tuple(
    part for series in SERIES for part in (_PARTS_OF_LOST if series.key == "lost" else (series,))
)


def series_of(totals: Row | None) -> tuple[Series, ...]:
    """Return the series of a table with these totals, if it has any."""
    return SERIES if totals is None or totals.lost_is_sum else SERIES_WITHOUT_LOST


@register.simple_tag
def charted(column: str, name: object, totals: Row | None = None) -> SafeString:
    """The attributes of a column's heading: its series, and the names of both. `totals` are those of the table."""
    (series,) = (series for series in series_of(totals) if column in series.columns)
    return format_html('data-series="{}" data-series-name="{}" data-name="{}"', series.key, series.label, name)


@register.simple_tag
def chart_legend(totals: Row) -> SafeString:
    """The legend of a chart: the series that have calls."""
    shown = (series for series in series_of(totals) if any(_calls(totals, column) for column in series.columns))
    items = format_html_join("", "<li>{}{}</li>", ((swatch(str(series.swatch)), series.label) for series in shown))
    return format_html('<ul class="chart-legend">{}</ul>', items)


def charted_cell(context: template.Context, row: Row, column: str, text: str, totals: Row) -> str:
    """Return the cell of a column with its number for the chart; `text` is safe, `totals` are those of the table.

    The first cell of lost calls also has the address of all of them, if the chart adds up exactly these."""
    href = ""
    is_both = column == Outcome.MISSED and row["missed"].value and row["abandoned"].value
    if is_both and row.lost_is_sum and totals.lost_is_sum:
        href = calls_url(context, "lost", row.lost, row)
    address = f' data-href="{escape(href)}"' if href else ""
    return f'<td class="num" data-v="{plain(_calls(row, column))}"{address}>{text}</td>'


def _calls(row: Row, column: str) -> int | float | None:
    return row.unclassified if column == UNCLASSIFIED else row[column].value
